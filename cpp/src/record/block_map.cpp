// SPDX-License-Identifier: MIT
#include <alloclab/record/block_map.hpp>

#include <alloclab/record/system_call.hpp>

#include <bit>
#include <cstring>

namespace alloclab::record {

namespace {

constexpr std::size_t number_slots = std::size_t{1} << (47 - chunk_shift);

std::uint16_t* numbers;
Chunk* chunks[most_chunks + 1];
std::uint32_t count;
RareLock lock;

Chunk* ensure_chunk(std::uintptr_t address) {
    if (Chunk* const found = find_chunk(address); found != nullptr)
        return found;
    RareGuard guard(lock);
    if (Chunk* const found = find_chunk(address); found != nullptr)
        return found;
    if (numbers == nullptr || address >> 47 != 0 || count == most_chunks)
        return nullptr;
    auto* const chunk = static_cast<Chunk*>(map_shared(sizeof(Chunk)));
    if (chunk == nullptr)
        return nullptr;
    chunk->begin = address >> chunk_shift << chunk_shift;
    chunks[count + 1] = chunk;
    __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&numbers[address >> chunk_shift], static_cast<std::uint16_t>(count),
                     __ATOMIC_RELEASE);
    return chunk;
}

WordId id_of(std::uint32_t number, std::size_t word) {
    return static_cast<WordId>(number << (chunk_shift - 3) | word);
}

// Tells the pages behind the first that they begin within the block.
void cover(std::uintptr_t begin, std::size_t size, WordId id) {
    for (std::uintptr_t page = (begin | 4095) + 1; page < begin + size; page += 4096)
        if (Chunk* const chunk = find_chunk(page); chunk != nullptr)
            chunk->covering[word_in_chunk(page) / 512] = id;
}

// Requires: the 64 words' entries lie in a page that has some.
void fix_words(Chunk& chunk, std::uint32_t number, std::size_t first) {
    std::uint64_t starts = 0;
    std::uint64_t fresh = 0;
    for (std::size_t word = first; word < first + 64; ++word) {
        std::uint32_t entry = __atomic_load_n(&chunk.sizes[word], __ATOMIC_RELAXED);
        if (entry == 0)
            continue;
        const std::uint64_t bit = std::uint64_t{1} << (word % 64);
        starts |= bit;
        if ((entry & is_fresh) != 0) {
            fresh |= bit;
            __atomic_compare_exchange_n(&chunk.sizes[word], &entry, entry & ~is_fresh, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        }
        const std::size_t size = (entry & size_mask) - 1;
        if (word % 512 * 8 + size > 4096)
            cover(chunk.begin + word * 8, size, id_of(number, word));
    }
    chunk.starts[first / 64] = starts;
    chunk.fresh[first / 64] = fresh;
}

} // namespace

bool prepare_block_map() {
    if (numbers == nullptr)
        numbers = static_cast<std::uint16_t*>(map_shared(number_slots * sizeof *numbers));
    return numbers != nullptr;
}

void forget_block_map() {
    lock.reset();
    for (std::uint32_t number = 1; number <= count; ++number)
        unmap_memory(chunks[number], sizeof(Chunk));
    if (numbers != nullptr)
        unmap_memory(numbers, number_slots * sizeof *numbers);
    numbers = nullptr;
    count = 0;
}

std::uint32_t chunk_count() {
    return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

Chunk& chunk_at(std::uint32_t number) {
    return *chunks[number];
}

Chunk* find_chunk(std::uintptr_t address) {
    if (numbers == nullptr || address >> 47 != 0)
        return nullptr;
    const std::uint16_t number =
        __atomic_load_n(&numbers[address >> chunk_shift], __ATOMIC_ACQUIRE);
    return number != 0 ? chunks[number] : nullptr;
}

bool add_block(const void* p, std::size_t size, std::uint32_t claims) {
    const auto begin = reinterpret_cast<std::uintptr_t>(p);
    if ((begin & 7) != 0 || size >= size_mask)
        return false;
    Chunk* const chunk = ensure_chunk(begin);
    if (chunk == nullptr)
        return false;
    for (std::uintptr_t at = begin; (at >> chunk_shift) < (begin + size) >> chunk_shift;) {
        at += std::uintptr_t{1} << chunk_shift;
        if (ensure_chunk(at) == nullptr)
            return false;
    }
    const std::size_t word = word_in_chunk(begin);
    chunk->has_sizes[word >> shadow_page_shift] = 1;
    __atomic_store_n(&chunk->sizes[word], static_cast<std::uint32_t>(size + 1) | claims,
                     __ATOMIC_RELEASE);
    return true;
}

std::uint32_t take_block(const void* p) {
    const auto begin = reinterpret_cast<std::uintptr_t>(p);
    Chunk* const chunk = (begin & 7) == 0 ? find_chunk(begin) : nullptr;
    const std::size_t word = word_in_chunk(begin);
    if (chunk == nullptr || chunk->has_sizes[word >> shadow_page_shift] == 0)
        return 0;
    const std::uint32_t entry = chunk->sizes[word];
    if (entry != 0)
        __atomic_store_n(&chunk->sizes[word], 0, __ATOMIC_RELEASE);
    return entry;
}

WordId target_of(std::uintptr_t word) {
    const Chunk* const chunk = find_chunk(word);
    const std::size_t place = word_in_chunk(word);
    return chunk != nullptr && chunk->has_targets[place >> shadow_page_shift] != 0
               ? chunk->targets[place]
               : 0;
}

void set_target(std::uintptr_t word, WordId target) {
    Chunk* const chunk = find_chunk(word);
    const std::size_t place = word_in_chunk(word);
    if (chunk == nullptr)
        return;
    std::uint8_t& has_targets = chunk->has_targets[place >> shadow_page_shift];
    if (target == 0 && has_targets == 0)
        return;
    has_targets = 1;
    chunk->targets[place] = target;
}

void begin_epoch() {
    const std::uint32_t last = chunk_count();
    for (std::uint32_t number = 1; number <= last; ++number)
        std::memset(chunk_at(number).covering, 0, sizeof Chunk::covering);
    for (std::uint32_t number = 1; number <= last; ++number) {
        Chunk& chunk = chunk_at(number);
        for (std::size_t first = 0; first < chunk_words; first += 64)
            if (chunk.has_sizes[first >> shadow_page_shift] != 0)
                fix_words(chunk, number, first);
    }
}

WordId find_block(std::uintptr_t address) {
    const Chunk* const chunk = find_chunk(address);
    if (chunk == nullptr)
        return 0;
    const auto number = std::uint32_t{numbers[address >> chunk_shift]};
    const std::size_t word = word_in_chunk(address);
    const std::size_t page_first = word / 512 * 8; // of 64 words each
    std::size_t group = word / 64;
    std::uint64_t bits = chunk->starts[group] & (~std::uint64_t{0} >> (63 - word % 64));
    while (bits == 0 && group > page_first)
        bits = chunk->starts[--group];
    const WordId id =
        bits != 0
            ? id_of(number, group * 64 + 63 - static_cast<std::size_t>(std::countl_zero(bits)))
            : chunk->covering[word / 512];
    if (id == 0)
        return 0;
    const std::uint32_t size = chunk_of(id).sizes[id & (chunk_words - 1)] & size_mask;
    const std::uintptr_t offset = address - address_of(id);
    return size != 0 && (offset < size - 1 || offset == 0) ? id : 0;
}

bool is_fresh_block(WordId id) {
    const std::size_t word = id & (chunk_words - 1);
    return (chunk_of(id).fresh[word / 64] >> (word % 64) & 1) != 0;
}

} // namespace alloclab::record
