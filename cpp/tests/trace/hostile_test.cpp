// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/reader.hpp>
#include <alloclab/trace/summary_fields.hpp>

#include <gtest/gtest.h>

namespace alloclab {

using namespace test;

namespace {

std::vector<std::uint8_t> small_trace() {
    const TemporaryFolder folder;
    std::vector<Event> events;
    for (std::uint64_t object = 0; object < 300; ++object) {
        events.push_back(allocate(object * 17 % 5000, object % 9));
        events.back().site = object % 3;
        events.back().tag = object / 50 % 2;
        if (object % 3 == 2) {
            events.push_back(free_of(object - 1));
        }
    }
    events.push_back(event_of(EventKind::footprint, 0, 0, 123456));
    return read_bytes(write_trace(folder, events, 64, [](TraceWriter& writer, TraceSummary&) {
        writer.set_touched({{0, 16, 1, 2, true}, {5, 20, 1, 20, false}});
        writer.intern("frame");
        writer.set_stacks({{1, 0}, {{0, 0}, {1, 1}}, {{0, 0, 0, 12, 0x1234, false}, {}}});
    }));
}

// Reads everything there is into one text.
std::string read_whole(std::span<const std::uint8_t> bytes) {
    TraceReader reader(bytes, "hostile");
    std::string all = reader.metadata_json();
    const auto add = [&](std::uint64_t number) { all += std::to_string(number) + ' '; };
    for_each_field(reader.summary(), [&](const char*, std::uint64_t value) { add(value); });
    for (const Touched& row : reader.touched()) {
        add(row.event + row.pages * 3 + row.resident_at_birth * 5 + row.resident_at_death * 7);
    }
    for (const StackTable::Node& node : reader.stacks().nodes) {
        add(node.parent + node.frame * 3);
    }
    for (const StackFrame& frame : reader.stacks().frames) {
        add(frame.function + frame.file * 3 + frame.module * 5 + frame.line * 7 + frame.offset);
    }
    for (std::size_t index = 0; index < reader.chunks().size(); ++index) {
        const ChunkColumns chunk = reader.read_chunk(index);
        chunk.visit([&](const Event& event) {
            add(event.code);
            add(event.object + event.size * 3 + event.thread * 5 + event.alignment_log2 * 7);
        });
        for (const std::uint64_t stamp : chunk.time_stamps_ns()) {
            add(stamp);
        }
        for (const std::uint32_t site : chunk.sites(reader.stacks().stacks.size())) {
            add(site);
        }
        for (const std::uint32_t tag : chunk.tags(reader.names().size())) {
            add(tag);
        }
    }
    return all;
}

} // namespace

TEST(HostileTrace, cut_short_anywhere_it_is_an_error_and_never_a_partial_result) {
    const std::vector<std::uint8_t> whole = small_trace();
    EXPECT_NO_THROW(read_whole(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_THROW(read_whole(std::span(whole).first(size)), TraceError) << "at " << size;
    }
}

// A few bits of the header and of zstd's frames mean nothing; any other is noticed.
TEST(HostileTrace, a_flipped_bit_is_an_error_or_changes_nothing) {
    std::vector<std::uint8_t> bytes = small_trace();
    const std::string whole = read_whole(bytes);
    std::size_t harmless = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const unsigned bit : {0u, 3u, 7u}) {
            bytes[at] ^= static_cast<std::uint8_t>(1u << bit);
            try {
                EXPECT_EQ(read_whole(bytes), whole) << "byte " << at << " bit " << bit;
                ++harmless;
            } catch (const TraceError&) {
            }
            bytes[at] ^= static_cast<std::uint8_t>(1u << bit);
        }
    }
    EXPECT_LT(harmless, bytes.size() / 20);
}

TEST(HostileTrace, the_error_names_the_file_the_place_and_the_reason) {
    const std::vector<std::uint8_t> bytes(100, 'x');
    try {
        read_whole(bytes);
        FAIL();
    } catch (const TraceError& error) {
        EXPECT_STREQ(error.what(), "hostile: offset 0: not an alloclab trace");
    }
}

TEST(HostileTrace, a_newer_version_says_so) {
    std::vector<std::uint8_t> bytes = small_trace();
    bytes[8] = 3;
    try {
        read_whole(bytes);
        FAIL();
    } catch (const TraceError& error) {
        EXPECT_NE(std::string(error.what()).find("version 3"), std::string::npos);
    }
}

TEST(HostileTrace, an_object_that_does_not_exist_yet_is_an_error) {
    const TemporaryFolder folder;
    TraceReader reader(write_trace(folder, {allocate(1), free_of(7)}));
    EXPECT_THROW(reader.read_chunk(0).visit([](const Event&) {}), TraceError);
}

TEST(HostileTrace, what_is_not_a_file_is_refused) {
    const TemporaryFolder folder;
    EXPECT_THROW(TraceReader(folder.file("missing")), SystemError);
    EXPECT_THROW(TraceReader(folder.file(".")), TraceError);
}

} // namespace alloclab
