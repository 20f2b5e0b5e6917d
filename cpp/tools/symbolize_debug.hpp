// SPDX-License-Identifier: MIT
#pragma once

#include "symbolize_answer.hpp"
#include "symbolize_intervals.hpp"
#include "symbolize_symbols.hpp"

#include <cstdint>
#include <elfutils/libdw.h>
#include <span>
#include <vector>

namespace alloclab {

// An address in the object's own space, and which of the request it is.
struct Lookup {
    std::uint64_t address;
    std::uint32_t index;
};

// A module's debug information: which unit holds an address, and what the unit says of it.
//
// The units' own ranges are read once. .debug_aranges would be quicker, but clang leaves it out.
class DebugInfo {
public:
    // Addresses of the module are `bias` above those of the debug information.
    DebugInfo(Dwarf* dwarf, Dwarf_Addr bias);

    // Answers what the debug information knows, with names from the symbols where it has none.
    // Requires: `lookups` sorted. Returns those that stand in no unit.
    std::vector<Lookup> find(std::span<const Lookup> lookups, SymbolTable& symbols, Answer& answer);

private:
    void find_in_unit(Dwarf_Die& unit, std::span<const Lookup> lookups, SymbolTable& symbols,
                      Answer& answer) const;

    Dwarf_Addr bias_;
    std::vector<Dwarf_Die> units_;
    IntervalTable ranges_;
};

} // namespace alloclab
