// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/alloc/debug_text.hpp>
#include <alloclab/alloc/trace_allocator.hpp>
#include <alloclab/subsystems/preset.hpp>

namespace alloclab {

// One part of a program with its allocator and its figures. Where the allocator is an arena, blocks
// end by `reset` only: a free is counted and does nothing more. One thread at a time.
//   current_bytes = sum of the sizes of the blocks that have not ended
class Subsystem {
public:
    // Builds the row's allocator, in a Trace if asked.
    // Throws: Error for a spec that cannot be built.
    Subsystem(const SubsystemRow& row, bool is_traced);
    // With an allocator that is there already.
    Subsystem(const SubsystemRow& row, AnyAllocator allocator, bool is_traced);
    Subsystem(const Subsystem&) = delete;
    Subsystem& operator=(const Subsystem&) = delete;

    // Returns null when the allocator refuses, which is counted.
    void* allocate(std::size_t size, std::size_t alignment, AllocationSite site = {}) noexcept {
        return note(allocator_.allocate(size, alignment, site), size);
    }
    // The same, reading as zero.
    void* allocate_zeroed(std::size_t size, std::size_t alignment,
                          AllocationSite site = {}) noexcept;
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept;
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept;
    // Returns the block with another size, moved where it cannot change in place; null, the block
    // being as it was, where that fails. For a null `block` it is `allocate`.
    void* reallocate(void* block, std::size_t old_size, std::size_t new_size, std::size_t alignment,
                     AllocationSite site = {}) noexcept;

    // As allocate, for blocks whose size the program forgets: they are freed by their address
    // alone. Aligned to `default_alignment`.
    void* allocate_remembered(std::size_t size, AllocationSite site = {}) noexcept;
    // Returns whether the block is such a one of this subsystem; false has changed nothing.
    bool deallocate_remembered(void* block) noexcept;

    // Ends every block. Requires: `has_reset()`.
    void reset() noexcept;
    bool has_reset() const noexcept { return allocator_.has_reset(); }
    // Whether blocks end together only.
    bool is_bulk() const noexcept { return is_bulk_; }

    const SubsystemRow& row() const noexcept { return row_; }
    const TraceTotals& totals() const noexcept { return totals_; }
    // Null where it is not traced.
    Trace<AnyAllocator>* trace() noexcept { return trace_; }
    AnyAllocator& allocator() noexcept { return allocator_; }
    const AnyAllocator& allocator() const noexcept { return allocator_; }

    // Its section of the statistics; nothing where it was never used.
    void write_statistics(const TextSink& sink) const noexcept;

private:
    // Before a remembered block, where no trace knows the size.
    struct alignas(default_alignment) Header {
        const Subsystem* owner;
        std::size_t size;
    };

    void* note(void* block, std::size_t size) noexcept;
    void count_free(std::size_t size) noexcept;
    void grow(std::size_t size) noexcept;

    SubsystemRow row_;
    Trace<AnyAllocator>* trace_ = nullptr; // within allocator_
    bool is_bulk_;
    AnyAllocator allocator_;
    TraceTotals totals_;
};

} // namespace alloclab
