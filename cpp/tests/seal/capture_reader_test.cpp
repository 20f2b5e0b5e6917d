// SPDX-License-Identifier: MIT
#include <alloclab/base/bits.hpp>
#include <alloclab/base/error.hpp>
#include <alloclab/seal/capture_reader.hpp>

#include <support/capture_bytes.hpp>

#include <gtest/gtest.h>

#include <random>

namespace alloclab {
namespace {

using capture::Code;

std::vector<RawEvent> read_all(std::span<const std::byte> bytes) {
    CaptureReader reader{bytes};
    std::vector<RawEvent> events;
    for (RawEvent event; reader.next(event);)
        events.push_back(event);
    return events;
}

std::uint64_t delta(std::int64_t granules) {
    return zigzag_encode(granules);
}

// One thread: a block of each common form, so that every byte of it can be damaged.
CaptureBytes small_capture() {
    CaptureBytes capture;
    capture.begin_window(0, 0);
    capture.begin_block(1000);
    capture.put_code_number(static_cast<unsigned>(Code::malloc_first) + 3, {delta(0x1000)});
    capture.put_code_number(static_cast<unsigned>(Code::calloc_first) + 2, {delta(4)});
    capture.put_word(capture::free_word(delta(-4)));
    capture.put_code(Code::malloc_sized, {100000, delta(16)});
    capture.put_code(Code::touched_birth, {0x10100, 25, 2, 1});
    capture.put_code(Code::realloc_begin, {delta(0)});
    capture.put_code(Code::realloc_end, {13, delta(2)});
    capture.put_code(Code::allocate_any, {5, 512, 256, 0x20000});
    capture.put_code(Code::free_null, {});
    capture.put_code(Code::map, {0x7f0000000000, 1 << 20, 1});
    capture.put_code(Code::remap, {0x7f1000000000, 4096, 0x7f0000000000, 1 << 20});
    capture.put_code(Code::footprint, {123 << 12, 7 << 12, 99});
    return capture;
}

// The same for what a program says of itself.
CaptureBytes marked_capture() {
    CaptureBytes capture;
    capture.begin_window(0, 0);
    capture.begin_block(1000);
    capture.put_code(Code::name, {0, 2});
    capture.put_letter('u');
    capture.put_letter('p');
    capture.put_code(Code::scope_enter, {1, 0, 0});
    capture.put_code(Code::module, {1, 0x10000, 0x20000, 0, 0, 0x10000});
    capture.put_code(Code::root, {2, 5, 0x20000});
    return capture;
}

TEST(capture_reader, decodes_each_form_of_an_event) {
    CaptureBytes capture = small_capture();
    const auto events = read_all(capture.bytes());
    ASSERT_EQ(events.size(), 13u);
    EXPECT_EQ(events[0].kind, RawKind::thread_start);
    EXPECT_EQ(events[1].kind, RawKind::allocate);
    EXPECT_EQ(events[1].call, AllocationCall::malloc);
    EXPECT_EQ(events[1].size, 24u);
    EXPECT_EQ(events[1].address, 0x10000u);
    EXPECT_EQ(events[2].call, AllocationCall::calloc);
    EXPECT_EQ(events[2].size, 16u);
    EXPECT_EQ(events[2].address, 0x10040u);
    EXPECT_EQ(events[3].kind, RawKind::free);
    EXPECT_EQ(events[3].address, 0x10000u);
    EXPECT_EQ(events[4].size, 100000u);
    EXPECT_EQ(events[5].kind, RawKind::touched_birth);
    EXPECT_EQ(events[5].pages, 25u);
    EXPECT_EQ(events[5].resident_pages, 2u);
    EXPECT_TRUE(events[5].is_prefix);
    EXPECT_EQ(events[6].kind, RawKind::reallocate_begin);
    EXPECT_EQ(events[6].address, 0x10100u);
    EXPECT_EQ(events[7].kind, RawKind::reallocate_end);
    EXPECT_EQ(events[7].address, 0x10120u);
    EXPECT_EQ(events[7].size, 13u);
    EXPECT_EQ(events[8].call, AllocationCall::aligned_alloc);
    EXPECT_EQ(events[8].alignment, 256u);
    EXPECT_EQ(events[9].kind, RawKind::free);
    EXPECT_EQ(events[9].address, 0u);
    EXPECT_TRUE(events[10].is_reserved);
    EXPECT_EQ(events[11].old_size, 1u << 20);
    EXPECT_EQ(events[12].page_faults, 99u);
}

TEST(capture_reader, tells_what_the_head_says) {
    CaptureBytes capture = small_capture();
    const CaptureReader reader{capture.bytes()};
    EXPECT_EQ(reader.header().pid, 42u);
    EXPECT_EQ(reader.header().image_path, "/bin/program");
    EXPECT_EQ(reader.header().allocator_object, "/lib/libc.so.6");
    ASSERT_EQ(reader.header().arguments.size(), 1u);
    EXPECT_EQ(reader.header().arguments[0], "program");
    EXPECT_EQ(reader.header().stop_reason, "exit");
    EXPECT_TRUE(reader.header().is_complete);
    EXPECT_EQ(reader.header().duration_ns, 2000u); // 1,000 ticks of two nanoseconds
}

TEST(capture_reader, merges_threads_by_their_clocks_and_windows_by_their_sequence) {
    CaptureBytes capture;
    capture.begin_window(0, 1); // the second window comes first in the file
    capture.begin_block(1500, true);
    capture.put_code(Code::malloc_sized, {3, delta(3)});
    capture.put_field(0);
    capture.begin_window(1, 0);
    capture.begin_block(1200, true);
    capture.put_code(Code::malloc_sized, {2, delta(2)});
    capture.put_field(1); // 16 ticks later
    capture.begin_window(0, 0);
    capture.begin_block(1100, true);
    capture.put_code(Code::malloc_sized, {1, delta(1)});
    capture.put_field(0);
    std::vector<std::uint64_t> sizes;
    std::vector<std::uint64_t> times;
    for (const RawEvent& event : read_all(capture.bytes()))
        if (event.kind == RawKind::allocate) {
            sizes.push_back(event.size);
            times.push_back(event.time_ns);
        }
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(times, (std::vector<std::uint64_t>{200, 2 * (200 + 16), 1000}));
}

TEST(capture_reader, lets_a_free_go_first_where_clocks_are_equal) {
    CaptureBytes capture;
    capture.begin_window(0, 0);
    capture.begin_block(1200, true);
    capture.put_code(Code::malloc_sized, {2, delta(5)});
    capture.put_field(0);
    capture.begin_window(1, 0);
    capture.begin_block(1200, true);
    capture.put_word(capture::free_word(delta(5)));
    capture.put_field(0);
    std::vector<RawKind> kinds;
    for (const RawEvent& event : read_all(capture.bytes()))
        if (event.kind != RawKind::thread_start)
            kinds.push_back(event.kind);
    EXPECT_EQ(kinds, (std::vector<RawKind>{RawKind::free, RawKind::allocate}));
}

TEST(capture_reader, gives_events_between_two_clocks_times_between_them) {
    CaptureBytes capture;
    capture.begin_window(0, 0);
    capture.begin_block(1000);
    for (int event_idx = 0; event_idx < 60; ++event_idx)
        capture.put_code(Code::malloc_sized, {500, delta(40)});
    capture.begin_block(1256);
    const auto events = read_all(capture.bytes());
    ASSERT_EQ(events.size(), 61u);
    for (std::size_t event_idx = 1; event_idx < events.size(); ++event_idx) {
        EXPECT_GE(events[event_idx].time_ns, events[event_idx - 1].time_ns);
        EXPECT_LE(events[event_idx].time_ns, 512u);
    }
    EXPECT_GT(events.back().time_ns, 256u);
}

TEST(capture_reader, yields_every_whole_event_of_a_capture_cut_anywhere) {
    CaptureBytes capture = small_capture();
    const auto whole = capture.bytes();
    const std::size_t first = capture::head_bytes + capture::block_bytes;
    std::size_t before = 0;
    for (std::size_t size = capture::head_bytes; size <= capture.end_of_events() + 8; ++size) {
        const std::vector<std::byte> cut(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
        CaptureReader reader{std::span<const std::byte>(cut)};
        EXPECT_FALSE(reader.header().is_complete);
        std::size_t count = 0;
        for (RawEvent event; reader.next(event);)
            ++count;
        EXPECT_GE(count, before) << size;
        before = count;
        EXPECT_TRUE(count == 0 || size >= first);
    }
    EXPECT_EQ(before, 13u);
}

TEST(capture_reader, refuses_a_cut_head_and_foreign_bytes_by_offset) {
    CaptureBytes capture = small_capture();
    const auto whole = capture.bytes();
    for (std::size_t size = 0; size < capture::head_bytes; size += 97)
        EXPECT_THROW(CaptureReader{whole.first(size)}, TraceError) << size;
    capture.file()[0] = std::byte{'x'};
    try {
        const CaptureReader reader{capture.bytes()};
        FAIL() << "took foreign bytes for a capture";
    } catch (const TraceError& error) {
        EXPECT_NE(std::string(error.what()).find("offset 0"), std::string::npos);
    }
}

TEST(capture_reader, names_the_offset_of_what_is_no_event) {
    CaptureBytes capture;
    capture.begin_window(0, 0);
    capture.begin_block(1000);
    capture.put_code(Code::root, {9}); // no such change
    try {
        read_all(capture.bytes());
        FAIL() << "took an unknown change of roots for an event";
    } catch (const TraceError& error) {
        EXPECT_NE(std::string(error.what()).find("offset 65800"), std::string::npos)
            << error.what();
    }
}

// Each flipped bit gives events or a TraceError; the sanitized build would show anything else.
void flip_each_bit_of(CaptureBytes capture) {
    const auto whole = capture.bytes();
    const std::vector<std::byte> sound(whole.begin(), whole.end());
    std::size_t refused = 0;
    const auto flip_each = [&](std::size_t from, std::size_t to) {
        for (std::size_t bit = from * 8; bit < to * 8; ++bit) {
            std::vector<std::byte> damaged = sound;
            damaged[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
            try {
                EXPECT_LE(read_all(damaged).size(), 1000u);
            } catch (const TraceError&) {
                ++refused;
            }
        }
    };
    flip_each(0, sizeof(capture::FileHeader));
    flip_each(capture::text_offset, capture::text_offset + 48);
    flip_each(capture::head_bytes, capture::head_bytes + sizeof(capture::WindowHeader));
    flip_each(capture::head_bytes + capture::block_bytes, capture.end_of_events());
    EXPECT_GT(refused, 0u);
}

TEST(capture_reader, survives_any_flipped_bit) {
    flip_each_bit_of(small_capture());
    flip_each_bit_of(marked_capture());
}

TEST(capture_reader, survives_windows_of_noise) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 50; ++round) {
        CaptureBytes capture;
        const std::size_t window = capture.begin_window(0, 0);
        for (std::size_t at = window + capture::block_bytes; at + 8 <= capture.file().size();
             at += 8)
            capture.put(at, random());
        try {
            EXPECT_LE(read_all(capture.bytes()).size(), capture.file().size());
        } catch (const TraceError& error) {
            EXPECT_NE(std::string(error.what()).find("capture offset"), std::string::npos);
        }
    }
}

} // namespace
} // namespace alloclab
