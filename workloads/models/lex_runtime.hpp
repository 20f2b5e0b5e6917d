// SPDX-License-Identifier: MIT
#pragma once

// Request arenas and the values of a small virtual machine, after lex-lang's: pages of 64 KiB that
// bump, no page before the first allocation, ids of scopes from a counter that only goes up. What
// is changed: blocks are aligned to 8, and one that fits no page gets a page of its own (the
// original panics).

#include <alloclab/marker.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace lex {

inline void* checked_malloc(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

inline constexpr std::size_t page_bytes = 64 * 1024;

// A chain of pages; all of them are freed when it ends. For one thread.
class RequestArena {
public:
    void* allocate(std::size_t bytes) {
        bytes = (bytes + 7) / 8 * 8;
        if (pages_.empty() || pages_.back().capacity - pages_.back().used < bytes) {
            add_page(std::max(bytes, page_bytes));
        }
        Page& page = pages_.back();
        char* const block = page.memory.get() + page.used;
        page.used += bytes;
        used_bytes_ += bytes;
        return block;
    }

    std::size_t page_count() const { return pages_.size(); }
    std::size_t oversize_page_count() const { return oversize_pages_; }
    std::size_t used_bytes() const { return used_bytes_; }
    std::size_t held_bytes() const { return held_bytes_; }

private:
    struct Free {
        void operator()(char* block) const { std::free(block); }
    };
    struct Page {
        std::unique_ptr<char, Free> memory;
        std::size_t capacity;
        std::size_t used;
    };

    void add_page(std::size_t capacity) {
        {
            const alloclab::Tag tag("arena/chain");
            pages_.push_back({nullptr, capacity, 0});
        }
        const alloclab::Tag tag("arena/page");
        pages_.back().memory.reset(static_cast<char*>(checked_malloc(capacity)));
        held_bytes_ += capacity;
        oversize_pages_ += capacity > page_bytes;
    }

    std::vector<Page> pages_;
    std::size_t oversize_pages_ = 0;
    std::size_t used_bytes_ = 0;
    std::size_t held_bytes_ = 0;
};

using ScopeId = std::uint64_t;

// What a worker did; added up at the end.
struct Counts {
    std::uint64_t values = 0;
    std::uint64_t value_bytes = 0;
    std::uint64_t routed = 0;
    std::uint64_t routed_bytes = 0;
    std::uint64_t heap_fallbacks = 0;
    std::uint64_t pages = 0;
    std::uint64_t oversize_pages = 0;
    std::uint64_t captured = 0;
    std::uint64_t captured_blocks = 0;
    std::uint64_t arena_used_bytes = 0;
    std::uint64_t arena_held_bytes = 0;

    void add(const Counts& other);
};

inline void Counts::add(const Counts& other) {
    values += other.values;
    value_bytes += other.value_bytes;
    routed += other.routed;
    routed_bytes += other.routed_bytes;
    heap_fallbacks += other.heap_fallbacks;
    pages += other.pages;
    oversize_pages += other.oversize_pages;
    captured += other.captured;
    captured_blocks += other.captured_blocks;
    arena_used_bytes += other.arena_used_bytes;
    arena_held_bytes += other.arena_held_bytes;
}

// The scopes of one worker, which begins with none.
class ScopeRuntime {
public:
    explicit ScopeRuntime(Counts& counts) : counts_(counts) {
        const alloclab::Tag tag("worker");
        open_.reserve(8);
    }

    ScopeId enter_request_scope() {
        open_.push_back({next_, RequestArena()});
        return next_++;
    }

    // Ends that scope and all entered after it; nothing for one that is not open.
    void exit_request_scope(ScopeId id) {
        for (std::size_t place = 0; place < open_.size(); ++place) {
            if (open_[place].id == id) {
                while (open_.size() > place) {
                    count(open_.back().arena);
                    open_.pop_back();
                }
                return;
            }
        }
    }

    // Null outside of any scope.
    RequestArena* innermost() { return open_.empty() ? nullptr : &open_.back().arena; }
    ScopeId innermost_id() const { return open_.empty() ? 0 : open_.back().id; }
    ScopeId scopes_entered() const { return next_ - 1; }

private:
    struct Open {
        ScopeId id;
        RequestArena arena;
    };

    void count(const RequestArena& arena) {
        counts_.pages += arena.page_count();
        counts_.oversize_pages += arena.oversize_page_count();
        counts_.arena_used_bytes += arena.used_bytes();
        counts_.arena_held_bytes += arena.held_bytes();
    }

    Counts& counts_;
    std::vector<Open> open_;
    ScopeId next_ = 1;
};

} // namespace lex
