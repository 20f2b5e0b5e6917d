// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/seal/resolver.hpp>
#include <alloclab/trace/reader.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace alloclab {

using namespace test;

namespace {

RawEvent raw(RawKind kind, std::uint64_t address = 0, std::uint64_t size = 0) {
    RawEvent event;
    event.kind = kind;
    event.address = address;
    event.size = size;
    return event;
}

RawEvent by(std::uint32_t thread, std::uint64_t time_ns, RawEvent event) {
    event.thread = thread;
    event.time_ns = time_ns;
    return event;
}

RawEvent pages(RawKind kind, std::uint64_t address, std::uint64_t spanned, std::uint64_t resident) {
    RawEvent event = raw(kind, address);
    event.pages = spanned;
    event.resident_pages = resident;
    event.is_prefix = true;
    return event;
}

struct Sealed {
    TraceSummary summary;
    std::vector<Event> events;
    std::vector<Touched> touched;
};

Sealed seal(const std::vector<RawEvent>& raws) {
    const TemporaryFolder folder;
    const auto path = folder.file("sealed.alloctrace");
    TraceWriter writer(path, {.level = 1});
    Resolver resolver(writer);
    for (const RawEvent& event : raws) {
        resolver.append(event);
    }
    Sealed sealed{.summary = resolver.finish(), .events = {}, .touched = {}};
    writer.finish(sealed.summary, "{}");
    TraceReader reader(path);
    for (std::size_t index = 0; index < reader.chunks().size(); ++index) {
        reader.read_chunk(index).visit([&](const Event& event) { sealed.events.push_back(event); });
    }
    sealed.touched = reader.touched();
    return sealed;
}

bool is(const Event& event, EventKind kind, std::uint64_t object, std::uint64_t size = 0) {
    return kind_of(event.code) == kind && event.object == object && event.size == size;
}

constexpr std::uint64_t a = 0x7f0000001000;
constexpr std::uint64_t b = 0x7f0000002000;

} // namespace

TEST(Resolver, a_free_seen_just_before_its_block_on_another_thread_is_moved_behind_it) {
    const Sealed sealed =
        seal({by(1, 1000, raw(RawKind::free, a)), by(0, 1500, raw(RawKind::allocate, a, 10)),
              by(0, 2000, raw(RawKind::allocate, a, 20)), by(1, 2500, raw(RawKind::free, a))});
    ASSERT_EQ(sealed.events.size(), 4u);
    EXPECT_TRUE(is(sealed.events[1], EventKind::free, 0));
    EXPECT_EQ(sealed.events[1].thread, 1u);
    EXPECT_TRUE(is(sealed.events[3], EventKind::free, 1));
    EXPECT_EQ(sealed.summary.inversions, 1u);
    EXPECT_EQ(sealed.summary.unknown_frees, 0u);
    EXPECT_EQ(sealed.summary.missed_frees, 0u);
    EXPECT_EQ(sealed.summary.cross_thread_frees, 2u);
}

TEST(Resolver, a_free_of_an_unknown_block_is_not_the_next_ones) {
    const Sealed late =
        seal({by(1, 1000, raw(RawKind::free, a)), by(0, 1'000'000, raw(RawKind::allocate, a, 10))});
    EXPECT_EQ(late.summary.unknown_frees, 1u);
    EXPECT_EQ(late.summary.live_objects_at_end, 1u);
    const Sealed own =
        seal({by(0, 1000, raw(RawKind::free, a)), by(0, 1500, raw(RawKind::allocate, a, 10))});
    EXPECT_EQ(own.summary.unknown_frees, 1u);
    EXPECT_EQ(own.summary.live_objects_at_end, 1u);
}

TEST(Resolver, a_reallocation_seen_just_before_its_block_keeps_the_object) {
    const Sealed sealed = seal({by(1, 1000, raw(RawKind::reallocate_begin, a)),
                                by(0, 1500, raw(RawKind::allocate, a, 10)),
                                by(1, 2000, raw(RawKind::reallocate_end, b, 20))});
    ASSERT_EQ(sealed.events.size(), 2u);
    EXPECT_TRUE(is(sealed.events[1], EventKind::reallocate, 0, 20));
    EXPECT_EQ(sealed.summary.inversions, 1u);
    EXPECT_EQ(sealed.summary.unknown_frees, 0u);
}

TEST(Resolver, a_free_moved_ahead_counts_for_the_thread_that_made_it) {
    const Sealed sealed = seal(
        {by(0, 1000, raw(RawKind::allocate, a, 10)), by(0, 2000, raw(RawKind::allocate, a, 20)),
         by(1, 2010, raw(RawKind::free, a)), by(0, 3000, raw(RawKind::free, a))});
    EXPECT_EQ(sealed.summary.inversions, 1u);
    EXPECT_EQ(sealed.summary.cross_thread_frees, 1u);
}

