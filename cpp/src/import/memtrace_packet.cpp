// SPDX-License-Identifier: MIT
#include "memtrace_packet.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <string>

namespace alloclab::memtrace {

namespace {

constexpr std::uint32_t magic = 0xc1fc1fc1;
constexpr std::uint16_t newest_version = 3;
constexpr std::size_t least_packet_bytes = 66;
constexpr std::size_t most_packet_bytes = std::size_t{1} << 20; // writers make 2^15
constexpr unsigned time_bits = 25;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;

} // namespace

std::uint64_t Bytes::number(std::size_t width) {
    if (bytes_.size() - at_ < width) {
        throw TraceError("an event goes beyond its packet");
    }
    std::uint64_t value = 0;
    for (std::size_t byte = 0; byte < width; ++byte) {
        value |= std::uint64_t{bytes_[at_ + byte]} << (8 * byte);
    }
    at_ += width;
    return value;
}

std::uint64_t Bytes::vint() {
    const std::uint8_t first = u8();
    switch (first) {
    case 253:
        return u16();
    case 254:
        return u32();
    case 255:
        return u64();
    default:
        return first;
    }
}

std::string_view Bytes::text() {
    const auto rest = bytes_.subspan(at_);
    const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
    if (end == rest.end()) {
        throw TraceError("a text goes beyond its packet");
    }
    const auto length = static_cast<std::size_t>(end - rest.begin());
    at_ += length + 1;
    return {reinterpret_cast<const char*>(rest.data()), length};
}

std::size_t packet_size(std::span<const std::uint8_t> rest) {
    if (rest.size() < 8) {
        return 0;
    }
    Bytes bytes(rest);
    if (bytes.u32() != magic) {
        throw TraceError("a packet does not begin with the number that packets begin with");
    }
    const std::uint32_t bits = bytes.u32();
    if (bits % 8 != 0 || bits / 8 < least_packet_bytes || bits / 8 > most_packet_bytes) {
        throw TraceError("no packet has " + std::to_string(bits) + " bits");
    }
    return bits / 8 <= rest.size() ? bits / 8 : 0;
}

Header read_header(Bytes& bytes) {
    Header header;
    bytes.u64(); // what packet_size() has read
    header.begin_us = bytes.u64();
    header.end_us = bytes.u64();
    bytes.u32();
    header.version = bytes.u16();
    if (header.version > newest_version) {
        throw TraceError("its version, " + std::to_string(header.version) + ", is newer than " +
                         std::to_string(newest_version));
    }
    header.pid = bytes.u64();
    header.domain = header.version >= 3 ? bytes.u16() : std::uint16_t{0};
    header.bucket = bytes.u16();
    header.next = bytes.u16();
    header.code = bytes.u64();
    header.first_id = bytes.u64();
    header.end_id = bytes.u64();
    if (header.begin_us > header.end_us || header.first_id > header.end_id) {
        throw TraceError("a packet ends before it begins");
    }
    return header;
}

EventHead read_event_head(Bytes& bytes, const Header& header) {
    const std::uint32_t packed = bytes.u32();
    std::uint64_t low = packed & time_mask;
    if (low < (header.begin_us & time_mask)) {
        low += time_mask + 1;
    }
    const std::uint64_t time_us = (header.begin_us & ~time_mask) + low;
    if (time_us < header.begin_us || time_us > header.end_us) {
        throw TraceError("an event is not within the time of its packet");
    }
    return {packed >> time_bits, time_us};
}

} // namespace alloclab::memtrace
