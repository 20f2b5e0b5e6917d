// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/thread_serial.hpp>
#include <alloclab/peers/shared_library.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab {

struct MimallocHeapOptions {
    LibraryPath library; // empty: libmimalloc.so.2, then .so.2.0, .so.3 and .so

    // Name: library. Returns false, and changes nothing, for an unknown name or a value it does not
    // take.
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct MimallocHeapStats {
    std::size_t reserved_bytes = 0; // of the heap's pages that hold blocks
    std::size_t committed_bytes = 0;
    std::size_t refused_calls = 0; // allocations and resets from another thread

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("refused_calls", refused_calls);
    }
};

// The functions of mimalloc's interface beside malloc that the heap calls.
struct MimallocFunctions {
    void* (*heap_new)() = nullptr;
    void (*heap_destroy)(void* heap) = nullptr;
    void* (*heap_malloc)(void* heap, std::size_t size) = nullptr;
    void* (*heap_malloc_aligned)(void* heap, std::size_t size, std::size_t alignment) = nullptr;
    void* (*heap_zalloc)(void* heap, std::size_t size) = nullptr;
    void* (*heap_zalloc_aligned)(void* heap, std::size_t size, std::size_t alignment) = nullptr;
    bool (*heap_check_owned)(void* heap, const void* block) = nullptr;
    bool (*heap_visit_blocks)(const void* heap, bool visits_blocks,
                              bool (*visit)(const void* heap, const void* area, void* block,
                                            std::size_t block_bytes, void* context),
                              void* context) = nullptr;
    void (*free)(void* block) = nullptr;
    std::size_t (*usable_size)(const void* block) = nullptr;
};

// A heap of its own in mimalloc, beside the process's malloc; a reset destroys it and makes
// another. mimalloc lets only the thread that made a heap allocate from it: any other gets null,
// counted; blocks may be freed by any. When that thread ends mimalloc takes the heap apart, and its
// blocks live on. Destroyed by another thread than its own, it leaves its memory behind. See
// docs/allocators/mimalloc_heap.md.
class MimallocHeap {
public:
    using Options = MimallocHeapOptions;
    using Stats = MimallocHeapStats;
    static constexpr Options default_options{};

    // Throws: Error when no mimalloc can be loaded, saying what was tried, or when it refuses a
    // heap.
    explicit MimallocHeap(const Options& options = default_options);
    ~MimallocHeap();
    MimallocHeap(const MimallocHeap&) = delete;
    MimallocHeap& operator=(const MimallocHeap&) = delete;

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        if (!is_own_thread()) [[unlikely]] {
            return refuse();
        }
        return alignment <= default_alignment
                   ? mimalloc_.heap_malloc(heap_, class_size(size))
                   : mimalloc_.heap_malloc_aligned(heap_, class_size(size), alignment);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        if (!is_own_thread()) [[unlikely]] {
            return refuse();
        }
        return alignment <= default_alignment
                   ? mimalloc_.heap_zalloc(heap_, class_size(size))
                   : mimalloc_.heap_zalloc_aligned(heap_, class_size(size), alignment);
    }
    void deallocate(void* block, std::size_t, std::size_t) noexcept { mimalloc_.free(block); }
    void deallocate(void* block) noexcept { mimalloc_.free(block); }

    // mimalloc never grows a block in place: whether it already is large enough.
    bool resize(void* block, std::size_t, std::size_t new_size, std::size_t) noexcept {
        return new_size <= mimalloc_.usable_size(block);
    }
    std::size_t usable_size(const void* block) const noexcept {
        return mimalloc_.usable_size(block);
    }

    void reset() noexcept;
    bool owns(const void* block) const noexcept; // Cost: O(pages of the heap).
    Stats stats() const noexcept;                // Cost: O(pages of the heap).
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }

private:
    // Blocks of up to 8 bytes are aligned to 8 only.
    static std::size_t class_size(std::size_t size) noexcept { return size > 16 ? size : 16; }
    bool is_own_thread() const noexcept { return this_thread_serial() == owner_; }
    void* refuse() noexcept;

    MimallocFunctions mimalloc_;
    void* heap_ = nullptr; // null where mimalloc could not make another at a reset
    std::uint64_t owner_;  // serial of the thread; 0: nobody
    std::size_t refused_calls_ = 0;
};

} // namespace alloclab
