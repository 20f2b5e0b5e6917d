// SPDX-License-Identifier: MIT
#include <alloclab/trace/chunk_encoder.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/varint.hpp>

namespace alloclab {

ChunkEncoder::ChunkEncoder(std::size_t capacity_events) : capacity_events_(capacity_events) {
    for (auto& column : columns_) {
        column.reserve(capacity_events);
    }
}

void ChunkEncoder::append_varint(Column column, std::uint64_t value) {
    auto& bytes = columns_[static_cast<std::size_t>(column)];
    std::uint8_t buffer[max_varint_bytes];
    const std::uint8_t* const end = write_varint(buffer, value);
    bytes.insert(bytes.end(), static_cast<const std::uint8_t*>(buffer), end);
}

void ChunkEncoder::append_byte(Column column, std::uint8_t byte) {
    columns_[static_cast<std::size_t>(column)].push_back(byte);
}

void ChunkEncoder::end_thread_run() {
    if (thread_run_ != 0) {
        append_varint(Column::thread, thread_run_);
        append_varint(Column::thread, thread_);
        thread_run_ = 0;
    }
}

void ChunkEncoder::end_tag_run() {
    if (tag_run_ != 0) {
        append_varint(Column::tag, tag_run_);
        append_varint(Column::tag, tag_);
        tag_run_ = 0;
    }
}

void ChunkEncoder::append_site(const Event& event) {
    if (event.site != 0 && !has_sites_) {
        has_sites_ = true;
        columns_[static_cast<std::size_t>(Column::site)].assign(events_without_site_, 0);
    }
    if (has_sites_) {
        append_varint(Column::site,
                      event.site == sites_.predicted() ? 0 : std::uint64_t{event.site} + 1);
        sites_.add(event.site);
    } else {
        ++events_without_site_; // predicted, should one with a site come
    }
    if (event.tag != tag_) {
        end_tag_run();
        tag_ = event.tag;
    }
    ++tag_run_;
    has_tags_ |= event.tag != 0;
}

void ChunkEncoder::append(const Event& event, std::uint64_t time_ns) {
    if (events_ == 0) {
        first_time_ns_ = last_stamp_ns_ = time_ns;
    }
    if (events_ % trace_format::events_per_time_stamp == 0) {
        append_varint(Column::time, time_ns - last_stamp_ns_);
        last_stamp_ns_ = time_ns;
    }
    if (event.thread != thread_) {
        end_thread_run();
        thread_ = event.thread;
    }
    ++thread_run_;

    append_byte(Column::code, event.code);
    const Operands operands = operands_of(event.code);
    if (operands.object) {
        append_varint(Column::object,
                      zigzag_encode(static_cast<std::int64_t>(event.object - predicted_object_)));
        predicted_object_ = event.object + 1;
    }
    if (operands.size) {
        append_varint(Column::size, event.size);
    }
    if (operands.alignment) {
        append_byte(Column::alignment, event.alignment_log2);
    }
    for (std::uint8_t index = 0; index < operands.values; ++index) {
        append_varint(Column::value, event.values[index]);
    }
    if (has_site(event.code)) {
        append_site(event);
    }
    ++events_;
}

const std::vector<std::uint8_t>& ChunkEncoder::finish() {
    end_thread_run();
    end_tag_run();
    if (!has_tags_) {
        columns_[static_cast<std::size_t>(Column::tag)].clear();
    }
    raw_.clear();
    for (const auto& column : columns_) {
        std::uint8_t buffer[max_varint_bytes];
        const std::uint8_t* const end = write_varint(buffer, column.size());
        raw_.insert(raw_.end(), static_cast<const std::uint8_t*>(buffer), end);
        raw_.insert(raw_.end(), column.begin(), column.end());
    }
    return raw_;
}

void ChunkEncoder::restart(std::uint64_t first_object) {
    events_ = 0;
    thread_run_ = 0;
    sites_.restart();
    has_sites_ = has_tags_ = false;
    events_without_site_ = 0;
    tag_run_ = 0;
    tag_ = 0;
    first_object_ = predicted_object_ = first_object;
    for (auto& column : columns_) {
        column.clear();
    }
}

} // namespace alloclab
