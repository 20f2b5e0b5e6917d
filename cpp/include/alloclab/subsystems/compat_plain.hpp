// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/allocation_site.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

namespace alloclab::compat {

// What `allocators_get` returns: nothing is behind it.
struct System {};

class ArenaScope;

struct PlainState {
    std::array<System, 16> systems{};
    ArenaScope* innermost = nullptr;
};
inline PlainState& plain_state() noexcept {
    static PlainState state;
    return state;
}

// As compat_custom.hpp, on malloc and free. There are no figures and nothing to reset.
inline void* allocate(System&, std::size_t size, const AllocationSite&) noexcept {
    return std::malloc(size);
}
inline void* allocate_zeroed(System&, std::size_t size, const AllocationSite&) noexcept {
    return std::calloc(1, size);
}
inline void* reallocate(System&, void* block, std::size_t, std::size_t new_size,
                        const AllocationSite&) noexcept {
    return std::realloc(block, new_size);
}
inline void deallocate(System&, void* block, std::size_t) noexcept {
    std::free(block);
}
inline void reset(System&) noexcept {}

// While it lives, it remembers what MALLOC and STRDUP gave, and frees at its end what the program
// has not: code written for an arena would leak it.
class ArenaScope {
public:
    ArenaScope(const char*, std::size_t) : outer_(plain_state().innermost) {
        plain_state().innermost = this;
    }
    ~ArenaScope() {
        plain_state().innermost = outer_;
        for (void* const block : blocks_) {
            std::free(block);
        }
    }
    ArenaScope(const ArenaScope&) = delete;
    ArenaScope& operator=(const ArenaScope&) = delete;

    void* allocate(std::size_t size) noexcept {
        void* const block = std::malloc(size);
        try {
            blocks_.push_back(block);
        } catch (const std::bad_alloc&) {
            std::free(block);
            return nullptr;
        }
        return block;
    }
    // Forgets a block that is freed one by one. Cost: O(blocks); the newest is found first.
    bool forget(void* block) noexcept {
        const auto found = std::find(blocks_.rbegin(), blocks_.rend(), block);
        if (found == blocks_.rend()) {
            return false;
        }
        *found = blocks_.back();
        blocks_.pop_back();
        return true;
    }
    ArenaScope* outer() const noexcept { return outer_; }

private:
    ArenaScope* outer_;
    std::vector<void*> blocks_;
};

inline void* allocate_remembered(std::size_t size, const AllocationSite&) noexcept {
    ArenaScope* const scope = plain_state().innermost;
    return scope != nullptr ? scope->allocate(size) : std::malloc(size);
}
inline void free_remembered(void* block) noexcept {
    ArenaScope* scope = plain_state().innermost;
    while (scope != nullptr && !scope->forget(block)) {
        scope = scope->outer();
    }
    std::free(block);
}

} // namespace alloclab::compat
