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
    OpCode code() const { return static_cast<OpCode>(word & ((1u << code_bits) - 1)); }
    std::size_t size() const { return word >> code_bits; }
};

} // namespace alloclab
