// SPDX-License-Identifier: MIT
#include <alloclab/replay/program_splitter.hpp>

#include <algorithm>

namespace alloclab {

namespace {

constexpr std::uint32_t no_thread = ~std::uint32_t{0};
// Shorter epochs bound no better and cost more; a sixteenth of the distance is lost to them.
constexpr std::uint64_t epochs_per_distance = 16;
// New slots come so many at once: neighbours in the table share cache lines.
constexpr std::uint32_t slots_per_refill = 32;

} // namespace

ProgramSplitter::ProgramSplitter(const ThreadSpans& spans, std::uint64_t max_distance)
    : spans_(spans), max_distance_(std::min(max_distance, std::uint64_t{1} << 40)),
      epoch_ops_(std::max<std::uint64_t>(1, (max_distance_ + 1) / epochs_per_distance)),
      threads_(spans.size()) {}

void ProgramSplitter::begin_batch(Program& program, ParallelBatch& batch) {
    program_ = &program;
    batch_ = &batch;
    ++batch_number_;
    chain_at_begin_ = longest_chain_;
    batch.end_event = program.end_event;
    batch.threads.resize(spans_.size());
    batch.started_before = started_;
    for (std::uint32_t thread = 0; thread < spans_.size(); ++thread) {
        std::vector<Op>& ops = batch.threads[thread].ops;
        if (!program.runs.empty() && spans_[thread].last_event < program.runs.front().event) {
            ops = {};
        }
        ops.clear();
    }
    batch.floors.clear();
    batch.starts.clear();
    batch.starts_first = 0;
    epoch_begins_.clear();
    previous_ = no_thread;
    next_sample_ = 0;
}

void ProgramSplitter::split(Program& program, ParallelBatch& batch) {
    begin_batch(program, batch);
    for (std::size_t run = 0; run < program.runs.size(); ++run) {
        const bool is_last = run + 1 == program.runs.size();
        const std::uint64_t end_event =
            is_last ? program.end_event : program.runs[run + 1].event;
        add_run(program.runs[run], is_last ? program.ops.size() : program.runs[run + 1].op);
        const std::uint32_t thread = spans_.number_of(program.runs[run].thread);
        if (spans_[thread].last_event < end_event) {
            end_thread(thread);
        }
    }
    add_samples(program.ops.size());
    batch.started = started_;
}

void ProgramSplitter::begin_epoch(std::size_t op) {
    const std::uint64_t last_op = op + epoch_ops_ - 1;
    std::uint32_t floor = batch_->floors.empty() ? 0 : batch_->floors.back();
    epoch_begins_.push_back(op);
    while (epoch_begins_[floor] + max_distance_ < last_op) { // ends here: epochs are no longer
        ++floor;
    }
    batch_->floors.push_back(floor);
}

void ProgramSplitter::start_thread(const ThreadRun& run) {
    const std::uint32_t thread = started_++;
    if (epoch_begins_.empty() || epoch_begins_.back() != run.op) {
        begin_epoch(run.op);
    }
    const auto epoch = static_cast<std::uint32_t>(epoch_begins_.size() - 1);
    batch_->threads[thread].first_epoch = epoch;
    threads_[thread].chain = longest_chain_;
    if (thread == 0) {
        return; // the process's own
    }
    batch_->starts.push_back({thread, epoch, spans_.ended_before(run.event)});
    if (previous_ == no_thread) {
        ++batch_->starts_first;
    } else {
        add_control(previous_, ControlCode::start, batch_->starts.size() - 1);
    }
}

void ProgramSplitter::add_run(const ThreadRun& run, std::size_t end_op) {
    const std::uint32_t number = spans_.number_of(run.thread);
    if (number >= started_) {
        start_thread(run);
    }
    Thread& thread = threads_[number];
    for (std::size_t op = run.op; op < end_op; ++op) {
        add_samples(op);
        if (epoch_begins_.empty() || op - epoch_begins_.back() >= epoch_ops_) {
            begin_epoch(op);
        }
        const auto epoch = static_cast<std::uint32_t>(epoch_begins_.size() - 1);
        if (thread.batch != batch_number_) {
            thread.batch = batch_number_;
            thread.epoch = epoch;
            thread.waited.fill({});
            thread.chain = std::max(thread.chain, chain_at_begin_);
            batch_->threads[number].first_epoch = epoch;
            add_control(number, ControlCode::epoch, epoch);
        } else if (thread.epoch != epoch) {
            thread.epoch = epoch;
            add_control(number, ControlCode::epoch, epoch);
        }
        add_op(number, program_->ops[op]);
        longest_chain_ = std::max(longest_chain_, ++thread.chain);
        ++ops_;
        previous_ = number;
    }
}

void ProgramSplitter::add_samples(std::size_t op) {
    while (previous_ != no_thread && next_sample_ < program_->samples.size() &&
           program_->samples[next_sample_].op <= op) {
        add_control(previous_, ControlCode::sample, next_sample_++);
    }
}

void ProgramSplitter::add_op(std::uint32_t thread, const Op& op) {
    switch (op.code()) {
    case OpCode::allocate:
    case OpCode::allocate_zero:
        add_birth(thread, op.slot, op);
        break;
    case OpCode::reallocate:
        add_use(thread, place_of(op.slot), op);
        break;
    case OpCode::free:
        add_use(thread, place_of(op.slot), op);
        give_slot(thread, place_of(op.slot).slot);
        break;
    case OpCode::wide:
        add_wide(thread, op);
        break;
    default:
        ops_of(thread).push_back(op);
        break;
    }
}

void ProgramSplitter::add_wide(std::uint32_t thread, const Op& op) {
    WideOp& wide = program_->wide[op.size()];
    switch (wide.code) {
    case WideCode::allocate:
    case WideCode::allocate_zero:
    case WideCode::allocate_aligned:
    case WideCode::map:
        add_birth(thread, op.slot, op);
        break;
    case WideCode::split: {
        const std::uint32_t slot = take_slot(thread);
        add_use(thread, place_of(op.slot), op);
        const Place& whole = place_of(op.slot);
        Place part = whole;
        part.slot = slot;
        place_of(wide.other_slot) = part;
        wide.other_slot = slot;
        break;
    }
    case WideCode::unmap:
        add_use(thread, place_of(op.slot), op);
        give_slot(thread, place_of(op.slot).slot);
        break;
    default:
        add_use(thread, place_of(op.slot), op);
        break;
    }
}

void ProgramSplitter::add_birth(std::uint32_t thread, std::uint32_t slot, const Op& op) {
    Place& place = place_of(slot);
    place = placed_at_end(thread, take_slot(thread));
    ops_of(thread).push_back({place.slot, op.word});
}

void ProgramSplitter::add_use(std::uint32_t thread, Place& place, const Op& op) {
    wait_for(thread, place);
    place = placed_at_end(thread, place.slot);
    ops_of(thread).push_back({place.slot, op.word});
}

ProgramSplitter::Place ProgramSplitter::placed_at_end(std::uint32_t thread,
                                                      std::uint32_t slot) const {
    const auto op = static_cast<std::uint32_t>(batch_->threads[thread].ops.size());
    return {slot, thread, op, batch_number_, threads_[thread].chain + 1};
}

void ProgramSplitter::wait_for(std::uint32_t thread, const Place& place) {
    threads_[thread].chain = std::max(threads_[thread].chain, place.chain);
    if (place.thread == thread || place.batch != batch_number_) {
        return; // between batches everyone waits for all
    }
    auto& waited = threads_[thread].waited;
    Waited& latest = waited[place.thread % waited.size()];
    if (latest.thread == place.thread && latest.ops > place.op) {
        return;
    }
    latest = {place.thread, place.op + 1};
    ops_of(place.thread)[place.op].slot |= Op::awaited;
    ops_of(thread).push_back(Op::make(OpCode::wait, place.op + 1, place.thread));
}

void ProgramSplitter::end_thread(std::uint32_t thread) {
    const auto epoch = static_cast<std::uint32_t>(epoch_begins_.size());
    Thread& ending = threads_[thread];
    for (const std::uint32_t slot : ending.free_slots) {
        free_slots_.push_back({slot, epoch, batch_number_});
    }
    free_slots_.insert(free_slots_.end(), ending.returned.begin(), ending.returned.end());
    ending.free_slots = {};
    ending.returned = {};
    ending.has_ended = true;
}

std::uint32_t ProgramSplitter::take_slot(std::uint32_t thread) {
    std::vector<std::uint32_t>& own = threads_[thread].free_slots;
    if (own.empty()) {
        refill(thread);
    }
    const std::uint32_t slot = own.back();
    own.pop_back();
    return slot;
}

void ProgramSplitter::refill(std::uint32_t thread) {
    std::vector<std::uint32_t>& own = threads_[thread].free_slots;
    const std::uint32_t floor = batch_->floors.back();
    for (std::deque<FreeSlot>* const from : {&threads_[thread].returned, &free_slots_}) {
        while (own.size() < slots_per_refill && !from->empty() &&
               (from->front().batch != batch_number_ || from->front().epoch <= floor)) {
            own.push_back(from->front().slot);
            owners_[from->front().slot] = thread;
            from->pop_front();
        }
    }
    if (own.empty()) {
        const std::uint32_t first = slots();
        owners_.resize(first + slots_per_refill, thread);
        for (std::uint32_t refill = slots_per_refill; refill-- > 0;) {
            own.push_back(first + refill);
        }
    }
}

void ProgramSplitter::give_slot(std::uint32_t thread, std::uint32_t slot) {
    Thread& owner = threads_[owners_[slot]];
    if (owners_[slot] == thread) {
        owner.free_slots.push_back(slot);
        return;
    }
    const auto epoch = static_cast<std::uint32_t>(epoch_begins_.size());
    (owner.has_ended ? free_slots_ : owner.returned).push_back({slot, epoch, batch_number_});
}

ProgramSplitter::Place& ProgramSplitter::place_of(std::uint32_t slot) {
    if (slot >= places_.size()) {
        places_.resize(std::max<std::size_t>(slot + std::size_t{1}, places_.size() * 2));
    }
    return places_[slot];
}

void ProgramSplitter::add_control(std::uint32_t thread, ControlCode code, std::size_t number) {
    ops_of(thread).push_back(Op::make(OpCode::control, static_cast<std::uint32_t>(number),
                                      static_cast<std::uint64_t>(code)));
}

} // namespace alloclab
