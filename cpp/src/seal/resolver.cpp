// SPDX-License-Identifier: MIT
#include <alloclab/seal/resolver.hpp>

#include <algorithm>
#include <bit>

namespace alloclab {

namespace {

// Threads' clocks agree to well below this; a free that comes later was not overtaken but unseen.
constexpr std::uint64_t overtaking_limit_ns = 10'000'000;

// A free seen longer before its block's allocation was another block's.
constexpr std::uint64_t early_limit_ns = 20'000;

std::uint8_t allocation_code(EventKind kind, const RawEvent& event) {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) |
                                     static_cast<std::uint8_t>(event.call));
}

std::uint8_t log2_of(std::uint64_t alignment) {
    return alignment == 0 ? std::uint8_t{0}
                          : static_cast<std::uint8_t>(
                                std::min<std::size_t>(std::bit_width(alignment) - 1, 47));
}

} // namespace

std::uint64_t Resolver::write(const Event& event, std::uint64_t time_ns) {
    time_ns_ = std::max(time_ns_, time_ns);
    return writer_.append(event, time_ns_);
}

std::uint64_t Resolver::write(EventKind kind, const RawEvent& from, std::uint64_t object,
                              std::uint64_t size) {
    return write({.code = static_cast<std::uint8_t>(kind),
                  .thread = from.thread,
                  .object = object,
                  .size = size},
                 from.time_ns);
}

void Resolver::append(const RawEvent& event) {
    summary_.threads = std::max<std::uint64_t>(summary_.threads, std::uint64_t{event.thread} + 1);
    switch (event.kind) {
    case RawKind::allocate:
        return allocate(event);
    case RawKind::reallocate_begin:
        return begin_reallocation(event);
    case RawKind::reallocate_end:
        return end_reallocation(event);
    case RawKind::free:
        return free(event);
    case RawKind::map:
        return map(event);
    case RawKind::unmap:
        return unmap(event, event.address, event.size);
    case RawKind::remap:
        return remap(event);
    case RawKind::discard:
        return discard(event);
    case RawKind::touched_birth:
        return touched_birth(event);
    case RawKind::touched_death:
        return touched_death(event);
    case RawKind::footprint:
        return footprint(event);
    case RawKind::thread_start:
        write(EventKind::thread_start, event);
        return;
    case RawKind::thread_exit:
        write(EventKind::thread_exit, event);
        return;
    case RawKind::fork:
    case RawKind::exec: // told in the metadata
        return;
    default:
        return append_marker(event);
    }
}

void Resolver::set_site(Event& out, const RawEvent& event) {
    out.site = stacks_.stack_of(event.thread, event.site);
    out.tag = event.thread < tags_.size() ? tags_[event.thread] : 0;
    summary_.sited_calls += out.site != 0;
    summary_.tagged_calls += out.tag != 0;
}

void Resolver::allocate(const RawEvent& event) {
    const bool failed = event.address == 0;
    if (!failed) {
        settle(event, event.address);
    }
    Event out{.code =
                  allocation_code(failed ? EventKind::allocate_failed : EventKind::allocate, event),
              .alignment_log2 = log2_of(event.alignment),
              .thread = event.thread,
              .size = event.size};
    set_site(out, event);
    const std::uint64_t object = writer_.objects();
    const std::uint64_t index = write(out, event.time_ns);
    if (failed) {
        ++summary_.failed_calls;
        return;
    }
    ++summary_.allocations;
    summary_.zero_size_allocations += event.size == 0;
    summary_.aligned_allocations += call_has_alignment(out.code);
    summary_.requested_total_bytes += event.size;
    enter(event.address, {object, event.size, index, event.thread});
    grow_requested(event.size, index);
    if (last_early_end_ns_ != 0 && event.time_ns - last_early_end_ns_ <= early_limit_ns) {
        end_early(event);
    }
}

// Makes `address` free to be handed out: a block still live there was freed by a call that the
// merge put later, or that the recorder did not see.
void Resolver::settle(const RawEvent& event, std::uint64_t address) {
    LiveBlock block;
    if (blocks_.take(address, block)) {
        end_block(block, event.thread);
        write(EventKind::free, event, block.object);
        ++summary_.missed_frees;
        debts_[address] = {event.time_ns, event.thread, block.thread};
    }
}

void Resolver::enter(std::uint64_t address, const LiveBlock& block) {
    blocks_.insert(address, block);
    note_live_objects();
}

void Resolver::note_live_objects() {
    summary_.max_live_objects =
        std::max<std::uint64_t>(summary_.max_live_objects, blocks_.size() + regions_.size());
}

void Resolver::grow_requested(std::uint64_t bytes, std::uint64_t event) {
    requested_live_bytes_ += bytes;
    if (requested_live_bytes_ > summary_.peak_requested_live_bytes) {
        summary_.peak_requested_live_bytes = requested_live_bytes_;
        summary_.peak_requested_event = event;
    }
}

void Resolver::end_block(const LiveBlock& block, std::uint32_t freeing_thread) {
    requested_live_bytes_ -= block.size;
    summary_.cross_thread_frees += block.thread != freeing_thread;
    ++summary_.frees;
}

