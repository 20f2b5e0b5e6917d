// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/scope_id.hpp>

#include <new>
#include <string_view>

namespace alloclab {

// Called with each scope: its id, its name, and what its arena holds.
struct ScopeVisitor {
    void (*visit)(void* context, ScopeId id, const char* name, const ArenaStats& stats) = nullptr;
    void* context = nullptr;
};

// Nested, named scopes, each with an arena of its own (rows W3, W35, W37, L1, L2): what is
// allocated in a scope dies when it ends, and scopes end inside out. Any open scope can be
// allocated into, by id or by name. Arenas are kept by depth and reset, so that entering a scope
// maps nothing once its depth was reached. One thread at a time: a worker has a stack of its own.
// Requires: names outlive the stack; copies of the source draw from the same pages or are
// independent.
template <PageSource Source = OsPageSource, std::size_t most_scopes = 64,
          ArenaTraits traits = ArenaTraits{}>
class ScopeStack {
public:
    using ScopeArena = Arena<Source, traits>;
    using Options = ArenaOptions;
    static constexpr Options default_options{};

    explicit ScopeStack(const Options& options = default_options,
                        ScopeExit exit = ScopeExit::strict, Source source = Source{}) noexcept
        : options_(options), exit_(exit), source_(source) {}
    ~ScopeStack() {
        for (std::size_t depth = 0; depth < made_count_; ++depth) {
            arena_at(depth).~ScopeArena();
        }
    }
    ScopeStack(const ScopeStack&) = delete;
    ScopeStack& operator=(const ScopeStack&) = delete;

    // Begins a scope within the innermost one. Returns no scope when `most_scopes` are open.
    ScopeId enter(const char* name) noexcept {
        if (depth_ == most_scopes) {
            ++refused_count_;
            return {};
        }
        if (depth_ == made_count_) {
            ::new (arenas_[depth_].bytes) ScopeArena(options_, source_);
            ++made_count_;
        }
        scopes_[depth_] = {ScopeId{++last_number_}, name};
        return scopes_[depth_++].id;
    }

    // Ends a scope and everything in it. Returns whether it did; see `ScopeExit`.
    bool exit(ScopeId id) noexcept {
        const std::size_t depth = depth_of(id);
        if (depth == 0 || (depth != depth_ && exit_ == ScopeExit::strict)) {
            refused_count_ += exit_ == ScopeExit::strict ? 1 : 0;
            return false;
        }
        while (depth_ >= depth) {
            arena_at(--depth_).reset();
        }
        return true;
    }

    // The two calls an effect handler makes around a request (row L2).
    ScopeId enter_request_scope() noexcept { return enter("request"); }
    bool exit_request_scope(ScopeId id) noexcept { return exit(id); }

    // From the innermost scope. Outside every scope: null, and counted, for a fallback to serve.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        if (depth_ == 0) {
            ++outside_count_;
            return nullptr;
        }
        return arena_at(depth_ - 1).allocate(size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (depth_ != 0) {
            arena_at(depth_ - 1).deallocate(block, size, alignment);
        }
    }

    // The arena of an open scope, or null. By name the innermost of that name is meant.
    ScopeArena* find(ScopeId id) noexcept {
        const std::size_t depth = depth_of(id);
        return depth != 0 ? &arena_at(depth - 1) : nullptr;
    }
    ScopeArena* find(std::string_view name) noexcept {
        for (std::size_t depth = depth_; depth > 0; --depth) {
            if (scopes_[depth - 1].name == name) {
                return &arena_at(depth - 1);
            }
        }
        return nullptr;
    }

    // Whether memory at `holder` may keep a pointer to `target` (row W37): `target` lives at least
    // as long. Memory that no scope owns outlives them all. Cost: O(chunks of the open scopes).
    bool may_hold(const void* holder, const void* target) const noexcept {
        return depth_owning(target) <= depth_owning(holder);
    }

    // Calls the visitor for every open scope, outermost first: at a program's end, those that were
    // never ended (row S44).
    void visit_open(ScopeVisitor visitor) const noexcept {
        for (std::size_t depth = 0; depth < depth_; ++depth) {
            visitor.visit(visitor.context, scopes_[depth].id, scopes_[depth].name,
                          arena_at(depth).stats());
        }
    }

    std::size_t depth() const noexcept { return depth_; }
    std::size_t refused_count() const noexcept { return refused_count_; }
    std::size_t outside_count() const noexcept { return outside_count_; }

private:
    struct Scope {
        ScopeId id;
        const char* name = nullptr;
    };
    struct alignas(ScopeArena) ArenaPlace {
        std::byte bytes[sizeof(ScopeArena)];
    };

    ScopeArena& arena_at(std::size_t depth) noexcept {
        return *std::launder(reinterpret_cast<ScopeArena*>(arenas_[depth].bytes));
    }
    const ScopeArena& arena_at(std::size_t depth) const noexcept {
        return *std::launder(reinterpret_cast<const ScopeArena*>(arenas_[depth].bytes));
    }
    // 1 for the outermost open scope; 0 where it is not open. Numbers rise inwards.
    std::size_t depth_of(ScopeId id) const noexcept {
        std::size_t depth = depth_;
        while (depth > 0 && scopes_[depth - 1].id > id) {
            --depth;
        }
        return depth > 0 && scopes_[depth - 1].id == id ? depth : 0;
    }
    std::size_t depth_owning(const void* block) const noexcept {
        std::size_t depth = depth_;
        while (depth > 0 && !arena_at(depth - 1).owns(block)) {
            --depth;
        }
        return depth;
    }

    Options options_;
    ScopeExit exit_;
    std::size_t depth_ = 0;
    std::size_t made_count_ = 0; // arenas; depth_ <= made_count_
    std::uint64_t last_number_ = 0;
    std::size_t refused_count_ = 0;
    std::size_t outside_count_ = 0;
    Scope scopes_[most_scopes];
    ArenaPlace arenas_[most_scopes];
    [[no_unique_address]] Source source_;
};

// A scope for the length of a C++ block, as Weir's `with-arena NAME` (row W3).
template <class Stack> class ArenaScope {
public:
    ArenaScope(Stack& stack, const char* name) noexcept : stack_(stack), id_(stack.enter(name)) {}
    ~ArenaScope() { stack_.exit(id_); }
    ArenaScope(const ArenaScope&) = delete;
    ArenaScope& operator=(const ArenaScope&) = delete;

    ScopeId id() const noexcept { return id_; }
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        auto* const arena = stack_.find(id_);
        return arena != nullptr ? arena->allocate(size, alignment) : nullptr;
    }
    void deallocate(void*, std::size_t, std::size_t) noexcept {} // it dies with the scope

private:
    Stack& stack_;
    ScopeId id_;
};

} // namespace alloclab
