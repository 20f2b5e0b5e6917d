// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <algorithm>
#include <cstdlib>
#include <malloc.h>

namespace alloclab {

struct PlatformOptions {
    // It has none: a malloc takes its settings from the environment.
    bool set(std::string_view, std::string_view) noexcept { return false; }
};

// What this allocator's live blocks take; what else the malloc holds it does not tell apart.
//   reserved_bytes = block_live_bytes + live_count * platform_header_bytes()
struct PlatformStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0; // the same
    std::size_t block_live_bytes = 0;
    std::size_t live_count = 0;

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
        visitor("live_count", live_count);
    }
};

// The bytes the process's malloc spends on a block beside those the block can use, found by
// measuring: the distance of neighbours less their usable size. Cost: some hundred allocations.
std::size_t platform_header_bytes() noexcept;

// The malloc of the process behind the lab's concept. It has no `reset` and no `owns`: malloc has
// neither. Blocks may be freed by another thread than their maker's; the counts are for one thread.
// See docs/allocators/platform.md.
class Platform {
public:
    using Options = PlatformOptions;
    using Stats = PlatformStats;
    static constexpr Options default_options{};

    explicit Platform(const Options& = default_options) noexcept {}
    Platform(const Platform&) = delete;
    Platform& operator=(const Platform&) = delete;

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return note(alignment <= default_alignment ? std::malloc(size)
                                                   : allocate_aligned(size, alignment));
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept;
    void deallocate(void* block, std::size_t, std::size_t) noexcept { deallocate(block); }
    void deallocate(void* block) noexcept {
        if (block != nullptr) {
            block_live_bytes_ -= ::malloc_usable_size(block);
            --live_count_;
        }
        std::free(block);
    }

    // malloc cannot grow a block in place on demand: whether it already is large enough.
    bool resize(void* block, std::size_t, std::size_t new_size, std::size_t) noexcept {
        return new_size <= ::malloc_usable_size(block);
    }
    std::size_t usable_size(const void* block) const noexcept {
        return ::malloc_usable_size(const_cast<void*>(block));
    }
    Stats stats() const noexcept;
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }

private:
    static void* allocate_aligned(std::size_t size, std::size_t alignment) noexcept;
    void* note(void* block) noexcept {
        if (block != nullptr) {
            block_live_bytes_ += ::malloc_usable_size(block);
            ++live_count_;
        }
        return block;
    }

    std::size_t block_live_bytes_ = 0;
    std::size_t live_count_ = 0;
};

} // namespace alloclab
