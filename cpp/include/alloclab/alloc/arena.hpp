// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/arena_chunks.hpp>
#include <alloclab/alloc/arena_mark.hpp>
#include <alloclab/alloc/arena_options.hpp>
#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/memory_poison.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace alloclab {

// A bump allocator over a chain of growing chunks: an allocation is an addition and a compare, a
// free does nothing unless the block is the newest, and everything dies at once by `reset`. Nothing
// is mapped before the first allocation. One thread at a time. See docs/allocators/arena.md.
//   cursor_ <= end_, [cursor_, end_) is what is left of chunk_, and both are multiples of
//   min_alignment
// Neither copied nor moved: blocks and marks point into it for its whole life.
template <PageSource Source = OsPageSource, ArenaTraits traits = ArenaTraits{}> class Arena {
public:
    using Options = ArenaOptions;
    using Stats = ArenaStats;
    using Mark = ArenaMark;
    static constexpr Options default_options{};
    static_assert(is_power_of_two(traits.min_alignment) && traits.min_alignment <= 16);

    explicit Arena(const Options& options = default_options, Source source = Source{}) noexcept
        : options_(options), source_(std::move(source)) {
        options_.initial_bytes = align_up(options_.initial_bytes, page_bytes);
        options_.max_chunk_bytes =
            std::max(align_down(options_.max_chunk_bytes, page_bytes), options_.initial_bytes);
        next_chunk_bytes_ = options_.initial_bytes;
    }
    ~Arena() { reset(ResetMode::free_all); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Returns null when the page source refuses. Cost: O(1); now and then a mapping.
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const std::uintptr_t first =
            alignment <= traits.min_alignment ? cursor_ : align_up(cursor_, alignment);
        // end_ is a multiple of the page, so first cannot pass it; size 0 wraps and goes the slow
        // way.
        if (alignment <= page_bytes && size - 1 < end_ - first) [[likely]] {
            cursor_ = first + taken_bytes(size);
            allow_touching(first, first + size);
            return reinterpret_cast<void*>(first);
        }
        return allocate_slow(size, alignment);
    }

    // The same, reading as zero. Cost: only bytes that were handed out before are written.
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept;

    // Takes the newest block's bytes back, and unmaps the newest block with a mapping of its own;
    // does nothing for any other.
    [[gnu::always_inline]] void deallocate([[maybe_unused]] void* block,
                                           [[maybe_unused]] std::size_t size,
                                           std::size_t) noexcept {
        if constexpr (traits.takes_back_newest) {
            const auto first = reinterpret_cast<std::uintptr_t>(block);
            if (first + taken_bytes(size) == cursor_ || size >= oversize_min_bytes) [[unlikely]] {
                take_back(first, size);
            }
        }
    }

    // Grows the newest block while its chunk has room, or can be made longer; shrinks any block.
    bool resize(void* block, std::size_t old_size, std::size_t new_size, std::size_t) noexcept;

    // Maps what is missing so that the next `bytes` bytes fit, in blocks of any size that divide
    // them. Returns false where the page source refuses: that is a hint lost, nothing else (R46).
    bool reserve_hint(std::size_t bytes) noexcept;

    Mark mark() const noexcept;
    // Chunks begun since the mark are kept as spare, mappings of their own go back. Returns false,
    // and changes nothing, for a mark of another arena, from before a reset, or above the top; a
    // checked arena also finds marks that an earlier rewind went below. Cost: O(chunks begun
    // since).
    bool rewind(Mark to) noexcept;

    // Ends the life of every block, as the options say or as `mode` says. Cost: O(chunks).
    void reset() noexcept { reset(options_.reset); }
    void reset(ResetMode mode) noexcept;

    bool owns(const void* block) const noexcept; // Cost: O(chunks).
    Stats stats() const noexcept;                // Cost: O(chunks).
    void visit_stats(StatVisitor visitor) const noexcept;
    const Options& options() const noexcept { return options_; }
    Source& source() noexcept { return source_; }

private:
    static constexpr std::uintptr_t no_address = 1; // no block stands there
    // A smaller block got its own mapping only for its alignment: it waits for the reset, so that a
    // free of a small block is one compare with memory.
    static constexpr std::size_t oversize_min_bytes = 2048;

    // What a block of `size`, not 0, takes of its chunk.
    static constexpr std::size_t taken_bytes(std::size_t size) noexcept {
        return ((size - 1) | (traits.min_alignment - 1)) + 1;
    }

    void* allocate_slow(std::size_t size, std::size_t alignment) noexcept;
    bool begin_chunk(std::size_t needed_bytes) noexcept;
    bool extend_chunk(std::size_t missing_bytes) noexcept;
    std::size_t grown_bytes(std::size_t bytes) const noexcept;
    void* allocate_oversize(std::size_t size, std::size_t alignment) noexcept;
    void drop_newest_oversize() noexcept;
    // Apart from the two compares before it, which nearly every free ends with: a free then takes
    // one branch, not three.
    [[gnu::always_inline]] void take_back(std::uintptr_t first, std::size_t size) noexcept {
        if (first + taken_bytes(size) == cursor_) {
            move_cursor_back(first);
        } else if (first == oversize_first_) {
            drop_newest_oversize();
        }
    }
    void enter(ArenaChunk* chunk) noexcept;
    void leave() noexcept;
    void move_cursor_back(std::uintptr_t to) noexcept {
        dirty_end_ = std::max(dirty_end_, cursor_);
        if constexpr (traits.is_checked) {
            fill_dead(to, cursor_);
            mark_log_.note_rewind(++epoch_, chunk_ != nullptr ? chunk_->serial : 0, to);
        }
        forbid_touching(to, cursor_);
        cursor_ = to;
    }
    bool accepts(const Mark& to) const noexcept;
    void end_blocks(std::uintptr_t first, std::uintptr_t end) noexcept;
    ArenaChunk* map_chunk(std::size_t bytes) noexcept;
    ArenaChunk* take_spare(std::size_t needed_bytes) noexcept;
    void make_spare(ArenaChunk* chunk) noexcept;
    void unmap(ArenaChunk* chunk) noexcept;
    void unmap_all(ArenaChunk*& list) noexcept;
    void keep_spare(std::size_t limit_bytes) noexcept;
    bool protects_spare() const noexcept {
        return ProtectingSource<Source> && options_.poison == ArenaPoison::protect;
    }
    std::uint32_t identity() const noexcept {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(this) >> 4);
    }

    std::uintptr_t cursor_ = 0;
    std::uintptr_t end_ = 0;
    std::uintptr_t oversize_first_ = no_address; // the newest block with a mapping of its own
    std::uintptr_t dirty_end_ = 0;               // of chunk_; or cursor_, where that is higher
    ArenaChunk* chunk_ = nullptr;
    ArenaChunk* oversize_ = nullptr;
    ArenaChunk* spare_ = nullptr; // oldest first
    std::size_t next_chunk_bytes_ = 0;
    std::size_t next_oversize_serial_ = 0;
    std::uint32_t epoch_ = 0;       // rewinds and resets
    std::uint32_t reset_epoch_ = 0; // the last reset; older marks are stale
    std::size_t reset_count_ = 0;
    std::size_t refused_rewind_count_ = 0;
    Options options_;
    [[no_unique_address]] std::conditional_t<traits.is_checked, ArenaMarkLog, NoArenaMarkLog>
        mark_log_;
    [[no_unique_address]] Source source_;
};

// Packs blocks as tightly as their alignment allows, as the arenas of lex-lang and Weir do.
template <PageSource Source = OsPageSource>
using PackedArena = Arena<Source, ArenaTraits{.min_alignment = 1}>;

template <PageSource Source, ArenaTraits traits>
inline constexpr bool leaves_ended_memory_alone<Arena<Source, traits>> = true;

} // namespace alloclab

#include <alloclab/alloc/detail/arena_growth.hpp>
#include <alloclab/alloc/detail/arena_reset.hpp>
