// SPDX-License-Identifier: MIT
#pragma once

// The two things of Weir that end with a block of code: a variable with its slot on the shadow
// stack, and an arena.

#include "weir_heap.hpp"

namespace weir {

// A `let` of a pointer, or a parameter: a slot whose address is on the shadow stack until the block
// of code ends.
class Local {
public:
    Local(Heap& heap, Object* value) : heap_(heap), index_(heap.root_count()), root_{value, value} {
        heap_.push(&root_);
    }
    ~Local() { heap_.pop(); }
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;

    // Null where the collector freed it under the program.
    Object* get() const { return root_.variable; }
    Object* operator->() const { return root_.variable; }

    // `set!`; the mark says which variable.
    void set(Object* value, const char* mark) { heap_.set(index_, value, mark); }

private:
    Heap& heap_;
    std::uint64_t index_;
    Heap::Root root_;
};

// `with-arena NAME`: what is allocated here is gone when the block of code ends, and nothing is
// collected meanwhile. Each block is a malloc of its own, so that a recording has them one by one.
class Arena {
public:
    Arena(Heap& heap, const char* name, std::vector<void*>& blocks)
        : heap_(heap), scope_("arena", name), blocks_(blocks) {
        heap_.suppress();
    }
    ~Arena() {
        alloclab_reset(scope_.number());
        for (void* const block : blocks_) {
            std::free(block);
        }
        blocks_.clear();
        heap_.unsuppress();
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Zeroed. Requires: room in `blocks` (it must not grow inside the scope).
    void* allocate(std::uint64_t bytes) {
        void* const block = blocks_.size() < blocks_.capacity() ? std::calloc(1, bytes) : nullptr;
        if (block == nullptr) {
            throw std::bad_alloc();
        }
        blocks_.push_back(block);
        return block;
    }

    // The block that escapes: it lives on until whoever took it frees it.
    void release(void* block) { std::erase(blocks_, block); }

private:
    Heap& heap_;
    alloclab::Scope scope_;
    std::vector<void*>& blocks_;
};

} // namespace weir
