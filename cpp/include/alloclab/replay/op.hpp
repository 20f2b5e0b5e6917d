// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace alloclab {

// What a replayed event does. Three bits of an Op.
enum class OpCode : std::uint8_t {
    allocate,      // slot, size
    allocate_zero, // calloc
    free,          // slot
    reallocate,    // slot, new size
    free_null,
    wide, // slot; the rest stands in the program's wide table, at index `size`
    // Between threads, in parallel order only:
    wait,    // until thread `size` has done its first `slot` ops
    control, // `size` is a ControlCode, `slot` its number
};

enum class ControlCode : std::uint8_t {
    epoch,  // the ops that follow are of this epoch
    start,  // starts the thread of that ParallelBatch::starts
    sample, // takes that Program::samples
};

// One event ready to be replayed, eight bytes. A slot is a place in the table of live pointers,
// reused last in, first out, so that the table stays as small as the peak of live objects.
struct alignas(8) Op {
    static constexpr std::uint32_t code_bits = 3;

    std::uint32_t slot;
    std::uint32_t word; // code, then size

    static Op make(OpCode code, std::uint32_t slot, std::uint64_t size) {
        return {slot,
                static_cast<std::uint32_t>(size << code_bits) | static_cast<std::uint32_t>(code)};
    }
    // In parallel order an op that another thread waits for has this bit in its slot.
    static constexpr std::uint32_t awaited = std::uint32_t{1} << 31;

    OpCode code() const { return static_cast<OpCode>(word & ((1u << code_bits) - 1)); }
    std::size_t size() const { return word >> code_bits; }
};

} // namespace alloclab
