// SPDX-License-Identifier: MIT
//
// What a program says of itself, from the bytes of a capture to the tables of a trace.
#include "support/capture_bytes.hpp"
#include "support/trace_file.hpp"

#include <alloclab/seal/capture_reader.hpp>
#include <alloclab/seal/resolver.hpp>
#include <alloclab/trace/scopes.hpp>
#include <alloclab/trace/tables.hpp>

#include <gtest/gtest.h>

#include <string_view>

namespace alloclab {

using namespace test;
using capture::Code;

namespace {

class MarkedCapture : public CaptureBytes {
public:
    MarkedCapture() {
        begin_window(0, 0);
        begin_block(1000);
    }
    void put_name(std::uint64_t name, std::string_view part) {
        put_code(Code::name, {name, part.size()});
        for (const char letter : part) {
            put_letter(letter);
        }
    }
    void put_malloc(std::uint64_t address, std::uint64_t size = 48) {
        put_code(Code::allocate_any, {0, size, 0, address});
    }
};

struct Sealed {
    explicit Sealed(CaptureBytes& capture, const Symbolizer& symbolize = {})
        : reader(seal(capture, symbolize)) {}

    TraceReader seal(CaptureBytes& capture, const Symbolizer& symbolize) {
        CaptureReader from{capture.bytes()};
        const auto path = folder.file("sealed.alloctrace");
        TraceWriter writer(path, {.level = 1});
        Resolver resolver(writer);
        for (RawEvent event; from.next(event);) {
            resolver.append(event);
        }
        const TraceSummary whole = resolver.finish(symbolize);
        writer.finish(whole, "{}");
        return TraceReader(path);
    }
    const TraceSummary& summary() const { return reader.summary(); }
    const std::string& name(std::uint64_t index) const { return reader.names().at(index); }

