// SPDX-License-Identifier: MIT
#pragma once

// What scripts compute with: numbers, interned strings, and objects of any size (the objects'
// part), which count their references: there is no collector.

#include "slang_memory.hpp"
#include "slang_parser.hpp"

#include <algorithm>

namespace slang {

struct Object;

struct Value {
    enum class Kind : std::uint8_t { number, string, text, list };

    Kind kind = Kind::number;
    union {
        std::int64_t number = 0;
        String* string;
        Object* object;
    };

    static Value of(std::int64_t number) {
        Value made;
        made.number = number;
        return made;
    }
    bool is_object() const { return kind == Kind::text || kind == Kind::list; }
};
static_assert(sizeof(Value) == 16);

// Followed by `count` characters or values.
struct Object {
    std::uint64_t references;
    std::uint64_t count;

    char* text() { return reinterpret_cast<char*>(this + 1); }
    Value* items() { return reinterpret_cast<Value*>(this + 1); }
};

// Longer texts and lists are cut, so that loops cannot make them endless.
inline constexpr std::uint64_t longest = 200;

class Objects {
public:
    explicit Objects(Memory& memory) : memory_(memory) {}

    Value make_text(const char* text, std::uint64_t length) {
        Object* const made = make(std::min(length, longest), 1);
        std::copy_n(text, made->count, made->text());
        return held(Value::Kind::text, made);
    }

    // Takes over the references of the items; those beyond the longest list are released.
    Value make_list(const Value* items, std::uint64_t count) {
        Object* const made = make(std::min(count, longest), sizeof(Value));
        std::copy_n(items, made->count, made->items());
        for (std::uint64_t each = made->count; each < count; ++each) {
            release(items[each]);
        }
        return held(Value::Kind::list, made);
    }

    static Value retain(Value value) {
        if (value.is_object()) {
            ++value.object->references;
        }
        return value;
    }

    void release(Value value) {
        if (!value.is_object() || --value.object->references > 0) {
            return;
        }
        if (value.kind == Value::Kind::list) {
            for (std::uint64_t each = 0; each < value.object->count; ++each) {
                release(value.object->items()[each]);
            }
        }
        memory_.free(value.object);
    }

    static std::int64_t number_of(Value value) {
        switch (value.kind) {
        case Value::Kind::number:
            return value.number;
        case Value::Kind::string:
            return static_cast<std::int64_t>(value.string->length);
        default:
            return static_cast<std::int64_t>(value.object->count);
        }
    }

private:
    Object* make(std::uint64_t count, std::size_t item_bytes) {
        void* const block = memory_.allocate(Part::objects, sizeof(Object) + count * item_bytes);
        return new (block) Object{1, count};
    }
    static Value held(Value::Kind kind, Object* object) {
        Value made;
        made.kind = kind;
        made.object = object;
        return made;
    }

    Memory& memory_;
};

} // namespace slang
