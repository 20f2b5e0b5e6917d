// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/debug_defect.hpp>

#include <cstdint>

namespace alloclab {

// Every block a mapping of its own that ends where a page ends, between two stretches of 2 MiB that
// nobody can touch: reading or writing past either end traps at once. A freed block cannot be
// touched either, until 64 others were freed after it. After the idea of Perens's Electric Fence.
// For large blocks: a block costs whole pages, address space, and some system calls.
//   mapping = fence, pages of the block, fence; the block ends less than its alignment, and less
//   than a page, before the second fence
class Fenced {
public:
    static constexpr std::size_t fence_bytes = std::size_t{2} << 20;
    static constexpr std::size_t waiting_blocks = 64;

    Fenced() noexcept = default;
    ~Fenced();
    Fenced(const Fenced&) = delete;
    Fenced& operator=(const Fenced&) = delete;

    // Reads as zero.
    void* allocate(std::size_t size, std::size_t alignment) noexcept;
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        return allocate(size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept;

    // Whether the bytes between the block's end and the fence are untouched; reports them if not.
    bool check(const void* block, std::size_t size) const noexcept;
    void set_defect_handler(const DefectHandler& handler) noexcept { handler_ = handler; }
    // Whether the address lies in a freed block that waits, or in its fences; `block` and `size`
    // are then that block's.
    bool find_waiting(const void* address, const void*& block, std::size_t& size) const noexcept;

    std::size_t live_bytes() const noexcept { return live_bytes_; } // whole pages

private:
    struct Waiting {
        std::byte* block = nullptr;
        std::size_t size = 0;
    };
    static std::byte* pages_begin(const void* block) noexcept;
    static std::byte* pages_end(const void* block, std::size_t size) noexcept;
    static void unmap(const Waiting& waiting) noexcept;

    Waiting waiting_[waiting_blocks];
    std::size_t freed_count_ = 0;
    std::size_t live_bytes_ = 0;
    DefectHandler handler_;
};

} // namespace alloclab
