// SPDX-License-Identifier: MIT
#include <alloclab/record/due.hpp>

#include <alloclab/record/append.hpp>
#include <alloclab/record/control.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/residence.hpp>

#include <pthread.h>

namespace alloclab::record {

using namespace capture;

namespace {

// Footprints are taken every 8 to 64 blocks (of about a hundred events): more often while the
// footprint moves by more than 1/256, whenever that much was allocated in larger blocks, and before
// a block of that size ends: it may have been filled since.
constexpr std::uint32_t least_blocks = 8;
constexpr std::uint32_t most_blocks = 64;
constexpr std::uint64_t step_divisor = 256;
constexpr std::uint64_t least_step_bytes = 256 << 10;

std::uint32_t sample_interval_blocks = least_blocks;
std::uint64_t sampled_bytes;
std::uint64_t step_bytes = least_step_bytes;

pthread_key_t exit_key;
bool has_exit_key;
constexpr std::uint32_t exit_rounds = 4; // PTHREAD_DESTRUCTOR_ITERATIONS

// Waits for the last round of destructors: others' may still free.
void end_thread(void* lanes) {
    if (++thread_lanes.exit_rounds < exit_rounds)
        pthread_setspecific(exit_key, lanes);
    else
        finish_thread();
}

void adapt(std::uint64_t anonymous_bytes) {
    const std::uint64_t moved = anonymous_bytes > sampled_bytes ? anonymous_bytes - sampled_bytes
                                                                : sampled_bytes - anonymous_bytes;
    const std::uint32_t interval = sample_interval_blocks;
    if (moved > anonymous_bytes / step_divisor)
        sample_interval_blocks = interval / 2 > least_blocks ? interval / 2 : least_blocks;
    else
        sample_interval_blocks = interval * 2 < most_blocks ? interval * 2 : most_blocks;
    sampled_bytes = anonymous_bytes;
    step_bytes = anonymous_bytes / step_divisor > least_step_bytes ? anonymous_bytes / step_divisor
                                                                   : least_step_bytes;
}

} // namespace

void note_block(std::uint64_t ticks) {
    ThreadLanes& lanes = thread_lanes;
    if (lanes.blocks_to_sample-- == 0) {
        lanes.blocks_to_sample = sample_interval_blocks;
        lanes.is_sample_due = true;
    }
    if (claim_control(ticks))
        lanes.is_control_due = true;
}

void note_allocated(std::size_t size) {
    ThreadLanes& lanes = thread_lanes;
    lanes.unsampled_bytes += size;
    if (lanes.unsampled_bytes > step_bytes)
        lanes.is_sample_due = true;
}

void note_large_end(std::size_t size) {
    if (size > step_bytes && is_recording() && !thread_lanes.is_doing_due)
        sample_footprint();
}

void sample_footprint() {
    thread_lanes.unsampled_bytes = 0;
    const Footprint footprint = read_footprint();
    if (!footprint.is_known)
        return;
    append_event(EventBytes(Code::footprint)
                     .put(footprint.anonymous_bytes)
                     .put(footprint.file_bytes)
                     .put(footprint.page_faults));
    adapt(footprint.anonymous_bytes);
}

void do_what_is_due() {
    ThreadLanes& lanes = thread_lanes;
    if (lanes.is_doing_due)
        return;
    lanes.is_doing_due = true;
    if (lanes.is_control_due) {
        lanes.is_control_due = false;
        if (const StopReason reason = read_control(); reason != StopReason::none)
            finish_capture(reason);
    }
    if (lanes.is_sample_due) {
        lanes.is_sample_due = false;
        if (is_recording())
            sample_footprint();
    }
    if (lanes.is_exit_hook_due && has_exit_key) {
        lanes.is_exit_hook_due = false;
        pthread_setspecific(exit_key, &lanes);
    }
    lanes.is_doing_due = false;
}

void prepare_exit_hook() {
    has_exit_key = pthread_key_create(&exit_key, end_thread) == 0;
}

} // namespace alloclab::record
