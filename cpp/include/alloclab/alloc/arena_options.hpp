// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/base/units.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

// What an arena keeps when everything in it dies.
//   free_all            nothing: every chunk goes back to the page source
//   retain_capacity     every chunk, to be filled again oldest first
//   retain_with_limit   chunks, oldest first, up to a number of bytes; the rest goes back
enum class ResetMode : std::uint8_t { free_all, retain_capacity, retain_with_limit };

// How an arena grows. Chunks are `initial_bytes`, then each `growth` times the one before, never
// above `max_chunk_bytes`; growth 1 is a chain of equal pages. A request that needs more than
// `max_chunk_bytes` gets a mapping of its own.
struct ArenaOptions {
    std::size_t initial_bytes = 65536;
    double growth = 2.0;
    std::size_t max_chunk_bytes = std::size_t{64} << 20;
    ResetMode reset = ResetMode::retain_capacity;
    std::size_t retain_limit_bytes = std::size_t{64} << 20; // used by retain_with_limit only

    // Names: initial_bytes, growth (1 to 16), max_chunk_bytes, reset (free_all, retain_capacity,
    // retain_with_limit), retain_limit_bytes. Chunk sizes are 4 KiB to 1 TiB. Returns false, and
    // changes nothing, for an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

} // namespace alloclab
