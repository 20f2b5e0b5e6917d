// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>

namespace alloclab::record {

// Events must not change what the program reads in errno.
class ErrnoKept {
public:
    ErrnoKept() : kept_(errno) {}
    ~ErrnoKept() { errno = kept_; }
    ErrnoKept(const ErrnoKept&) = delete;
    ErrnoKept& operator=(const ErrnoKept&) = delete;

private:
    int kept_;
};

} // namespace alloclab::record
