// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

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
struct Op {
    static constexpr std::uint32_t code_bits = 3;
    static constexpr std::uint64_t max_size = (std::uint64_t{1} << (32 - code_bits)) - 1;

    std::uint32_t slot;
    std::uint32_t word; // code, then size

    static Op make(OpCode code, std::uint32_t slot, std::uint64_t size) {
        return {slot,
                static_cast<std::uint32_t>(size << code_bits) | static_cast<std::uint32_t>(code)};
    }
    OpCode code() const { return static_cast<OpCode>(word & ((1u << code_bits) - 1)); }
    std::size_t size() const { return word >> code_bits; }
};

enum class WideCode : std::uint8_t {
    allocate,
    allocate_zero,
    allocate_aligned,
    reallocate,
    map,
    unmap,
    split, // other_slot: the new part
    remap,
    discard,
};

// An event that does not fit an Op: large, aligned, touched in part, or about mapped memory.
struct WideOp {
    WideCode code{};
    bool is_prefix = true;        // the touched pages are one run from the start
    std::uint32_t other_slot = 0; // split
    std::uint64_t size = 0;
    std::uint64_t old_size = 0;    // unmap, remap: of the region as it is
    std::uint64_t alignment = 0;   // allocate_aligned
    std::uint64_t offset = 0;      // discard, split
    std::uint64_t touch_pages = 0; // how many pages to write to; 0: none
};

// A point between two ops at which the timeline is sampled, and what the trace says is live there.
struct SamplePoint {
    std::uint64_t op = 0;    // ops [0, op) of the batch come before it
    std::uint64_t event = 0; // events before it in the trace
    std::uint64_t requested_live_bytes = 0;
    std::uint64_t touched_live_bytes = 0;
    std::uint64_t allocated_bytes = 0; // so far, reallocations by their growth
};

// A batch of a trace, decoded.
struct Program {
    std::vector<Op> ops;
    std::vector<WideOp> wide;
    std::vector<SamplePoint> samples;
};

} // namespace alloclab
