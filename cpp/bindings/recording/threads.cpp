// SPDX-License-Identifier: MIT
#include "threads.hpp"

#include "known_blocks.hpp"

#include <alloclab/record/append.hpp>
#include <alloclab/record/inside.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/system_call.hpp>

#include <linux/membarrier.h>
#include <pthread.h>

namespace alloclab::recording {

using namespace record;

std::atomic<Gate> gate{Gate::closed};
__thread RecordedThread this_thread = {};

namespace {

RareLock list_lock;
RecordedThread* first_listed;
DomainCounts ended_counts[domain_count];
pthread_key_t exit_key;
bool has_membarrier;
constexpr std::uint32_t last_exit_round = 4; // PTHREAD_DESTRUCTOR_ITERATIONS

void add_counts(DomainCounts (&total)[domain_count], RecordedThread& thread) {
    for (std::size_t domain = 0; domain < domain_count; ++domain) {
        total[domain].allocations += thread.counts[domain].allocations;
        total[domain].bytes += thread.counts[domain].bytes;
        thread.counts[domain] = {};
    }
}

void list(RecordedThread& thread) {
    const RareGuard guard(list_lock);
    thread.next = first_listed;
    if (first_listed != nullptr)
        first_listed->previous = &thread;
    first_listed = &thread;
    thread.is_listed = true;
}

void unlist(RecordedThread& thread) {
    const RareGuard guard(list_lock);
    (thread.previous != nullptr ? thread.previous->next : first_listed) = thread.next;
    if (thread.next != nullptr)
        thread.next->previous = thread.previous;
    thread.previous = thread.next = nullptr;
    thread.is_listed = false;
    add_counts(ended_counts, thread);
}

// Waits for the last round of destructors: others' may still free.
void end_thread(void*) {
    RecordedThread& me = this_thread;
    if (++me.exit_rounds < last_exit_round) {
        pthread_setspecific(exit_key, &me);
        return;
    }
    {
        const Entry entry;
        if (entry && me.generation == process.generation)
            finish_thread();
    }
    unlist(me);
    me.frames.release();
    me.has_ended = true;
}

// The thread's first event of this recording.
void join(RecordedThread& me) {
    me.generation = process.generation;
    me.frames.release();
    me.frame_count = 0;
    if (thread_lanes.generation == process.generation && thread_lanes.is_registered)
        return; // the thread that began the recording
    adopt_thread();
    begin_capture();
    thread_lanes.is_exit_hook_due = false; // end_thread() is it
}

void enter_child() {
    gate = Gate::closed;
    const bool is_open = process.header != nullptr;
    list_lock.reset();
    for (RecordedThread* thread = first_listed; thread != nullptr; thread = thread->next)
        if (is_open && thread != &this_thread && thread->lanes->own.window != nullptr)
            leave_window(thread->lanes->own);
    first_listed = nullptr;
    this_thread.previous = this_thread.next = nullptr;
    if (this_thread.is_listed)
        list(this_thread);
    if (is_open) {
        forget_known();
        forget_inside();
    }
}

} // namespace

bool Entry::pass(RecordedThread& me) {
    if (!has_membarrier)
        std::atomic_thread_fence(std::memory_order_seq_cst);
    const Gate now = gate.load(std::memory_order_acquire);
    if (now != Gate::open) {
        me.was_reached = me.was_reached || now == Gate::probing;
        return false;
    }
    if (me.has_ended) {
        count_lost_event();
        return false;
    }
    if (__builtin_expect(me.is_listed && me.generation == process.generation, true))
        return true;
    if (!me.is_listed) {
        me.lanes = &thread_lanes;
        list(me);
        pthread_setspecific(exit_key, &me);
        // Whoever closed the gate meanwhile did not wait for a thread that was not listed.
        if (gate.load() != Gate::open)
            return false;
    }
    if (me.generation != process.generation)
        join(me);
    return true;
}

void prepare_threads() {
    pthread_key_create(&exit_key, end_thread);
    pthread_atfork(nullptr, nullptr, enter_child);
    has_membarrier =
        system_call(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

// A thread that set its flag before the barrier is seen here; one that sets it after the barrier
// sees the closed gate.
void wait_for_others() {
    if (has_membarrier)
        system_call(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (;;) {
        bool is_anyone_inside = false;
        {
            const RareGuard guard(list_lock);
            for (const RecordedThread* thread = first_listed; thread != nullptr;
                 thread = thread->next)
                is_anyone_inside =
                    is_anyone_inside || (thread != &this_thread && thread->is_inside);
        }
        if (!is_anyone_inside)
            return;
        system_call(SYS_sched_yield);
    }
}

void begin_counts() {
    for (DomainCounts& counts : ended_counts)
        counts = {};
}

void end_threads(DomainCounts (&total)[domain_count]) {
    const RareGuard guard(list_lock);
    for (std::size_t domain = 0; domain < domain_count; ++domain)
        total[domain] = ended_counts[domain];
    for (RecordedThread* thread = first_listed; thread != nullptr; thread = thread->next) {
        add_counts(total, *thread);
        give_up_lanes(*thread->lanes);
        thread->frames.release();
    }
}

} // namespace alloclab::recording
