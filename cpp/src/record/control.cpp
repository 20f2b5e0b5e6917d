// SPDX-License-Identifier: MIT
#include <alloclab/record/control.hpp>

#include <alloclab/record/files.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/settings.hpp>
#include <alloclab/record/text.hpp>

#include <fcntl.h>

namespace alloclab::record {

using namespace capture;

namespace {

// Some milliseconds: of a counter of cycles, and of nanoseconds.
constexpr std::uint64_t ticks_between = std::uint64_t{1} << 24;

constexpr std::uint64_t never = ~std::uint64_t{0};

int fd = -1;
FileIdentity identity;
std::uint64_t next_ticks;
std::uint64_t max_bytes; // as last read
RareLock lock;

long open_path() {
    constexpr char name[] = "/control";
    static char path[sizeof Settings::directory + sizeof name];
    put_text(put_text(path, settings().directory), name);
    // Appending needs no place that processes would have to agree on. A FIFO must not block.
    const int flags = O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    const long opened = system_call(SYS_openat, AT_FDCWD, address_argument(path), O_RDWR | flags);
    return opened != -EACCES && opened != -EROFS
               ? opened
               : system_call(SYS_openat, AT_FDCWD, address_argument(path), O_RDONLY | flags);
}

// Makes `fd` the file again where the program has closed it.
bool ensure_open(struct stat& status) {
    if (is_of_file(fd, identity, status))
        return true;
    const long opened = open_path();
    fd = is_error(opened) ? -1 : move_out_of_the_way(static_cast<int>(opened));
    if (is_error(system_call(SYS_fstat, fd, address_argument(&status))))
        return false;
    identity = identity_of(status);
    if (S_ISREG(status.st_mode))
        return true;
    system_call(SYS_close, fd);
    fd = -1;
    return false;
}

// A byte behind the head for each granule that was reserved.
std::uint64_t reserved_bytes(const struct stat& status) {
    const auto size = static_cast<std::uint64_t>(status.st_size);
    return size > sizeof(Control) ? (size - sizeof(Control)) * window_granule_bytes : 0;
}

StopReason read_locked() {
    struct stat status {};
    Control control{};
    if (!ensure_open(status)) { // each attempt takes a descriptor that the program may count on
        __atomic_store_n(&next_ticks, never, __ATOMIC_RELAXED);
        return StopReason::none;
    }
    if (system_call(SYS_pread64, fd, address_argument(&control), sizeof control, 0) !=
            static_cast<long>(sizeof control) ||
        control.magic != control_magic)
        return StopReason::none;
    max_bytes = control.max_bytes;
    if (control.stop != 0)
        return StopReason{control.stop};
    return max_bytes != 0 && reserved_bytes(status) > max_bytes ? StopReason::max_bytes
                                                                : StopReason::none;
}

} // namespace

StopReason open_control() {
    RareGuard guard(lock);
    __atomic_store_n(&next_ticks, read_clock() + ticks_between, __ATOMIC_RELAXED);
    return read_locked();
}

bool claim_control(std::uint64_t ticks) {
    std::uint64_t next = __atomic_load_n(&next_ticks, __ATOMIC_RELAXED);
    return ticks >= next && __atomic_compare_exchange_n(&next_ticks, &next, ticks + ticks_between,
                                                        false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

StopReason read_control() {
    RareGuard guard(lock);
    return read_locked();
}

void count_reserved(std::uint64_t bytes) {
    static const char granules[window_max_bytes / window_granule_bytes] = {};
    if (max_bytes == 0)
        return;
    RareGuard guard(lock);
    struct stat status {};
    const std::uint64_t count = bytes / window_granule_bytes;
    if (!ensure_open(status) ||
        !is_below_file_limit(static_cast<std::uint64_t>(status.st_size) + count))
        return;
    system_call(SYS_write, fd, address_argument(granules), static_cast<long>(count));
    if (reserved_bytes(status) + bytes > max_bytes)
        __atomic_store_n(&next_ticks, 0, __ATOMIC_RELAXED); // to be read at once
}

void reset_control() {
    lock.reset();
}

void close_control() {
    struct stat status {};
    if (is_of_file(fd, identity, status))
        system_call(SYS_close, fd);
    fd = -1;
    max_bytes = 0;
}

} // namespace alloclab::record
