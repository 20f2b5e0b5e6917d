// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind_program.hpp>

#include <alloclab/record/unwind_expression.hpp>

#include <climits>
#include <cstddef>

namespace alloclab::record {

namespace {

// Where a register of the caller is.
struct Place {
    enum class Kind : std::uint8_t { same, at_cfa, at_rbp, undefined, unknown } kind;
    std::int64_t offset;
};

struct Row {
    bool is_known; // of the CFA
    FrameValue cfa;
    Place rbp;
    Place rip;
};

class Program {
public:
    Program(const FrameTable& table, std::uintptr_t pc)
        : table_(table), pc_(pc), location_(table.begin) {
        row_.rip.kind = Place::Kind::unknown;
    }

    bool run(UnwindBytes bytes) {
        while (!bytes.is_at_end() && location_ <= pc_)
            if (!step(bytes))
                return false;
        return !bytes.has_failed();
    }
    void keep_initial() { initial_ = row_; }
    const Row& row() const { return row_; }

private:
    Place* place_of(std::uint64_t number) {
        if (number == rbp_number)
            return &row_.rbp;
        return number == table_.return_register ? &row_.rip : nullptr;
    }

    void set(std::uint64_t number, Place place) {
        if (Place* const at = place_of(number); at != nullptr)
            *at = place;
    }
    void set_offset(std::uint64_t number, std::int64_t factored) {
        set(number, {Place::Kind::at_cfa, factored * table_.data_alignment});
    }
    void restore(std::uint64_t number) {
        if (number == rbp_number)
            row_.rbp = initial_.rbp;
        else if (number == table_.return_register)
            row_.rip = initial_.rip;
    }
    void set_cfa(std::uint64_t number, std::int64_t offset) {
        row_.is_known = number == rsp_number || number == rbp_number;
        row_.cfa = {number == rbp_number ? FrameValue::Base::rbp : FrameValue::Base::rsp, false,
                    offset};
    }
    void set_cfa_register(std::uint64_t number) { set_cfa(number, row_.cfa.offset); }

    void set_by_expression(std::uint64_t number, UnwindBytes bytes) {
        FrameValue value{};
        const bool is_word = evaluate_expression(bytes, pc_, value) && !value.is_loaded &&
                             value.base == FrameValue::Base::rbp;
        set(number, {is_word ? Place::Kind::at_rbp : Place::Kind::unknown, value.offset});
    }

    bool step(UnwindBytes& bytes) {
        const auto instruction = bytes.read<std::uint8_t>();
        const std::uint64_t low = instruction & 0x3f;
        switch (instruction & 0xc0) {
        case 0x40: // advance_loc
            location_ += low * table_.code_alignment;
            return true;
        case 0x80: // offset
            set_offset(low, static_cast<std::int64_t>(bytes.read_uleb()));
            return true;
        case 0xc0: // restore
            restore(low);
            return true;
        default:
            return step_extended(instruction, bytes);
        }
    }

    bool step_extended(std::uint8_t instruction, UnwindBytes& bytes) {
        std::uint64_t number = 0;
        switch (instruction) {
        case 0x00: // nop
            return true;
        case 0x01: // set_loc
            location_ = bytes.read_encoded(table_.pointer_encoding);
            return true;
        case 0x02: // advance_loc1, 2, 4
            location_ += bytes.read<std::uint8_t>() * table_.code_alignment;
            return true;
        case 0x03:
            location_ += bytes.read<std::uint16_t>() * table_.code_alignment;
            return true;
        case 0x04:
            location_ += bytes.read<std::uint32_t>() * table_.code_alignment;
            return true;
        case 0x05: // offset_extended
            number = bytes.read_uleb();
            set_offset(number, static_cast<std::int64_t>(bytes.read_uleb()));
            return true;
        case 0x06: // restore_extended
            restore(bytes.read_uleb());
            return true;
        case 0x07: // undefined
            set(bytes.read_uleb(), {Place::Kind::undefined, 0});
            return true;
        case 0x08: // same_value
            set(bytes.read_uleb(), {Place::Kind::same, 0});
            return true;
        case 0x09: // register
            number = bytes.read_uleb();
            bytes.read_uleb();
            set(number, {Place::Kind::unknown, 0});
            return true;
        case 0x0a: // remember_state
            if (kept_count_ == most_kept)
                return false;
            kept_[kept_count_++] = row_;
            return true;
        case 0x0b: // restore_state
            if (kept_count_ == 0)
                return false;
            row_ = kept_[--kept_count_];
            return true;
        case 0x0c: // def_cfa
            number = bytes.read_uleb();
            set_cfa(number, static_cast<std::int64_t>(bytes.read_uleb()));
            return true;
        case 0x0d: // def_cfa_register
            set_cfa_register(bytes.read_uleb());
            return true;
        case 0x0e: // def_cfa_offset
            row_.cfa.offset = static_cast<std::int64_t>(bytes.read_uleb());
            return true;
        default:
            return step_rare(instruction, bytes);
        }
    }

