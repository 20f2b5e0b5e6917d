// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/parallel_batch.hpp>
#include <alloclab/replay/program.hpp>
#include <alloclab/replay/thread_spans.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

namespace alloclab {

// How far apart the threads of a parallel replay may come, in events, unless one says otherwise.
inline constexpr std::uint64_t default_max_distance = std::uint64_t{1} << 18;

// Splits programs by thread: where an object was last touched by another thread, a wait for that op
// goes before the next one that touches it.
//
// Slots get new numbers, as a processor renames registers: in a program a slot is used again by
// whichever thread allocates next, and would order threads whose objects have nothing to do with
// each other. A slot stays with the thread that first had it, for slots share cache lines; one that
// another thread freed comes back when the distance bound says that it has done so.
// Cost: some 20 ns an event; memory follows the live objects, the bound and one batch.
class ProgramSplitter {
public:
    // No thread begins an event before every event more than `max_distance` before it is done; 0 is
    // one event at a time. Requires: `spans` outlives the splitter.
    ProgramSplitter(const ThreadSpans& spans, std::uint64_t max_distance);

    // Splits the next program of the trace into `batch`, replacing what was there. The new numbers
    // of regions split off are written into `program`.
    void split(Program& program, ParallelBatch& batch);

    // How many slots were ever in use.
    std::uint32_t slots() const { return static_cast<std::uint32_t>(owners_.size()); }

    // How many ops there were, and how many the longest chain has of ops that must follow each
    // other: because they are one thread's, or about one object, or one starts the other's thread.
    // Their quotient is how many threads could be at work at once at best.
    std::uint64_t ops() const { return ops_; }
    std::uint64_t longest_chain() const { return longest_chain_; }

private:
    // Where an object is, by the slot the program has for it.
    struct Place {
        std::uint32_t slot = 0;
        std::uint32_t thread = 0; // that touched it last,
        std::uint32_t op = 0;     // with that op
        std::uint32_t batch = 0;  // of that batch
        std::uint64_t chain = 0;  // the longest chain of ops that ends there
    };
    struct FreeSlot {
        std::uint32_t slot;
        std::uint32_t epoch; // before which it may still be in use
        std::uint32_t batch;
    };
    struct Waited {
        std::uint32_t thread = ~std::uint32_t{0};
        std::uint32_t ops = 0;
    };
    // A thread as far as its ops are split.
    struct Thread {
        std::vector<std::uint32_t> free_slots; // that it freed itself, or that are done with
        std::deque<FreeSlot> returned;         // that others freed, the longest free first
        bool has_ended = false;
        std::uint64_t chain = 0;        // the longest chain of ops that ends with its latest
        std::array<Waited, 8> waited{}; // of the latest waits, by the thread waited for
        std::uint32_t epoch = 0;
        std::uint32_t batch = 0; // that the two above are about
    };

    void begin_batch(Program& program, ParallelBatch& batch);
    void begin_epoch(std::size_t op);
    void add_run(const ThreadRun& run, std::size_t end_op);
    void add_samples(std::size_t op);
    void start_thread(const ThreadRun& run);
    void add_op(std::uint32_t thread, const Op& op);
    void add_wide(std::uint32_t thread, const Op& op);
    void add_use(std::uint32_t thread, Place& place, const Op& op);
    void add_birth(std::uint32_t thread, std::uint32_t slot, const Op& op);
    void wait_for(std::uint32_t thread, const Place& place);
    void end_thread(std::uint32_t thread);
    std::uint32_t take_slot(std::uint32_t thread);
    void refill(std::uint32_t thread);
    void give_slot(std::uint32_t thread, std::uint32_t slot);
    Place& place_of(std::uint32_t slot);
    Place placed_at_end(std::uint32_t thread, std::uint32_t slot) const;
    void add_control(std::uint32_t thread, ControlCode code, std::size_t number);
    std::vector<Op>& ops_of(std::uint32_t thread) { return batch_->threads[thread].ops; }

    const ThreadSpans& spans_;
    std::uint64_t max_distance_;
    std::uint64_t epoch_ops_;
    std::vector<Thread> threads_;
    std::vector<Place> places_;
    std::deque<FreeSlot> free_slots_;   // of threads that have ended
    std::vector<std::uint32_t> owners_; // by slot: the thread it stays with
    std::uint32_t started_ = 0;
    std::uint64_t ops_ = 0;
    std::uint64_t longest_chain_ = 0;
    std::uint64_t chain_at_begin_ = 0; // of the batch

    Program* program_ = nullptr;
    ParallelBatch* batch_ = nullptr;
    std::uint32_t batch_number_ = 0;
    std::vector<std::size_t> epoch_begins_;
    std::uint32_t previous_ = ~std::uint32_t{0}; // whose the op before is
    std::size_t next_sample_ = 0;
};

} // namespace alloclab
