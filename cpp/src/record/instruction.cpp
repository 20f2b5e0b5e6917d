// SPDX-License-Identifier: MIT
//
// Instruction lengths of x86-64 (Intel's manual, volume 2, chapter 2 and appendix A), as far as
// function prologues need them.
#include <alloclab/record/instruction.hpp>

namespace alloclab::record {

namespace {

Form form_of(unsigned char opcode) {
    const unsigned char low = opcode & 7;
    if (opcode < 0x40 && low < 4)
        return Form::modrm; // add or adc sbb and sub xor cmp
    if (opcode < 0x40 && low == 5)
        return Form::imm32;
    if (opcode >= 0x50 && opcode < 0x60)
        return Form::plain; // push, pop
    if (opcode >= 0x70 && opcode < 0x80)
        return Form::jump_if_short;
    if (opcode >= 0xb8 && opcode < 0xc0)
        return Form::imm_wide;
    switch (opcode) {
    case 0x63: // movslq
    case 0x84: // test
    case 0x85:
    case 0x88: // mov
    case 0x89:
    case 0x8a:
    case 0x8b:
    case 0x8d: // lea
    case 0xd0: // shifts
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return Form::modrm;
    case 0x90:
    case 0x98: // cltq
    case 0x99:
    case 0xc9: // leave
        return Form::plain;
    case 0xeb:
        return Form::jump_short;
    case 0x68:
    case 0xa9:
        return Form::imm32;
    case 0x6a:
    case 0xa8:
        return Form::imm8;
    case 0x69:
    case 0x81:
    case 0xc7:
        return Form::modrm_imm32;
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
        return Form::modrm_imm8;
    case 0xe9:
        return Form::jump_near;
    case 0xe8:
        return Form::call_near;
    case 0xc3:
        return Form::leave;
    default: // of the x87's, all have an operand
        return (opcode & 0xf8) == 0xd8 ? Form::modrm : Form::unknown;
    }
}

Form form_of_0f(unsigned char opcode) {
    if (opcode >= 0x40 && opcode < 0x50)
        return Form::modrm; // cmov
    if (opcode >= 0x80 && opcode < 0x90)
        return Form::jump_if_near;
    if (opcode >= 0x90 && opcode < 0xa0)
        return Form::modrm; // set on a condition
    switch (opcode) {
    case 0x10: // movups and its kin
    case 0x11:
    case 0x1e: // endbr64
    case 0x1f: // nop
    case 0x28:
    case 0x29:
    case 0x2a:
    case 0x2e: // ucomiss
    case 0x2f:
    case 0x57: // xorps
    case 0x6e:
    case 0x6f:
    case 0x7e:
    case 0x7f:
    case 0xaf: // imul
    case 0xb6: // movzx, movsx
    case 0xb7:
    case 0xbe:
    case 0xbf:
    case 0xd6:
    case 0xef: // pxor
        return Form::modrm;
    default:
        return Form::unknown;
    }
}

// The bytes of an operand from its ModRM byte on; tells where a distance to the instruction is.
std::size_t operand_bytes(const unsigned char* modrm, bool& is_relative) {
    const unsigned mode = modrm[0] >> 6;
    const unsigned base = modrm[0] & 7;
    is_relative = mode == 0 && base == 5;
    if (mode == 3)
        return 1;
    const bool has_index = base == 4;
    std::size_t bytes = has_index ? 2 : 1;
    if (mode == 1)
        bytes += 1;
    else if (mode == 2 || is_relative || (mode == 0 && has_index && (modrm[1] & 7) == 5))
        bytes += 4;
    return bytes;
}

} // namespace

Instruction decode(const unsigned char* at) {
    std::size_t place = 0;
    bool is_short_operand = false;
    while (at[place] == 0x66 || at[place] == 0xf2 || at[place] == 0xf3 || at[place] == 0x64) {
        is_short_operand |= at[place] == 0x66;
        if (++place > 4)
            return {};
    }
    bool is_wide = false;
    if ((at[place] & 0xf0) == 0x40)
        is_wide = (at[place++] & 8) != 0;
    const bool is_0f = at[place] == 0x0f;
    place += is_0f ? 1 : 0;
    Form form = is_0f ? form_of_0f(at[place]) : form_of(at[place]);
    if (!is_0f && (at[place] & 0xfe) == 0xf6 && (at[place + 1] & 0x30) != 0)
        form = Form::modrm;          // not neg mul div: those of the group without an immediate
    if (!is_0f && at[place] == 0xff) // jmp and call through a table of the linker's
        form = at[place + 1] == 0x25   ? Form::modrm
               : at[place + 1] == 0x15 ? Form::call_indirect
                                       : Form::unknown;
    Instruction found{form, place, place + 1, 0};
    const bool has_long_immediate =
        form == Form::imm32 || form == Form::modrm_imm32 || form == Form::imm_wide;
    if (is_short_operand && has_long_immediate)
        return {}; // two bytes there
    switch (form) {
    case Form::modrm:
    case Form::modrm_imm8:
    case Form::modrm_imm32: {
        bool is_relative = false;
        found.bytes += operand_bytes(at + place + 1, is_relative);
        found.relative_at = is_relative ? place + 2 : 0;
        found.bytes += form == Form::modrm_imm8 ? 1 : form == Form::modrm_imm32 ? 4 : 0;
        break;
    }
    case Form::imm8:
    case Form::jump_short:
    case Form::jump_if_short:
        found.bytes += 1;
        break;
    case Form::imm32:
        found.bytes += 4;
        break;
    case Form::imm_wide:
        found.bytes += is_wide ? 8 : 4;
        break;
    case Form::call_indirect:
        found.relative_at = place + 2;
        found.bytes += 5;
        break;
    case Form::jump_near:
    case Form::call_near:
    case Form::jump_if_near:
        found.relative_at = place + 1;
        found.bytes += 4;
        break;
    case Form::leave:
    case Form::unknown:
    case Form::plain:
        break;
    }
    return found;
}

} // namespace alloclab::record
