// SPDX-License-Identifier: MIT
#pragma once

// The way of an event that is not short, or that comes when its lane is not ready.

#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/lane.hpp>

#include <cstdint>

namespace alloclab::record {

// An event being put together: a code byte and its fields.
class EventBytes {
public:
    explicit EventBytes(capture::Code code)
        : bytes_{static_cast<unsigned char>(static_cast<unsigned>(code) << 1)} {}
    EventBytes(const EventBytes&) = delete;
    EventBytes& operator=(const EventBytes&) = delete;

    EventBytes& put(std::uint64_t value) {
        count_ += capture::put_varint(bytes_ + count_, value);
        return *this;
    }
    EventBytes& put(const volatile void* p) { return put(reinterpret_cast<std::uintptr_t>(p)); }

    const unsigned char* bytes() const { return bytes_; }
    unsigned count() const { return count_; }

private:
    static constexpr std::size_t most_fields = 5;
    unsigned char bytes_[1 + 9 * most_fields + 1];
    unsigned count_ = 1;
};

// Holds the calling thread's lane, or none (null) when the event cannot be recorded; then it is
// counted as lost. Releasing it does what fell due meanwhile: a footprint, a new thread's exit
// hook.
class LaneHold {
public:
    LaneHold();
    ~LaneHold();
    LaneHold(const LaneHold&) = delete;
    LaneHold& operator=(const LaneHold&) = delete;
    explicit operator bool() const { return lane_ != nullptr; }
    Lane& operator*() const { return *lane_; }

    // Appends bytes of which the first is stored last, so that the event is there whole or not.
    void append(const unsigned char* bytes, unsigned count);
    void append(const EventBytes& event) { append(event.bytes(), event.count()); }
    // Makes room first, so that the lane's last granule is the one to be coded against.
    bool make_room(unsigned bytes);

private:
    Lane* lane_;
};

// Forgets the lane's window without a word into it: in a forked child it is the parent's.
void leave_window(Lane& lane);

// Appends one event that holds no delta.
void append_event(const EventBytes& event);

} // namespace alloclab::record
