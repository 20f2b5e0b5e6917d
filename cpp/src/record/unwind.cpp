// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind.hpp>

#include <alloclab/record/modules.hpp>
#include <alloclab/record/unwind_rules.hpp>

#include <cstring>

namespace alloclab::record {

namespace {

enum class Step : std::uint8_t { to_caller, to_end, to_interrupted, lost };

// The kernel's frame of a signal holds the registers in the ucontext at the stack pointer: its
// fields are part of the binary interface.
Step step_out_of_handler(StackReader& stack, Caller& frame) {
    constexpr std::uintptr_t rbp_offset = 120;
    constexpr std::uintptr_t rsp_offset = 160;
    constexpr std::uintptr_t rip_offset = 168;
    const std::uintptr_t context = frame.sp;
    if (!stack.has(context + rbp_offset) || !stack.has(context + rsp_offset) ||
        !stack.has(context + rip_offset))
        return Step::lost;
    frame.bp = StackReader::load(context + rbp_offset);
    frame.sp = StackReader::load(context + rsp_offset);
    frame.pc = StackReader::load(context + rip_offset) + 1;
    stack.move_to(frame.sp);
    return Step::to_interrupted;
}

// Code without a table: rbp may hold anything, so it must lead up the stack to a place in code.
bool is_plausible(StackReader& stack, const Caller& frame) {
    Module module{};
    return frame.bp >= frame.sp && stack.has(frame.bp) && stack.has(frame.bp + 8) &&
           find_module(StackReader::load(frame.bp + 8) - 1, module);
}

// Goes to the caller of known.caller.
Step step(StackReader& stack, KnownFrame& known) {
    Caller& frame = known.caller;
    const Rule rule = rule_at(frame.pc - 1);
    const auto offset = static_cast<std::uintptr_t>(std::intptr_t{rule.cfa_offset});
    std::uintptr_t cfa = 0;
    switch (rule.kind) {
    case RuleKind::by_rsp:
        cfa = frame.sp + offset;
        break;
    case RuleKind::by_rbp:
        cfa = frame.bp + offset;
        break;
    case RuleKind::by_saved:
        if (!stack.has(frame.bp + offset))
            return Step::lost;
        cfa = StackReader::load(frame.bp + offset);
        break;
    case RuleKind::frame_pointer:
        if (frame.bp == 0)
            return Step::to_end; // as the kernel starts a process, and threads begin
        if (!is_plausible(stack, frame))
            return Step::lost;
        cfa = frame.bp + offset;
        break;
    case RuleKind::signal:
        return step_out_of_handler(stack, frame);
    case RuleKind::outermost:
        return Step::to_end;
    default:
        return Step::lost;
    }
    // Stacks grow down, so callers' frames lie above: a wrong rule cannot lead in a circle.
    if (__builtin_expect(cfa <= frame.sp || !stack.has(cfa - 8), false))
        return Step::lost;
    known.saved_rbp_at = cfa - 8; // no more to hold than the return address
    if (rule.rbp != SavedRbp::nowhere) {
        known.saved_rbp_at = (rule.rbp == SavedRbp::at_cfa ? cfa : frame.bp) +
                             static_cast<std::uintptr_t>(std::intptr_t{rule.rbp_offset});
        if (!stack.has(known.saved_rbp_at))
            return Step::lost;
        frame.bp = StackReader::load(known.saved_rbp_at);
    }
    frame.pc = StackReader::load(cfa - 8);
    frame.sp = cfa;
    known.saved_rbp = StackReader::load(known.saved_rbp_at);
    if (rule.kind == RuleKind::by_saved)
        known.saved_rbp = ~known.saved_rbp; // it hangs on a further word: never taken for the same
    return frame.pc == 0 ? Step::to_end : Step::to_caller;
}

bool is_same(const Caller& left, const Caller& right) {
    return left.sp == right.sp && left.pc == right.pc && left.bp == right.bp;
}

bool still_holds(const KnownFrame& frame) {
    return StackReader::load(frame.caller.sp - 8) == frame.caller.pc &&
           StackReader::load(frame.saved_rbp_at) == frame.saved_rbp;
}

// A walk over what is known, which it brings up to date on the way. Frames found by rules wait in
// `fresh` until they meet a known one or the walk ends.
class KnownWalk {
public:
    KnownWalk(StackReader& stack, KnownStack& known, std::uintptr_t* addresses, std::size_t depth)
        : stack_(stack), known_(known), addresses_(addresses), depth_(depth) {}

