// SPDX-License-Identifier: MIT
#pragma once

// The virtual machine's values: strings, records, tuples, lists. Each knows by a tag of 4 bytes
// whose it is, the heap's or an arena's, and is dropped accordingly. Lists are never routed.

#include "lex_runtime.hpp"

#include <cstring>
#include <initializer_list>

namespace lex {

enum class Kind : std::uint32_t { string, record, tuple, list };
inline constexpr const char* kind_tags[] = {"value/string", "value/record", "value/tuple",
                                            "value/list"};

// Followed by `count` bytes of a string or pointers of a record or tuple. A list has its buffer
// elsewhere.
struct Value {
    Kind kind;
    std::uint32_t arena; // 0: the heap's
    std::uint64_t count;

    Value** fields() { return reinterpret_cast<Value**>(this + 1); }
    char* text() { return reinterpret_cast<char*>(this + 1); }
};

struct List : Value {
    Value** buffer;
    std::uint64_t capacity;
};

// What the verifier says of the place that makes a value.
enum class Fate : std::uint8_t { dies_with_request, escapes };

class Vm {
public:
    Vm(ScopeRuntime& scopes, Counts& counts, bool is_routing)
        : scopes_(scopes), counts_(counts), is_routing_(is_routing) {}

    Value* make_string(std::uint64_t length, Fate fate) {
        Value* const made = make(Kind::string, sizeof(Value) + length, fate);
        made->count = length;
        std::memset(made->text(), 'x', length);
        return made;
    }

    // A record or tuple with all its fields null.
    Value* make_aggregate(Kind kind, std::uint64_t fields, Fate fate) {
        Value* const made = make(kind, sizeof(Value) + fields * sizeof(Value*), fate);
        made->count = fields;
        std::memset(made->fields(), 0, fields * sizeof(Value*));
        return made;
    }

    List* make_list(Fate fate) {
        auto* const made = static_cast<List*>(make(Kind::list, sizeof(List), fate));
        made->count = 0;
        made->buffer = nullptr;
        made->capacity = 0;
        return made;
    }

    void append(List* list, Value* value) {
        if (list->count == list->capacity) {
            const alloclab::Tag tag("value/list-buffer");
            list->capacity = list->capacity == 0 ? 4 : 2 * list->capacity;
            void* const grown = std::realloc(list->buffer, list->capacity * sizeof(Value*));
            if (grown == nullptr) {
                throw std::bad_alloc();
            }
            list->buffer = static_cast<Value**>(grown);
        }
        list->buffer[list->count++] = value;
    }

    // Frees what of it is the heap's; null is nothing.
    void drop(Value* value) {
        if (value == nullptr) {
            return;
        }
        each_part(value, [this](Value* part) { drop(part); });
        if (value->kind == Kind::list) {
            std::free(static_cast<List*>(value)->buffer);
        }
        if (value->arena == 0) {
            std::free(value);
        }
    }

    // A capture: every block of it belongs to the scope from now on. Requires: made to escape.
    void transfer(Value* value, std::uint64_t scope) {
        if (value == nullptr) {
            return;
        }
        each_part(value, [&](Value* part) { transfer(part, scope); });
        give(value, scope);
        if (value->kind == Kind::list && static_cast<List*>(value)->buffer != nullptr) {
            give(static_cast<List*>(value)->buffer, scope);
        }
    }

private:
    template <typename Visit> static void each_part(Value* value, Visit visit) {
        if (value->kind == Kind::string) {
            return;
        }
        Value** const parts =
            value->kind == Kind::list ? static_cast<List*>(value)->buffer : value->fields();
        for (std::uint64_t part = 0; part < value->count; ++part) {
            visit(parts[part]);
        }
    }

    void give(const void* block, std::uint64_t scope) {
        alloclab_transfer(block, scope);
        ++counts_.captured_blocks;
    }

    Value* make(Kind kind, std::size_t bytes, Fate fate) {
        ++counts_.values;
        counts_.value_bytes += bytes;
        const bool is_eligible =
            is_routing_ && kind != Kind::list && fate == Fate::dies_with_request;
        RequestArena* const arena = is_eligible ? scopes_.innermost() : nullptr;
        void* block = nullptr;
        if (arena != nullptr) {
            ++counts_.routed;
            counts_.routed_bytes += bytes;
            block = arena->allocate(bytes);
        } else {
            counts_.heap_fallbacks += is_eligible;
            const auto its_kind = static_cast<std::size_t>(kind);
            const alloclab::Tag tag(is_eligible ? "heap-fallback" : kind_tags[its_kind]);
            block = checked_malloc(bytes);
        }
        auto* const made = static_cast<Value*>(block);
        made->kind = kind;
        made->arena = arena == nullptr ? 0 : static_cast<std::uint32_t>(scopes_.innermost_id());
        return made;
    }

    ScopeRuntime& scopes_;
    Counts& counts_;
    bool is_routing_;
};

} // namespace lex