    TemporaryFolder folder;
    TraceReader reader;
};

} // namespace

TEST(Markers, a_scope_of_the_capture_is_one_of_the_trace) {
    MarkedCapture capture;
    capture.put_name(0, "phase");
    capture.put_name(1, "par");
    capture.put_name(1, "sing");
    capture.put_code(Code::scope_enter, {77, 0, 1});
    capture.put_malloc(0x1000);
    capture.put_code(Code::scope_exit, {77});
    Sealed sealed(capture);
    const ScopeTable scopes = read_scope_table(sealed.reader);
    ASSERT_EQ(scopes.kind.size(), 1u);
    EXPECT_EQ(sealed.name(scopes.kind[0]), "phase");
    EXPECT_EQ(sealed.name(scopes.name[0]), "parsing");
    EXPECT_EQ(scopes.instance[0], 0u);
    EXPECT_EQ(read_object_table(sealed.reader).scope, (std::vector<std::int32_t>{0}));
    EXPECT_EQ(sealed.summary().scopes, 1u);
    EXPECT_EQ(sealed.summary().open_scopes_at_end, 0u);
}

TEST(Markers, a_scope_closed_twice_never_or_elsewhere_is_counted) {
    MarkedCapture capture;
    capture.put_code(Code::scope_enter, {1, 0, 0});
    capture.put_code(Code::scope_exit, {1});
    capture.put_code(Code::scope_exit, {1});
    capture.put_code(Code::scope_enter, {2, 0, 0});
    capture.put_code(Code::scope_enter, {3, 0, 0});
    capture.begin_window(1, 0);
    capture.begin_block(1500);
    capture.put_code(Code::scope_exit, {3});
    Sealed sealed(capture);
    EXPECT_EQ(sealed.summary().unmatched_scope_exits, 1u);
    EXPECT_EQ(sealed.summary().open_scopes_at_end, 1u);
    EXPECT_EQ(sealed.summary().cross_thread_scope_exits, 1u);
}

TEST(Markers, a_name_heard_of_later_than_used_has_its_text_all_the_same) {
    MarkedCapture capture;
    capture.put_code(Code::mark, {4});
    capture.put_code(Code::mark, {5});
    capture.put_name(4, "late");
    Sealed sealed(capture);
    const MarkTable marks = read_mark_table(sealed.reader);
    EXPECT_EQ(sealed.name(marks.name[0]), "late");
    EXPECT_EQ(sealed.name(marks.name[1]), "?");
}

TEST(Markers, numbers_that_no_recorder_gives_names_take_no_room) {
    MarkedCapture capture;
    capture.put_code(Code::mark, {0xfffffff0});
    capture.put_code(Code::tag, {std::uint64_t{1} << 40});
    capture.put_code(Code::scope_enter, {1, 0x7fffffff, 0x10000000});
    Sealed sealed(capture);
    EXPECT_EQ(sealed.reader.names().size(), 4u);
    EXPECT_EQ(sealed.name(read_mark_table(sealed.reader).name[0]), "?");
}

TEST(Markers, a_tag_holds_for_its_threads_allocations_until_the_next) {
    MarkedCapture capture;
    capture.put_name(0, "scratch");
    capture.put_code(Code::tag, {1});
    capture.put_malloc(0x1000);
    capture.put_malloc(0x2000);
    capture.put_code(Code::tag, {0});
    capture.put_malloc(0x3000);
    Sealed sealed(capture);
    EXPECT_EQ(read_object_table(sealed.reader).tag, (std::vector<std::int32_t>{0, 0, -1}));
    EXPECT_EQ(sealed.summary().tagged_calls, 2u);
}

TEST(Markers, references_and_roots_name_objects) {
    MarkedCapture capture;
    capture.put_malloc(0x1000);
    capture.put_malloc(0x2000);
    capture.put_code(Code::reference, {0x1000, 3, 0x2000});
    capture.put_code(Code::reference, {0x1000, 3, 0});
    capture.put_code(Code::reference, {0x9000, 0, 0x1000}); // an unknown holder
    capture.put_code(Code::root, {0, 0x2000});
    capture.put_code(Code::root, {2, 5, 0x1000});
    capture.put_code(Code::root, {1, 1});
    Sealed sealed(capture);
    std::vector<Event> events;
    sealed.reader.read_chunk(0).visit([&](const Event& event) {
        if (event.code >= 0x50 && event.code < 0x60) {
            events.push_back(event);
        }
    });
    ASSERT_EQ(events.size(), 5u);
    EXPECT_EQ(events[0].object, 0u);
    EXPECT_EQ(events[0].values[0], 3u);
    EXPECT_EQ(events[0].values[1], 2u);
    EXPECT_EQ(events[1].values[1], 0u);
    EXPECT_EQ(events[2].values[0], 2u);
    EXPECT_EQ(events[3].values[0], 5u);
    EXPECT_EQ(events[3].values[1], 1u);
    EXPECT_EQ(events[4].values[0], 1u);
    EXPECT_EQ(sealed.summary().unresolved_references, 1u);
}

TEST(Markers, a_reset_and_a_transfer_name_the_scope) {
    MarkedCapture capture;
    capture.put_code(Code::scope_enter, {9, 0, 0});
    capture.put_code(Code::scope_enter, {8, 0, 0});
    capture.put_malloc(0x1000);
    capture.put_code(Code::transfer, {0x1000, 8});
    capture.put_code(Code::reset, {9});
    capture.put_code(Code::reset, {1}); // never entered
    Sealed sealed(capture);
    std::vector<Event> events;
    sealed.reader.read_chunk(0).visit([&](const Event& event) { events.push_back(event); });
    ASSERT_EQ(events.size(), 6u); // with the thread's start
    EXPECT_EQ(events[4].code, static_cast<std::uint8_t>(EventKind::transfer));
    EXPECT_EQ(events[4].values[0], 1u);
    EXPECT_EQ(events[5].code, static_cast<std::uint8_t>(EventKind::reset));
    EXPECT_EQ(events[5].values[0], 0u);
    EXPECT_EQ(sealed.summary().unresolved_references, 1u);
}

TEST(Markers, a_transfer_to_no_scope_says_so) {
    MarkedCapture capture;
    capture.put_code(Code::scope_enter, {9, 0, 0});
    capture.put_malloc(0x1000);
    capture.put_code(Code::transfer, {0x1000, 0});
    capture.put_code(Code::transfer, {0x2000, 0}); // no block
    capture.put_code(Code::transfer, {0x1000, 7}); // no scope of that number
    Sealed sealed(capture);
    std::vector<Event> events;
    sealed.reader.read_chunk(0).visit([&](const Event& event) { events.push_back(event); });
    ASSERT_EQ(events.size(), 4u); // with the thread's start
    EXPECT_EQ(events[3].code, static_cast<std::uint8_t>(EventKind::transfer));
    EXPECT_EQ(events[3].object, 0u);
    EXPECT_EQ(events[3].values[0], no_scope);
    EXPECT_EQ(sealed.summary().unresolved_references, 2u);
}

TEST(Markers, frames_become_stacks_with_functions_and_those_inlined_into_them) {
    MarkedCapture capture;
    capture.put_name(0, "/bin/program");
    capture.put_name(1, "abcd");
    capture.put_name(2, "compute\nmodel.py");
    capture.put_code(Code::module, {1, 0x400000, 0x500000, 0, 1, 0x400000});
    capture.put_code(Code::frame, {0, 0x401000});
    capture.put_code(Code::frame, {1, 0x402000});
    capture.put_code(Code::frame, {1, capture::frame_is_named | 2 << 24 | 17});
    capture.put_code(Code::site, {2});
    capture.put_malloc(0x1000);
    capture.put_code(Code::site, {3});
    capture.put_malloc(0x2000);
    capture.put_malloc(0x3000); // no site
    const Symbolizer symbolize = [](const std::vector<CapturedModule>& modules,
                                    const std::vector<CodeAddress>& addresses) {
        EXPECT_EQ(modules.at(0).path, "/bin/program");
        EXPECT_EQ(modules.at(0).build_id, "abcd");
        Symbols symbols;
        for (const CodeAddress& address : addresses) {
            if (address.offset == 0x1000) {
                symbols.frames.push_back({{"main", "main.c", 10, false}});
            } else {
                symbols.frames.push_back({{"inner", "a.c", 3, true}, {"outer", "a.c", 7, false}});
            }
        }
        return symbols;
    };
    Sealed sealed(capture, symbolize);
    EXPECT_EQ(read_object_table(sealed.reader).site, (std::vector<std::int32_t>{0, 1, -1}));
    const StackTable& table = sealed.reader.stacks();
    const auto functions = [&](std::size_t stack) {
        std::vector<std::string> names;
        for (std::uint32_t node = table.stacks.at(stack) + 1; node != 0;
             node = table.nodes.at(node - 1).parent) {
            names.push_back(sealed.name(table.frames.at(table.nodes[node - 1].frame).function));
        }
        return names;
    };
    EXPECT_EQ(functions(0), (std::vector<std::string>{"inner", "outer", "main"}));
    EXPECT_EQ(functions(1), (std::vector<std::string>{"compute", "main"}));
    EXPECT_EQ(table.frames[table.nodes[table.stacks[1]].frame].line, 17u);
    EXPECT_EQ(sealed.summary().sites, 2u);
    EXPECT_EQ(sealed.summary().sited_calls, 2u);
}

TEST(Markers, files_of_interpreted_code_are_called_as_the_symbolizer_says) {
    MarkedCapture capture;
    capture.put_name(0, "compute\nmodel.py");
    capture.put_name(1, "train\nmodel.py");
    capture.put_name(2, "cut");
    capture.put_code(Code::frame, {0, capture::frame_is_named | 0 << 24 | 17});
    capture.put_code(Code::frame, {1, capture::frame_is_named | 1 << 24 | 18});
    capture.put_code(Code::frame, {2, capture::frame_is_named | 2 << 24 | 19});
    capture.put_code(Code::site, {3});
    capture.put_malloc(0x1000);
    const Symbolizer symbolize = [](const std::vector<CapturedModule>& modules,
                                    const std::vector<CodeAddress>& addresses) {
        EXPECT_EQ(modules.size(), 1u);
        EXPECT_EQ(modules.at(0).path, "model.py");
        EXPECT_TRUE(addresses.empty());
        return Symbols{{}, {"hash"}};
    };
    Sealed sealed(capture, symbolize);
    const StackTable& table = sealed.reader.stacks();
    ASSERT_EQ(table.frames.size(), 3u);
    EXPECT_EQ(sealed.name(table.frames[0].file), "hash");
    EXPECT_EQ(sealed.name(table.frames[1].file), "hash");
    EXPECT_EQ(table.frames[2].file, StackFrame::unknown);
    EXPECT_EQ(sealed.name(table.frames[2].function), "cut");
}

TEST(Markers, an_address_is_looked_up_in_the_object_that_was_mapped_at_the_time) {
    MarkedCapture capture;
    capture.put_name(0, "first.so");
    capture.put_name(1, "second.so");
    capture.put_name(2, "");
    capture.put_code(Code::module, {1, 0x10000, 0x20000, 0, 2, 0x10000});
    capture.put_code(Code::frame, {0, 0x10100});
    capture.put_code(Code::site, {1});
    capture.put_malloc(0x1000);
    capture.put_code(Code::module, {0, 0x10000, 0x20000, 0, 2, 0x10000});
    capture.put_code(Code::module, {1, 0x10000, 0x20000, 1, 2, 0x10000});
    capture.put_code(Code::frame, {0, 0x10100});
    capture.put_code(Code::site, {2});
    capture.put_malloc(0x2000);
    capture.put_code(Code::frame, {0, 0x999999}); // in none
    capture.put_code(Code::site, {3});
    capture.put_malloc(0x3000);
    Sealed sealed(capture);
    const StackTable& table = sealed.reader.stacks();
    ASSERT_EQ(table.stacks.size(), 3u);
    const auto frame = [&](std::size_t stack) {
        return table.frames.at(table.nodes.at(table.stacks.at(stack)).frame);
    };
    EXPECT_EQ(sealed.name(frame(0).module), "first.so");
    EXPECT_EQ(sealed.name(frame(1).module), "second.so");
    EXPECT_EQ(frame(1).offset, 0x100u);
    EXPECT_EQ(frame(2).module, StackFrame::unknown);
    EXPECT_EQ(frame(2).offset, 0x999999u);
}

} // namespace alloclab
