// SPDX-License-Identifier: MIT
#pragma once

// Gives every name in a tree its place, by tables that are gone afterwards (the symbols' part).

#include "slang_memory.hpp"
#include "slang_parser.hpp"

namespace slang {

// A name that nobody has given: the scripts are this program's own, so it is its fault.
[[noreturn]] inline void fail_at(String* name) {
    std::fprintf(stderr, "%s: nobody defines it\n", name->text());
    std::exit(1);
}

class Analysis {
public:
    // Requires: a null after the last of the natives' names.
    Analysis(Memory& memory, const char* const* natives) : memory_(memory), natives_(natives) {}

    // Returns how many globals there are.
    std::uint32_t run(Node* script) {
        globals_ = memory_.make<Table>(Part::symbols);
        functions_ = memory_.make<Table>(Part::symbols);
        for (Node* each = script->first; each != nullptr; each = each->next) {
            each->shape == Shape::function ? function(each) : statement(each);
        }
        return globals_->count;
    }

private:
    struct Symbol {
        Symbol* next;
        String* name;
        std::uint32_t place;
        std::uint32_t uses;
    };
    struct Table {
        Symbol* buckets[16];
        std::uint32_t count;
    };

    static std::size_t bucket(String* name) {
        return reinterpret_cast<std::uintptr_t>(name) / 16 % 16;
    }
    static Symbol* find(Table* table, String* name) {
        Symbol* found = table == nullptr ? nullptr : table->buckets[bucket(name)];
        while (found != nullptr && found->name != name) {
            found = found->next;
        }
        return found;
    }
    std::uint32_t define(Table* table, String* name) {
        if (Symbol* const known = find(table, name)) {
            return known->place;
        }
        Symbol* const made = memory_.make<Symbol>(Part::symbols);
        *made = {table->buckets[bucket(name)], name, table->count++, 0};
        table->buckets[bucket(name)] = made;
        return made->place;
    }

    void resolve(Node* node) {
        Symbol* const local = find(locals_, node->name);
        Symbol* const found = local != nullptr ? local : find(globals_, node->name);
        if (found == nullptr) {
            fail_at(node->name);
        }
        ++found->uses;
        node->place = found->place;
        node->is_local = local != nullptr;
    }
    void resolve_call(Node* node) {
        if (Symbol* const found = find(functions_, node->name)) {
            node->place = found->place;
            return;
        }
        node->is_local = true; // a native
        while (natives_[node->place] != nullptr && node->name->view() != natives_[node->place]) {
            ++node->place;
        }
        if (natives_[node->place] == nullptr) {
            fail_at(node->name);
        }
    }

    void function(Node* node) {
        locals_ = memory_.make<Table>(Part::symbols);
        Node* each = node->first;
        for (std::int64_t parameter = 0; parameter < node->value; ++parameter) {
            each->place = define(locals_, each->name);
            each = each->next;
        }
        for (; each != nullptr; each = each->next) {
            statement(each);
        }
        node->place = locals_->count;
        define(functions_, node->name);
        locals_ = nullptr;
    }

    void statement(Node* node) {
        for (Node* each = node->first; each != nullptr; each = each->next) {
            statement(each);
        }
        if (node->shape == Shape::let) {
            define(locals_ != nullptr ? locals_ : globals_, node->name);
        }
        if (node->shape == Shape::let || node->shape == Shape::assign ||
            node->shape == Shape::name) {
            resolve(node);
        }
        if (node->shape == Shape::call) {
            resolve_call(node);
        }
    }

    Memory& memory_;
    const char* const* natives_;
    Table* globals_ = nullptr;
    Table* functions_ = nullptr;
    Table* locals_ = nullptr;
};

} // namespace slang
