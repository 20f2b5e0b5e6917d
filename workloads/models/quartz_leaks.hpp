// SPDX-License-Identifier: MIT
#pragma once

// The four habits that the walk of a function's body leaks by, each with its cure (Q17 to Q20).
// What one of them allocates is never freed and, most of it, never looked at again.

#include "quartz_ast.hpp"

#include <string_view>
#include <unordered_map>

namespace quartz {

// Which of the cures are applied: `--variant`.
struct Cures {
    bool has_type_cache = false;        // Q17
    bool has_no_block_closures = false; // Q18
    bool frees_infos = false;           // Q19
    bool has_interned_origins = false;  // Q20
};

// Keeps the compiler from leaving out a block that nobody reads.
inline void* kept(void* block) {
    if (block == nullptr) {
        std::abort();
    }
    asm volatile("" : : "r"(block) : "memory");
    return block;
}

// A vector of 8-byte elements as Quartz has it: a header of three words, then the elements.
struct Vec {
    std::uint64_t length;
    std::uint64_t capacity;
    std::uint64_t kind;

    std::uint64_t* elements() { return reinterpret_cast<std::uint64_t*>(this + 1); }
};

inline Vec* new_vec(std::size_t length) {
    Vec* const vec = static_cast<Vec*>(kept(std::malloc(sizeof(Vec) + 8 * length)));
    *vec = {length, length, 0};
    return vec;
}

// Parses annotations. Each parse copies the text, then does the same for each argument of the type.
class TypeParser {
public:
    explicit TypeParser(bool has_cache) : has_cache_(has_cache) {}

    const Vec* parse(const std::string& text) {
        if (!has_cache_) {
            return parse_text(text);
        }
        const auto found = cache_.find(text);
        return found != cache_.end() ? found->second
                                     : cache_.emplace(text, parse_text(text)).first->second;
    }

private:
    static const Vec* parse_text(std::string_view text) {
        Vec* const substring = new_vec(text.size());
        std::copy(text.begin(), text.end(), substring->elements());
        const std::size_t open = text.find('<');
        if (open == std::string_view::npos) {
            return substring;
        }
        Vec* const arguments = new_vec(2);
        std::string_view rest = text.substr(open + 1, text.size() - open - 2);
        for (std::size_t which = 0; which < 2; ++which) {
            // Only a Map has two, and its first has no arguments of its own.
            const std::size_t comma = text[0] == 'M' && which == 0 ? rest.find(',') : rest.size();
            const Vec* const argument = rest.empty() ? nullptr : parse_text(rest.substr(0, comma));
            arguments->elements()[which] = reinterpret_cast<std::uintptr_t>(argument);
            rest = comma < rest.size() ? rest.substr(comma + 1) : std::string_view();
        }
        return arguments;
    }

    bool has_cache_;
    std::unordered_map<std::string, const Vec*> cache_;
};

// What a value's type comes from, as a text for an error that hardly ever comes.
class Origins {
public:
    explicit Origins(bool is_interned) : is_interned_(is_interned) {}

    const char* describe(const Node& node, const std::string& function) {
        const char*& known = interned_[static_cast<std::size_t>(node.kind)][node.detail];
        if (is_interned_ && known != nullptr) {
            return known;
        }
        const char* const name = node_names[static_cast<std::size_t>(node.kind)];
        const std::size_t bytes = std::strlen(name) + function.size() + 36;
        char* const text = static_cast<char*>(kept(std::malloc(bytes)));
        std::snprintf(text, bytes, "origin: operand %u of %s in function %s", node.detail, name,
                      function.c_str());
        return is_interned_ ? known = text : text;
    }

private:
    bool is_interned_;
    std::array<std::array<const char*, 6>, node_kind_count> interned_ = {};
};

// How long a binding is live: written once, read once when its function is done.
struct LiveInfo {
    LiveInfo* earlier;
    std::uint64_t from;
    std::uint64_t to;
    std::uint64_t binding;
    std::uint64_t uses;
    std::uint64_t moves;
};

// The side table of them all, a list a function.
class FuncInfos {
public:
    explicit FuncInfos(bool is_freed) : is_freed_(is_freed) {}

    void add(const Node& node, std::size_t at) {
        void* const block = kept(std::malloc(sizeof(LiveInfo)));
        last_ = new (block) LiveInfo{last_, at, node.end, node.annotation, 1, 0};
    }

    // Reads what was written since the last call. Returns how many nodes bindings are live over.
    std::uint64_t finish_function() {
        std::uint64_t sum = 0;
        for (LiveInfo* info = last_; info != nullptr;) {
            LiveInfo* const earlier = info->earlier;
            sum += info->to - info->from;
            if (is_freed_) {
                std::free(info);
            }
            info = earlier;
        }
        last_ = nullptr;
        return sum;
    }

private:
    bool is_freed_;
    LiveInfo* last_ = nullptr;
};

} // namespace quartz
