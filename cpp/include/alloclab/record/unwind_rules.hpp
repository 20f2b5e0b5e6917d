// SPDX-License-Identifier: MIT
#pragma once

// How to get from a place in the code to its caller: one rule a place, read off .eh_frame once and
// kept in a table that any thread and any signal handler may read and fill.

#include <cstdint>

namespace alloclab::record {

// The canonical frame address (CFA) is the stack pointer before the call; the return address lies
// at CFA - 8.
enum class RuleKind : std::uint8_t {
    none,          // no rule, or one we do not follow: the walk ends and counts as cut
    by_rsp,        // CFA = rsp + cfa_offset
    by_rbp,        // CFA = rbp + cfa_offset
    by_saved,      // CFA = the word at rbp + cfa_offset (functions that align their stack)
    frame_pointer, // no table, so rbp is taken for a frame pointer if what it leads to is plausible
    signal,        // the kernel's frame of a signal: all registers lie in a ucontext at rsp
    outermost,     // nothing called this
};

enum class SavedRbp : std::uint8_t { nowhere, at_cfa, at_rbp };

struct alignas(8) Rule { // loaded and stored as one word
    std::int32_t cfa_offset;
    std::int16_t rbp_offset;
    SavedRbp rbp; // nowhere: it still holds the caller's
    RuleKind kind;
};
static_assert(sizeof(Rule) == 8);

struct Module;

// Reads the rule at `pc` off the object's tables.
// Requires: module.begin <= pc < module.end. Cost: a binary search and some hundred bytes.
Rule read_rule(const Module& module, std::uintptr_t pc);

// The rule of the instruction at `pc`. For a return address that is the one before it.
Rule rule_at(std::uintptr_t pc);

// In a forked child, whose table is its parent's.
void forget_rules();

} // namespace alloclab::record
