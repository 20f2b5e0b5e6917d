// SPDX-License-Identifier: MIT
#include <support/defects.hpp>

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/quarantine.hpp>
#include <alloclab/alloc/trace_allocator.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace alloclab {
namespace {

using Traced = Trace<Pool<>>;
using Stack = Trace<Guard<Quarantine<Pool<>>>>;
static_assert(Noting<Traced> && Owning<Traced> && Measurable<Traced> && Reporting<Traced>);
static_assert(Resettable<Trace<Arena<>>> && Marking<Trace<Arena<>>>);

AllocationSite at(const char* file, std::uint32_t line, const char* tag = nullptr) {
    return {tag, file, line, nullptr};
}

class TraceTest : public ::testing::Test {
protected:
    Defects defects_;
    const Defect& only() {
        EXPECT_EQ(defects_.all.size(), 1U);
        static const Defect none;
        return defects_.all.empty() ? none : defects_.all[0];
    }
};

TEST_F(TraceTest, a_double_free_names_all_three_places) {
    Traced trace;
    trace.set_defect_handler(defects_.handler());
    void* const block = trace.allocate(48, 16, at("make.cpp", 3, "ast"));
    trace.deallocate(block, 48, 16, at("first.cpp", 7));
    trace.deallocate(block, 48, 16, at("again.cpp", 9));
    EXPECT_EQ(only().kind, DefectKind::double_free);
    EXPECT_EQ(only().size_bytes, 48U);
    Text line;
    write_defect(line.sink(), only());
    EXPECT_EQ(line.all.substr(line.all.find(", 48")),
              ", 48 bytes; allocated at make.cpp:3 [ast]; freed at first.cpp:7; found at "
              "again.cpp:9\n");
}

// Row R47: what a list's items own goes before the list, and then nothing is left to report.
TEST_F(TraceTest, a_list_ended_after_its_strings_leaves_nothing_and_before_them_leaks_each) {
    Traced trace;
    const auto make_list = [&](std::size_t count) {
        auto** const list =
            static_cast<void**>(trace.allocate(count * sizeof(void*), 8, at("state.cpp", 1)));
        for (std::size_t item_idx = 0; item_idx < count; ++item_idx) {
            list[item_idx] = trace.allocate(10 + item_idx, 1, at("state.cpp", 2, "name"));
        }
        return list;
    };
    void** const whole = make_list(3);
    for (std::size_t item_idx = 0; item_idx < 3; ++item_idx) {
        trace.deallocate(whole[item_idx], 10 + item_idx, 1, at("state.cpp", 3));
    }
    trace.deallocate(whole, 3 * sizeof(void*), 8, at("state.cpp", 4));
    Text nothing;
    EXPECT_FALSE(trace.write_leaks(nothing.sink()));
    trace.deallocate(make_list(3), 3 * sizeof(void*), 8, at("state.cpp", 5));
    Text report;
    EXPECT_TRUE(trace.write_leaks(report.sink()));
    EXPECT_NE(report.all.find("33 bytes leaked in 3 allocations"), std::string::npos) << report.all;
}

TEST_F(TraceTest, memory_that_was_never_allocated_is_refused) { // the freelist of bug H
    Traced trace;
    trace.set_defect_handler(defects_.handler());
    int local = 0;
    trace.deallocate(&local, 4, 4, at("here.cpp", 1));
    EXPECT_EQ(only().kind, DefectKind::foreign_free);
    EXPECT_EQ(only().block, &local);
}

TEST_F(TraceTest, an_address_inside_a_block_is_told_apart) {
    Traced trace;
    trace.set_defect_handler(defects_.handler());
    auto* const block = static_cast<char*>(trace.allocate(64, 16));
    trace.deallocate(block + 8);
    EXPECT_EQ(only().kind, DefectKind::interior_free);
    EXPECT_EQ(only().offset, 8);
    trace.deallocate(block);
    EXPECT_EQ(defects_.all.size(), 1U);
}

TEST_F(TraceTest, a_block_of_another_trace_is_refused) { // row R40
    Traced worker;
    worker.set_name("worker");
    Traced coordinator;
    coordinator.set_defect_handler(defects_.handler());
    void* const block = worker.allocate(10, 16);
    coordinator.deallocate(block, 10, 16);
    EXPECT_EQ(only().kind, DefectKind::wrong_allocator);
    EXPECT_STREQ(only().other, "worker");
    worker.deallocate(block, 10, 16);
}

TEST_F(TraceTest, another_threads_block_is_told_too) { // row R40, across workers
    Traced coordinator;
    coordinator.set_defect_handler(defects_.handler());
    Traced worker;
    worker.set_name("worker");
    std::vector<void*> blocks(3000);
    std::thread thread([&] {
        worker.adopt_thread();
        for (void*& block : blocks) {
            block = worker.allocate(32, 16);
        }
    });
    thread.join();
    coordinator.deallocate(blocks[1234]);
    EXPECT_EQ(only().kind, DefectKind::wrong_allocator);
}

TEST_F(TraceTest, a_wrong_size_is_reported_and_the_block_freed_all_the_same) { // row S43, bug D
    Traced trace;
    trace.set_defect_handler(defects_.handler());
    void* const block = trace.allocate(100, 16, at("a.cpp", 1));
    trace.deallocate(block, 10, 16, at("b.cpp", 2));
    EXPECT_EQ(only().kind, DefectKind::size_mismatch);
    EXPECT_EQ(only().given_bytes, 10U);
    EXPECT_EQ(trace.stats().current_bytes, 0U);
}

TEST_F(TraceTest, a_free_after_transfer_is_refused) { // rows R31, R40
    Pool<> pool;
    Trace<Pool<>&> worker(from_children, {}, pool);
    Trace<Pool<>&> coordinator(from_children, {}, pool);
    worker.set_defect_handler(defects_.handler());
    void* const block = worker.allocate(32, 16, at("work.cpp", 1));
    ASSERT_TRUE(worker.release_to_other(block, at("hand.cpp", 2)));
    ASSERT_TRUE(coordinator.adopt(block, 32, 16, at("take.cpp", 3)));
    worker.deallocate(block, 32, 16, at("oops.cpp", 4));
    EXPECT_EQ(only().kind, DefectKind::free_after_transfer);
    EXPECT_EQ(only().freed.line, 2U);
    EXPECT_EQ(only().allocated.line, 1U);
    coordinator.deallocate(block, 32, 16);
    EXPECT_EQ(coordinator.stats().current_bytes + worker.stats().current_bytes, 0U);
}

TEST_F(TraceTest, writes_past_either_end_name_both_places) {
    Stack trace;
    trace.set_defect_handler(defects_.handler());
    for (const int place : {-5, 40}) {
        auto* const block = static_cast<char*>(trace.allocate(40, 16, at("make.cpp", 3)));
        block[place] ^= 1;
        trace.deallocate(block, 40, 16, at("free.cpp", 9));
    }
    ASSERT_EQ(defects_.all.size(), 2U);
    EXPECT_EQ(defects_.all[0].kind, DefectKind::underflow);
    EXPECT_EQ(defects_.all[1].kind, DefectKind::overflow);
    for (const Defect& defect : defects_.all) {
        EXPECT_STREQ(defect.allocated.file, "make.cpp");
        EXPECT_STREQ(defect.found.file, "free.cpp");
    }
}

TEST_F(TraceTest, a_use_after_free_names_where_it_was_allocated_and_freed) {
    Stack trace;
    trace.set_defect_handler(defects_.handler());
    auto* const block = static_cast<char*>(trace.allocate(40, 16, at("make.cpp", 3)));
    trace.deallocate(block, 40, 16, at("free.cpp", 9));
    block[17] = 1;
    EXPECT_FALSE(trace.check());
    EXPECT_EQ(only().kind, DefectKind::use_after_free);
    EXPECT_EQ(only().block, block);
    EXPECT_EQ(only().offset, 17);
    EXPECT_EQ(only().size_bytes, 40U);
    EXPECT_EQ(only().allocated.line, 3U);
    EXPECT_EQ(only().freed.line, 9U);
}

TEST_F(TraceTest, a_call_from_another_thread_is_reported_where_the_owner_is_checked) { // row S47
    Traced::Options options;
    options.is_owner_checked = true;
    Traced trace(options);
    trace.set_defect_handler(defects_.handler());
    std::thread([&] { trace.deallocate(trace.allocate(8, 16)); }).join();
    ASSERT_EQ(defects_.all.size(), 2U);
    EXPECT_EQ(defects_.all[0].kind, DefectKind::wrong_thread);
    trace.deallocate(trace.allocate(8, 16));
    EXPECT_EQ(defects_.all.size(), 2U);
}

TEST_F(TraceTest, a_reset_retires_its_records_and_leaks_nothing) { // bug C, row S44
    Trace<Arena<>> trace;
    for (int block_idx = 0; block_idx < 1000; ++block_idx) {
        trace.allocate(100, 16, at("ast.cpp", 1, "ast"));
    }
    EXPECT_EQ(trace.stats().current_bytes, 100000U);
    trace.reset();
    EXPECT_EQ(trace.stats().current_bytes, 0U);
    EXPECT_EQ(trace.stats().peak_bytes, 100000U);
    Text report;
    EXPECT_FALSE(trace.write_leaks(report.sink()));
    EXPECT_EQ(report.all, "");
}

#ifndef ALLOCLAB_HAS_ASAN // which finds the same before us
TEST_F(TraceTest, a_write_after_reset_is_found_when_the_memory_is_used_again) { // row R70
    Trace<Arena<>> trace;
    trace.set_defect_handler(defects_.handler());
    trace.allocate(100, 16, at("one.cpp", 1));
    auto* const borrowed = static_cast<char*>(trace.allocate(100, 16, at("stage.cpp", 5)));
    trace.reset(at("reset.cpp", 6));
    if (find_damage(borrowed, 100, freed_fill).count != 0) {
        GTEST_SKIP() << "the arena gave its memory back";
    }
    borrowed[20] = 'x';
    trace.allocate(100, 16, at("next.cpp", 7));
    EXPECT_TRUE(defects_.all.empty());
    trace.allocate(100, 16, at("next.cpp", 8));
    EXPECT_EQ(only().kind, DefectKind::use_after_reset);
    EXPECT_EQ(only().block, borrowed);
    EXPECT_EQ(only().offset, 20);
    EXPECT_EQ(only().allocated.line, 5U);
    EXPECT_EQ(only().freed.line, 6U);
}

TEST_F(TraceTest, memory_used_again_after_a_reset_is_no_defect) {
    Trace<Guard<Arena<>>> trace;
    trace.set_defect_handler(defects_.handler());
    for (int round = 0; round < 5; ++round) {
        for (std::size_t block_idx = 0; block_idx < 300; ++block_idx) {
            const std::size_t size = 1 + block_idx * 7 % (40 + static_cast<std::size_t>(round));
            void* const block = trace.allocate(size, 16);
            std::memset(block, round, size);
            if (block_idx % 3 == 0) {
                trace.deallocate(block, size, 16); // the arena takes the last one back
            }
        }
        EXPECT_TRUE(trace.check());
        trace.reset();
    }
    EXPECT_TRUE(defects_.all.empty());
}
#endif

#ifdef ALLOCLAB_HAS_ASAN
TEST(TraceDeath, a_read_after_reset_traps_under_address_sanitizer) { // row R70
    EXPECT_DEATH(
        {
            Trace<Arena<>> trace;
            auto* const borrowed = static_cast<volatile char*>(trace.allocate(100, 16));
            trace.reset();
            std::_Exit(borrowed[20]);
        },
        "use-after-poison");
}
#endif

TEST_F(TraceTest, a_free_after_reset_names_the_reset) {
    Trace<Arena<>> trace;
    trace.set_defect_handler(defects_.handler());
    void* const block = trace.allocate(64, 16, at("a.cpp", 1));
    trace.allocate(64, 16);
    trace.reset(at("reset.cpp", 2));
    trace.deallocate(block, 64, 16, at("late.cpp", 3));
    EXPECT_TRUE(only().kind == DefectKind::use_after_reset ||
                only().kind == DefectKind::foreign_free);
}

TEST_F(TraceTest, a_rewind_retires_what_came_after_its_mark) {
    Trace<Arena<>> trace;
    void* const kept = trace.allocate(100, 16);
    const auto mark = trace.mark();
    for (int block_idx = 0; block_idx < 2000; ++block_idx) {
        trace.allocate(50, 16);
    }
    trace.rewind(mark);
    EXPECT_EQ(trace.stats().current_bytes, 100U);
    EXPECT_TRUE(trace.owns(kept));
}

TEST_F(TraceTest, a_block_of_the_seeds_own_test_counts_as_it_says) {
    // Allocations of 100, 200, 50 and 150, the first and third freed: 350 bytes, 4 and 2.
    Traced trace;
    void* const first = trace.allocate(100, 16);
    trace.allocate(200, 16);
    void* const third = trace.allocate(50, 16);
    trace.allocate(150, 16);
    trace.deallocate(first, 100, 16);
    trace.deallocate(third, 50, 16);
    const TraceStats stats = trace.stats();
    EXPECT_EQ(stats.current_bytes, 350U);
    EXPECT_EQ(stats.allocation_count, 4U);
    EXPECT_EQ(stats.free_count, 2U);
    EXPECT_EQ(stats.peak_bytes, 500U);
    EXPECT_EQ(stats.total_allocated_bytes, 500U);
    EXPECT_EQ(stats.total_freed_bytes, 150U);
}

TEST_F(TraceTest, metadata_is_at_most_64_bytes_an_allocation) { // row S48, bug E
    double worst = 0;
    Trace<Arena<>>::Options options;
    options.past_blocks = 0;
    Trace<Arena<>> trace(options);
    for (std::size_t live = 1; live <= 200000; ++live) {
        ASSERT_NE(trace.allocate(16, 16, at("same.cpp", 1, "tag")), nullptr);
        if (live >= 4096) { // below, single pages show
            worst = std::max(worst, static_cast<double>(trace.stats().metadata_bytes) /
                                        static_cast<double>(live));
        }
    }
    RecordProperty("worst_metadata_bytes_an_allocation", std::to_string(worst));
    EXPECT_LE(worst, 64.0 + 8.0 * 4096 / 4096) << "the fixed pages of sites included";
    const double at_end = static_cast<double>(trace.stats().metadata_bytes) / 200000;
    EXPECT_LE(at_end, 64.0);
}

TEST_F(TraceTest, the_live_table_agrees_with_a_model_through_growth_and_erasure) {
    Trace<Pool<>> trace;
    std::vector<std::pair<void*, std::size_t>> live;
    std::uint64_t state = 12345;
    for (int step = 0; step < 60000; ++step) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        if (live.empty() || state >> 60 < 9) {
            const std::size_t size = 1 + (state >> 40) % 300;
            live.emplace_back(trace.allocate(size, 16), size);
        } else {
            std::swap(live[(state >> 33) % live.size()], live.back());
            const auto [block, size] = live.back();
            ASSERT_EQ(trace.usable_size(block), size);
            trace.deallocate(block, size, 16); // aborts if it is not found
            live.pop_back();
        }
    }
    for (const auto& [block, size] : live) {
        ASSERT_EQ(trace.usable_size(block), size);
    }
    std::size_t visited = 0;
    trace.visit_live([&](const tracing::LiveRow&) { ++visited; });
    EXPECT_EQ(visited, live.size());
}

} // namespace
} // namespace alloclab
