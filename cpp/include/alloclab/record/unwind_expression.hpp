// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/unwind_bytes.hpp>

#include <cstdint>

namespace alloclab::record {

// The registers that matter, as DWARF numbers them (System V ABI for x86-64, figure 3.36).
inline constexpr std::uint64_t rbp_number = 6;
inline constexpr std::uint64_t rsp_number = 7;
inline constexpr std::uint64_t rip_number = 16;

// A value as expressions make them: a register or none, a load or none, an offset.
struct FrameValue {
    enum class Base : std::uint8_t { none, rsp, rbp } base;
    bool is_loaded; // the word at base + offset, rather than the sum
    std::int64_t offset;
};

// Evaluates an expression for the instruction at `pc`. Returns whether the whole was understood.
bool evaluate_expression(UnwindBytes bytes, std::uintptr_t pc, FrameValue& result);

} // namespace alloclab::record
