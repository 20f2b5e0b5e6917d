// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/kernel.hpp>
#include <alloclab/replay/milestone.hpp>
#include <alloclab/replay/parallel_batch.hpp>
#include <alloclab/replay/thread_spans.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <pthread.h>

namespace alloclab {

// What a parallel replay found out about its threads.
struct CrewCounts {
    std::uint64_t threads = 0;                // that were started, the process's own included
    std::uint64_t processors = 0;             // that they may run on
    WaitCounts waits;                         // of threads for each other, as the trace orders them
    std::uint64_t allocator_sleeps = 0;       // voluntary context switches beside those
    std::uint64_t involuntary_switches = 0;
};

// The threads of a parallel replay. The thread of the trace's first event is the caller's; each of
// the others is a thread of its own, started where its first event is due, once all that comes
// before it in recorded order is done and every thread that had ended has been joined.
// Stacks are taken from operator new, so that they are the replayer's and not the program's.
class Crew {
public:
    // Called with the index of a sample from whichever thread comes by it; may be called at once.
    using TakeSample = std::function<void(std::uint32_t)>;

    // Requires: `kernel` and `spans` outlive the crew.
    // Throws: NotMeasuredError for a kernel without lanes.
    Crew(Kernel& kernel, const ThreadSpans& spans, TakeSample take_sample);
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    // Makes the lanes of the threads a batch starts. Not part of what is timed.
    void prepare(const ParallelBatch& batch);

    // Replays a batch that was prepared; returns when all of it is done and the threads that end
    // with it have ended.
    void run(const ParallelBatch& batch, const Program& program);

    CrewCounts counts() const;
    ReplayCounts replay_counts() const;

private:
    class Member;

    static void* enter(void* member);
    void begin_batch(const ParallelBatch& batch, const Program& program);
    void start(std::uint32_t number, Member& starter);
    void create(Member& member);
    void join(Member& member);
    void join_ended(std::uint32_t count);
    void wait_for_epoch(std::uint32_t epoch, Member& waiting, bool is_cached);

    Kernel& kernel_;
    const ThreadSpans& spans_;
    TakeSample take_sample_;
    std::vector<std::unique_ptr<Member>> members_;
    std::vector<std::unique_ptr<char[]>> stacks_;
    std::vector<std::unique_ptr<char[]>*> free_stacks_;
    std::uint32_t joined_ = 0; // of spans_.by_end()
    std::uint32_t processors_;
    Patience patience_;

    const ParallelBatch* batch_ = nullptr;
    const Program* program_ = nullptr;
    Milestone batch_number_;
    std::atomic<bool> is_stopping_{false};
    std::atomic<std::uint32_t> first_unfinished_{0}; // threads before it are done with the batch
    std::atomic<std::uint32_t> done_floor_{0};       // every op of the epochs before it is done
};

} // namespace alloclab
