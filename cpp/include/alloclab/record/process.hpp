// SPDX-License-Identifier: MIT
#pragma once

// The one capture of this process: its file, its header page and the windows handed to lanes.

#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/files.hpp>
#include <alloclab/record/fork_page.hpp>
#include <alloclab/record/lane.hpp>
#include <alloclab/record/system_call.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

struct Process {
    std::uint32_t generation;  // one more in each forked child
    std::uint32_t process_id;  // of the process whose memory this is, not of a vfork child
    std::uint32_t forked_from; // kept for the header
    bool has_threads;          // events carry clocks
    bool can_read_cycles;
    bool has_capture; // and fork_page said so: a child that finds the page wiped knows what it is
    Lane* first_lane; // of the first thread, which must learn that it is no longer alone
    int fd;
    FileIdentity file;
    capture::FileHeader* header; // mapped, shared with the file
    std::uint64_t mapped_window_bytes;
    std::uint64_t own_page_faults;
    RareLock lock;
    char path[4096];
};

extern Process process;

inline bool is_recording() {
    return fork_page.phase == Phase::active;
}

// Whether this is a child that was made without a word to the recorder: the capture and the lanes
// are its parent's, and enter_forked_child() is due.
inline bool is_unnoticed_child() {
    return process.has_capture && !fork_page.is_ours;
}

// Opens the capture on the first call. Returns whether events are recorded.
bool ensure_capture();

// Ticks of the capture's clock.
std::uint64_t read_clock();
// Writes a reading of both clocks into the header.
void calibrate_clock();

// Gives the lane a window of its own, or, when none can be had, stops the recording.
// Requires: the lane is busy; ensure_capture() said yes. Returns whether it has one.
bool open_window(Lane& lane, std::uint32_t thread, std::uint32_t lane_idx);
// Ends the lane's window; the file keeps it.
void close_window(Lane& lane);
// Cuts the lane's window short after `kept_blocks` more blocks and keeps the rest for another.
void shorten_window(Lane& lane, std::size_t kept_blocks);

// Begins the lane's next block with the clock. Returns false when the window is full.
bool begin_block(Lane& lane);

// Stops recording for good; the program goes on.
void stop_recording(capture::StopReason reason, int error_number);
void count_lost_event();

// Opens the capture file again if the program closed its descriptor. Returns it or a negated error.
int capture_descriptor();

// For a forked child: the file, the header and the numbers are its parent's.
void forget_parent_capture();

// Writes one line to stderr: that nothing is recorded, and why.
void warn(const char* what, const char* value);
// The same, of something that does no harm to the recording.
void warn_of(const char* what, const char* value);

} // namespace alloclab::record