TEST(Resolver, an_address_used_twice_is_two_objects) {
    const Sealed sealed = seal({raw(RawKind::allocate, a, 10), raw(RawKind::free, a),
                                raw(RawKind::allocate, a, 20), raw(RawKind::free, a)});
    ASSERT_EQ(sealed.events.size(), 4u);
    EXPECT_TRUE(is(sealed.events[1], EventKind::free, 0));
    EXPECT_TRUE(is(sealed.events[3], EventKind::free, 1));
    EXPECT_EQ(sealed.summary.peak_requested_live_bytes, 20u);
    EXPECT_EQ(sealed.summary.requested_total_bytes, 30u);
}

TEST(Resolver, a_reallocation_keeps_the_object_wherever_it_goes) {
    const Sealed sealed = seal({raw(RawKind::allocate, a, 10), raw(RawKind::reallocate_begin, a),
                                raw(RawKind::reallocate_end, b, 40), raw(RawKind::free, b)});
    EXPECT_TRUE(is(sealed.events[1], EventKind::reallocate, 0, 40));
    EXPECT_TRUE(is(sealed.events[2], EventKind::free, 0));
    EXPECT_EQ(sealed.summary.live_objects_at_end, 0u);
}

TEST(Resolver, special_calls_keep_their_identity) {
    const Sealed sealed = seal({
        raw(RawKind::allocate, a, 0),               // malloc(0)
        raw(RawKind::free, 0),                      // free(NULL)
        raw(RawKind::reallocate_begin, a),          // realloc(p, 0)
        raw(RawKind::reallocate_end, 0, 0),         //
        raw(RawKind::allocate, 0, 1ull << 62),      // a malloc that failed
        raw(RawKind::allocate, a, 8),               //
        raw(RawKind::reallocate_begin, a),          // a realloc that failed
        raw(RawKind::reallocate_end, 0, 1ull << 62) //
    });
    EXPECT_EQ(sealed.summary.zero_size_allocations, 1u);
    EXPECT_EQ(sealed.summary.null_frees, 1u);
    EXPECT_EQ(sealed.summary.failed_calls, 2u);
    EXPECT_TRUE(is(sealed.events[2], EventKind::reallocate_zero, 0));
    EXPECT_TRUE(is(sealed.events[3], EventKind::allocate_failed, 0, 1ull << 62));
    EXPECT_TRUE(is(sealed.events[5], EventKind::reallocate_failed, 1, 1ull << 62));
    EXPECT_EQ(sealed.summary.requested_live_bytes_at_end, 8u);
}

// Thread 1 frees `a`; thread 2 gets it at once, and its clock says it did so earlier.
TEST(Resolver, a_free_overtaken_by_the_next_owner_is_moved_ahead_and_counted) {
    const Sealed sealed =
        seal({by(1, 100, raw(RawKind::allocate, a, 10)), by(2, 200, raw(RawKind::allocate, a, 20)),
              by(1, 201, raw(RawKind::free, a)), by(2, 300, raw(RawKind::free, a))});
    ASSERT_EQ(sealed.events.size(), 4u);
    EXPECT_TRUE(is(sealed.events[1], EventKind::free, 0));
    EXPECT_TRUE(is(sealed.events[2], EventKind::allocate, 1, 20));
    EXPECT_TRUE(is(sealed.events[3], EventKind::free, 1));
    EXPECT_EQ(sealed.summary.inversions, 1u);
    EXPECT_EQ(sealed.summary.missed_frees, 0u);
    EXPECT_EQ(sealed.summary.unknown_frees, 0u);
}

TEST(Resolver, a_free_never_seen_is_counted_as_missed) {
    const Sealed sealed =
        seal({raw(RawKind::allocate, a, 10), raw(RawKind::allocate, a, 20), raw(RawKind::free, a)});
    EXPECT_EQ(sealed.summary.missed_frees, 1u);
    EXPECT_EQ(sealed.summary.inversions, 0u);
    EXPECT_EQ(sealed.summary.live_objects_at_end, 0u);
}

TEST(Resolver, a_free_of_an_address_nobody_was_given_is_counted_and_dropped) {
    const Sealed sealed = seal({raw(RawKind::free, a), raw(RawKind::reallocate_begin, b),
                                raw(RawKind::reallocate_end, a, 16)});
    EXPECT_EQ(sealed.summary.unknown_frees, 2u);
    ASSERT_EQ(sealed.events.size(), 1u);
    EXPECT_TRUE(is(sealed.events[0], EventKind::allocate, 0, 16));
}

// While thread 1 is inside realloc(a), thread 2 is given a.
TEST(Resolver, the_old_address_is_free_from_the_beginning_of_a_reallocation) {
    const Sealed sealed = seal(
        {by(1, 1, raw(RawKind::allocate, a, 10)), by(1, 2, raw(RawKind::reallocate_begin, a)),
         by(2, 3, raw(RawKind::allocate, a, 30)), by(1, 4, raw(RawKind::reallocate_end, b, 99)),
         by(1, 5, raw(RawKind::free, b)), by(2, 6, raw(RawKind::free, a))});
    EXPECT_EQ(sealed.summary.inversions, 0u);
    EXPECT_EQ(sealed.summary.missed_frees, 0u);
    EXPECT_EQ(sealed.summary.live_objects_at_end, 0u);
    EXPECT_EQ(sealed.summary.reallocations, 1u);
}

