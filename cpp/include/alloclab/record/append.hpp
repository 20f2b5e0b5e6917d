// SPDX-License-Identifier: MIT
#pragma once

// The way of an event that is not short, or that comes when its lane is not ready.

#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/lane.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace alloclab::record {

// An event being put together: a code byte, its fields, and for a name a piece of text.
class EventBytes {
public:
    explicit EventBytes(capture::Code code) {
        bytes_[0] = static_cast<unsigned char>(static_cast<unsigned>(code) << 1);
    }
    EventBytes(const EventBytes&) = delete;
    EventBytes& operator=(const EventBytes&) = delete;

    EventBytes& put(std::uint64_t value) {
        count_ += capture::put_varint(bytes_ + count_, value);
        return *this;
    }
    EventBytes& put(const volatile void* p) { return put(reinterpret_cast<std::uintptr_t>(p)); }
    // Requires: bytes <= capture::name_part_bytes, and no more than two fields before.
    EventBytes& put_text(const char* text, std::size_t bytes) {
        std::memcpy(bytes_ + count_, text, bytes);
        count_ += static_cast<unsigned>(bytes);
        return *this;
    }

    const unsigned char* bytes() const { return bytes_; }
    unsigned count() const { return count_; }

private:
    // A module has six fields of up to nine bytes; a name has two, and its text.
    static constexpr std::size_t capacity = 1 + 9 * 2 + capture::name_part_bytes;
    static_assert(capacity >= 1 + 9 * 6);
    unsigned char bytes_[capacity]; // not zeroed: an event is a few bytes of it
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

// Forgets the lane's window without a word into it: in a forked child it is the parent's. Where the
// fork came from a handler that interrupted the recorder, the lane's code is let go on to its end.
void leave_window(Lane& lane);

// Appends one event that holds no delta.
void append_event(const EventBytes& event);

} // namespace alloclab::record
