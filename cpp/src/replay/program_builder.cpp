// SPDX-License-Identifier: MIT
#include <alloclab/replay/program_builder.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>

namespace alloclab {

namespace {

// A new requested peak is sampled when it exceeds the last sampled one by this share: footprint
// cannot have moved by more, and ramps would otherwise be sampled at every event.
constexpr std::uint64_t peak_step_divisor = 400;

constexpr std::uint64_t spanned_pages(std::uint64_t size) {
    return (size + page_bytes - 1) / page_bytes;
}

std::uint64_t untouched_bytes(const WideOp& wide) {
    return wide.size - std::min(wide.size, wide.touch_pages * page_bytes);
}

} // namespace

ProgramBuilder::ProgramBuilder(TraceReader& reader, Options options)
    : reader_(reader), options_(options) {
    is_touch_unknown_ = options.touch == Touch::recorded && reader.summary().has_touched == 0;
    if (options_.samples != 0) {
        const std::uint64_t events = std::min(reader.summary().events, options.stop_after_events);
        sample_stride_ = std::max<std::uint64_t>(1, events / options_.samples);
        next_sample_event_ = sample_stride_;
        if (options_.is_peak_sampled) {
            next_sample_peak_bytes_ = 0;
        }
    }
}

std::uint64_t ProgramBuilder::max_batch_ops() const {
    return std::min(std::max<std::uint64_t>(options_.batch_events, trace_format::max_chunk_events),
                    reader_.summary().events);
}

[[gnu::always_inline]] inline void ProgramBuilder::note_peaks() {
    if (requested_live_bytes_ > peak_requested_live_bytes_) [[unlikely]] {
        peak_requested_live_bytes_ = requested_live_bytes_;
        peak_requested_event_ = event_;
    }
    if (requested_live_bytes_ - untouched_live_bytes_ > peak_touched_live_bytes_) [[unlikely]] {
        peak_touched_live_bytes_ = requested_live_bytes_ - untouched_live_bytes_;
    }
}

void ProgramBuilder::set_live(std::uint32_t slot, std::uint64_t size,
                              std::uint64_t untouched_bytes) {
    SlotState& state = state_[slot];
    requested_live_bytes_ += size - state.size;
    untouched_live_bytes_ += untouched_bytes - state.untouched_bytes;
    allocated_bytes_ += size > state.size ? size - state.size : 0;
    state = {size, untouched_bytes};
    note_peaks();
}

[[gnu::always_inline]] inline void ProgramBuilder::add_allocation(const Event& event) {
    const std::uint32_t slot = new_slot(event.object);
    state_[slot] = {event.size, 0};
    requested_live_bytes_ += event.size;
    allocated_bytes_ += event.size;
    const bool is_zeroed = event.code == 1;
    const bool is_large = event.size >= 64_KiB;
    if (event.code >= 4 || is_large) [[unlikely]] {
        WideOp wide{.code = is_zeroed ? WideCode::allocate_zero : WideCode::allocate,
                    .size = event.size};
        if (event.code >= 4) {
            wide.code = WideCode::allocate_aligned;
            wide.alignment =
                event.code >= 7
                    ? page_bytes
                    : std::max<std::uint64_t>(8, std::uint64_t{1} << event.alignment_log2);
        }
        const bool is_recorded = options_.touch == Touch::recorded && is_large;
        wide.touch_pages = pages_to_touch(is_recorded ? touched_row() : nullptr, event.size, wide);
        state_[slot].untouched_bytes = untouched_bytes(wide);
        untouched_live_bytes_ += untouched_bytes(wide);
        note_peaks();
        add_wide(slot, wide);
        return;
    }
    note_peaks();
    program_->ops.push_back(
        Op::make(is_zeroed ? OpCode::allocate_zero : OpCode::allocate, slot, event.size));
}

[[gnu::always_inline]] inline void ProgramBuilder::add_free(const Event& event,
                                                            const ChunkColumns& chunk) {
    const std::uint32_t slot = slots_.take(event.object);
    if (slot == SlotMap::none || state_[slot].is_region()) [[unlikely]] {
        fail(chunk, "frees an object that is no live block");
    }
    const SlotState& state = state_[slot];
    requested_live_bytes_ -= state.size;
    untouched_live_bytes_ -= state.untouched_bytes;
    program_->ops.push_back(Op::make(OpCode::free, slot, 0));
}

[[gnu::always_inline]] inline void ProgramBuilder::add(const Event& event,
                                                       const ChunkColumns& chunk) {
    if (event.code < 0x10) {
        add_allocation(event);
    } else if (event.code == static_cast<std::uint8_t>(EventKind::free) ||
               event.code == static_cast<std::uint8_t>(EventKind::reallocate_zero)) {
        add_free(event, chunk);
    } else if (event.code == static_cast<std::uint8_t>(EventKind::reallocate)) {
        add_reallocation(event, chunk);
    } else {
        add_region(event, chunk);
    }
    ++event_;
    if (event_ >= next_sample_event_ || requested_live_bytes_ > next_sample_peak_bytes_)
        [[unlikely]] {
        sample();
    }
}

void ProgramBuilder::note_thread(std::uint32_t thread) {
    auto& runs = program_->runs;
    if (runs.empty() || runs.back().thread != thread) {
        runs.push_back({event_, program_->ops.size(), thread});
    }
}

void ProgramBuilder::add_chunk(const ChunkColumns& chunk) {
    const std::uint64_t rest = options_.stop_after_events - event_;
    if (options_.has_threads) {
        const std::uint64_t stop = event_ + std::min(rest, chunk.events());
        chunk.visit([&](const Event& event) {
            if (event_ < stop) {
                note_thread(event.thread);
                add(event, chunk);
            }
        });
        program_->end_event = event_;
    } else if (rest >= chunk.events()) {
        chunk.visit([&](const Event& event) { add(event, chunk); });
    } else {
        const std::uint64_t stop = event_ + rest;
        chunk.visit([&](const Event& event) {
            if (event_ < stop) {
                add(event, chunk);
            }
        });
    }
    const auto codes = chunk.codes().first(std::min(rest, chunk.events()));
    allocator_calls_ +=
        static_cast<std::uint64_t>(std::count_if(codes.begin(), codes.end(), is_allocator_call));
}

bool ProgramBuilder::next(Program& program) {
    program.ops.clear();
    program.wide.clear();
    program.samples.clear();
    program.runs.clear();
    program_ = &program;
    const auto& chunks = reader_.chunks();
    std::uint64_t batch_end = chunk_;
    std::uint64_t batch_events = 0;
    while (
        batch_end < chunks.size() && chunks[batch_end].first_event < options_.stop_after_events &&
        (batch_events == 0 || batch_events + chunks[batch_end].events <= options_.batch_events)) {
        batch_events += chunks[batch_end++].events;
    }
    if (batch_events == 0) {
        return false;
    }
    program.ops.reserve(batch_events);
    for (; chunk_ < batch_end; ++chunk_) {
        add_chunk(reader_.read_chunk(chunk_));
    }
    if (options_.samples != 0) {
        sample();
    }
    return true;
}

// The row of the touched table about the event being added, if there is one.
const Touched* ProgramBuilder::touched_row() {
    const auto& rows = reader_.touched();
    while (touched_next_ < rows.size() && rows[touched_next_].event < event_) {
        ++touched_next_;
    }
    if (touched_next_ < rows.size() && rows[touched_next_].event == event_) {
        return &rows[touched_next_];
    }
    return nullptr;
}

std::uint64_t ProgramBuilder::pages_to_touch(const Touched* row, std::uint64_t size,
                                             WideOp& wide) const {
    if (row == nullptr || row->resident_at_death == Touched::unknown) {
        return spanned_pages(size);
    }
    wide.is_prefix = row->is_prefix;
    return std::min(row->resident_at_death, spanned_pages(size) + 1);
}

void ProgramBuilder::add_wide(std::uint32_t slot, const WideOp& wide) {
    program_->ops.push_back(Op::make(OpCode::wide, slot, program_->wide.size()));
    program_->wide.push_back(wide);
}

void ProgramBuilder::fail(const ChunkColumns& chunk, const char* reason) const {
    chunk.fail(event_ - reader_.chunks()[chunk_].first_event, reason);
}

std::uint32_t ProgramBuilder::slot_of(std::uint64_t object, bool is_region,
                                      const ChunkColumns& chunk) {
    const std::uint32_t slot = slots_.find(object);
    if (slot == SlotMap::none || state_[slot].is_region() != is_region) {
        fail(chunk, is_region ? "names an object that is no live region"
                              : "names an object that is no live block");
    }
    return slot;
}

void ProgramBuilder::add_reallocation(const Event& event, const ChunkColumns& chunk) {
    const std::uint32_t slot = slot_of(event.object, false, chunk);
    if (event.size < 64_KiB) {
        set_live(slot, event.size, 0);
        program_->ops.push_back(Op::make(OpCode::reallocate, slot, event.size));
        return;
    }
    WideOp wide{.code = WideCode::reallocate, .size = event.size};
    wide.touch_pages = pages_to_touch(options_.touch == Touch::recorded ? touched_row() : nullptr,
                                      event.size, wide);
    set_live(slot, event.size, untouched_bytes(wide));
    add_wide(slot, wide);
}

void ProgramBuilder::sample() {
    const SamplePoint point{program_->ops.size(), event_, requested_live_bytes_,
                            requested_live_bytes_ - untouched_live_bytes_, allocated_bytes_};
    program_->samples.push_back(point);
    while (next_sample_event_ <= event_) {
        next_sample_event_ += sample_stride_;
    }
    next_sample_peak_bytes_ =
        std::max(next_sample_peak_bytes_,
                 requested_live_bytes_ + requested_live_bytes_ / peak_step_divisor + page_bytes);
}

} // namespace alloclab
