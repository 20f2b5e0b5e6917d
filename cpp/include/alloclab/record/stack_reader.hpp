// SPDX-License-Identifier: MIT
#pragma once

// Which parts of a stack may be read. A wrong rule, a fiber, an alternate signal stack: whatever a
// walk is led to, it loads only from memory known to be there.

#include <cstdint>

namespace alloclab::record {

// The calling thread's control block, above its thread-local variables. glibc puts it at the top of
// the stack of every thread but the first, also of a stack that the program gave.
std::uintptr_t control_block();

// Whether the page that holds `address` can be read. Cost: a system call.
bool is_readable_page(std::uintptr_t address);

// What is known of a thread's own stack. Its pages stay mapped as long as the thread lives, so that
// one look at each is enough: [low, top) can be read.
struct OwnStack {
    std::uintptr_t low;
    std::uintptr_t top;
    std::uintptr_t floor; // the page below this address is none of it
    bool is_unknown;      // the first look found no stack: the thread runs on another
};

// Extends the known part down to `sp`. Returns whether it lies on the thread's own stack.
bool reach_down(OwnStack& own, std::uintptr_t sp);

// The range a walk reads from at present: the thread's own stack, or, of any other, pages looked at
// during this very walk.
class StackReader {
public:
    StackReader(OwnStack& own, std::uintptr_t sp) : own_(own) { move_to(sp); }

    // Begins anew at `sp`, on whatever stack that lies.
    void move_to(std::uintptr_t sp);

    // Whether the word at `address` can be read.
    bool has(std::uintptr_t address) {
        return __builtin_expect(address >= low_ && address < top_ && (address & 7) == 0, true) ||
               look(address);
    }

    // Whether all that was read lay on the thread's own stack.
    bool is_own() const { return top_ == own_.top && !has_left_own_; }

    static std::uintptr_t load(std::uintptr_t address) {
        return *reinterpret_cast<const std::uintptr_t*>(address);
    }

private:
    bool look(std::uintptr_t address);

    OwnStack& own_;
    std::uintptr_t low_ = 0;
    std::uintptr_t top_ = 0;
    bool has_left_own_ = false;
};

} // namespace alloclab::record
