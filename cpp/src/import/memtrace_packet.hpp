// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace alloclab::memtrace {

// Reads little-endian numbers from the front of a packet.
// Throws: TraceError, everywhere, when there are not enough bytes left.
class Bytes {
public:
    explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    bool is_at_end() const { return at_ == bytes_.size(); }

    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    std::uint64_t vint();    // a byte below 253, or the width of what follows
    std::string_view text(); // up to a zero

private:
    std::uint64_t number(std::size_t width);

    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

// What a packet says of its events. Times are microseconds since the epoch.
struct Header {
    std::uint64_t begin_us = 0, end_us = 0, pid = 0, first_id = 0, end_id = 0;
    std::uint16_t version = 0, domain = 0;
    std::uint16_t bucket = 0, next = 0; // of the writer's cache, which had `code` in the bucket
    std::uint64_t code = 0;
};

struct EventHead {
    unsigned kind = 0;
    std::uint64_t time_us = 0;
};

// The bytes of the packet that `rest` begins with; 0 while it is not all there.
// Throws: TraceError, here and below, when it is none.
std::size_t packet_size(std::span<const std::uint8_t> rest);

Header read_header(Bytes& bytes);
EventHead read_event_head(Bytes& bytes, const Header& header);

} // namespace alloclab::memtrace
