// SPDX-License-Identifier: MIT
#include <alloclab/replay/crew.hpp>

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>

namespace alloclab {

namespace {

constexpr std::size_t stack_bytes = 256 * 1024;

std::uint32_t processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
}

rusage thread_usage() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage;
}

// A thread that cannot be started leaves others waiting for good: there is no going on.
[[noreturn]] void die(const char* what, int error) {
    std::fprintf(stderr, "cannot %s: %s\n", what, std::strerror(error));
    std::_Exit(1);
}

} // namespace

// One thread of the crew.
class Crew::Member final : public LaneSync {
public:
    Member(Crew& crew, std::uint32_t thread)
        : LaneSync(crew.patience_), thread(thread), lane(crew.kernel_.make_lane(thread)),
          crew_(crew) {}

    void wait(std::uint32_t other, std::uint32_t ops) override {
        crew_.members_[other]->done.wait(ops, patience, counts.waits);
    }

    void control(ControlCode code, std::uint32_t number) override {
        if (code == ControlCode::epoch) {
            epoch.reach(number, patience);
            const std::uint32_t floor = crew_.batch_->floors[number];
            if (crew_.done_floor_.load(std::memory_order_acquire) < floor) {
                crew_.wait_for_epoch(floor, *this, true);
            }
        } else if (code == ControlCode::start) {
            crew_.start(number, *this);
        } else {
            crew_.take_sample_(number);
        }
    }

    // Does this thread's part of the batch.
    void work() {
        crew_.patience_.wake(1);
        const rusage before = thread_usage();
        const std::uint64_t own = counts.waits.switches;
        lane->run(crew_.batch_->threads[thread].ops, *crew_.program_, *this);
        const rusage after = thread_usage();
        const auto slept = static_cast<std::uint64_t>(after.ru_nvcsw - before.ru_nvcsw);
        counts.allocator_sleeps += slept - std::min(slept, counts.waits.switches - own);
        counts.involuntary_switches +=
            static_cast<std::uint64_t>(after.ru_nivcsw - before.ru_nivcsw);
        crew_.patience_.sleep(1);
        done.reach(Milestone::end, patience);
        epoch.reach(Milestone::end, patience);
    }

    // The life of every thread but the caller's: batch after batch, to its last event.
    void live() {
        for (std::uint32_t batch = crew_.batch_number_.value();; ++batch) {
            const bool is_last = crew_.spans_[thread].last_event < crew_.batch_->end_event;
            work();
            if (is_last) {
                return;
            }
            WaitCounts between; // nobody's: the batch is done
            crew_.batch_number_.wait(batch + 1, crew_.patience_, between);
            if (crew_.is_stopping_.load()) {
                return;
            }
        }
    }

    const std::uint32_t thread;
    std::unique_ptr<Lane> lane;
    Milestone epoch; // every op of this thread's in the epochs before it is done
    CrewCounts counts;
    pthread_t handle{};
    std::unique_ptr<char[]>* stack = nullptr; // while it is started

private:
    Crew& crew_;
};

Crew::Crew(Kernel& kernel, const ThreadSpans& spans, TakeSample take_sample)
    : kernel_(kernel), spans_(spans), take_sample_(std::move(take_sample)),
      processors_(processors()), patience_(processors_) {
    if (kernel.make_lane(0) == nullptr) {
        throw NotMeasuredError("parallel order: it is not thread-safe: put it into a Locked or a "
                               "ThreadLocal, or replay it as a malloc");
    }
    members_.resize(spans.size());
    stacks_.resize(spans.most_at_once());
    for (auto& stack : stacks_) {
        stack = std::make_unique_for_overwrite<char[]>(stack_bytes);
        free_stacks_.push_back(&stack);
    }
}

Crew::~Crew() {
    is_stopping_.store(true);
    batch_number_.reach(batch_number_.value() + 1, patience_);
    for (const auto& member : members_) {
        if (member != nullptr && member->stack != nullptr) {
            ::pthread_join(member->handle, nullptr);
        }
    }
}

void Crew::prepare(const ParallelBatch& batch) {
    for (std::uint32_t thread = batch.started_before; thread < batch.started; ++thread) {
        members_[thread] = std::make_unique<Member>(*this, thread);
    }
}

