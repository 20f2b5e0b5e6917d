// SPDX-License-Identifier: MIT
#include <alloclab/measure/resident.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/base/units.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace alloclab {

namespace {

int open_proc(const char* path) {
    const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        throw SystemError("open", path, errno);
    }
    return descriptor;
}

// The number of bytes of a line such as "RssAnon:	    1234 kB", or zero.
std::uint64_t kilobytes_field(const char* text, const char* name) {
    const char* const line = std::strstr(text, name);
    return line == nullptr ? 0 : std::strtoull(line + std::strlen(name), nullptr, 10) * 1024;
}

} // namespace

ResidentMeter::ResidentMeter()
    : status_(open_proc("/proc/self/status")), statm_(open_proc("/proc/self/statm")) {}

ResidentMeter::~ResidentMeter() {
    ::close(status_);
    ::close(statm_);
}

Resident ResidentMeter::read() const {
    char text[4096];
    const ssize_t got = ::pread(status_, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return {.anonymous = kilobytes_field(text, "\nRssAnon:"),
            .file = kilobytes_field(text, "\nRssFile:"),
            .shared = kilobytes_field(text, "\nRssShmem:"),
            .high_water = kilobytes_field(text, "\nVmHWM:")};
}

std::uint64_t ResidentMeter::anonymous_bytes() const {
    char text[128];
    const ssize_t got = ::pread(statm_, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    char* at = text;
    std::strtoull(at, &at, 10); // the size of the address space
    const std::uint64_t resident = std::strtoull(at, &at, 10);
    const std::uint64_t file_or_shared = std::strtoull(at, &at, 10);
    return resident < file_or_shared ? 0 : (resident - file_or_shared) * page_bytes;
}

bool ResidentMeter::reset_high_water() const {
    const int descriptor = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    const bool is_done = ::write(descriptor, "5", 1) == 1;
    ::close(descriptor);
    return is_done;
}

void populate_file_mappings() {
    const int descriptor = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return;
    }
    static char text[1 << 16];
    std::size_t held = 0;
    ssize_t got = 0;
    while ((got = ::read(descriptor, text + held, sizeof text - 1 - held)) > 0) {
        held += static_cast<std::size_t>(got);
        text[held] = '\0';
        char* line = text;
        for (char* end = nullptr; (end = std::strchr(line, '\n')) != nullptr; line = end + 1) {
            *end = '\0';
            char* at = line;
            const std::uint64_t from = std::strtoull(at, &at, 16);
            const std::uint64_t to = std::strtoull(at + 1, &at, 16);
            const bool is_readable = at[1] == 'r';
            const bool is_file = std::strchr(at, '/') != nullptr;
            if (is_readable && is_file) {
                ::madvise(reinterpret_cast<void*>(from), to - from, MADV_POPULATE_READ);
            }
        }
        held -= static_cast<std::size_t>(line - text);
        std::memmove(text, line, held);
    }
    ::close(descriptor);
}

std::uint64_t page_faults() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_minflt) +
           static_cast<std::uint64_t>(usage.ru_majflt);
}

} // namespace alloclab
