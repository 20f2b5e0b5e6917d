// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind.hpp>

#include <alloclab/record/modules.hpp>
#include <alloclab/record/unwind_rules.hpp>

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

Step step(StackReader& stack, Caller& frame) {
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
    if (rule.rbp != SavedRbp::nowhere) {
        const std::uintptr_t saved = (rule.rbp == SavedRbp::at_cfa ? cfa : frame.bp) +
                                     static_cast<std::uintptr_t>(std::intptr_t{rule.rbp_offset});
        if (!stack.has(saved))
            return Step::lost;
        frame.bp = StackReader::load(saved);
    }
    frame.pc = StackReader::load(cfa - 8);
    frame.sp = cfa;
    return frame.pc == 0 ? Step::to_end : Step::to_caller;
}

} // namespace

Walk walk_stack(const Caller& caller, OwnStack& own, std::uintptr_t* addresses, std::size_t depth) {
    StackReader stack(own, caller.sp);
    Caller frame = caller;
    addresses[0] = frame.pc;
    std::size_t count = 1;
    while (count < depth) {
        const Step way = step(stack, frame);
        if (way == Step::to_end || way == Step::lost)
            return {count, way == Step::lost};
        addresses[count++] = frame.pc;
    }
    return {count, false};
}

} // namespace alloclab::record
