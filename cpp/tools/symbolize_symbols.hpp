// SPDX-License-Identifier: MIT
#pragma once

#include "symbolize_intervals.hpp"

#include <cstdint>
#include <elfutils/libdwfl.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace alloclab {

// Returns a C++ name as it was written, any other as it is; at most a few thousand bytes of it.
std::string readable_name(std::string_view symbol);

// A module's functions by address, from its symbol table or, failing that, its dynamic one. libdwfl
// looks through the whole table for each address; here it is sorted once.
class SymbolTable {
public:
    explicit SymbolTable(Dwfl_Module* module);

    bool is_empty() const { return names_.empty(); }

    // Returns the symbol that covers the address, as the linker spells it; empty for none.
    std::string_view symbol(std::uint64_t address) const;

    // Returns the same, readable.
    std::string_view name(std::uint64_t address);

private:
    std::vector<std::string_view> names_;
    IntervalTable intervals_;
    std::unordered_map<std::uint32_t, std::string> readable_;
};

} // namespace alloclab
