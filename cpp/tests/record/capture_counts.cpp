// SPDX-License-Identifier: MIT

// Prints what a capture holds as one JSON object: the tests' own view of it, beside the sealer's.
// With --events, one line an event instead.

#include <alloclab/base/error.hpp>
#include <alloclab/seal/capture_reader.hpp>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <unordered_map>

namespace {

using alloclab::RawEvent;
using alloclab::RawKind;

const char* const kind_names[] = {"allocate",
                                  "reallocate_begin",
                                  "reallocate_end",
                                  "free",
                                  "map",
                                  "unmap",
                                  "remap",
                                  "discard",
                                  "touched_birth",
                                  "touched_death",
                                  "footprint",
                                  "thread_start",
                                  "thread_exit",
                                  "fork",
                                  "exec",
                                  "mark"};
const char* const call_names[] = {"malloc",       "calloc",         "realloc",
                                  "reallocarray", "posix_memalign", "aligned_alloc",
                                  "memalign",     "valloc",         "pvalloc"};

// What a model of the heap says of the events in their order.
struct Counts {
    std::map<std::string, std::uint64_t> by_name;
    std::unordered_map<std::uint64_t, std::uint64_t> live;
    std::unordered_map<std::uint32_t, std::uint64_t> reallocating;

    void add(const RawEvent& event) {
        ++by_name[kind_names[static_cast<std::size_t>(event.kind)]];
        ++by_name["events"];
        switch (event.kind) {
        case RawKind::allocate:
            ++by_name[std::string("call_") + call_names[static_cast<std::size_t>(event.call)]];
            by_name["requested_bytes"] += event.address != 0 ? event.size : 0;
            by_name["failed"] += event.address == 0;
            by_name["zero_size"] += event.size == 0;
            begin(event.address, event.size);
            break;
        case RawKind::free:
            by_name["free_null"] += event.address == 0;
            end(event.address);
            break;
        case RawKind::reallocate_begin:
            reallocating[event.thread] = event.address;
            break;
        case RawKind::reallocate_end:
            if (event.address != 0 || event.size == 0)
                end(reallocating[event.thread]);
            begin(event.address, event.size);
            break;
        case RawKind::touched_death:
            by_name["touched_pages"] += event.resident_pages;
            break;
        case RawKind::footprint:
            by_name["peak_anonymous_bytes"] = std::max(by_name["peak_anonymous_bytes"], event.size);
            break;
        default:
            break;
        }
        by_name["latest_ns"] = event.time_ns;
    }

private:
    void begin(std::uint64_t address, std::uint64_t size) {
        if (address != 0 && !live.emplace(address, size).second)
            ++by_name["reused_while_live"];
    }
    void end(std::uint64_t address) {
        if (address != 0 && live.erase(address) == 0)
            ++by_name["unknown_frees"];
    }
};

void print_event(const RawEvent& event) {
    std::printf("%s thread=%u time_ns=%" PRIu64 " address=%#" PRIx64 " size=%" PRIu64
                " call=%s alignment=%" PRIu64 " old=%#" PRIx64 "+%" PRIu64 " pages=%" PRIu64
                "/%" PRIu64 " prefix=%d reserved=%d faults=%" PRIu64 " value=%" PRIu64 "\n",
                kind_names[static_cast<std::size_t>(event.kind)], event.thread, event.time_ns,
                event.address, event.size, call_names[static_cast<std::size_t>(event.call)],
                event.alignment, event.old_address, event.old_size, event.resident_pages,
                event.pages, event.is_prefix, event.is_reserved, event.page_faults, event.value);
}

void print_text(const char* name, const std::string& text) {
    std::printf("\"%s\": \"", name);
    for (const char c : text)
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ')
            std::printf("\\u%04x", static_cast<unsigned char>(c));
        else
            std::putchar(c);
    std::printf("\", ");
}

void print_counts(const alloclab::CaptureHeader& header, const Counts& counts) {
    std::printf("{");
    print_text("image", header.image_path);
    print_text("allocator", header.allocator_object);
    print_text("stop_reason", header.stop_reason);
    print_text("exec_target", header.exec_target);
    std::printf("\"arguments\": [");
    for (std::size_t argument_idx = 0; argument_idx < header.arguments.size(); ++argument_idx) {
        std::printf("%s\"", argument_idx == 0 ? "" : ", ");
        for (const char c : header.arguments[argument_idx])
            if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ')
                std::printf("\\u%04x", static_cast<unsigned char>(c));
            else
                std::putchar(c);
        std::printf("\"");
    }
    std::printf("], \"pid\": %u, \"parent_pid\": %u, \"forked_from\": %u, \"thread_count\": %u, "
                "\"is_complete\": %s, \"lost_events\": %" PRIu64 ", \"has_own_malloc\": %s, "
                "\"images\": %zu, \"duration_ns\": %" PRIu64 ", \"live\": %zu, \"counts\": {",
                header.pid, header.parent_pid, header.forked_from, header.thread_count,
                header.is_complete ? "true" : "false", header.lost_events,
                header.has_own_malloc ? "true" : "false", header.images.size(), header.duration_ns,
                counts.live.size());
    const char* separator = "";
    for (const auto& [name, count] : counts.by_name) {
        std::printf("%s\"%s\": %" PRIu64, separator, name.c_str(), count);
        separator = ", ";
    }
    std::printf("}}\n");
}

} // namespace

int main(int argc, char** argv) {
    const bool has_events = argc == 3 && std::strcmp(argv[1], "--events") == 0;
    const bool is_decode_only = argc == 3 && std::strcmp(argv[1], "--decode") == 0;
    if (argc != 2 && !has_events && !is_decode_only) {
        std::fprintf(stderr, "usage: capture_counts [--events | --decode] CAPTURE\n");
        return 2;
    }
    try {
        alloclab::CaptureReader reader{std::filesystem::path(argv[argc - 1])};
        Counts counts;
        RawEvent event;
        while (reader.next(event)) {
            if (is_decode_only)
                ++counts.by_name["events"];
            else if (has_events)
                print_event(event);
            else
                counts.add(event);
        }
        if (!has_events)
            print_counts(reader.header(), counts);
    } catch (const alloclab::Error& error) {
        std::fprintf(stderr, "capture_counts: %s\n", error.what());
        return 1;
    }
    return 0;
}