    bool step_rare(std::uint8_t instruction, UnwindBytes& bytes) {
        std::uint64_t number = 0;
        switch (instruction) {
        case 0x0f: { // def_cfa_expression
            const std::uint64_t size = bytes.read_uleb();
            row_.is_known = evaluate_expression(bytes.take(size), pc_, row_.cfa);
            return true;
        }
        case 0x10: // expression
            number = bytes.read_uleb();
            set_by_expression(number, bytes.take(bytes.read_uleb()));
            return true;
        case 0x11: // offset_extended_sf
            number = bytes.read_uleb();
            set_offset(number, bytes.read_sleb());
            return true;
        case 0x12: // def_cfa_sf
            number = bytes.read_uleb();
            set_cfa(number, bytes.read_sleb() * table_.data_alignment);
            return true;
        case 0x13: // def_cfa_offset_sf
            row_.cfa.offset = bytes.read_sleb() * table_.data_alignment;
            return true;
        case 0x14: // val_offset, val_offset_sf
        case 0x15:
            number = bytes.read_uleb();
            bytes.read_uleb();
            set(number, {Place::Kind::unknown, 0});
            return true;
        case 0x16: // val_expression
            number = bytes.read_uleb();
            bytes.skip(bytes.read_uleb());
            set(number, {Place::Kind::unknown, 0});
            return true;
        case 0x2e: // GNU_args_size
            bytes.read_uleb();
            return true;
        default:
            return false;
        }
    }

    static constexpr std::size_t most_kept = 8;
    const FrameTable& table_;
    std::uintptr_t pc_;
    std::uintptr_t location_;
    Row row_{};
    Row initial_{};
    Row kept_[most_kept] = {};
    std::size_t kept_count_ = 0;
};

RuleKind kind_of(const Row& row) {
    if (!row.is_known || row.cfa.base == FrameValue::Base::none)
        return RuleKind::none;
    if (row.cfa.is_loaded)
        return row.cfa.base == FrameValue::Base::rbp ? RuleKind::by_saved : RuleKind::none;
    return row.cfa.base == FrameValue::Base::rbp ? RuleKind::by_rbp : RuleKind::by_rsp;
}

bool fits(std::int64_t value, std::int64_t most) {
    return value >= -most && value <= most;
}

} // namespace

Rule run_frame_program(const FrameTable& table, std::uintptr_t pc) {
    if (table.is_signal)
        return {0, 0, SavedRbp::nowhere, RuleKind::signal};
    Program program(table, pc);
    if (!program.run(table.initial))
        return {};
    program.keep_initial();
    if (!program.run(table.program))
        return {};
    const Row& row = program.row();
    if (row.rip.kind == Place::Kind::undefined)
        return {0, 0, SavedRbp::nowhere, RuleKind::outermost};
    const bool is_return_at_cfa = row.rip.kind == Place::Kind::at_cfa && row.rip.offset == -8;
    const bool has_rbp = row.rbp.kind == Place::Kind::at_cfa || row.rbp.kind == Place::Kind::at_rbp;
    if (!is_return_at_cfa || row.rbp.kind == Place::Kind::unknown ||
        !fits(row.cfa.offset, INT32_MAX) || (has_rbp && !fits(row.rbp.offset, INT16_MAX)))
        return {};
    Rule rule{};
    rule.kind = kind_of(row);
    rule.cfa_offset = static_cast<std::int32_t>(row.cfa.offset);
    if (has_rbp) {
        rule.rbp = row.rbp.kind == Place::Kind::at_cfa ? SavedRbp::at_cfa : SavedRbp::at_rbp;
        rule.rbp_offset = static_cast<std::int16_t>(row.rbp.offset);
    }
    return rule;
}

} // namespace alloclab::record
