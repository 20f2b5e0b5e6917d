// SPDX-License-Identifier: MIT
#include <alloclab/alloc/freelist_shard.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace alloclab {
namespace {

constexpr std::size_t max_block_bytes = std::size_t{1} << 20;
constexpr std::size_t max_block_count = std::size_t{1} << 20;

bool parse_within(std::string_view text, std::size_t low, std::size_t high, std::size_t& out) {
    std::size_t value = 0;
    if (!parse_bytes(text, value) || value < low || value > high) {
        return false;
    }
    out = value;
    return true;
}

std::uint8_t* live_bits(const FreelistShard* shard) {
    return reinterpret_cast<std::uint8_t*>(const_cast<FreelistShard*>(shard + 1));
}

} // namespace

bool FreelistOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "block_bytes") {
        return parse_within(value, sizeof(FreeBlock), max_block_bytes, block_bytes);
    }
    if (name == "blocks_per_chunk") {
        return parse_within(value, 1, max_block_count, blocks_per_chunk);
    }
    return false;
}

FreelistGeometry::FreelistGeometry(const FreelistOptions& options, bool has_live_bits) noexcept {
    block_bytes = align_up(std::clamp(options.block_bytes, sizeof(FreeBlock), max_block_bytes),
                           alignof(FreeBlock));
    block_count = static_cast<std::uint32_t>(
        std::clamp<std::size_t>(options.blocks_per_chunk, 1, max_block_count));
    alignment = std::min(std::size_t{1} << std::countr_zero(block_bytes), page_bytes);
    const std::size_t bit_bytes = has_live_bits ? (block_count + 7) / 8 : 0;
    first_offset = align_up(sizeof(FreelistShard) + bit_bytes, alignment);
    chunk_bytes = align_up(first_offset + block_bytes * block_count, page_bytes);
    shard_alignment = std::bit_ceil(chunk_bytes);
}

FreelistShard* FreelistGeometry::create_shard(void* memory) const noexcept {
    std::memset(memory, 0, std::min(first_offset, chunk_bytes));
    return static_cast<FreelistShard*>(memory);
}

void FreelistGeometry::carve(FreelistShard& shard) const noexcept {
    const auto carve_count = static_cast<std::uint32_t>(std::min<std::size_t>(
        std::max<std::size_t>(page_bytes / block_bytes, 1), block_count - shard.carved_count));
    auto* const first =
        reinterpret_cast<std::byte*>(&shard) + first_offset + block_bytes * shard.carved_count;
    for (std::uint32_t block_idx = 0; block_idx < carve_count; ++block_idx) {
        std::byte* const block = first + block_bytes * block_idx;
        const bool is_last = block_idx + 1 == carve_count;
        reinterpret_cast<FreeBlock*>(block)->next =
            is_last ? nullptr : reinterpret_cast<FreeBlock*>(block + block_bytes);
    }
    shard.free = reinterpret_cast<FreeBlock*>(first);
    shard.carved_count += carve_count;
}

bool FreelistGeometry::runs_evenly(const FreelistShard& shard) const noexcept {
    constexpr int probe_count = 8;
    const FreeBlock* block = shard.free;
    for (int probe = 0; probe < probe_count && block->next != nullptr; ++probe) {
        const auto at = reinterpret_cast<std::uintptr_t>(block);
        const auto next = reinterpret_cast<std::uintptr_t>(block->next);
        if ((at > next ? at - next : next - at) > 2 * block_bytes) {
            return false;
        }
        block = block->next;
    }
    return true;
}

void FreelistGeometry::put_in_order(FreelistShard& shard) const noexcept {
    constexpr std::size_t sortable_blocks = 4096;
    if (block_count > sortable_blocks || runs_evenly(shard)) {
        return;
    }
    std::uint64_t is_free[sortable_blocks / 64];
    const std::size_t word_count = (block_count + 63) / 64;
    std::fill_n(is_free, word_count, std::uint64_t{0});
    for (const FreeBlock* block = shard.free; block != nullptr; block = block->next) {
        const std::size_t block_idx = index_of(&shard, block);
        is_free[block_idx / 64] |= std::uint64_t{1} << (block_idx % 64);
    }
    auto* const first = reinterpret_cast<std::byte*>(&shard) + first_offset;
    FreeBlock** link = &shard.free;
    for (std::size_t word_idx = 0; word_idx < word_count; ++word_idx) {
        for (std::uint64_t word = is_free[word_idx]; word != 0; word &= word - 1) {
            const auto bit_idx = static_cast<std::size_t>(std::countr_zero(word));
            *link = reinterpret_cast<FreeBlock*>(first + (word_idx * 64 + bit_idx) * block_bytes);
            link = &(*link)->next;
        }
    }
    *link = nullptr;
}

std::size_t FreelistGeometry::index_of(const FreelistShard* shard,
                                       const void* block) const noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(block) -
                                                 reinterpret_cast<const std::byte*>(shard));
    return (offset - first_offset) / block_bytes;
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
    stats.block_live_bytes += block_bytes * shard.live_count;
    stats.live_count += shard.live_count;
    ++stats.chunk_count;
}

} // namespace alloclab
