// SPDX-License-Identifier: MIT
#include "symbolize_debug.hpp"

#include "symbolize_unit.hpp"

#include <cstddef>
#include <dwarf.h>

namespace alloclab {

namespace {

void add_ranges(Dwarf_Die& unit, std::uint32_t number, std::vector<Interval>& ranges) {
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    std::ptrdiff_t offset = 0;
    while ((offset = dwarf_ranges(&unit, offset, &base, &low, &high)) > 0) {
        if (low < high) {
            ranges.push_back({low, high, number});
        }
    }
}

} // namespace

DebugInfo::DebugInfo(Dwarf* dwarf, Dwarf_Addr bias) : bias_(bias) {
    std::vector<Interval> ranges;
    Dwarf_CU* unit = nullptr;
    std::uint8_t type = 0;
    Dwarf_Die die;
    while (dwarf_get_units(dwarf, unit, &unit, nullptr, &type, &die, nullptr) == 0) {
        if (type == DW_UT_compile || type == DW_UT_skeleton) {
            add_ranges(die, static_cast<std::uint32_t>(units_.size()), ranges);
            units_.push_back(die);
        }
    }
    ranges_ = IntervalTable(std::move(ranges));
}

std::vector<Lookup> DebugInfo::find(std::span<const Lookup> lookups, SymbolTable& symbols,
                                    Answer& answer) {
    std::vector<std::vector<Lookup>> by_unit(units_.size());
    std::vector<Lookup> others;
    for (const Lookup& lookup : lookups) {
        const Interval* const range = ranges_.find(lookup.address - bias_);
        (range == nullptr ? others : by_unit[range->value]).push_back(lookup);
    }
    for (std::size_t index = 0; index < units_.size(); ++index) {
        if (!by_unit[index].empty()) {
            find_in_unit(units_[index], by_unit[index], symbols, answer);
        }
    }
    return others;
}

void DebugInfo::find_in_unit(Dwarf_Die& unit, std::span<const Lookup> lookups, SymbolTable& symbols,
                             Answer& answer) const {
    std::vector<std::uint64_t> addresses;
    for (const Lookup& lookup : lookups) {
        addresses.push_back(lookup.address - bias_);
    }
    UnitScopes scopes(unit, addresses);
    std::vector<SourceFrame> frames;
    for (std::size_t each = 0; each < lookups.size(); ++each) {
        frames.clear();
        scopes.frames(each, symbols.name(lookups[each].address), frames);
        answer.set_frames(lookups[each].index, frames);
    }
}

} // namespace alloclab
