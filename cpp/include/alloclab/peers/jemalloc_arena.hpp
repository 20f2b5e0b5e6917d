// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/peers/shared_library.hpp>

#include <bit>
#include <cstddef>

namespace alloclab {

struct JemallocArenaOptions {
    LibraryPath library;   // empty: libjemalloc.so.2, then libjemalloc.so
    bool has_cache = true; // a thread cache of the arena's own, emptied before a reset

    // Names: library, cache. Returns false, and changes nothing, for an unknown name or a value it
    // does not take.
    bool set(std::string_view name, std::string_view value) noexcept;
};

// What jemalloc says of the arena; all zero where it was built without statistics.
struct JemallocArenaStats {
    std::size_t reserved_bytes = 0;  // mapped, with what is kept unused
    std::size_t committed_bytes = 0; // resident
    std::size_t block_live_bytes = 0;

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
    }
};

// The functions of jemalloc's interface beside malloc that the arena calls.
struct JemallocFunctions {
    void* (*mallocx)(std::size_t size, int flags) = nullptr;
    void (*dallocx)(void* block, int flags) = nullptr;
    void (*sdallocx)(void* block, std::size_t size, int flags) = nullptr;
    std::size_t (*xallocx)(void* block, std::size_t size, std::size_t extra, int flags) = nullptr;
    std::size_t (*sallocx)(const void* block, int flags) = nullptr;
    std::size_t (*nallocx)(std::size_t size, int flags) = nullptr;
    int (*mallctl)(const char* name, void* old_value, std::size_t* old_bytes, void* new_value,
                   std::size_t new_bytes) = nullptr;
};

// An arena of its own in jemalloc, beside the process's malloc: everything jemalloc does, and a
// reset. One thread at a time. See docs/allocators/jemalloc_arena.md.
class JemallocArena {
public:
    using Options = JemallocArenaOptions;
    using Stats = JemallocArenaStats;
    static constexpr Options default_options{};

    // Throws: Error when no jemalloc can be loaded, saying what was tried, or when it refuses an
    // arena.
    explicit JemallocArena(const Options& options = default_options);
    ~JemallocArena();
    JemallocArena(const JemallocArena&) = delete;
    JemallocArena& operator=(const JemallocArena&) = delete;

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return jemalloc_.mallocx(class_size(size), flags_ | alignment_flag(alignment));
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        return jemalloc_.mallocx(class_size(size), flags_ | alignment_flag(alignment) | zero_flag);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (block != nullptr) [[likely]] {
            jemalloc_.sdallocx(block, class_size(size), flags_ | alignment_flag(alignment));
        }
    }
    void deallocate(void* block) noexcept {
        if (block != nullptr) [[likely]] {
            jemalloc_.dallocx(block, flags_);
        }
    }
    // Returns whether the block is now of the class the new size has: large ones often can be.
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept;
    std::size_t usable_size(const void* block) const noexcept {
        return block != nullptr ? jemalloc_.sallocx(block, 0) : 0;
    }

    // Ends the life of every block; jemalloc keeps or purges the pages as it is set to.
    void reset() noexcept;

    // Cost: jemalloc gathers the statistics of all its arenas.
    Stats stats() const noexcept;
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }

private:
    static constexpr int zero_flag = 0x40;
    static constexpr int no_cache_flag = 1 << 8;

    // Blocks of up to 8 bytes are aligned to 8 only.
    static std::size_t class_size(std::size_t size) noexcept { return size > 16 ? size : 16; }
    static int alignment_flag(std::size_t alignment) noexcept {
        return alignment > default_alignment ? std::countr_zero(alignment) : 0;
    }
    void control_arena(const char* verb) const noexcept;
    std::size_t read_stat(const char* name) const noexcept;

    JemallocFunctions jemalloc_;
    int flags_ = 0;
    unsigned arena_idx_ = 0;
    unsigned cache_idx_ = 0;
    bool has_cache_ = false;
};

} // namespace alloclab