TEST(Resolver, a_block_whose_reallocation_never_returned_is_alive_at_the_end) {
    const Sealed sealed = seal({raw(RawKind::allocate, a, 10), raw(RawKind::reallocate_begin, a)});
    EXPECT_EQ(sealed.summary.live_objects_at_end, 1u);
}

// Row R38: the freeing thread is known.
TEST(Resolver, cross_thread_frees_are_counted) {
    const Sealed sealed =
        seal({by(1, 1, raw(RawKind::allocate, a, 10)), by(2, 2, raw(RawKind::free, a)),
              by(2, 3, raw(RawKind::allocate, a, 10)), by(2, 4, raw(RawKind::free, a))});
    EXPECT_EQ(sealed.summary.cross_thread_frees, 1u);
    EXPECT_EQ(sealed.summary.threads, 3u);
}

TEST(Resolver, unmapping_the_middle_of_a_region_leaves_both_ends) {
    const Sealed sealed =
        seal({raw(RawKind::map, 0x10000, 0x9000), raw(RawKind::unmap, 0x13000, 0x2000),
              raw(RawKind::unmap, 0x10000, 0x9000)});
    ASSERT_EQ(sealed.events.size(), 6u);
    EXPECT_TRUE(is(sealed.events[1], EventKind::split, 0, 0x3000));
    EXPECT_TRUE(is(sealed.events[2], EventKind::split, 1, 0x2000));
    EXPECT_TRUE(is(sealed.events[3], EventKind::unmap, 1));
    EXPECT_TRUE(is(sealed.events[4], EventKind::unmap, 0));
    EXPECT_TRUE(is(sealed.events[5], EventKind::unmap, 2));
    EXPECT_EQ(sealed.summary.peak_mapped_live_bytes, 0x9000u);
    EXPECT_EQ(sealed.summary.live_objects_at_end, 0u);
}

TEST(Resolver, a_region_mapped_over_another_ends_what_it_covers) {
    const Sealed sealed =
        seal({raw(RawKind::map, 0x10000, 0x4000), raw(RawKind::map, 0x12000, 0x1000)});
    EXPECT_EQ(sealed.summary.unmaps, 1u);
    EXPECT_EQ(sealed.summary.peak_mapped_live_bytes, 0x4000u);
    EXPECT_EQ(sealed.summary.live_objects_at_end, 3u);
}

TEST(Resolver, a_moved_region_keeps_its_object) {
    RawEvent moved = raw(RawKind::remap, 0x90000, 0x8000);
    moved.old_address = 0x10000;
    moved.old_size = 0x4000;
    const Sealed sealed =
        seal({raw(RawKind::map, 0x10000, 0x4000), moved, raw(RawKind::unmap, 0x90000, 0x8000)});
    EXPECT_TRUE(is(sealed.events[1], EventKind::remap, 0, 0x8000));
    EXPECT_TRUE(is(sealed.events[2], EventKind::unmap, 0));
}

TEST(Resolver, touched_pages_go_to_the_event_that_gave_the_size) {
    const Sealed sealed =
        seal({raw(RawKind::allocate, b, 8), raw(RawKind::allocate, a, 1 << 20),
              pages(RawKind::touched_birth, a, 257, 4), pages(RawKind::touched_death, a, 257, 100),
              raw(RawKind::reallocate_begin, a), raw(RawKind::reallocate_end, a, 1 << 21),
              pages(RawKind::touched_birth, a, 513, 100)});
    ASSERT_EQ(sealed.touched.size(), 2u);
    EXPECT_EQ(sealed.touched[0].event, 1u);
    EXPECT_EQ(sealed.touched[0].resident_at_birth, 4u);
    EXPECT_EQ(sealed.touched[0].resident_at_death, 100u);
    EXPECT_EQ(sealed.touched[1].event, 2u);
    EXPECT_EQ(sealed.touched[1].resident_at_death, Touched::unknown);
    EXPECT_EQ(sealed.summary.has_touched, 1u);
}

TEST(AddressMap, agrees_with_an_ordered_map_over_random_operations) {
    std::mt19937_64 random(7);
    AddressMap map;
    std::map<std::uint64_t, std::uint64_t> model;
    for (std::uint64_t step = 0; step < 200'000; ++step) {
        const std::uint64_t address = (random() % 20'000 + 1) * 16;
        LiveBlock block;
        const bool was_live = map.take(address, block);
        const auto known = model.find(address);
        ASSERT_EQ(was_live, known != model.end());
        if (was_live) {
            ASSERT_EQ(block.object, known->second);
            model.erase(known);
        } else if (random() % 3 != 0) {
            map.insert(address, {.object = step});
            model[address] = step;
        }
        ASSERT_EQ(map.size(), model.size());
    }
}

} // namespace alloclab
