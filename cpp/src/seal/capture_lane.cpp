// SPDX-License-Identifier: MIT
#include "capture_lane.hpp"

#include <alloclab/base/bits.hpp>
#include <alloclab/base/error.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

namespace alloclab {

using namespace capture;

namespace {

std::uint64_t load_word(const unsigned char* p) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, sizeof word);
    return word;
}

bool read_window(std::span<const std::byte> bytes, std::uint64_t offset, CaptureWindow& out) {
    WindowHeader header{};
    if (bytes.size() - offset < sizeof header)
        return false;
    std::memcpy(&header, bytes.data() + offset, sizeof header);
    if (header.magic != window_magic || header.bytes < block_bytes ||
        header.bytes > window_max_bytes || header.bytes % block_bytes != 0)
        return false;
    out = {offset,          std::min<std::uint64_t>(header.bytes, bytes.size() - offset),
           header.thread,   header.lane,
           header.sequence, header.has_thread_exit != 0,
           header.end_ticks};
    return true;
}

} // namespace

std::vector<CaptureWindow> find_capture_windows(std::span<const std::byte> bytes) {
    std::vector<CaptureWindow> windows;
    for (std::uint64_t offset = head_bytes; offset < bytes.size();) {
        CaptureWindow window{};
        if (read_window(bytes, offset, window)) {
            windows.push_back(window);
            offset += std::max<std::uint64_t>(window.bytes, block_bytes);
        } else { // not begun, or what a thread left and none took
            offset = align_down(offset, window_granule_bytes) + window_granule_bytes;
        }
    }
    std::stable_sort(windows.begin(), windows.end(), [](const auto& a, const auto& b) {
        return std::tie(a.thread, a.lane, a.sequence) < std::tie(b.thread, b.lane, b.sequence);
    });
    return windows;
}

CaptureLane::CaptureLane(std::span<const std::byte> bytes, std::span<const CaptureWindow> windows,
                         const CaptureClock& clock)
    : bytes_(bytes), windows_(windows), clock_(clock), thread_(windows.front().thread),
      is_first_lane_(windows.front().lane == 0) {
    has_exit_ = is_first_lane_ && std::any_of(windows.begin(), windows.end(),
                                              [](const auto& w) { return w.has_thread_exit; });
}

void CaptureLane::reject(std::size_t event_offset, const char* reason) const {
    throw TraceError("capture offset " + std::to_string(block_offset_ + event_offset) + ": " +
                     reason);
}

bool CaptureLane::begin_window() {
    if (windows_.empty())
        return false;
    const CaptureWindow& window = windows_.front();
    windows_ = windows_.subspan(1);
    next_block_ = window.offset + block_bytes;
    window_end_ = window.offset + window.bytes;
    window_end_ticks_ = window.end_ticks;
    last_granule_ = 0;
    return true;
}

// Events between two clocks are given times by their place between them.
// Requires: block_ holds the block; next_block_ is behind it.
void CaptureLane::set_block_clock() {
    const std::uint64_t first_word = load_word(block_.data());
    is_timed_ = (first_word & block_is_timed) != 0;
    block_ticks_ = first_word & ~block_is_timed;
    std::uint64_t end_ticks = 0;
    if (next_block_ + block_clock_bytes <= window_end_) {
        std::memcpy(&end_ticks, bytes_.data() + next_block_, sizeof end_ticks);
        end_ticks &= ~block_is_timed;
    }
    if (end_ticks == 0)
        end_ticks = window_end_ticks_;
    ticks_per_byte_ =
        end_ticks > block_ticks_ ? static_cast<double>(end_ticks - block_ticks_) / block_bytes : 0;
    ticks_ = block_ticks_;
}

bool CaptureLane::begin_block() {
    for (;;) {
        if (next_block_ + block_clock_bytes > window_end_) {
            if (!begin_window())
                return false;
            continue;
        }
        block_offset_ = next_block_;
        block_size_ = std::min<std::uint64_t>(block_bytes, window_end_ - block_offset_);
        next_block_ += block_bytes;
        std::memcpy(block_.data(), bytes_.data() + block_offset_, block_size_);
        std::memset(block_.data() + block_size_, 0, block_.size() - block_size_);
        if (load_word(block_.data()) == 0) { // never begun: nor is any behind it
            next_block_ = window_end_;
            continue;
        }
        set_block_clock();
        at_ = block_clock_bytes;
        return true;
    }
}

std::uint64_t CaptureLane::take_varint() {
    const std::uint64_t word = load_word(block_.data() + at_);
    const unsigned prefix = static_cast<unsigned>(std::countr_zero(word | 0x100));
    if (prefix == 8) { // a zero byte, then eight
        const std::uint64_t value = load_word(block_.data() + at_ + 1);
        at_ += 9;
        return value;
    }
    at_ += prefix + 1;
    return (word >> (prefix + 1)) & (~std::uint64_t{0} >> (64 - 7 * (prefix + 1)));
}

void CaptureLane::take_delta() {
    last_granule_ += static_cast<std::uint64_t>(zigzag_decode(take_varint()));
    event_->address = last_granule_ << 4;
}

void CaptureLane::stamp(std::size_t event_offset) {
    if (is_timed_)
        ticks_ += take_varint() << event_clock_shift;
    else
        ticks_ = block_ticks_ +
                 static_cast<std::uint64_t>(ticks_per_byte_ * static_cast<double>(event_offset));
    event_->time_ns = clock_.ns_since_start(ticks_);
}

bool CaptureLane::next(RawEvent& event) {
    event_ = &event;
    if (edge_ == Edge::done)
        return false;
    if (edge_ == Edge::start) {
        edge_ = Edge::within;
        if (!begin_block()) {
            edge_ = Edge::done;
            return false;
        }
        if (is_first_lane_) {
            *event_ = RawEvent{.kind = RawKind::thread_start, .thread = thread_};
            event_->time_ns = clock_.ns_since_start(ticks_);
            return true;
        }
    }
    for (;;) {
        if (at_ < block_size_ && block_[at_] != 0) {
            const std::size_t event_offset = at_;
            *event_ = RawEvent{.thread = thread_};
            const Decoded decoded = decode();
            if (decoded == Decoded::bad)
                reject(event_offset, "not an event");
            stamp(event_offset);
            if (at_ <= block_size_) {
                if (decoded == Decoded::event)
                    return true;
                continue;
            }
            if (block_size_ == block_bytes)
                reject(event_offset, "an event leaves its block");
            at_ = block_size_; // the file ends within it
        }
        if (!begin_block())
            break;
    }
    edge_ = Edge::done;
    *event_ = RawEvent{.kind = RawKind::thread_exit, .thread = thread_};
    event_->time_ns = clock_.ns_since_start(ticks_);
    return has_exit_;
}

} // namespace alloclab
