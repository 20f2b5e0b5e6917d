// SPDX-License-Identifier: MIT
#pragma once

// What the files have in common that the recorder holds open inside a program.

#include <cstddef>
#include <cstdint>
#include <sys/stat.h>

namespace alloclab::record {

// Gives a descriptor a number out of the way of programs that count on small ones.
int move_out_of_the_way(int fd);

// Whether a file may reach to `end`: beyond the limit a write raises SIGXFSZ.
bool is_below_file_limit(std::uint64_t end);

// Reserves the file's bytes, so that storing into their mapping cannot fail.
// Returns zero or a negated error number.
long reserve(int fd, std::uint64_t offset, std::size_t bytes);

// A file that was opened, by which a descriptor is known again: the program may have closed ours
// and opened another file in its place.
struct FileIdentity {
    std::uint64_t device;
    std::uint64_t inode;

    bool operator==(const FileIdentity&) const = default;
};

inline FileIdentity identity_of(const struct stat& status) {
    return {status.st_dev, status.st_ino};
}

// Whether a descriptor is still that file's. Fills `status`.
bool is_of_file(int fd, const FileIdentity& file, struct stat& status);

} // namespace alloclab::record
