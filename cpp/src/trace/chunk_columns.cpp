// SPDX-License-Identifier: MIT
#include <alloclab/trace/chunk_columns.hpp>

#include <alloclab/base/error.hpp>

namespace alloclab {

ChunkColumns::ChunkColumns(std::span<const std::uint8_t> raw, std::uint64_t events,
                           std::uint64_t first_object, std::uint64_t first_time_ns,
                           std::string place)
    : events_(events), first_object_(first_object), first_time_ns_(first_time_ns),
      place_(std::move(place)) {
    const std::uint8_t* at = raw.data();
    const std::uint8_t* const end = at + raw.size();
    for (auto& column : columns_) {
        std::uint64_t bytes = 0;
        if (!read_varint(at, end, bytes) || bytes > static_cast<std::uint64_t>(end - at)) {
            throw TraceError(place_ + ": a column reaches beyond the chunk");
        }
        column = {at, static_cast<std::size_t>(bytes)};
        at += bytes;
    }
    if (at != end) {
        throw TraceError(place_ + ": bytes behind the last column");
    }
    if (cursor(Column::code).end - cursor(Column::code).at != static_cast<std::ptrdiff_t>(events)) {
        throw TraceError(place_ + ": the code column does not have a byte an event");
    }
    if (!columns_[static_cast<std::size_t>(Column::site)].empty() ||
        !columns_[static_cast<std::size_t>(Column::tag)].empty()) {
        throw TraceError(place_ + ": sites and tags need a newer version of alloclab");
    }
}

std::vector<std::uint64_t> ChunkColumns::time_stamps_ns() const {
    constexpr std::uint64_t stride = trace_format::events_per_time_stamp;
    std::vector<std::uint64_t> stamps((events_ + stride - 1) / stride);
    Cursor from = cursor(Column::time);
    std::uint64_t time_ns = first_time_ns_;
    for (auto& stamp : stamps) {
        std::uint64_t delta = 0;
        if (!read_varint(from.at, from.end, delta)) {
            fail(static_cast<std::uint64_t>(&stamp - stamps.data()) * stride, "has no time stamp");
        }
        stamp = time_ns += delta;
    }
    if (from.at != from.end) {
        fail(events_, "leaves time stamps unread");
    }
    return stamps;
}

void ChunkColumns::fail(std::uint64_t index, const char* reason) const {
    throw TraceError(place_ + ": event " + std::to_string(index) + " of the chunk " + reason);
}

} // namespace alloclab
