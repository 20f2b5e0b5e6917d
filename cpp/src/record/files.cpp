// SPDX-License-Identifier: MIT
#include <alloclab/record/files.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/system_call.hpp>

#include <fcntl.h>
#include <sys/resource.h>

namespace alloclab::record {

namespace {

// Where the file system cannot reserve space, writing zeros does.
long write_zeros(int fd, std::uint64_t offset, std::size_t bytes) {
    static const char zeros[page_bytes] = {};
    for (std::size_t done = 0; done < bytes; done += sizeof zeros) {
        const long result = system_call(SYS_pwrite64, fd, address_argument(zeros), sizeof zeros,
                                        static_cast<long>(offset + done));
        if (result != static_cast<long>(sizeof zeros))
            return is_error(result) ? result : -ENOSPC;
    }
    return 0;
}

} // namespace

int move_out_of_the_way(int fd) {
    constexpr int lowest_descriptor = 700;
    const long moved = system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest_descriptor);
    if (is_error(moved))
        return fd;
    system_call(SYS_close, fd);
    return static_cast<int>(moved);
}

bool is_below_file_limit(std::uint64_t end) {
    struct rlimit limit {};
    system_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, address_argument(&limit));
    return limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur;
}

long reserve(int fd, std::uint64_t offset, std::size_t bytes) {
    if (!is_below_file_limit(offset + bytes))
        return -EFBIG;
    const long result =
        system_call(SYS_fallocate, fd, 0, static_cast<long>(offset), static_cast<long>(bytes));
    return result == -EOPNOTSUPP ? write_zeros(fd, offset, bytes) : result;
}

bool is_of_file(int fd, const FileIdentity& file, struct stat& status) {
    return !is_error(system_call(SYS_fstat, fd, address_argument(&status))) &&
           identity_of(status) == file;
}

} // namespace alloclab::record
