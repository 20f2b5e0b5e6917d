// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

namespace alloclab::test {

// A folder of its own for one test, removed with it.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "alloclab-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    std::filesystem::path file(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

inline Event allocate(std::uint64_t size, std::uint8_t call = 0, std::uint8_t alignment_log2 = 0) {
    return {.code = call, .alignment_log2 = alignment_log2, .size = size};
}
inline Event free_of(std::uint64_t object) {
    return {.code = static_cast<std::uint8_t>(EventKind::free), .object = object};
}
inline Event event_of(EventKind kind, std::uint64_t object = 0, std::uint64_t size = 0,
                      std::uint64_t value = 0) {
    Event event{.code = static_cast<std::uint8_t>(kind), .object = object, .size = size};
    event.values[0] = value;
    return event;
}

// Writes `events` as a trace whose clock ticks 10 ns an event. `complete` may change the summary.
inline std::filesystem::path
write_trace(const TemporaryFolder& folder, const std::vector<Event>& events,
            std::size_t chunk_events = trace_format::default_chunk_events,
            const std::function<void(TraceWriter&, TraceSummary&)>& complete = {}) {
    const auto path = folder.file("test.alloctrace");
    TraceWriter writer(path, {.level = 1, .chunk_events = chunk_events});
    std::uint64_t time_ns = 0;
    for (const Event& event : events) {
        writer.append(event, time_ns += 10);
    }
    TraceSummary summary;
    if (complete) {
        complete(writer, summary);
    }
    writer.finish(summary, R"({"image":"test"})");
    return path;
}

inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace alloclab::test
