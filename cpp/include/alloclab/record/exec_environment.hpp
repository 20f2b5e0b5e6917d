// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace alloclab::record {

// The environment for a new image: the caller's, with this library among the preloads and the
// captures' directory named, whatever the program made of either. Lives in mapped memory, so that
// it can be built between vfork and exec without the heap.
class ExecEnvironment {
public:
    explicit ExecEnvironment(char* const* entries);
    ~ExecEnvironment();
    ExecEnvironment(const ExecEnvironment&) = delete;
    ExecEnvironment& operator=(const ExecEnvironment&) = delete;

    // The caller's own entries where nothing has to change, or nothing can be done.
    char* const* entries() const { return entries_; }

private:
    char* const* entries_;
    void* mapped_ = nullptr;
    std::size_t mapped_bytes_ = 0;
};

} // namespace alloclab::record
