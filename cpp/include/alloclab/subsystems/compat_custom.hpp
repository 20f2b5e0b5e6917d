// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/subsystems/subsystems.hpp>

namespace alloclab::compat {

// What `allocators_get` returns.
using System = Subsystem;

// The subsystems of the process, made at the first use by the `swiftlang` preset as the environment
// asks. They are never destroyed, so that static objects may free at any time; at exit they print
// what was asked for. One thread at a time.
Subsystems& all();

// Where MALLOC and STRDUP go: the VM's allocator, or the innermost arena scope.
System& current() noexcept;

// Frees what MALLOC or STRDUP gave, whoever is current now. Anything else is reported and ends the
// process.
void free_remembered(void* block) noexcept;

inline void* allocate(System& system, std::size_t size, const AllocationSite& site) noexcept {
    return system.allocate(size, default_alignment, site);
}
inline void* allocate_zeroed(System& system, std::size_t size,
                             const AllocationSite& site) noexcept {
    return system.allocate_zeroed(size, default_alignment, site);
}
inline void* reallocate(System& system, void* block, std::size_t old_size, std::size_t new_size,
                        const AllocationSite& site) noexcept {
    return system.reallocate(block, old_size, new_size, default_alignment, site);
}
inline void deallocate(System& system, void* block, std::size_t size) noexcept {
    system.deallocate(block, size, default_alignment);
}
inline void reset(System& system) noexcept {
    all().reset(system);
}
inline void* allocate_remembered(std::size_t size, const AllocationSite& site) noexcept {
    return current().allocate_remembered(size, site);
}

// While it lives, MALLOC and STRDUP take from an arena of its own, which ends with it: however the
// block of code is left, the one that was current before is current again.
class ArenaScope {
public:
    // Throws: std::bad_alloc.
    ArenaScope(const char* name, std::size_t first_bytes);
    ~ArenaScope();
    ArenaScope(const ArenaScope&) = delete;
    ArenaScope& operator=(const ArenaScope&) = delete;

    System& system() noexcept { return own_; }
    ArenaScope* outer() const noexcept { return outer_; }

private:
    System own_;
    ArenaScope* outer_;
};

} // namespace alloclab::compat
