// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// What follows an instruction's opcode.
enum class Form : std::uint8_t {
    unknown,
    plain,       // nothing behind the opcode
    modrm,       // an operand
    modrm_imm8,  // and a byte
    modrm_imm32, // and four
    imm8,
    imm32,
    imm_wide, // eight bytes with REX.W, otherwise four
    jump_short,
    jump_near, // four bytes of distance
    call_near,
    call_indirect, // by an address relative to here
    leave,         // ret
    jump_if_short,
    jump_if_near,
};

struct Instruction {
    Form form;
    std::size_t opcode_at; // its last byte
    std::size_t bytes;
    std::size_t relative_at; // of four bytes relative to the instruction's end; 0: none
};

// Takes the instruction at `at` apart. Knows what compilers begin functions with; of anything else
// the form is unknown.
Instruction decode(const unsigned char* at);

} // namespace alloclab::record
