// SPDX-License-Identifier: MIT
#include "malloc_environment.hpp"

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace alloclab {
namespace {

std::string_view copy_value(const char* value, char* buffer, std::size_t buffer_bytes) {
    const std::size_t length = strnlen(value, buffer_bytes);
    std::memcpy(buffer, value, length);
    return {buffer, length};
}

// Walks /proc/self/environ byte by byte through a small window: the loader allocates before the C
// library knows its environment.
std::string_view read_from_proc(std::string_view variable, char* buffer, std::size_t buffer_bytes) {
    const int file = ::open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return {};
    }
    char window[1024];
    std::size_t matched = 0; // letters of the variable's name, or npos in another variable
    std::size_t length = 0;
    bool is_done = false;
    for (ssize_t got = 0; !is_done && (got = ::read(file, window, sizeof window)) > 0;) {
        for (ssize_t letter_idx = 0; letter_idx < got && !is_done; ++letter_idx) {
            const char letter = window[letter_idx];
            if (matched == variable.size()) {
                is_done = letter == '\0' || length == buffer_bytes;
                if (!is_done) {
                    buffer[length++] = letter;
                }
            } else if (letter == '\0') {
                matched = 0;
            } else if (matched != std::string_view::npos) {
                matched = letter == variable[matched] ? matched + 1 : std::string_view::npos;
            }
        }
    }
    ::close(file);
    return {buffer, length};
}

} // namespace

std::string_view read_environment(std::string_view variable, char* buffer,
                                  std::size_t buffer_bytes) noexcept {
    const int saved_errno = errno;
    std::string_view value;
    if (environ == nullptr) {
        value = read_from_proc(variable, buffer, buffer_bytes);
    } else {
        for (char** entry = environ; *entry != nullptr; ++entry) {
            if (std::strncmp(*entry, variable.data(), variable.size()) == 0) {
                value = copy_value(*entry + variable.size(), buffer, buffer_bytes);
                break;
            }
        }
    }
    errno = saved_errno;
    return value;
}

std::string_view read_malloc_options(char* buffer, std::size_t buffer_bytes) noexcept {
    return read_environment("ALLOCLAB_MALLOC_OPTIONS=", buffer, buffer_bytes);
}

namespace {

void write_line(std::initializer_list<std::string_view> texts) noexcept {
    iovec parts[4];
    int count = 0;
    for (const std::string_view text : texts) {
        parts[count++] = {const_cast<char*>(text.data()), text.size()};
    }
    const int saved_errno = errno;
    [[maybe_unused]] const ssize_t written = ::writev(STDERR_FILENO, parts, count);
    errno = saved_errno;
}

} // namespace

void report_bad_option(std::string_view library, std::string_view item) noexcept {
    write_line(
        {library, ": ALLOCLAB_MALLOC_OPTIONS: not understood: '", item, "'; using the defaults\n"});
}

void report_bad_choice(std::string_view choice) noexcept {
    write_line({"liballoclab_malloc: ALLOCLAB_MALLOC: neither pool nor debug: '", choice,
                "'; using pool\n"});
}

} // namespace alloclab
