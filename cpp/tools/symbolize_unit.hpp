// SPDX-License-Identifier: MIT
#pragma once

#include "symbolize_answer.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <elfutils/libdw.h>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace alloclab {

// One compilation unit's answer for all of its addresses.
//
// dwarf_getscopes walks the unit anew for each address; here the unit's tree is walked once, and
// the addresses, sorted, are handed down it, each only into the functions that hold it.
class UnitScopes {
public:
    // Requires: `addresses` sorted, as the debug information counts them, and alive as long.
    UnitScopes(const Dwarf_Die& unit, std::span<const std::uint64_t> addresses);

    // Adds the frames of an address, innermost first. A function without a name of its own gets
    // `symbol`, which is readable; without a function or a symbol there are none.
    // Requires: the texts of `symbol` outlive the frames; those returned live as long as this.
    void frames(std::size_t address, std::string_view symbol, std::vector<SourceFrame>& frames);

private:
    struct Scope {
        Dwarf_Die die;
        std::uint32_t parent; // no_scope: a function of its own
        bool is_inlined_entry;
        bool is_named = false;
        bool has_linkage_name = false;
        std::string name{};
    };
    using Members = std::vector<std::uint32_t>; // indices of addresses, ascending

    static constexpr std::uint32_t no_scope = UINT32_MAX;

    void walk(Dwarf_Die* parent, const Members& members, std::uint32_t scope, int depth);
    void visit(Dwarf_Die* die, const Members& members, std::uint32_t scope, int depth);
    void walk_named_space(Dwarf_Die* die, const Members& members, std::uint32_t scope, int depth);
    Members within(Dwarf_Die* die, const Members& members, std::uint32_t scope) const;
    static bool is_inlined(const Scope& scope) {
        return scope.is_inlined_entry && scope.parent != no_scope;
    }
    const std::string& name_of(Scope& scope);
    std::string_view function_of(Scope& scope, std::string_view symbol);
    SourceFrame line_of(std::uint64_t address);
    SourceFrame call_of(Scope& inlined);
    std::string written_name(Dwarf_Die* die) const;

    Dwarf_Die unit_;  // has the line table
    Dwarf_Die scope_; // has the functions: the unit, or its other half in a .dwo file
    std::span<const std::uint64_t> addresses_;
    std::deque<Scope> scopes_;
    std::vector<std::uint32_t> innermost_; // of each address
    std::unordered_map<Dwarf_Off, std::uint32_t> prefix_of_;
    std::deque<std::string> prefixes_{std::string()};
    std::uint32_t prefix_ = 0; // of what is being walked
    std::uint64_t budget_ = 0; // entries still to be looked at
    bool is_thorough_ = false; // look for functions within functions that do not hold them
};

} // namespace alloclab
