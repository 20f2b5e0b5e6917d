// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/units.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

#ifdef NDEBUG
inline constexpr bool arena_is_checked_by_default = false;
#else
inline constexpr bool arena_is_checked_by_default = true;
#endif

// What an arena keeps when everything in it dies.
//   free_all            nothing: every chunk goes back to the page source
//   retain_capacity     every chunk, to be filled again oldest first
//   retain_with_limit   chunks, oldest first, up to a number of bytes; the rest goes back
enum class ResetMode : std::uint8_t { free_all, retain_capacity, retain_with_limit };

// What happens to memory that a reset or a rewind ends the life of, so that a pointer kept too long
// is noticed (row R70). AddressSanitizer is told in every case.
//   none      nothing
//   fill      it reads 0xDD
//   protect   as fill, and chunks kept as spare fault when touched, where the page source can
enum class ArenaPoison : std::uint8_t { none, fill, protect };

// How an arena grows. Chunks are `initial_bytes`, then each `growth` times the one before, never
// above `max_chunk_bytes`; growth 1 is a chain of equal pages. A request that needs more than
// `max_chunk_bytes` gets a mapping of its own.
struct ArenaOptions {
    std::size_t initial_bytes = 65536;
    double growth = 2.0;
    std::size_t max_chunk_bytes = std::size_t{64} << 20;
    bool extend = false; // try to make the chunk being filled longer before beginning another
    ResetMode reset = ResetMode::retain_capacity;
    std::size_t retain_limit_bytes = std::size_t{64} << 20; // used by retain_with_limit only
    ArenaPoison poison = arena_is_checked_by_default ? ArenaPoison::fill : ArenaPoison::none;

    // Sets all but `poison` to the design of that name; see docs/allocators/arena.md.
    //   page_chain, lexlang, swiftlang   equal chunks of 64 KiB, larger requests on their own
    //   doubling, weir                   64 KiB, each chunk twice the last
    //   roc                              half as much again, in place where the source can;
    //                                    a reset keeps up to 64 MiB
    // Returns false, having changed nothing, for another name.
    bool set_preset(std::string_view name) noexcept;

    // Names: preset, initial_bytes, growth (1 to 16), max_chunk_bytes, extend, reset (free_all,
    // retain_capacity, retain_with_limit), retain_limit_bytes, poison (none, fill, protect). Chunk
    // sizes are 4 KiB to 1 TiB. A preset takes back what was set before it. Returns false, and
    // changes nothing, for an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

// What an arena does is decided where it is compiled, so that the fast paths pay for nothing else.
struct ArenaTraits {
    // Every block is at least this aligned: 1, 2, 4, 8 or 16. Rounding the end of a block up keeps
    // the sum off the way from one allocation to the next; 1 packs bytes without a gap.
    std::size_t min_alignment = 16;
    // Whether a free of the newest block takes its bytes back; without it a free is nothing at all.
    bool takes_back_newest = true;
    // Marks are checked for being stale, and the newest block's memory is overwritten by its free.
    bool is_checked = arena_is_checked_by_default;
};

} // namespace alloclab
