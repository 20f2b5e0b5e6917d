// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/base/error.hpp>
#include <alloclab/replay/heaps.hpp>
#include <alloclab/replay/kernel_of.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace alloclab {

namespace {

Program mixed_program() {
    Program program;
    for (std::uint32_t round = 0; round < 50; ++round) {
        for (std::uint32_t slot = 0; slot < 40; ++slot) {
            const auto code = slot % 4 == 0 ? OpCode::allocate_zero : OpCode::allocate;
            program.ops.push_back(Op::make(code, slot, (slot * 37 + round * 11) % 3000));
        }
        for (std::uint32_t slot = 0; slot < 40; slot += 3) {
            program.ops.push_back(Op::make(OpCode::reallocate, slot, slot * 100 + round));
        }
        program.ops.push_back(Op::make(OpCode::free_null, 0, 0));
        for (std::uint32_t slot = 40; slot-- > 0;) {
            program.ops.push_back(Op::make(OpCode::free, slot, 0));
        }
    }
    return program;
}

// A heap whose blocks overlap: the last eight bytes of each are the next one's first.
class OverlappingHeap {
public:
    using Slot = void*;
    static constexpr std::string_view call_path = "none";
    static constexpr bool has_memory = true;

    static void* block(const Slot& slot) { return slot; }
    void* allocate(Slot& slot, std::size_t size) {
        slot = memory_ + used_;
        used_ += size - 8;
        return slot;
    }
    void* allocate_zero(Slot& slot, std::size_t size) { return allocate(slot, size); }
    void* allocate_aligned(Slot& slot, std::size_t size, std::size_t) {
        return allocate(slot, size);
    }
    void* reallocate(Slot& slot, std::size_t size) { return allocate(slot, size); }
    void deallocate(Slot&) {}
    void free_null() {}
    static std::size_t least_alignment(std::size_t) { return 16; }
    std::size_t usable_size(void*, std::size_t size) { return size; }
    std::vector<NamedCount> stats() const { return {}; }

private:
    alignas(16) char memory_[4096] = {};
    std::size_t used_ = 0;
};

} // namespace

TEST(Kernel, every_heap_survives_a_checked_replay_undamaged) {
    const Program program = mixed_program();
    for (const std::string_view heap : {"malloc", "arena", "pool"}) {
        const auto kernel = make_kernel({.heap = heap, .measure = Measure::check, .options = {}});
        kernel->reserve_slots(40);
        kernel->run(program, 0, program.ops.size());
        EXPECT_EQ(kernel->counts().damaged_blocks, 0u) << heap;
        EXPECT_EQ(kernel->counts().misaligned_blocks, 0u) << heap;
        EXPECT_GT(kernel->counts().checked_blocks, 2000u) << heap;
        EXPECT_EQ(kernel->counts().failed_allocations, 0u) << heap;
    }
}

TEST(Kernel, overlapping_and_misaligned_blocks_are_found) {
    KernelOf<OverlappingHeap, TouchPages, ObserveStamps> kernel;
    kernel.reserve_slots(2);
    Program program;
    program.ops = {Op::make(OpCode::allocate, 0, 64), Op::make(OpCode::allocate, 1, 64),
                   Op::make(OpCode::free, 0, 0), Op::make(OpCode::free, 1, 0)};
    kernel.run(program, 0, program.ops.size());
    EXPECT_EQ(kernel.counts().damaged_blocks, 1u);
    EXPECT_EQ(kernel.counts().misaligned_blocks, 1u); // the second stands at 56
}

TEST(Kernel, failures_are_counted_and_the_replay_goes_on) {
    const auto kernel = make_kernel({.heap = "null", .options = {}});
    const Program program = mixed_program();
    kernel->reserve_slots(40);
    kernel->run(program, 0, program.ops.size());
    // Each allocation and reallocation but the one realloc to zero bytes, which may return null.
    EXPECT_EQ(kernel->counts().failed_allocations, 50u * (40 + 14) - 1);
}

