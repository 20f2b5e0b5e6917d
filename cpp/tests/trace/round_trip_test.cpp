// SPDX-License-Identifier: MIT
#include "support/trace_file.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/reader.hpp>

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace alloclab {

using namespace test;

namespace {

std::vector<Event> read_all(TraceReader& reader) {
    std::vector<Event> events;
    for (std::size_t index = 0; index < reader.chunks().size(); ++index) {
        reader.read_chunk(index).visit([&](const Event& event) { events.push_back(event); });
    }
    return events;
}

// One event of every kind with every operand it has, after eight objects to refer to.
std::vector<Event> one_of_each_kind() {
    std::vector<Event> events;
    for (std::uint64_t size = 0; size < 8; ++size) {
        events.push_back(allocate(size * 1000));
    }
    for (unsigned code = 0; code < 256; ++code) {
        const Operands operands = operands_of(static_cast<std::uint8_t>(code));
        if (!operands.is_known) {
            continue;
        }
        Event event{.code = static_cast<std::uint8_t>(code), .thread = code % 3};
        event.object = operands.object ? code % 8 : 0;
        event.size = operands.size ? 100 + code : 0;
        event.alignment_log2 = operands.alignment ? 6 : 0;
        for (std::uint8_t slot = 0; slot < operands.values; ++slot) {
            event.values[slot] = (std::uint64_t{code} << 40) + slot;
        }
        events.push_back(event);
    }
    return events;
}

} // namespace

TEST(RoundTrip, every_kind_comes_back_with_its_operands) {
    const TemporaryFolder folder;
    const std::vector<Event> written = one_of_each_kind();
    TraceReader reader(write_trace(folder, written));
    const std::vector<Event> read = read_all(reader);
    ASSERT_EQ(read.size(), written.size());
    std::uint64_t next_object = 0;
    for (std::size_t index = 0; index < read.size(); ++index) {
        const Operands operands = operands_of(written[index].code);
        EXPECT_EQ(read[index].code, written[index].code);
        EXPECT_EQ(read[index].thread, written[index].thread);
        EXPECT_EQ(read[index].size, written[index].size);
        EXPECT_EQ(read[index].alignment_log2, written[index].alignment_log2);
        const bool is_split = written[index].code == static_cast<std::uint8_t>(EventKind::split);
        if (operands.object) {
            EXPECT_EQ(read[index].object, written[index].object);
        } else if (operands.creates_object) {
            EXPECT_EQ(read[index].object, next_object);
        }
        if (is_split) {
            EXPECT_EQ(read[index].values[0], next_object);
        }
        for (std::uint8_t slot = 0; slot < operands.values; ++slot) {
            EXPECT_EQ(read[index].values[slot], written[index].values[slot]);
        }
        next_object += operands.creates_object;
    }
    EXPECT_EQ(reader.summary().objects, next_object);
}

TEST(RoundTrip, chunks_decode_alone_and_in_any_order) {
    const TemporaryFolder folder;
    std::vector<Event> written;
    for (std::uint64_t object = 0; object < 100; ++object) {
        written.push_back(allocate(object));
        written.push_back(free_of(object / 2 * 2 == object ? object : object - 1 + 1));
    }
    TraceReader reader(write_trace(folder, written, 7));
    ASSERT_EQ(reader.chunks().size(), (written.size() + 6) / 7);
    for (std::size_t index = reader.chunks().size(); index-- > 0;) {
        std::uint64_t at = reader.chunks()[index].first_event;
        reader.read_chunk(index).visit([&](const Event& event) {
            EXPECT_EQ(event.object, at / 2);
            ++at;
        });
    }
}

TEST(RoundTrip, a_time_stamp_stands_at_every_256th_event) {
    const TemporaryFolder folder;
    const std::vector<Event> written(600, allocate(8));
    TraceReader reader(write_trace(folder, written));
    const std::vector<std::uint64_t> stamps = reader.read_chunk(0).time_stamps_ns();
    EXPECT_EQ(stamps, (std::vector<std::uint64_t>{10, 2570, 5130}));
}

TEST(RoundTrip, touched_rows_names_and_metadata_come_back) {
    const TemporaryFolder folder;
    TraceReader reader(write_trace(
        folder, {allocate(1 << 20), allocate(1 << 21)}, 64, [](TraceWriter& writer, auto& summary) {
            writer.set_touched({{0, 256, 3, 200, true}, {1, 512, Touched::unknown, 12, false}});
            EXPECT_EQ(writer.intern("frame"), 0u);
            EXPECT_EQ(writer.intern("turn"), 1u);
            EXPECT_EQ(writer.intern("frame"), 0u);
            summary.has_touched = 1;
        }));
    ASSERT_EQ(reader.touched().size(), 2u);
    EXPECT_EQ(reader.touched()[0].resident_at_death, 200u);
    EXPECT_TRUE(reader.touched()[0].is_prefix);
    EXPECT_EQ(reader.touched()[1].resident_at_birth, Touched::unknown);
    EXPECT_EQ(reader.names(), (std::vector<std::string>{"frame", "turn"}));
    EXPECT_EQ(reader.metadata_json(), R"({"image":"test"})");
    EXPECT_EQ(reader.summary().has_touched, 1u);
}

TEST(RoundTrip, a_trace_of_no_events_is_a_trace) {
    const TemporaryFolder folder;
    const TraceReader reader(write_trace(folder, {}));
    EXPECT_EQ(reader.summary().events, 0u);
    EXPECT_TRUE(reader.chunks().empty());
}

TEST(TraceWriter, nothing_stands_at_the_path_before_the_end) {
    const TemporaryFolder folder;
    const auto path = folder.file("early.alloctrace");
    {
        TraceWriter writer(path, {});
        writer.append(allocate(8), 1);
        EXPECT_FALSE(std::filesystem::exists(path));
    }
    EXPECT_TRUE(std::filesystem::is_empty(path.parent_path()));
}

TEST(TraceWriter, a_link_or_file_named_like_the_trace_is_not_written_through) {
    const TemporaryFolder folder;
    const auto path = folder.file("early.alloctrace");
    const auto victim = folder.file("victim");
    std::ofstream(victim) << "precious";
    std::filesystem::create_symlink(victim, path.string() + ".partial");
    {
        TraceWriter writer(path, {});
        writer.finish({}, "{}");
    }
    EXPECT_EQ(std::filesystem::file_size(victim), 8u);
    EXPECT_TRUE(std::filesystem::is_symlink(path.string() + ".partial"));
    EXPECT_TRUE(TraceReader(path).chunks().empty());
}

TEST(TraceWriter, two_writers_of_one_path_each_leave_a_whole_trace) {
    const TemporaryFolder folder;
    const auto path = folder.file("both.alloctrace");
    TraceWriter first(path, {});
    TraceWriter second(path, {});
    second.append(allocate(8), 1);
    first.finish({}, "{}");
    EXPECT_EQ(TraceReader(path).summary().events, 0u);
    second.finish({}, "{}");
    EXPECT_EQ(TraceReader(path).summary().events, 1u);
}

TEST(TraceWriter, nothing_is_left_where_the_name_cannot_be_had) {
    const TemporaryFolder folder;
    const auto path = folder.file("taken");
    std::filesystem::create_directory(path);
    {
        TraceWriter writer(path, {});
        EXPECT_THROW(writer.finish({}, "{}"), SystemError);
    }
    std::filesystem::remove(path);
    EXPECT_TRUE(std::filesystem::is_empty(path.parent_path()));
}

TEST(TraceReader, a_pipe_is_refused_at_once) {
    const TemporaryFolder folder;
    const auto path = folder.file("pipe.alloctrace");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_THROW(TraceReader{path}, TraceError);
}

TEST(TraceWriter, options_out_of_range_are_refused) {
    const TemporaryFolder folder;
    EXPECT_THROW(TraceWriter(folder.file("x"), {.level = 0}), Error);
    EXPECT_THROW(TraceWriter(folder.file("x"), {.level = 3, .chunk_events = 0}), Error);
    EXPECT_THROW(TraceWriter(folder.file("none/x"), {}), SystemError);
}

} // namespace alloclab
