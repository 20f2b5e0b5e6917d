// SPDX-License-Identifier: MIT
#pragma once

// Every live block by its address, and what each of its words referred to when it was last looked
// at. Two numbers a word of the program's heap, in shared mapped memory of which only pages in use
// are ever touched; only where edges are recorded.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

inline constexpr unsigned chunk_shift = 22;
inline constexpr std::size_t chunk_words = std::size_t{1} << (chunk_shift - 3);
inline constexpr std::size_t most_chunks = 8191;  // 32 GiB of heap
inline constexpr unsigned shadow_page_shift = 10; // words that a page of either table tells of

// A word by chunk and place in it; 0: none.
using WordId = std::uint32_t;

// An entry of `sizes`: 0 no block begins here; otherwise its bytes plus one, and two claims.
inline constexpr std::uint32_t is_fresh = std::uint32_t{1}
                                          << 31; // born or moved since the last epoch
inline constexpr std::uint32_t is_moved = std::uint32_t{1} << 30; // its targets moved along with it
inline constexpr std::uint32_t size_mask = is_moved - 1;

struct Chunk {
    std::uint32_t sizes[chunk_words];
    WordId targets[chunk_words];
    std::uint64_t starts[chunk_words / 64]; // as of this epoch, as are the next two
    std::uint64_t fresh[chunk_words / 64];
    WordId covering[chunk_words / 512]; // the block that the page begins within
    std::uint8_t has_sizes[chunk_words >> shadow_page_shift];
    std::uint8_t has_targets[chunk_words >> shadow_page_shift];
    std::uintptr_t begin;
};

// Maps the tables. Returns whether memory could be had.
bool prepare_block_map();
// In a forked child: its parent goes on with these tables.
void forget_block_map();

std::uint32_t chunk_count();
Chunk& chunk_at(std::uint32_t number); // from 1
// The chunk of an address, null where no block ever was.
Chunk* find_chunk(std::uintptr_t address);

inline std::size_t word_in_chunk(std::uintptr_t address) {
    return address >> 3 & (chunk_words - 1);
}
inline Chunk& chunk_of(WordId id) {
    return chunk_at(id >> (chunk_shift - 3));
}
inline std::uintptr_t address_of(WordId id) {
    return chunk_of(id).begin + std::uintptr_t{id & (chunk_words - 1)} * 8;
}

// Adds a block, with its claims. Returns false where it is not kept: a gibibyte or more, an address
// that no word has, tables full.
bool add_block(const void* p, std::size_t size, std::uint32_t claims);
// Takes a block out. Returns its entry, 0 where there was none.
std::uint32_t take_block(const void* p);

// What the words of a block referred to.
WordId target_of(std::uintptr_t word);
void set_target(std::uintptr_t word, WordId target);

// Fixes the set of live blocks for this epoch.
void begin_epoch();
// The block that holds the address in this epoch, 0: none.
WordId find_block(std::uintptr_t address);
bool is_fresh_block(WordId id);

} // namespace alloclab::record
