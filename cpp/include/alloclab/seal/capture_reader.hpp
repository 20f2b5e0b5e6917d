// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/seal/raw_event.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace alloclab {

// A process image that the recorded one started, or became.
struct CapturedImage {
    std::string kind; // "exec", "spawn", "fork"
    std::string path; // empty for a fork
    std::uint32_t pid{};
    std::uint64_t wall_ns{};
    bool has_failed{}; // the exec came back
};

// How references were looked for; without epochs, they were not.
struct CapturedEdges {
    std::uint64_t epochs{};
    std::uint64_t words{};
    std::uint64_t hits{};
    std::uint64_t chance_hits{};
    std::uint64_t references{};
    std::uint64_t roots{};
    std::uint64_t unseen_blocks{};
};

// What a capture says of the process image it comes from.
struct CaptureHeader {
    std::uint32_t pid{};
    std::uint32_t parent_pid{};
    std::uint32_t forked_from{}; // 0: the image began with exec, nothing was alive before
    std::string image_path;
    std::vector<std::string> arguments;
    bool has_cut_arguments{};
    std::uint64_t start_wall_ns{};
    std::uint64_t start_monotonic_ns{};
    std::uint64_t duration_ns{}; // to the latest reading of the clock
    std::uint64_t page_bytes{};
    std::string allocator_object; // the path of what provided malloc
    std::string recorder_version;
    std::uint32_t thread_count{};
    bool is_complete{};      // the end of the process, or of the recording, was seen
    std::string stop_reason; // "exit", "exec", "duration", ... or "" when nothing said
    std::uint32_t stop_errno{};
    std::uint64_t lost_events{};
    std::uint64_t untracked_blocks{}; // large blocks without touched events
    std::uint64_t lost_names{};       // beyond the recorder's table
    std::uint64_t cut_stacks{};       // distinct stacks that could not be followed to their end
    std::uint64_t lost_frames{};      // beyond a thread's table: their calls have no site
    bool has_own_malloc{};            // the program brings its own malloc: nothing could be seen
    bool is_redacted{};
    bool is_address_random{};
    bool has_huge_pages{};
    std::uint64_t static_anonymous_bytes{}; // data, bss and main stack at the end; 0: not seen
    CapturedEdges edges;
    std::string exec_target; // where stop_reason is "exec"
    std::vector<CapturedImage> images;
    std::uint64_t uncounted_images{}; // beyond the table
};

// Streams the events of a capture file in the order of their clocks, thread by thread merged.
// Needs memory by the number of windows and threads, never by a number the file holds. Cost: one
// pass; next() is O(log threads).
class CaptureReader {
public:
    // Maps the file. Throws: SystemError when it cannot be read, TraceError when its head is not
    // that of a capture.
    explicit CaptureReader(const std::filesystem::path& path);
    // Reads bytes the caller keeps alive. Throws: TraceError as above.
    explicit CaptureReader(std::span<const std::byte> bytes);
    ~CaptureReader();
    CaptureReader(CaptureReader&&) noexcept;
    CaptureReader& operator=(CaptureReader&&) noexcept;

    // Yields the next event. Returns false at the end. A capture that ends early yields every
    // whole event. Throws: TraceError at bytes that are no event, naming offset and reason.
    bool next(RawEvent& event);

    // Its is_complete is false from the start where the file is shorter than it says.
    const CaptureHeader& header() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace alloclab
