// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

// How a TLSF grows and what it keeps. Chunks are `initial_bytes`, then each twice the one before up
// to `max_chunk_bytes`; a larger request gets a chunk of its own size. Empty chunks stay mapped up
// to `retain_bytes` together, and one in any case.
struct TlsfOptions {
    std::size_t initial_bytes = 65536;
    std::size_t max_chunk_bytes = std::size_t{64} << 20;
    std::size_t retain_bytes = std::size_t{1} << 20;

    // Names: initial_bytes, max_chunk_bytes (both 4 KiB to 256 GiB), retain_bytes. Returns false,
    // and changes nothing, for an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

// What a TLSF holds.
//   live + free + header bytes = reserved_bytes
struct TlsfStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0;  // the same: which pages were written is not kept
    std::size_t block_live_bytes = 0; // what live blocks can hold
    std::size_t free_bytes = 0;       // what free blocks could
    std::size_t header_bytes = 0;     // 8 a block, 48 a chunk
    std::size_t largest_free_bytes = 0;
    std::size_t live_count = 0;
    std::size_t free_count = 0;
    std::size_t chunk_count = 0;

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
        visitor("free_bytes", free_bytes);
        visitor("header_bytes", header_bytes);
        visitor("largest_free_bytes", largest_free_bytes);
        visitor("live_count", live_count);
        visitor("free_count", free_count);
        visitor("chunk_count", chunk_count);
    }
};

} // namespace alloclab
