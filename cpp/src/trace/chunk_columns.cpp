// SPDX-License-Identifier: MIT
#include <alloclab/trace/chunk_columns.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/trace/site_column.hpp>

#include <algorithm>

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
}

std::vector<std::uint32_t> ChunkColumns::sites(std::uint64_t limit) const {
    std::vector<std::uint32_t> sites;
    Cursor from = cursor(Column::site);
    SitePredictor predictor;
    while (from.at != from.end) {
        std::uint64_t word = 0;
        if (!read_varint(from.at, from.end, word) || (word != 0 && word - 1 > limit)) {
            fail(sites.size(), "(of those with a site) has none that is possible");
        }
        const std::uint32_t site =
            word == 0 ? predictor.predicted() : static_cast<std::uint32_t>(word - 1);
        predictor.add(site);
        sites.push_back(site);
    }
    check_sited(sites.size());
    return sites;
}

std::vector<std::uint32_t> ChunkColumns::tags(std::uint64_t limit) const {
    std::vector<std::uint32_t> tags;
    Cursor from = cursor(Column::tag);
    while (from.at != from.end) {
        std::uint64_t run = 0;
        std::uint64_t tag = 0;
        if (!read_varint(from.at, from.end, run) || !read_varint(from.at, from.end, tag) ||
            run == 0 || run > events_ - tags.size() || tag > limit) {
            fail(tags.size(), "(of those with a tag) has a run of tags that cannot be");
        }
        tags.insert(tags.end(), static_cast<std::size_t>(run), static_cast<std::uint32_t>(tag));
    }
    check_sited(tags.size());
    return tags;
}

// A column of sites or tags is empty or has one for each event that may have one.
void ChunkColumns::check_sited(std::size_t rows) const {
    const auto codes = this->codes();
    if (rows != 0 &&
        rows != static_cast<std::size_t>(std::count_if(codes.begin(), codes.end(), has_site))) {
        fail(events_, "leaves sites or tags over, or lacks some");
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

std::uint64_t interpolated_ns(const std::vector<std::uint64_t>& stamps, std::uint64_t index) {
    constexpr std::uint64_t stride = trace_format::events_per_time_stamp;
    const std::uint64_t at = index / stride;
    if (at + 1 >= stamps.size()) {
        return stamps[at];
    }
    return stamps[at] + (stamps[at + 1] - stamps[at]) * (index % stride) / stride;
}

void ChunkColumns::fail(std::uint64_t index, const char* reason) const {
    throw TraceError(place_ + ": event " + std::to_string(index) + " of the chunk " + reason);
}

} // namespace alloclab
