// SPDX-License-Identifier: MIT
#include <alloclab/record/settings.hpp>

#include <alloclab/record/process.hpp>

#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace alloclab::record {

namespace {

Settings kept;
bool is_read;
bool is_wanted;

// The block the kernel gave the image, one byte at a time: the first calls of malloc come from the
// loader, before the C library's `environ` is set.
const char* value_in_kernel_block(const char* name) {
    static char value[4096];
    const long fd = system_call(SYS_openat, AT_FDCWD, address_argument("/proc/self/environ"),
                                O_RDONLY | O_CLOEXEC);
    if (is_error(fd))
        return nullptr;
    const std::size_t name_length = std::strlen(name);
    std::size_t at = 0;   // within the current entry
    bool is_match = true; // so far
    bool is_found = false;
    char bytes[1024];
    for (long count = 0; !is_found;) {
        count = system_call(SYS_read, fd, address_argument(bytes), sizeof bytes);
        if (count <= 0)
            break;
        for (long byte_idx = 0; byte_idx < count && !is_found; ++byte_idx) {
            const char c = bytes[byte_idx];
            if (at < name_length)
                is_match = is_match && c == name[at];
            else if (at == name_length)
                is_match = is_match && c == '=';
            else if (is_match && at - name_length <= sizeof value)
                value[at - name_length - 1] = at - name_length == sizeof value ? '\0' : c;
            ++at;
            if (c == '\0') {
                is_found = is_match && at > name_length + 1;
                at = 0;
                is_match = true;
            }
        }
    }
    system_call(SYS_close, fd);
    return is_found ? value : nullptr;
}

const char* value_in(char** entries, const char* name) {
    const std::size_t length = std::strlen(name);
    for (; *entries != nullptr; ++entries)
        if (std::strncmp(*entries, name, length) == 0 && (*entries)[length] == '=')
            return *entries + length + 1;
    return nullptr;
}

bool copy_text(char* out, std::size_t capacity, const char* text) {
    const std::size_t length = std::strlen(text);
    if (length + 1 > capacity)
        return false;
    std::memcpy(out, text, length + 1);
    return true;
}

bool is_directory(const char* path) {
    struct stat status {};
    return !is_error(system_call(SYS_newfstatat, AT_FDCWD, address_argument(path),
                                 address_argument(&status))) &&
           S_ISDIR(status.st_mode);
}

bool check_directory(const char* value) {
    if (value[0] != '/') {
        warn("ALLOCLAB_RECORD_DIR is not an absolute path", value);
        return false;
    }
    if (!copy_text(kept.directory, sizeof kept.directory, value)) {
        warn("ALLOCLAB_RECORD_DIR is too long", nullptr);
        return false;
    }
    if (!is_directory(value)) {
        warn("ALLOCLAB_RECORD_DIR is not a directory", value);
        return false;
    }
    return true;
}

// The driver's library lies beside its folder of captures. Where a recording is itself recorded two
// libraries are preloaded, each with a folder of its own, and the environment names only one.
bool take_own_directory() {
    static constexpr char folder[] = "captures";
    const char* const slash = std::strrchr(kept.library, '/');
    if (slash == nullptr)
        return false;
    const auto length = static_cast<std::size_t>(slash + 1 - kept.library);
    std::memcpy(kept.directory, kept.library, length);
    std::memcpy(kept.directory + length, folder, sizeof folder);
    char control[sizeof kept.library + 32];
    std::memcpy(control, kept.directory, length + sizeof folder - 1);
    std::memcpy(control + length + sizeof folder - 1, "/control", sizeof "/control");
    struct stat status {};
    kept.is_beside_library =
        !is_error(system_call(SYS_newfstatat, AT_FDCWD, address_argument(control),
                              address_argument(&status))) &&
        S_ISREG(status.st_mode);
    return kept.is_beside_library;
}

} // namespace

const char* environment_value(const char* name) {
    return environ != nullptr ? value_in(environ, name) : value_in_kernel_block(name);
}

bool read_settings() {
    if (is_read)
        return is_wanted;
    is_read = true;
    Dl_info self{};
    if (dladdr(reinterpret_cast<void*>(&read_settings), &self) == 0 || self.dli_fname == nullptr ||
        !copy_text(kept.library, sizeof kept.library, self.dli_fname))
        kept.library[0] = '\0';
    const char* const directory = environment_value(directory_variable);
    is_wanted = directory != nullptr && (take_own_directory() || check_directory(directory));
    return is_wanted;
}

const Settings& settings() {
    return kept;
}

} // namespace alloclab::record
