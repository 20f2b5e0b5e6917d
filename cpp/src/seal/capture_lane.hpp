// SPDX-License-Identifier: MIT
#pragma once

#include "capture_head.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace alloclab {

// Where a window lies in the file and whose it is.
struct CaptureWindow {
    std::uint64_t offset;
    std::uint64_t bytes; // within the file
    std::uint32_t thread;
    std::uint32_t lane;
    std::uint32_t sequence;
    bool has_thread_exit;
    std::uint64_t end_ticks;
};

// Finds every window of a capture; sorted by thread, lane and sequence.
std::vector<CaptureWindow> find_capture_windows(std::span<const std::byte> bytes);

// Decodes one lane's windows, block by block, each from a copy with room behind it, so that no
// read leaves the file and no byte changes while it is looked at.
class CaptureLane {
public:
    CaptureLane(std::span<const std::byte> bytes, std::span<const CaptureWindow> windows,
                const CaptureClock& clock);

    // Decodes the next event and its clock. Returns false at the end. Throws: TraceError.
    bool next(RawEvent& event);
    std::uint64_t ticks() const { return ticks_; }

private:
    bool begin_block();
    bool begin_window();
    void set_block_clock();
    // What decoding an event came to.
    enum class Decoded : std::uint8_t { event, nothing, bad };

    Decoded decode();
    bool decode_coded(unsigned code);
    Decoded decode_marker(unsigned code);
    void decode_name();
    bool decode_root();
    bool decode_module();
    std::uint32_t take_name();
    std::uint64_t take_varint();
    void take_delta();
    void stamp(std::size_t event_offset);
    [[noreturn]] void reject(std::size_t event_offset, const char* reason) const;

    static constexpr std::size_t padding_bytes = 256; // more than any event

    std::span<const std::byte> bytes_;
    std::span<const CaptureWindow> windows_; // those to come
    CaptureClock clock_;
    std::uint64_t window_end_ = 0; // file offset
    std::uint64_t window_end_ticks_ = 0;
    std::uint64_t next_block_ = 0; // file offset
    std::uint64_t block_offset_ = 0;
    std::array<unsigned char, capture::block_bytes + padding_bytes> block_{};
    std::size_t at_ = 0;
    std::size_t block_size_ = 0; // less than a block where the file ends
    bool is_timed_ = false;
    std::uint64_t block_ticks_ = 0;
    double ticks_per_byte_ = 0;
    std::uint64_t last_granule_ = 0;
    std::uint32_t pending_site_ = 0; // for the next event that allocates
    RawEvent* event_ = nullptr;      // being decoded
    std::uint64_t ticks_ = 0;
    std::uint32_t thread_ = 0;
    enum class Edge : std::uint8_t { start, within, exit, done } edge_ = Edge::start;
    bool is_first_lane_ = true;
    bool has_exit_ = false;
};

} // namespace alloclab
