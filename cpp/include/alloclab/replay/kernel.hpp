// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/lane.hpp>
#include <alloclab/replay/program.hpp>
#include <alloclab/replay/program_builder.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alloclab {

// What a replay counts beside time and memory.
struct ReplayCounts {
    std::uint64_t failed_allocations = 0;
    std::uint64_t failed_bytes = 0;
    // With Measure::check: blocks whose stamp was not intact, and that were not aligned as asked.
    std::uint64_t damaged_blocks = 0;
    std::uint64_t misaligned_blocks = 0;
    std::uint64_t checked_blocks = 0;
    // With Measure::blocks: the sizes the allocator says its blocks have.
    std::uint64_t block_live_bytes = 0;
    std::uint64_t peak_block_live_bytes = 0;
    std::uint64_t block_live_bytes_at_peak_requested = 0;
    std::uint64_t block_total_bytes = 0;

    // Adds what another thread of the same replay counted; what Measure::blocks gives needs an
    // order of all.
    void add(const ReplayCounts& other) {
        failed_allocations += other.failed_allocations;
        failed_bytes += other.failed_bytes;
        damaged_blocks += other.damaged_blocks;
        misaligned_blocks += other.misaligned_blocks;
        checked_blocks += other.checked_blocks;
    }
};

using NamedCount = std::pair<std::string, std::uint64_t>;

// What is measured in one child, and so what its kernel does beside the calls.
enum class Measure : std::uint8_t {
    time,      // nothing else
    timeline,  // nothing else; the caller stops at each sample point
    blocks,    // asks for the size of every block
    check,     // stamps blocks when they are got and checks the stamps when they end
    placement, // notes the address of every block; nothing is touched
};

// What an allocation or a reallocation gave with Measure::placement: zeroes where it was refused.
struct PlacedBlock {
    std::uint64_t address = 0;
    std::uint64_t usable_bytes = 0;
};

// Replays programs on one heap: one event after the other on the calling thread, or by lanes.
class Kernel {
public:
    virtual ~Kernel() = default;

    // Makes room for `slots` live objects; what is in the table stays.
    virtual void reserve_slots(std::uint32_t slots) = 0;

    // Replays program.ops[from, to).
    virtual void run(const Program& program, std::size_t from, std::size_t to) = 0;

    // Which call path it takes: "malloc", "templated", "type_erased" or "none".
    virtual std::string_view call_path() const = 0;

    // What the allocator says of itself; empty for foreign ones.
    virtual std::vector<NamedCount> stats() const { return {}; }

    // With Measure::placement: what was given since the last time, in order.
    virtual std::vector<PlacedBlock> take_placed() { return {}; }

    virtual const ReplayCounts& counts() const = 0;

    // A lane for a thread of a parallel replay: on this kernel's heap and table of blocks, which
    // outlive it, with counts of its own. Null where threads cannot share the heap, or what is
    // measured.
    virtual std::unique_ptr<Lane> make_lane(std::uint32_t thread) = 0;
};

// An option of an allocator, as text.
struct HeapOption {
    std::string_view name;
    std::string_view value;
};

struct KernelConfig {
    std::string_view heap; // one of heap_names()
    Measure measure = Measure::time;
    Touch touch = Touch::recorded;
    std::span<const HeapOption> options{};
    std::string_view spec{}; // of the heap "composed": what `parse_allocator_spec` reads
};

// Builds the kernel for `config`.
// Throws: Error for an unknown heap, an unknown option or a value it cannot have; NotMeasuredError
// for a measurement the heap does not offer.
std::unique_ptr<Kernel> make_kernel(const KernelConfig& config);

// The heaps make_kernel knows, in the order they are shown.
std::span<const std::string_view> heap_names();

} // namespace alloclab
