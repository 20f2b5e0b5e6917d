// SPDX-License-Identifier: MIT
#pragma once

// The eleven parts of a program that SwiftLang's allocators serve. Every block is malloc's, tagged
// with its part; what the document gives an arena is freed by the reset that ends it, all else one
// by one. A block made while a scope is open that its part does not end with is transferred to the
// one it does, so that in a recording a reset ends exactly what belongs to its scope.

#include <alloclab/marker.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <vector>

namespace slang {

enum class Part : std::uint8_t {
    vm,
    objects,
    strings,
    bytecode,
    compiler,
    ast,
    parser,
    symbols,
    modules,
    stdlib,
    temp
};
inline constexpr std::size_t part_count = 11;
inline constexpr std::array<const char*, part_count> part_tags{
    "vm",     "objects", "strings", "bytecode", "compiler", "ast",
    "parser", "symbols", "modules", "stdlib",   "temp"};

constexpr bool is_arena(Part part) {
    return part != Part::vm && part != Part::objects && part != Part::modules &&
           part != Part::stdlib;
}

class Memory {
public:
    void* allocate(Part part, std::size_t bytes) {
        return allocate_tagged(part, part_tags[index(part)], bytes);
    }

    // The same, for a purpose that has a name of its own.
    void* allocate_tagged(Part part, const char* tag, std::size_t bytes) {
        void* block = nullptr;
        {
            const alloclab::Tag its_tag(tag);
            block = std::malloc(bytes);
        }
        if (block == nullptr) {
            throw std::bad_alloc();
        }
        if (owners_[index(part)] != innermost_) {
            alloclab_transfer(block, owners_[index(part)]);
        }
        if (is_arena(part)) {
            remember(part, block);
        }
        return block;
    }

    // Requires: a block of that part, or null. It may move.
    void* grow(Part part, void* block, std::size_t bytes) {
        if (block == nullptr) {
            return allocate(part, bytes);
        }
        const alloclab::Tag tag(part_tags[index(part)]);
        std::size_t place = 0;
        if (is_arena(part)) { // what grows is mostly what was made last
            const std::vector<void*>& blocks = blocks_[index(part)];
            place = blocks.size() - 1;
            while (blocks[place] != block) {
                --place;
            }
        }
        void* const grown = std::realloc(block, bytes);
        if (grown == nullptr) {
            throw std::bad_alloc();
        }
        if (is_arena(part)) {
            blocks_[index(part)][place] = grown;
        }
        return grown;
    }

    // Requires: the part is no arena.
    void free(void* block) { std::free(block); }

    char* copy_text(Part part, const char* text, std::size_t length) {
        auto* const copy = static_cast<char*>(allocate(part, length + 1));
        std::memcpy(copy, text, length);
        copy[length] = '\0';
        return copy;
    }

    // For structures without a destructor; zeroed. Requires: T is all right as zeros.
    template <typename T> T* make(Part part, std::size_t count = 1) {
        return static_cast<T*>(
            std::memset(allocate(part, count * sizeof(T)), 0, count * sizeof(T)));
    }

private:
    friend class Lifetime;

    static std::size_t index(Part part) { return static_cast<std::size_t>(part); }

    void remember(Part part, void* block) {
        std::vector<void*>& blocks = blocks_[index(part)];
        if (blocks.size() == blocks.capacity()) {
            const alloclab::Tag tag("lists of blocks");
            blocks.reserve(blocks.empty() ? 256 : 2 * blocks.size());
            alloclab_transfer(blocks.data(), 0);
        }
        blocks.push_back(block);
    }

    void reset(Part part) {
        for (void* const block : blocks_[index(part)]) {
            std::free(block);
        }
        blocks_[index(part)].clear();
    }

    std::array<std::vector<void*>, part_count> blocks_;
    std::array<std::uint64_t, part_count> owners_{};
    std::uint64_t innermost_ = 0;
};

// A scope that parts end with: the blocks of its arenas are gone when the block of code ends.
class Lifetime {
public:
    Lifetime(Memory& memory, const char* kind, const char* name,
             std::initializer_list<Part> parts = {})
        : memory_(memory), scope_(kind, name), owners_before_(memory.owners_),
          innermost_before_(memory.innermost_) {
        memory_.innermost_ = scope_.number();
        for (const Part part : parts) {
            memory_.owners_[Memory::index(part)] = scope_.number();
            ends_[Memory::index(part)] = is_arena(part);
            has_arena_ = has_arena_ || is_arena(part);
        }
    }
    ~Lifetime() {
        if (has_arena_) {
            alloclab_reset(scope_.number());
        }
        for (std::size_t part = 0; part < part_count; ++part) {
            if (ends_[part]) {
                memory_.reset(static_cast<Part>(part));
            }
        }
        memory_.owners_ = owners_before_;
        memory_.innermost_ = innermost_before_;
    }
    Lifetime(const Lifetime&) = delete;
    Lifetime& operator=(const Lifetime&) = delete;

private:
    Memory& memory_;
    alloclab::Scope scope_;
    std::array<std::uint64_t, part_count> owners_before_;
    std::uint64_t innermost_before_;
    std::array<bool, part_count> ends_{};
    bool has_arena_ = false;
};

// A list that grows within one part.
template <typename T> struct Growing {
    T* items = nullptr;
    std::uint32_t count = 0;
    std::uint32_t capacity = 0;

    void append(Memory& memory, Part part, const T& item) {
        if (count == capacity) {
            capacity = capacity == 0 ? 8 : 2 * capacity;
            items = static_cast<T*>(memory.grow(part, items, capacity * sizeof(T)));
        }
        items[count++] = item;
    }
};

} // namespace slang