void Crew::begin_batch(const ParallelBatch& batch, const Program& program) {
    batch_ = &batch;
    program_ = &program;
    first_unfinished_.store(0);
    done_floor_.store(0);
    for (std::uint32_t thread = 0; thread < batch.started; ++thread) {
        const ThreadOps& own = batch.threads[thread];
        const bool is_new = thread >= batch.started_before;
        const bool has_part = is_new || !own.ops.empty();
        members_[thread]->done.reset(has_part ? 0 : Milestone::end);
        members_[thread]->epoch.reset(has_part ? own.first_epoch : Milestone::end);
    }
    batch_number_.reach(batch_number_.value() + 1, patience_);
}

void Crew::run(const ParallelBatch& batch, const Program& program) {
    begin_batch(batch, program);
    Member& own = *members_[0];
    for (std::uint32_t number = 0; number < batch.starts_first; ++number) {
        start(number, own);
    }
    own.work();
    for (std::uint32_t thread = 1; thread < batch.started; ++thread) {
        WaitCounts idle; // nobody's: this thread is done
        members_[thread]->epoch.wait(Milestone::end, patience_, idle);
    }
    join_ended(spans_.ended_before(batch.end_event));
}

void* Crew::enter(void* member) {
    static_cast<Member*>(member)->live();
    return nullptr;
}

void Crew::start(std::uint32_t number, Member& starter) {
    const ThreadStart& begun = batch_->starts[number];
    wait_for_epoch(begun.epoch, starter, false);
    const std::uint64_t switches = voluntary_switches();
    join_ended(begun.ended);
    create(*members_[begun.thread]);
    starter.counts.waits.switches += voluntary_switches() - switches;
}

void Crew::create(Member& member) {
    member.stack = free_stacks_.back();
    free_stacks_.pop_back();
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    int error = ::pthread_attr_setstack(&attributes, member.stack->get(), stack_bytes);
    if (error == 0) {
        error = ::pthread_create(&member.handle, &attributes, enter, &member);
    }
    if (error != 0) {
        die("start a thread", error);
    }
    ::pthread_attr_destroy(&attributes);
}

void Crew::join(Member& member) {
    ::pthread_join(member.handle, nullptr);
    free_stacks_.push_back(member.stack);
    member.stack = nullptr;
}

// Those that ended before the event at hand, whichever thread is about to do it: starts follow each
// other in recorded order, so no two threads are ever here at once.
void Crew::join_ended(std::uint32_t count) {
    for (; joined_ < count; ++joined_) {
        const std::uint32_t thread = spans_.by_end()[joined_];
        if (thread != 0) {
            join(*members_[thread]);
        }
    }
}

void Crew::wait_for_epoch(std::uint32_t epoch, Member& waiting, bool is_cached) {
    std::uint32_t thread = first_unfinished_.load(std::memory_order_acquire);
    const std::uint32_t first = thread;
    bool are_finished = true;
    for (; thread < batch_->started; ++thread) {
        Member& member = *members_[thread];
        if (&member == &waiting) {
            are_finished = false;
            continue;
        }
        if (thread >= batch_->started_before && batch_->threads[thread].first_epoch >= epoch) {
            break; // so it is of all that were started later
        }
        member.epoch.wait(epoch, patience_, waiting.counts.waits);
        are_finished = are_finished && member.epoch.is_reached(Milestone::end);
        if (are_finished && thread + 1 > first) {
            first_unfinished_.store(thread + 1, std::memory_order_release);
        }
    }
    if (is_cached) {
        done_floor_.store(epoch, std::memory_order_release);
    }
}

CrewCounts Crew::counts() const {
    CrewCounts sum;
    sum.processors = processors_;
    for (const auto& member : members_) {
        if (member != nullptr) {
            ++sum.threads;
            sum.waits += member->counts.waits;
            sum.allocator_sleeps += member->counts.allocator_sleeps;
            sum.involuntary_switches += member->counts.involuntary_switches;
        }
    }
    return sum;
}

ReplayCounts Crew::replay_counts() const {
    ReplayCounts sum;
    for (const auto& member : members_) {
        if (member != nullptr) {
            sum.add(member->lane->counts());
        }
    }
    return sum;
}

} // namespace alloclab