void Resolver::free(const RawEvent& event) {
    if (event.address == 0) {
        ++summary_.null_frees;
        write(EventKind::free_null, event);
        return;
    }
    if (!debts_.empty()) {
        if (const auto debt = debts_.find(event.address); debt != debts_.end()) {
            const bool is_repaid = event.thread != debt->second.thread &&
                                   event.time_ns - debt->second.time_ns < overtaking_limit_ns;
            const Debt debt_paid = debt->second;
            debts_.erase(debt);
            if (is_repaid) {
                --summary_.missed_frees;
                ++summary_.inversions;
                summary_.cross_thread_frees -= debt_paid.owner != debt_paid.thread;
                summary_.cross_thread_frees += debt_paid.owner != event.thread;
                return;
            }
        }
    }
    LiveBlock block;
    if (!blocks_.take(event.address, block)) {
        ++summary_.unknown_frees;
        note_early_end(event, false);
        return;
    }
    end_block(block, event.thread);
    write(EventKind::free, event, block.object);
}

void Resolver::begin_reallocation(const RawEvent& event) {
    if (event.thread >= max_threads) {
        return;
    }
    if (event.thread >= pending_.size()) {
        pending_.resize(event.thread + 1);
    }
    PendingReallocation& pending = pending_[event.thread];
    pending = {.is_open = true, .is_known = false, .address = event.address, .block = {}};
    // A recorder never writes an address of zero here, but a hostile capture may.
    pending.is_known = event.address != 0 && blocks_.take(event.address, pending.block);
    if (!pending.is_known) {
        note_early_end(event, true);
    }
}

void Resolver::note_early_end(const RawEvent& event, bool is_reallocation) {
    early_ends_[next_early_end_] = {event.address, event.time_ns, event.thread, is_reallocation};
    next_early_end_ = (next_early_end_ + 1) % most_early_ends;
    last_early_end_ns_ = event.time_ns;
}

// A processor may read its clock before it has seen what it waited for: the free of a block that
// another thread handed over then seems to come before the block. It ends at once.
void Resolver::end_early(const RawEvent& allocation) {
    for (EarlyEnd& early : early_ends_) {
        if (early.address != allocation.address || early.address == 0 ||
            early.thread == allocation.thread ||
            allocation.time_ns - early.time_ns > early_limit_ns) {
            continue;
        }
        LiveBlock block;
        if (early.is_reallocation) {
            PendingReallocation& pending = pending_[early.thread];
            if (!pending.is_open || pending.is_known || pending.address != early.address) {
                continue;
            }
            pending.is_known = blocks_.take(early.address, pending.block);
        } else if (blocks_.take(early.address, block)) {
            RawEvent end = allocation;
            end.thread = early.thread;
            end_block(block, early.thread);
            write(EventKind::free, end, block.object);
            --summary_.unknown_frees;
        }
        ++summary_.inversions;
        early = {};
        return;
    }
}

void Resolver::end_reallocation(const RawEvent& event) {
    PendingReallocation pending;
    if (event.thread < pending_.size()) {
        pending = std::exchange(pending_[event.thread], {});
    }
    if (!pending.is_known) { // its begin was lost, or the block was never seen
        ++summary_.unknown_frees;
        if (event.address != 0) {
            RawEvent fresh = event;
            fresh.call = AllocationCall::realloc;
            allocate(fresh);
        }
        return;
    }
    LiveBlock block = pending.block;
    if (event.address == 0 && event.size == 0) {
        end_block(block, event.thread);
        write(EventKind::reallocate_zero, event, block.object);
        return;
    }
    if (event.address == 0) {
        ++summary_.failed_calls;
        write(EventKind::reallocate_failed, event, block.object, event.size);
        settle(event, pending.address);
        blocks_.insert(pending.address, block);
        return;
    }
    settle(event, event.address);
    Event out{.code = static_cast<std::uint8_t>(EventKind::reallocate),
              .thread = event.thread,
              .object = block.object,
              .size = event.size};
    set_site(out, event);
    const std::uint64_t index = write(out, event.time_ns);
    ++summary_.reallocations;
    summary_.requested_total_bytes += event.size;
    requested_live_bytes_ -= block.size;
    block.size = event.size;
    block.sized_by_event = index;
    enter(event.address, block);
    grow_requested(event.size, index);
}

TraceSummary Resolver::finish(const Symbolizer& symbolize) {
    for (const PendingReallocation& pending : pending_) {
        if (pending.is_known && blocks_.find(pending.address) == nullptr) {
            blocks_.insert(pending.address, pending.block); // killed within realloc
        }
    }
    std::sort(touched_.begin(), touched_.end(),
              [](const Touched& a, const Touched& b) { return a.event < b.event; });
    summary_.has_touched = !touched_.empty();
    writer_.set_touched(std::move(touched_));
    StackTable stacks = finish_stacks(stacks_, names_, writer_, symbolize);
    summary_.sites = stacks.stacks.size();
    writer_.set_stacks(std::move(stacks));
    names_.finish();
    summary_.open_scopes_at_end = open_scopes_.size();
    summary_.live_objects_at_end = blocks_.size() + regions_.size();
    summary_.requested_live_bytes_at_end = requested_live_bytes_;
    summary_.duration_ns = time_ns_;
    return summary_;
}

} // namespace alloclab
