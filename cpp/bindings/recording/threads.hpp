// SPDX-License-Identifier: MIT
#pragma once

// The threads of a recording, and the gate before it. The functions that stand in front of Python's
// allocators are there for the life of the process; the gate says whether they record.

#include <alloclab/record/lane.hpp>
#include <alloclab/record/number_table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace alloclab::recording {

enum class Domain : unsigned { raw, mem, object, numpy };
inline constexpr std::size_t domain_count = 4;

// `probing`: only whether the functions are reached is noted.
enum class Gate : int { closed, probing, open };
extern std::atomic<Gate> gate;

struct DomainCounts {
    std::uint64_t allocations; // reallocations included
    std::uint64_t bytes;
};

// Invariant: listed from the thread's first event until it ends or the process forks.
struct RecordedThread {
    volatile bool is_inside; // in the recorder, or in an allocator that was entered through it
    bool is_listed;
    bool has_ended;
    bool was_reached;         // by a probe
    std::uint32_t generation; // of the recording its lanes belong to
    std::uint32_t exit_rounds;
    std::uint32_t frame_count;
    record::NumberTable frames; // place in a code object, frame of the caller -> frame
    record::ThreadLanes* lanes;
    RecordedThread* previous;
    RecordedThread* next;
    DomainCounts counts[domain_count];
};
extern __thread RecordedThread this_thread;

// A stay in the recorder. Does nothing, and says so, where the gate is closed or the thread is in
// it already: what an allocator asks of another one is not the program's own.
class Entry {
public:
    Entry() {
        if (__builtin_expect(gate.load(std::memory_order_relaxed) == Gate::closed, true))
            return;
        RecordedThread& me = this_thread;
        if (me.is_inside)
            return;
        me.is_inside = true;
        is_first_ = true;
        record::compiler_barrier(); // the processor's part of it: see wait_for_others()
        is_entered_ = pass(me);
    }
    ~Entry() {
        if (is_first_) {
            record::compiler_barrier();
            this_thread.is_inside = false;
        }
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    explicit operator bool() const { return is_entered_; }

private:
    static bool pass(RecordedThread& me);

    bool is_first_ = false;
    bool is_entered_ = false;
};

// Prepares what needs a key and a handler at fork. Called once.
void prepare_threads();

// Returns once no other thread is in the recorder. Requires: the gate is closed; this thread does
// not hold what another might wait for in there (the interpreter's lock).
void wait_for_others();

// Ends every thread's part in the recording and adds up what they counted.
// Requires: no thread is in the recorder.
void end_threads(DomainCounts (&total)[domain_count]);

// Counts by domain of threads that have ended are kept from here on.
void begin_counts();

} // namespace alloclab::recording
