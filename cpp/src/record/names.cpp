// SPDX-License-Identifier: MIT
#include <alloclab/record/names.hpp>

#include <alloclab/record/process.hpp>

namespace alloclab::record {

using namespace capture;

namespace {

constexpr std::size_t slot_capacity = 1 << 16; // a quarter stays free for short probes
static_assert(most_names <= slot_capacity / 4 * 3);
constexpr std::size_t text_capacity = 16 << 20;

struct Entry {
    std::uint32_t offset;
    std::uint32_t bytes;
};

// Shared memory, because it does not count as the program's anonymous memory; pages come as they
// are used. A slot holds a number plus one, and above it the upper half of the text's hash.
struct Table {
    std::uint64_t slots[slot_capacity]; // open addressing, linear probing, nothing is removed
    Entry entries[most_names];
    std::uint32_t count;
    std::uint32_t text_used;
    std::uint32_t beyond; // the number of `name_beyond` plus one; 0: not needed yet
    char texts[text_capacity];
};

Table* table;
std::uint32_t table_generation;
Table* inherited;
std::uint32_t inherited_generation;
RareLock lock;

constexpr std::uint64_t half = 32;

std::uint64_t hash_of(const char* text, std::size_t bytes) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15U;
    std::uint64_t hash = bytes * odd;
    for (; bytes >= sizeof(std::uint64_t); bytes -= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text, sizeof word);
        text += sizeof word;
        hash = (hash ^ word) * odd;
        hash ^= hash >> half;
    }
    std::uint64_t word = 0;
    for (; bytes > 0; --bytes)
        word = word << 8 | static_cast<unsigned char>(text[bytes - 1]);
    hash = (hash ^ word) * odd;
    hash ^= hash >> 29;
    hash *= odd;
    return hash ^ hash >> half;
}

struct Key {
    const char* text;
    std::size_t bytes;
    std::uint64_t hash;
};

// A text as it is kept. A cut one ends before the character that does not fit (UTF-8).
Key key_of(const char* text, std::size_t bytes) {
    if (bytes > name_most_bytes) {
        bytes = name_most_bytes;
        for (int back = 0; back < 3 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80;
             ++back)
            --bytes;
    }
    return {text, bytes, hash_of(text, bytes)};
}

bool is_entry(const Table& names, std::uint64_t slot, const Key& key) {
    if (slot >> half != key.hash >> half)
        return false;
    const Entry& entry = names.entries[static_cast<std::uint32_t>(slot) - 1];
    return entry.bytes == key.bytes &&
           std::memcmp(names.texts + entry.offset, key.text, key.bytes) == 0;
}

// Returns the number of the text, or no_name and in `free_slot` where its slot would be.
std::uint32_t find(Table& names, const Key& key, std::size_t& free_slot) {
    for (std::size_t slot_idx = key.hash % slot_capacity;;
         slot_idx = (slot_idx + 1) % slot_capacity) {
        const std::uint64_t slot = __atomic_load_n(&names.slots[slot_idx], __ATOMIC_ACQUIRE);
        if (slot == 0) {
            free_slot = slot_idx;
            return no_name;
        }
        if (is_entry(names, slot, key))
            return static_cast<std::uint32_t>(slot) - 1;
    }
}

// Writes the definition, in parts. Returns whether all of it is there.
bool tell(LaneHold& hold, std::uint32_t id, const Key& key) {
    std::size_t told = 0;
    do {
        const std::size_t rest = key.bytes - told;
        const std::size_t part = rest < name_part_bytes ? rest : name_part_bytes;
        EventBytes event(Code::name);
        event.put(id).put(part).put_text(key.text + told, part);
        if (!hold.make_room(event.count()))
            return false;
        hold.append(event);
        told += part;
    } while (told < key.bytes);
    return true;
}

// Requires: the lock; room for one more name and its text.
std::uint32_t insert(LaneHold& hold, const Key& key, std::size_t slot_idx) {
    const std::uint32_t id = table->count++;
    Entry& entry = table->entries[id];
    entry = {table->text_used, static_cast<std::uint32_t>(key.bytes)};
    std::memcpy(table->texts + entry.offset, key.text, key.bytes);
    table->text_used += entry.bytes;
    if (!tell(hold, id, key))
        return no_name; // the number is spent: part of its text may have been told
    __atomic_store_n(&table->slots[slot_idx], key.hash >> half << half | (id + 1),
                     __ATOMIC_RELEASE);
    return id;
}

// What a name gets that the table has no room for. Requires: the lock.
std::uint32_t beyond(LaneHold& hold) {
    __atomic_fetch_add(&process.header->lost_names, 1, __ATOMIC_RELAXED);
    if (table->beyond == 0 && table->count < most_names) {
        const Key key = key_of(name_beyond, sizeof name_beyond - 1);
        std::size_t slot_idx = 0;
        std::uint32_t id = find(*table, key, slot_idx);
        if (id == no_name)
            id = insert(hold, key, slot_idx);
        table->beyond = id + 1; // no_name stays what it is: 0
    }
    return table->beyond - 1;
}

bool ensure_table() {
    if (table == nullptr) {
        void* const mapped = map_shared(sizeof(Table));
        table_generation = process.generation;
        __atomic_store_n(&table, static_cast<Table*>(mapped), __ATOMIC_RELEASE);
    }
    return table != nullptr;
}

std::uint32_t find_or_insert(LaneHold& hold, const Key& key) {
    RareGuard guard(lock);
    if (!ensure_table()) {
        count_lost_event();
        return no_name;
    }
    std::size_t slot_idx = 0;
    if (const std::uint32_t id = find(*table, key, slot_idx); id != no_name)
        return id;
    // The last number and a little text are kept for `name_beyond`.
    if (table->count + 1 >= most_names ||
        table->text_used + key.bytes + sizeof name_beyond > text_capacity)
        return beyond(hold);
    return insert(hold, key, slot_idx);
}

} // namespace

std::uint32_t intern_name(LaneHold& hold, const char* text, std::size_t bytes) {
    const Key key = key_of(text, bytes);
    if (Table* const names = __atomic_load_n(&table, __ATOMIC_ACQUIRE); names != nullptr) {
        std::size_t free_slot = 0;
        if (const std::uint32_t id = find(*names, key, free_slot); id != no_name)
            return id;
    }
    return find_or_insert(hold, key);
}

std::uint32_t intern_name(LaneHold& hold, const char* text) {
    return text == nullptr ? intern_name(hold, "", 0) : intern_name(hold, text, std::strlen(text));
}

std::uint32_t intern_name(const char* text, std::size_t bytes) {
    LaneHold hold;
    return hold ? intern_name(hold, text, bytes) : no_name;
}

void inherit_names() {
    lock.reset();
    if (table == nullptr)
        return; // what an earlier parent left still stands
    if (inherited != nullptr)
        unmap_memory(inherited, sizeof(Table));
    inherited = table;
    inherited_generation = table_generation;
    table = nullptr;
}

std::uint32_t inherit_name(LaneHold& hold, std::uint32_t generation, std::uint32_t id) {
    if (inherited == nullptr || generation != inherited_generation || id >= most_names ||
        id >= inherited->count)
        return no_name;
    const Entry& entry = inherited->entries[id];
    return intern_name(hold, inherited->texts + entry.offset, entry.bytes);
}

} // namespace alloclab::record