    Walk run(const Caller& caller) {
        KnownFrame frame{caller, caller.sp - 8, 0};
        for (;;) {
            add_fresh(frame);
            if (count_ < depth_ && meets_known(frame.caller))
                frame = follow_known();
            if (count_ == depth_)
                return finish(false);
            const Step way = step(stack_, frame);
            if (way == Step::to_interrupted)
                return leave_known(frame);
            if (way != Step::to_caller)
                return finish(way == Step::lost);
        }
    }

private:
    void add_fresh(const KnownFrame& frame) {
        fresh_[fresh_count_++] = frame;
        addresses_[count_++] = frame.caller.pc;
    }

    bool meets_known(const Caller& frame) {
        while (next_ < known_.count && known_.frames[next_].caller.sp < frame.sp)
            ++next_;
        return next_ < known_.count && is_same(known_.frames[next_].caller, frame);
    }

    // Puts the fresh frames, the last of which is known_.frames[next_], in their places, and goes
    // on along the known ones. Returns the last that holds.
    KnownFrame follow_known() {
        KnownFrame* const frames = known_.frames;
        const std::size_t at = count_ - 1;
        if (at != next_) {
            const std::size_t rest = known_.count - next_;
            const std::size_t room = KnownStack::most_known - at;
            const std::size_t kept = rest < room ? rest : room;
            std::memmove(frames + at, frames + next_, kept * sizeof *frames);
            known_.count = at + kept;
        }
        place_fresh();
        std::size_t last = at;
        while (last + 1 < known_.count && count_ < depth_ && still_holds(frames[last + 1]))
            addresses_[count_++] = frames[++last].caller.pc;
        next_ = last + 1;
        return frames[last];
    }

    void place_fresh() {
        for (std::size_t fresh_idx = 0; fresh_idx < fresh_count_; ++fresh_idx)
            known_.frames[count_ - fresh_count_ + fresh_idx] = fresh_[fresh_idx];
        fresh_count_ = 0;
    }

    Walk finish(bool is_cut) {
        if (fresh_count_ != 0) {
            place_fresh();
            known_.count = count_;
        }
        return {count_, is_cut};
    }

    // Beyond a signal's frame nothing is kept: the stack pointer may go anywhere.
    Walk leave_known(KnownFrame frame) {
        known_.count = 0;
        for (;;) {
            addresses_[count_++] = frame.caller.pc;
            if (count_ == depth_)
                return {count_, false, true};
            const Step way = step(stack_, frame);
            if (way == Step::to_end || way == Step::lost)
                return {count_, way == Step::lost, true};
        }
    }

    StackReader& stack_;
    KnownStack& known_;
    std::uintptr_t* addresses_;
    std::size_t depth_;
    std::size_t count_ = 0; // of addresses
    std::size_t next_ = 0;  // of the known frames: those before it lie below
    std::size_t fresh_count_ = 0;
    KnownFrame fresh_[most_frames];
};

} // namespace

Walk walk_stack(const Caller& caller, KnownStack& known, std::uintptr_t* addresses,
                std::size_t depth) {
    StackReader stack(known.own, caller.sp);
    if (!stack.is_own())
        known.count = 0;
    const Walk walk = KnownWalk(stack, known, addresses, depth).run(caller);
    if (!stack.is_own())
        known.count = 0;
    return walk;
}

} // namespace alloclab::record
