// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/arena.hpp>

#include <array>

namespace alloclab {

// Two arenas in turn, for work that comes in frames (row W4): what is allocated in a frame lives
// until the end of the next one, so that a frame can read what the last one made. Without frames it
// is an arena. One thread at a time.
// Requires of the source: copies draw from the same pages or are independent.
template <PageSource Source = OsPageSource, ArenaTraits traits = ArenaTraits{}> class FrameArena {
public:
    using Options = ArenaOptions;
    using Stats = ArenaStats;
    static constexpr Options default_options{};

    explicit FrameArena(const Options& options = default_options, Source source = Source{}) noexcept
        : arenas_{Arena<Source, traits>(options, source), Arena<Source, traits>(options, source)} {}

    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return arenas_[current_].allocate(size, alignment);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        return arenas_[current_].allocate_zeroed(size, alignment);
    }
    // Takes back the newest block of this frame; blocks of the last frame wait for its end.
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        arenas_[current_].deallocate(block, size, alignment);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept {
        return arenas_[current_].resize(block, old_size, new_size, alignment);
    }

    // Ends the life of what the frame before this one made and begins the next frame.
    // Cost: O(chunks).
    void end_frame() noexcept {
        current_ ^= 1U;
        arenas_[current_].reset();
        ++frame_count_;
    }

    // Ends the life of every block of both frames.
    void reset() noexcept {
        arenas_[0].reset();
        arenas_[1].reset();
    }

    bool owns(const void* block) const noexcept {
        return arenas_[0].owns(block) || arenas_[1].owns(block);
    }
    Stats stats() const noexcept { // Cost: O(chunks).
        Stats stats = arenas_[0].stats();
        stats += arenas_[1].stats();
        return stats;
    }
    std::size_t frame_count() const noexcept { return frame_count_; }
    // What the frame so far, and the one before it, have taken.
    Stats current_stats() const noexcept { return arenas_[current_].stats(); }
    Stats last_stats() const noexcept { return arenas_[current_ ^ 1U].stats(); }

private:
    std::array<Arena<Source, traits>, 2> arenas_;
    unsigned current_ = 0;
    std::size_t frame_count_ = 0;
};

} // namespace alloclab
