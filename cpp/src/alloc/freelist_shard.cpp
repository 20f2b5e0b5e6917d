// SPDX-License-Identifier: MIT
#include <alloclab/alloc/freelist_shard.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace alloclab {
namespace {

constexpr std::size_t min_block_bytes = 8;
constexpr std::size_t max_block_bytes = std::size_t{1} << 20;
constexpr std::size_t max_block_count = std::size_t{1} << 16;

} // namespace

bool FreelistOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "block_bytes") {
        return parse_bytes_within(value, min_block_bytes, max_block_bytes, block_bytes);
    }
    if (name == "blocks_per_chunk") {
        return parse_bytes_within(value, 1, max_block_count, blocks_per_chunk);
    }
    return false;
}

FreelistGeometry::FreelistGeometry(const FreelistOptions& options, bool has_live_bits) noexcept {
    block_bytes = align_up(std::clamp(options.block_bytes, min_block_bytes, max_block_bytes),
                           min_block_bytes);
    block_count = static_cast<std::uint32_t>(
        std::clamp<std::size_t>(options.blocks_per_chunk, 1, max_block_count));
    alignment = std::min(std::size_t{1} << std::countr_zero(block_bytes), page_bytes);
    live_bit_bytes = has_live_bits ? (block_count + 7) / 8 : 0;
    first_offset = align_up(sizeof(FreelistShard), alignment);
    numbers_offset = first_offset + block_bytes * block_count;
    chunk_bytes =
        align_up(numbers_offset + sizeof(std::uint16_t) * block_count + live_bit_bytes, page_bytes);
    shard_alignment = std::bit_ceil(chunk_bytes);
    reciprocal = UINT64_MAX / block_bytes + 1;
}

FreelistShard* FreelistGeometry::create_shard(void* memory) const noexcept {
    auto* const shard = new (memory) FreelistShard{};
    std::memset(live_bits(shard), 0, live_bit_bytes);
    return shard;
}

bool FreelistGeometry::carve(OpenShard& open) const noexcept {
    std::uint32_t& carved_count = open.shard->carved_count;
    const auto page_blocks = static_cast<std::uint32_t>(page_bytes / block_bytes);
    const std::uint32_t end =
        carved_count + std::min(std::max(page_blocks, 1U), block_count - carved_count);
    for (std::uint32_t number = end; number != carved_count; --number) {
        *open.top++ = static_cast<std::uint16_t>(number - 1);
    }
    carved_count = end;
    open.stop = open.bottom + carved_count;
    return open.top != open.bottom;
}

// Whether most of them stand near the next one already: random order has hardly any that do.
bool FreelistGeometry::runs_evenly(const FreelistShard& shard) const noexcept {
    constexpr std::uint32_t probe_count = 16;
    const std::uint16_t* const numbers = numbers_of(&shard);
    std::uint32_t even_count = 0;
    for (std::uint32_t probe = 0; probe < probe_count; ++probe) {
        const std::uint32_t at = (shard.free_count - 1) * probe / probe_count;
        const int step = int{numbers[at + 1]} - int{numbers[at]};
        even_count += step >= -2 && step <= 2 ? 1U : 0U;
    }
    return even_count > probe_count / 2;
}

void FreelistGeometry::put_in_order(FreelistShard& shard) const noexcept {
    if (shard.free_count < 2 || runs_evenly(shard)) {
        return;
    }
    std::uint64_t is_free[max_block_count / 64];
    const std::size_t word_count = (block_count + 63) / 64;
    std::fill_n(is_free, word_count, std::uint64_t{0});
    std::uint16_t* number = numbers_of(&shard);
    for (std::uint32_t free_idx = 0; free_idx < shard.free_count; ++free_idx) {
        is_free[number[free_idx] / 64] |= std::uint64_t{1} << (number[free_idx] % 64);
    }
    for (std::size_t word_idx = word_count; word_idx-- != 0;) {
        std::uint64_t word = is_free[word_idx];
        while (word != 0) {
            const auto bit_idx = static_cast<std::size_t>(std::bit_width(word) - 1);
            word ^= std::uint64_t{1} << bit_idx;
            *number++ = static_cast<std::uint16_t>(word_idx * 64 + bit_idx);
        }
    }
}

std::uint8_t* FreelistGeometry::live_bits(const FreelistShard* shard) const noexcept {
    return reinterpret_cast<std::uint8_t*>(numbers_of(shard) + block_count);
}

bool FreelistGeometry::is_block(const FreelistShard& shard, const void* block) const noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(block) -
                                                 reinterpret_cast<const std::byte*>(&shard));
    return offset >= first_offset && (offset - first_offset) % block_bytes == 0 &&
           (offset - first_offset) / block_bytes < block_count;
}

bool FreelistGeometry::is_live(const FreelistShard* shard, const void* block) const noexcept {
    const std::size_t block_idx = index_of(shard, block);
    return (live_bits(shard)[block_idx / 8] >> (block_idx % 8) & 1) != 0;
}

void FreelistGeometry::set_live(FreelistShard* shard, const void* block,
                                bool is_live) const noexcept {
    const std::size_t block_idx = index_of(shard, block);
    const auto bit = static_cast<std::uint8_t>(1U << (block_idx % 8));
    std::uint8_t& bits = live_bits(shard)[block_idx / 8];
    bits = static_cast<std::uint8_t>(is_live ? bits | bit : bits & ~bit);
}

void FreelistGeometry::add_stats(const FreelistShard& shard, FreelistStats& stats) const noexcept {
    stats.reserved_bytes += chunk_bytes;
    stats.committed_bytes += align_up(first_offset + block_bytes * shard.carved_count, page_bytes);
    stats.block_live_bytes += block_bytes * (shard.carved_count - shard.free_count);
    stats.live_count += shard.carved_count - shard.free_count;
    ++stats.chunk_count;
}

} // namespace alloclab
