// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/fenced.hpp>
#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/quarantine.hpp>
#include <alloclab/alloc/trace_allocator.hpp>

#include "malloc_empty_blocks.hpp"

namespace alloclab {

// The calls a block may come from; what it goes to must match.
enum class MallocCall : unsigned char { malloc, operator_new, operator_new_array };

// What the debugging malloc allocates from, by size: blocks of no bytes cannot be touched at all,
// large ones stand between fences, the rest between guards and in quarantine once freed.
class DebugRoutes {
public:
    using Small = Guard<Quarantine<Pool<>>>;
    using Options = OptionsOf<Small>;
    static constexpr std::size_t fenced_from_bytes = std::size_t{64} << 10;

    explicit DebugRoutes(const Options& options) noexcept : small_(options) {}

    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment) noexcept {
        if (is_small(size)) [[likely]] {
            return small_.allocate(size, alignment);
        }
        return size == 0 ? empty_.allocate(size, alignment) : fenced_.allocate(size, alignment);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        return is_small(size) ? small_.allocate_zeroed(size, alignment) : allocate(size, alignment);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        if (is_small(size)) [[likely]] {
            small_.deallocate(block, size, alignment);
        } else if (size != 0) {
            fenced_.deallocate(block, size, alignment);
        }
    }
    bool check(const void* block, std::size_t size) const noexcept {
        return is_small(size) ? small_.check(block, size) : size == 0 || fenced_.check(block, size);
    }
    bool check_waiting() noexcept { return small_.check_waiting(); }
    void set_defect_handler(const DefectHandler& handler) noexcept {
        small_.set_defect_handler(handler);
        fenced_.set_defect_handler(handler);
    }
    HeldStats stats() const noexcept {
        const HeldStats small = held_by(small_);
        return {small.reserved_bytes, small.committed_bytes + fenced_.live_bytes()};
    }
    std::size_t waiting_bytes() noexcept { return small_.upstream().waiting_bytes(); }
    const Fenced& fenced() const noexcept { return fenced_; }
    const EmptyBlocks& empty() const noexcept { return empty_; }

private:
    static bool is_small(std::size_t size) noexcept { return size - 1 < fenced_from_bytes - 1; }

    Small small_;
    Fenced fenced_;
    EmptyBlocks empty_;
};

// The full stack behind one lock: every call names the address it was made from. A defect is one
// line on stderr, then abort().
class DebugMalloc {
public:
    // Reads the options; started by the first call. `is_started` is what tells whether there is
    // one.
    static void* allocate(std::size_t size, std::size_t alignment, bool is_zeroed,
                          const void* caller, MallocCall call) noexcept;
    static void deallocate(void* block, const void* caller, MallocCall call) noexcept;
    // As the sized operator delete: the size must be the block's.
    static void deallocate_sized(void* block, std::size_t size, const void* caller,
                                 MallocCall call) noexcept;
    // Moves whenever the size changes, so that who goes on using the old address is found out.
    static void* reallocate(void* block, std::size_t size, const void* caller) noexcept;
    static std::size_t usable_size(void* block) noexcept;
    // Once the C library is up: forks, faults, and the last look when the process ends.
    static void watch_process() noexcept;
    static void end_process() noexcept;
};

} // namespace alloclab
