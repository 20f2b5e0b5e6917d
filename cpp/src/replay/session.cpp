// SPDX-License-Identifier: MIT
#include <alloclab/replay/session.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/measure/resident.hpp>
#include <alloclab/replay/program_builder.hpp>

#include <algorithm>
#include <atomic>
#include <ctime>

namespace alloclab {

namespace {

// How far file and shared pages may move during a replay before the high-water mark, which counts
// them too, is no longer the allocator's.
constexpr std::uint64_t moved_limit_bytes = 512 * 1024;

// Stops at which a replay that takes no samples says how far it is: few, for each costs a timed
// batch two readings of the clock.
constexpr std::uint64_t progress_stops = 100;

constexpr std::uint64_t parallel_batch_events = std::uint64_t{1} << 23;

// A damaged summary may claim any number of objects; beyond this, tables grow as they are needed.
constexpr std::uint64_t likely_slots_limit = std::uint64_t{1} << 24;

std::uint64_t now_ns(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t distance(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : b - a;
}

// What a session in parallel order has beside.
struct Parallel {
    Parallel(TraceReader& reader, const SessionConfig& config, Kernel& kernel,
             Crew::TakeSample take_sample)
        : spans(reader, config.stop_after_events), splitter(spans, config.max_distance),
          crew(kernel, spans, std::move(take_sample)) {}

    ThreadSpans spans;
    ProgramSplitter splitter;
    ParallelBatch batch;
    Crew crew;
};

// The state of one session, in the order in which it is used.
class Session {
public:
    explicit Session(const SessionConfig& config)
        : config_(config), reader_(config.trace),
          builder_(reader_, {.touch = config.kernel.touch,
                             .is_mapped = config.is_mapped,
                             .samples = sample_count(),
                             .is_peak_sampled = is_sampled(),
                             .has_threads = is_parallel(),
                             .stop_after_events = config.stop_after_events,
                             .batch_events = batch_events()}),
          kernel_(make_kernel(config.kernel)) {
        if (is_parallel()) {
            prepare_parallel();
        }
        kernel_->reserve_slots(likely_slots());
        result_.timeline.reserve(config.samples * 4);
        program_.ops.reserve(builder_.max_batch_ops());
    }

    SessionResult run() {
        std::uint64_t events_done = 0;
        while (decode_batch()) {
            if (events_done == 0) {
                start();
            } else {
                begin_batch();
            }
            replay_batch();
            end_batch();
            if (config_.placed) {
                config_.placed(kernel_->take_placed());
            }
            events_done = builder_.events();
        }
        if (events_done == 0) {
            start();
            end_batch();
        }
        finish();
        return std::move(result_);
    }

private:
    bool is_parallel() const { return config_.order == ReplayOrder::parallel; }

    // In parallel order a batch is there twice, and an event takes up to four ops.
    std::uint64_t batch_events() const {
        return is_parallel() ? std::min(config_.batch_events, parallel_batch_events)
                             : config_.batch_events;
    }

    void prepare_parallel() {
        const Measure measure = config_.kernel.measure;
        if (measure == Measure::blocks || measure == Measure::placement) {
            throw NotMeasuredError("parallel order has no order of all blocks: their sizes and "
                                   "places are taken in exact order");
        }
        parallel_ = std::make_unique<Parallel>(
            reader_, config_, *kernel_,
            [this](std::uint32_t number) { take_parallel_sample(number); });
    }

    bool is_sampled() const {
        return config_.kernel.measure == Measure::timeline ||
               config_.kernel.measure == Measure::blocks;
    }

    std::uint64_t sample_count() const {
        return is_sampled() ? config_.samples : config_.progress ? progress_stops : 0;
    }

    // What the trace says of itself, believed as far as it has objects at all: a table that does
    // not grow moves no shared pages between batches.
    std::uint32_t likely_slots() const {
        const auto& summary = reader_.summary();
        return static_cast<std::uint32_t>(
            std::min({summary.max_live_objects, summary.objects, config_.stop_after_events,
                      likely_slots_limit}));
    }

    bool decode_batch() {
        const std::uint64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        const bool has_batch = builder_.next(program_);
        if (is_parallel() && has_batch) {
            parallel_->splitter.split(program_, parallel_->batch);
            parallel_->crew.prepare(parallel_->batch);
            add_sample_rows();
        }
        result_.decode_ns += now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
        kernel_->reserve_slots(is_parallel() ? parallel_->splitter.slots() : builder_.slots());
        return has_batch;
    }

    void start() {
        populate_file_mappings();
        before_ = meter_.read();
        mark_is_reset_ = meter_.reset_high_water();
        faults_before_ = page_faults();
    }

    // Decoding a later batch may have grown the replayer's tables, which are shared pages, and so
    // counts as there before; so do its page faults.
    void begin_batch() {
        const Resident now = meter_.read();
        before_.shared += now.shared - at_batch_end_.shared;
        mark_is_reset_ = meter_.reset_high_water() && mark_is_reset_;
        faults_before_ += page_faults() - faults_at_batch_end_;
    }

    // The mark counts file and shared pages too: it is read before decoding moves them.
    void end_batch() {
        faults_at_batch_end_ = page_faults();
        at_batch_end_ = meter_.read();
        const std::uint64_t other = at_batch_end_.file + at_batch_end_.shared;
        if (at_batch_end_.high_water > other) {
            peak_by_mark_bytes_ = std::max(peak_by_mark_bytes_, at_batch_end_.high_water - other);
        }
    }

    void replay_batch() {
        if (is_parallel()) {
            time([this] { parallel_->crew.run(parallel_->batch, program_); });
            for (std::size_t row = first_row_; row < result_.timeline.size(); ++row) {
                sampled_peak_bytes_ =
                    std::max(sampled_peak_bytes_, result_.timeline[row].anonymous_bytes);
            }
            return;
        }
        std::size_t done = 0;
        for (const SamplePoint& sample : program_.samples) {
            run(done, sample.op);
            done = sample.op;
            take_sample(sample);
        }
        run(done, program_.ops.size());
    }

    void run(std::size_t from, std::size_t to) {
        if (from != to) {
            time([&] { kernel_->run(program_, from, to); });
        }
    }

    template <class Batch> void time(Batch&& batch) {
        const std::uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        const std::uint64_t wall = now_ns(CLOCK_MONOTONIC);
        batch();
        result_.wall_ns += now_ns(CLOCK_MONOTONIC) - wall;
        result_.cpu_ns += now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    }

    void take_sample(const SamplePoint& sample) {
        if (is_sampled()) {
            const std::uint64_t anonymous = meter_.anonymous_bytes();
            sampled_peak_bytes_ = std::max(sampled_peak_bytes_, anonymous);
            result_.timeline.push_back({sample.event, sample.requested_live_bytes,
                                        sample.touched_live_bytes, sample.allocated_bytes,
                                        anonymous, kernel_->counts().block_live_bytes});
        }
        if (config_.progress) {
            config_.progress(sample.event, reader_.summary().events);
        }
    }

    // The samples of a batch in parallel order, to which the threads add what is resident.
    void add_sample_rows() {
        first_row_ = result_.timeline.size();
        for (const SamplePoint& sample : program_.samples) {
            if (is_sampled()) {
                result_.timeline.push_back({sample.event, sample.requested_live_bytes,
                                            sample.touched_live_bytes, sample.allocated_bytes, 0,
                                            0});
            }
        }
    }

    // Called by any thread; of two that tell their progress at once, one does not.
    void take_parallel_sample(std::uint32_t number) {
        if (is_sampled()) {
            result_.timeline[first_row_ + number].anonymous_bytes = meter_.anonymous_bytes();
        }
        if (config_.progress && !is_telling_.test_and_set(std::memory_order_acquire)) {
            const std::uint64_t event = program_.samples[number].event;
            if (event > told_event_) {
                told_event_ = event;
                config_.progress(event, reader_.summary().events);
            }
            is_telling_.clear(std::memory_order_release);
        }
    }

    void finish() {
        const Resident& after = at_batch_end_;
        result_.page_faults = faults_at_batch_end_ - faults_before_;
        result_.anonymous_start_bytes = before_.anonymous;
        result_.anonymous_end_bytes = after.anonymous;
        result_.anonymous_peak_bytes = std::max(
            {peak_by_mark_bytes_, sampled_peak_bytes_, before_.anonymous, after.anonymous});
        if (!mark_is_reset_) {
            result_.anonymous_peak_doubt = "the kernel does not reset the high-water mark";
        } else if (distance(before_.file, after.file) > moved_limit_bytes ||
                   distance(before_.shared, after.shared) > moved_limit_bytes) {
            result_.anonymous_peak_doubt = "file or shared pages moved during the replay";
        }
        result_.call_path = kernel_->call_path();
        result_.is_touch_unknown = builder_.is_touch_unknown();
        result_.events = builder_.events();
        result_.replayed_events = builder_.allocator_calls();
        result_.peak_requested_live_bytes = builder_.peak_requested_live_bytes();
        result_.peak_requested_event = builder_.peak_requested_event();
        result_.peak_touched_live_bytes = builder_.peak_touched_live_bytes();
        result_.counts = kernel_->counts();
        if (is_parallel()) {
            result_.counts = parallel_->crew.replay_counts();
            result_.crew = parallel_->crew.counts();
            result_.ordered_ops = parallel_->splitter.ops();
            result_.longest_chain_ops = parallel_->splitter.longest_chain();
        }
        result_.stats = kernel_->stats();
    }

    const SessionConfig& config_;
    TraceReader reader_;
    ProgramBuilder builder_;
    std::unique_ptr<Kernel> kernel_;
    Program program_;
    ResidentMeter meter_;
    Resident before_; // moved on by what decoding later batches did
    Resident at_batch_end_;
    bool mark_is_reset_ = false;
    std::uint64_t faults_before_ = 0; // moved on as well
    std::uint64_t faults_at_batch_end_ = 0;
    std::uint64_t peak_by_mark_bytes_ = 0;
    std::uint64_t sampled_peak_bytes_ = 0;
    SessionResult result_;
    std::size_t first_row_ = 0; // of this batch, in the timeline
    std::uint64_t told_event_ = 0;
    std::atomic_flag is_telling_;
    std::unique_ptr<Parallel> parallel_; // last: its threads end before what they use
};

} // namespace

SessionResult run_session(const SessionConfig& config) {
    return Session(config).run();
}

} // namespace alloclab
