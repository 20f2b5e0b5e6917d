// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind_expression.hpp>

#include <cstddef>

namespace alloclab::record {

namespace {

// Evaluates the few operations that occur in tables for x86-64: a PLT's, which depend on the
// place in the code, and a load from the frame of a function that aligned its stack.
class Expression {
public:
    Expression(UnwindBytes bytes, std::uintptr_t pc) : bytes_(bytes), pc_(pc) {}

    // Returns whether the whole was understood.
    bool evaluate(FrameValue& result) {
        while (!bytes_.is_at_end())
            if (!step(bytes_.read<std::uint8_t>()))
                return false;
        if (bytes_.has_failed() || depth_ != 1)
            return false;
        result = stack_[0];
        return true;
    }

private:
    bool push(FrameValue::Base base, std::int64_t offset) {
        if (depth_ == most_depth)
            return false;
        stack_[depth_++] = {base, false, offset};
        return true;
    }

    bool combine(std::uint8_t operation) {
        if (depth_ < 2)
            return false;
        const FrameValue right = stack_[--depth_];
        FrameValue& left = stack_[depth_ - 1];
        const bool is_number =
            left.base == FrameValue::Base::none && right.base == FrameValue::Base::none;
        if (operation == 0x22 && !left.is_loaded && right.base == FrameValue::Base::none) { // plus
            left.offset += right.offset;
            return true;
        }
        if (operation == 0x22 && !right.is_loaded && left.base == FrameValue::Base::none) {
            left = {right.base, false, left.offset + right.offset};
            return true;
        }
        if (!is_number)
            return false;
        switch (operation) {
        case 0x1a: // and
            left.offset &= right.offset;
            return true;
        case 0x1c: // minus
            left.offset -= right.offset;
            return true;
        case 0x24: // shl
            if (right.offset < 0 || right.offset > 63)
                return false;
            left.offset =
                static_cast<std::int64_t>(static_cast<std::uint64_t>(left.offset) << right.offset);
            return true;
        case 0x2a: // ge
            left.offset = left.offset >= right.offset ? 1 : 0;
            return true;
        default:
            return false;
        }
    }

    bool step(std::uint8_t operation) {
        if (operation >= 0x30 && operation <= 0x4f) // lit
            return push(FrameValue::Base::none, operation - 0x30);
        switch (operation) {
        case 0x70 + rbp_number:
            return push(FrameValue::Base::rbp, bytes_.read_sleb());
        case 0x70 + rsp_number:
            return push(FrameValue::Base::rsp, bytes_.read_sleb());
        case 0x70 + rip_number:
            return push(FrameValue::Base::none,
                        static_cast<std::int64_t>(pc_) + bytes_.read_sleb());
        case 0x06: // deref
            if (depth_ == 0 || stack_[depth_ - 1].is_loaded ||
                stack_[depth_ - 1].base == FrameValue::Base::none)
                return false;
            stack_[depth_ - 1].is_loaded = true;
            return true;
        case 0x08: // const1u
            return push(FrameValue::Base::none, bytes_.read<std::uint8_t>());
        case 0x09: // const1s
            return push(FrameValue::Base::none, bytes_.read<std::int8_t>());
        case 0x23: // plus_uconst
            if (depth_ == 0 || stack_[depth_ - 1].is_loaded)
                return false;
            stack_[depth_ - 1].offset += static_cast<std::int64_t>(bytes_.read_uleb());
            return true;
        default:
            return combine(operation);
        }
    }

    static constexpr std::size_t most_depth = 8;
    UnwindBytes bytes_;
    std::uintptr_t pc_;
    FrameValue stack_[most_depth] = {};
    std::size_t depth_ = 0;
};

} // namespace

bool evaluate_expression(UnwindBytes bytes, std::uintptr_t pc, FrameValue& result) {
    return Expression(bytes, pc).evaluate(result);
}

} // namespace alloclab::record
