// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/program.hpp>
#include <alloclab/replay/slot_map.hpp>
#include <alloclab/trace/reader.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace alloclab {

// How far a replay writes to the blocks it gets (docs/comparing.md).
enum class Touch : std::uint8_t {
    recorded, // large blocks and regions as far as the program did, others a byte a page
    page,     // a byte a page
    none,     // nothing
    all,      // every byte
};

// Decodes a trace, chunk after chunk, into programs to replay.
// Cost: some 12 ns an event (docs/benchmarks.md); memory follows the live objects and one batch.
class ProgramBuilder {
public:
    struct Options {
        Touch touch = Touch::recorded;
        bool is_mapped = false; // replay mapped regions too
        std::uint64_t samples =
            0; // evenly spaced sample points, beside those at new peaks; 0: none
        bool is_peak_sampled = true; // false leaves out those at new peaks
        bool has_threads = false;    // notes whose each event is
        std::uint64_t stop_after_events = ~std::uint64_t{0};
        std::uint64_t batch_events = std::uint64_t{1} << 24;
    };

    ProgramBuilder(TraceReader& reader, Options options);

    // How many ops the largest batch may have: what to reserve, where that matters.
    std::uint64_t max_batch_ops() const;

    // Decodes the next batch into `program`, replacing what was there. Returns false at the end.
    // Throws: TraceError, SystemError.
    bool next(Program& program);

    std::uint64_t events() const { return event_; }
    std::uint64_t allocator_calls() const { return allocator_calls_; }
    std::uint32_t slots() const { return slots_.slots(); }
    std::uint64_t peak_requested_live_bytes() const { return peak_requested_live_bytes_; }
    std::uint64_t peak_requested_event() const { return peak_requested_event_; }
    std::uint64_t peak_touched_live_bytes() const { return peak_touched_live_bytes_; }

    // True when Touch::recorded was asked of a trace that recorded no touching.
    bool is_touch_unknown() const { return is_touch_unknown_; }

private:
    struct SlotState {
        static constexpr std::uint64_t region = ~std::uint64_t{0};
        std::uint64_t size = 0;
        std::uint64_t untouched_bytes = 0; // `region` for regions: they are not the allocator's
        bool is_region() const { return untouched_bytes == region; }
    };

    void add_chunk(const ChunkColumns& chunk);
    void add(const Event& event, const ChunkColumns& chunk);
    void note_thread(std::uint32_t thread);
    void add_allocation(const Event& event);
    void add_reallocation(const Event& event, const ChunkColumns& chunk);
    void add_free(const Event& event, const ChunkColumns& chunk);
    void add_region(const Event& event, const ChunkColumns& chunk);
    void add_wide(std::uint32_t slot, const WideOp& wide);
    const Touched* touched_row();
    std::uint64_t pages_to_touch(const Touched* row, std::uint64_t size, WideOp& wide) const;
    std::uint32_t slot_of(std::uint64_t object, bool is_region, const ChunkColumns& chunk);
    // A slot for a new object, its state to be set by the caller.
    [[gnu::always_inline]] std::uint32_t new_slot(std::uint64_t object) {
        const std::uint32_t slot = slots_.insert(object);
        if (slot >= state_.size()) {
            state_.resize(std::max<std::size_t>(slot + std::size_t{1}, state_.size() * 2));
        }
        return slot;
    }
    std::uint32_t new_region(std::uint64_t object, std::uint64_t size);
    [[noreturn]] void fail(const ChunkColumns& chunk, const char* reason) const;
    void note_peaks();
    void set_live(std::uint32_t slot, std::uint64_t size, std::uint64_t untouched_bytes);
    void sample();

    TraceReader& reader_;
    Options options_;
    Program* program_ = nullptr;
    SlotMap slots_;
    std::vector<SlotState> state_;
    std::size_t chunk_ = 0;
    std::size_t touched_next_ = 0;
    bool is_touch_unknown_ = false;
    std::uint64_t event_ = 0;
    std::uint64_t allocator_calls_ = 0;
    std::uint64_t sample_stride_ = ~std::uint64_t{0};
    std::uint64_t next_sample_event_ = ~std::uint64_t{0};
    std::uint64_t next_sample_peak_bytes_ = ~std::uint64_t{0};
    std::uint64_t requested_live_bytes_ = 0;
    std::uint64_t untouched_live_bytes_ = 0; // of large blocks
    std::uint64_t allocated_bytes_ = 0;
    std::uint64_t peak_requested_live_bytes_ = 0;
    std::uint64_t peak_requested_event_ = 0;
    std::uint64_t peak_touched_live_bytes_ = 0;
};

} // namespace alloclab
