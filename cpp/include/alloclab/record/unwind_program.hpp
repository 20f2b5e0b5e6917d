// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/unwind_bytes.hpp>
#include <alloclab/record/unwind_rules.hpp>

#include <cstdint>

namespace alloclab::record {

// What both a CIE and an FDE say, as far as it matters here.
struct FrameTable {
    std::uint64_t code_alignment;
    std::int64_t data_alignment;
    std::uint64_t return_register;
    std::uint8_t pointer_encoding;
    bool is_signal;
    UnwindBytes initial; // the CIE's program
    UnwindBytes program; // the FDE's
    std::uintptr_t begin;
};

// Runs the programs up to `pc` and makes a rule of the row they come to (DWARF 5, 6.4.2).
Rule run_frame_program(const FrameTable& table, std::uintptr_t pc);

} // namespace alloclab::record