TEST(Kernel, block_sizes_are_summed_where_most_was_requested) {
    const HeapOption options[] = {{"block_bytes", "64"}};
    const auto kernel =
        make_kernel({.heap = "freelist", .measure = Measure::blocks, .options = options});
    kernel->reserve_slots(3);
    Program program;
    program.ops = {Op::make(OpCode::allocate, 0, 60), Op::make(OpCode::allocate, 1, 60),
                   Op::make(OpCode::free, 0, 0), Op::make(OpCode::allocate, 0, 1),
                   Op::make(OpCode::allocate, 2, 1)};
    kernel->run(program, 0, program.ops.size());
    // 60 + 60 = 120 requested in two blocks is the peak of what was requested; three blocks live
    // at the end hold 62 bytes.
    EXPECT_EQ(kernel->counts().block_live_bytes_at_peak_requested, 2 * 64u);
    EXPECT_EQ(kernel->counts().peak_block_live_bytes, 3 * 64u);
    EXPECT_EQ(kernel->counts().block_total_bytes, 4 * 64u);
}

TEST(Kernel, every_block_is_placed_in_the_order_it_was_asked_for) {
    const HeapOption options[] = {{"block_bytes", "64"}};
    const auto kernel =
        make_kernel({.heap = "freelist", .measure = Measure::placement, .options = options});
    kernel->reserve_slots(2);
    Program program;
    program.ops = {Op::make(OpCode::allocate, 0, 60),  Op::make(OpCode::allocate, 1, 65),
                   Op::make(OpCode::free, 0, 0),       Op::make(OpCode::allocate_zero, 0, 1),
                   Op::make(OpCode::reallocate, 0, 7), Op::make(OpCode::reallocate, 0, 99)};
    kernel->run(program, 0, program.ops.size());
    const std::vector<PlacedBlock> placed = kernel->take_placed();
    ASSERT_EQ(placed.size(), 5u);
    EXPECT_NE(placed[0].address, 0u);
    EXPECT_EQ(placed[0].usable_bytes, 64u);
    EXPECT_EQ(placed[1].address, 0u); // too large
    EXPECT_EQ(placed[2].address, placed[0].address);
    EXPECT_NE(placed[3].address, 0u);
    EXPECT_EQ(placed[4].address, 0u); // too large; the block stays
    EXPECT_TRUE(kernel->take_placed().empty());
    EXPECT_EQ(kernel->counts().failed_allocations, 2u);
}

TEST(Kernel, unknown_heaps_and_options_are_named) {
    EXPECT_THROW(make_kernel({.heap = "jmalloc", .options = {}}), Error);
    const HeapOption options[] = {{"colour", "red"}};
    EXPECT_THROW(make_kernel({.heap = "arena", .options = options}), Error);
    EXPECT_THROW(make_kernel({.heap = "malloc", .options = options}), Error);
}

TEST(TouchPages, writes_only_inside_the_block) {
    alignas(4096) static char memory[4 * 4096];
    std::fill(std::begin(memory), std::end(memory), '\0');
    TouchPages::block(memory + 4000, 200); // ends on the second page
    EXPECT_EQ(memory[4000], 1);
    EXPECT_EQ(memory[4096], 1);
    TouchPages::part(memory + 4096 * 2 + 8, 4096, 99, true);
    EXPECT_EQ(memory[4096 * 2 + 8], 1);
    EXPECT_EQ(memory[4096 * 3], 1);
    EXPECT_EQ(std::count(std::begin(memory), std::end(memory), 1), 4);
}

TEST(TouchPages, touches_the_last_page_where_the_pages_were_no_run_from_the_start) {
    alignas(4096) static char memory[8 * 4096];
    std::fill(std::begin(memory), std::end(memory), '\0');
    TouchPages::part(memory, sizeof memory, 3, false);
    for (const std::size_t page : {0, 1, 7}) {
        EXPECT_EQ(memory[page * 4096], 1) << page;
    }
    EXPECT_EQ(std::count(std::begin(memory), std::end(memory), 1), 3);
}

} // namespace alloclab
