// SPDX-License-Identifier: MIT
//
// Instruction lengths of x86-64 (Intel's manual, volume 2, chapter 2 and appendix A), as far as
// function prologues need them. What is not listed here is refused.
#include <alloclab/record/prologue.hpp>

#include <cstring>

namespace alloclab::record {

namespace {

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
        return Form::modrm;
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

// Stores the distance from the end of an instruction. Returns false when it does not fit.
bool put_distance(unsigned char* at, const unsigned char* target, const unsigned char* end) {
    const std::ptrdiff_t distance = target - end;
    const auto stored = static_cast<std::int32_t>(distance);
    std::memcpy(at, &stored, sizeof stored);
    return stored == distance;
}

const unsigned char* relative_target(const unsigned char* at, const Instruction& instruction) {
    std::int32_t distance = 0;
    std::memcpy(&distance, at + instruction.relative_at, sizeof distance);
    return at + instruction.bytes + distance;
}

// A call is always the last to move, being as long as a jump. It is told to return to where it
// would have, behind the jump, since no unwinder knows the code here: push, and a jump.
std::size_t copy_call(const unsigned char* at, const Instruction& instruction, unsigned char* out) {
    const auto back = reinterpret_cast<std::uintptr_t>(at + instruction.bytes);
    const std::uint32_t halves[] = {static_cast<std::uint32_t>(back),
                                    static_cast<std::uint32_t>(back >> 32)};
    constexpr unsigned char store_upper[] = {0xc7, 0x44, 0x24, 0x04}; // movl $..., 4(%rsp)
    out[0] = 0x68;
    std::memcpy(out + 1, &halves[0], 4);
    std::memcpy(out + 5, store_upper, sizeof store_upper);
    std::memcpy(out + 9, &halves[1], 4);
    std::size_t bytes = 13;
    if (instruction.form == Form::call_indirect)
        out[bytes++] = 0xff;
    out[bytes++] = instruction.form == Form::call_indirect ? 0x25 : 0xe9;
    const unsigned char* const end = out + bytes + 4;
    return put_distance(out + bytes, relative_target(at, instruction), end) ? bytes + 4 : 0;
}

// Copies one instruction. Returns the bytes written, 0 when a distance does not fit.
std::size_t copy(const unsigned char* at, const Instruction& instruction, unsigned char* out) {
    if (instruction.form == Form::call_near || instruction.form == Form::call_indirect)
        return copy_call(at, instruction, out);
    if (instruction.form == Form::jump_short) {
        const auto distance = static_cast<signed char>(at[instruction.opcode_at + 1]);
        out[0] = 0xe9;
        return put_distance(out + 1, at + instruction.bytes + distance, out + 5) ? 5 : 0;
    }
    if (instruction.form == Form::jump_if_short) {
        const std::size_t opcode_at = instruction.opcode_at;
        const auto distance = static_cast<signed char>(at[opcode_at + 1]);
        out[0] = 0x0f;
        out[1] = static_cast<unsigned char>(at[opcode_at] + 0x10);
        return put_distance(out + 2, at + instruction.bytes + distance, out + 6) ? 6 : 0;
    }
    std::memcpy(out, at, instruction.bytes);
    if (instruction.relative_at != 0 &&
        !put_distance(out + instruction.relative_at, relative_target(at, instruction),
                      out + instruction.bytes))
        return 0;
    return instruction.bytes;
}

// Where a jump at `at` leads, within the function; 0 where there is none.
std::ptrdiff_t jump_target(const unsigned char* entry, std::size_t at, std::size_t size) {
    const unsigned char opcode = entry[at];
    const bool is_short = opcode == 0xeb || (opcode & 0xf0) == 0x70 || (opcode & 0xfc) == 0xe0;
    if (is_short && at + 2 <= size)
        return static_cast<std::ptrdiff_t>(at) + 2 + static_cast<signed char>(entry[at + 1]);
    const bool is_near = opcode == 0xe9 || ((opcode & 0xf0) == 0x80 && entry[at - 1] == 0x0f);
    if (!is_near || at + 5 > size)
        return 0;
    std::int32_t distance = 0;
    std::memcpy(&distance, entry + at + 1, sizeof distance);
    return static_cast<std::ptrdiff_t>(at) + 5 + distance;
}

// Whether the function could jump into [entry + 1, entry + taken). Looks at its instructions, and
// behind one that is not known at every byte: what looks like a jump there may be none, and then it
// is refused for nothing.
bool has_jump_into(const unsigned char* entry, std::size_t size, std::size_t taken) {
    const auto end = static_cast<std::ptrdiff_t>(taken);
    bool is_known = true;
    for (std::size_t at = taken; at < size;) {
        const Instruction next = is_known ? decode(entry + at) : Instruction{};
        is_known = next.form != Form::unknown;
        const std::size_t opcode_at = at + (is_known ? next.opcode_at : 0);
        const bool is_jump = !is_known || next.form == Form::jump_short ||
                             next.form == Form::jump_near || next.form == Form::jump_if_short ||
                             next.form == Form::jump_if_near;
        const std::ptrdiff_t target =
            is_jump && opcode_at < size ? jump_target(entry, opcode_at, size) : 0;
        if (target > 0 && target < end)
            return true;
        at += is_known ? next.bytes : 1;
    }
    return false;
}

// Whether a function that ends here is followed by what only keeps the next one aligned.
bool has_padding(const unsigned char* entry, std::size_t size, std::size_t taken) {
    constexpr std::uintptr_t alignment = 8;
    const unsigned char next = entry[taken];
    return size == taken && reinterpret_cast<std::uintptr_t>(entry) % alignment == 0 &&
           (next == 0x66 || next == 0x90 || next == 0x0f || next == 0xcc || next == 0x2e);
}

} // namespace

MovedPrologue move_prologue(const unsigned char* entry, std::size_t size, unsigned char* out) {
    MovedPrologue moved{0, 0, nullptr};
    constexpr std::size_t longest = 20; // a call's substitute
    std::size_t taken = 0;
    while (taken < jump_bytes) {
        const Instruction next = decode(entry + taken);
        if (next.form == Form::unknown || moved.bytes + longest > moved_most_bytes) {
            moved.refusal = "begins with an instruction that is not known to be movable";
            return moved;
        }
        if (taken + next.bytes > size) {
            moved.refusal = "is shorter than a jump";
            return moved;
        }
        const std::size_t bytes = copy(entry + taken, next, out + moved.bytes);
        if (bytes == 0) {
            moved.refusal = "refers to something too far away";
            return moved;
        }
        moved.bytes += bytes;
        taken += next.bytes;
        if (next.form != Form::leave || taken >= jump_bytes)
            continue;
        if (!has_padding(entry, size, taken)) {
            moved.refusal = "is shorter than a jump";
            return moved;
        }
        break;
    }
    if (has_jump_into(entry, size, taken)) {
        moved.refusal = "may jump back into its first instructions";
        return moved;
    }
    moved.taken = taken;
    return moved;
}

} // namespace alloclab::record
