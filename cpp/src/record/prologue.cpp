// SPDX-License-Identifier: MIT
#include <alloclab/record/prologue.hpp>

#include <alloclab/record/instruction.hpp>

#include <cstring>

namespace alloclab::record {

namespace {

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
