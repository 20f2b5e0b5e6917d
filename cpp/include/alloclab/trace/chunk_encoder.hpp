// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/event.hpp>
#include <alloclab/trace/format.hpp>
#include <alloclab/trace/site_column.hpp>

#include <array>
#include <cstdint>
#include <vector>

namespace alloclab {

// Gathers the columns of one chunk. A chunk decodes on its own: the first object named is relative
// to `first_object`, the first time stamp is in the index.
class ChunkEncoder {
public:
    explicit ChunkEncoder(std::size_t capacity_events);

    // Requires: not full. `time_ns` never runs backwards.
    void append(const Event& event, std::uint64_t time_ns);

    bool is_full() const { return events_ == capacity_events_; }
    bool is_empty() const { return events_ == 0; }
    std::size_t events() const { return events_; }
    std::uint64_t first_object() const { return first_object_; }
    std::uint64_t first_time_ns() const { return first_time_ns_; }

    // The columns, each preceded by its length; valid until the next call of any kind.
    const std::vector<std::uint8_t>& finish();

    // Starts the next chunk, whose first new object will be `first_object`.
    void restart(std::uint64_t first_object);

private:
    using Column = trace_format::Column;

    void append_varint(Column column, std::uint64_t value);
    void append_byte(Column column, std::uint8_t byte);
    void end_thread_run();
    void append_site(const Event& event);
    void end_tag_run();

    std::size_t capacity_events_;
    std::size_t events_ = 0;
    std::uint64_t first_object_ = 0;
    std::uint64_t predicted_object_ = 0;
    std::uint64_t first_time_ns_ = 0;
    std::uint64_t last_stamp_ns_ = 0;
    std::uint64_t thread_run_ = 0;
    std::uint32_t thread_ = 0;
    SitePredictor sites_;
    bool has_sites_ = false;              // of the chunk; without one its column is empty
    std::size_t events_without_site_ = 0; // before the first with one
    bool has_tags_ = false;
    std::uint64_t tag_run_ = 0;
    std::uint32_t tag_ = 0;
    std::array<std::vector<std::uint8_t>, trace_format::column_count> columns_;
    std::vector<std::uint8_t> raw_;
};

} // namespace alloclab
