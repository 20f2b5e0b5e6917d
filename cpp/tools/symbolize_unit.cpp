// SPDX-License-Identifier: MIT
#include "symbolize_unit.hpp"

#include "symbolize_symbols.hpp"

#include <algorithm>
#include <dwarf.h>
#include <numeric>

namespace alloclab {

namespace {

constexpr int max_depth = 256;
constexpr std::size_t max_path_bytes = 4 << 10;

std::string_view view(const char* text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

// Follows the abstract origin and the specification, into other units too.
std::string_view linkage_name(Dwarf_Die* die) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) == nullptr &&
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) == nullptr) {
        return {};
    }
    return view(dwarf_formstring(&attribute));
}

std::uint32_t number(Dwarf_Die* die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0 ||
        value > UINT32_MAX) {
        return 0;
    }
    return static_cast<std::uint32_t>(value);
}

// Every entry takes a byte at least, so a tree that holds more entries than its unit has bytes goes
// in circles.
std::uint64_t entries_at_most(Dwarf_Die* unit) {
    const Dwarf_Off begin = dwarf_dieoffset(unit) - dwarf_cuoffset(unit);
    Dwarf_Off end = 0;
    std::size_t header_bytes = 0;
    const bool is_known =
        dwarf_next_unit(dwarf_cu_getdwarf(unit->cu), begin, &end, &header_bytes, nullptr, nullptr,
                        nullptr, nullptr, nullptr, nullptr) == 0;
    return is_known && end > begin ? end - begin : 0;
}

} // namespace

UnitScopes::UnitScopes(const Dwarf_Die& unit, std::span<const std::uint64_t> addresses)
    : unit_(unit), scope_(unit), addresses_(addresses), innermost_(addresses.size(), no_scope) {
    Dwarf_Die split;
    if (dwarf_cu_info(unit_.cu, nullptr, nullptr, nullptr, &split, nullptr, nullptr, nullptr) ==
            0 &&
        split.addr != nullptr) {
        scope_ = split;
    }
    Members members(addresses.size());
    std::iota(members.begin(), members.end(), 0U);
    budget_ = entries_at_most(&scope_);
    walk(&scope_, members, no_scope, 0);

    // Members of a function's local class are written inside it, and lie elsewhere.
    std::erase_if(members, [this](std::uint32_t each) { return innermost_[each] != no_scope; });
    if (!members.empty()) {
        is_thorough_ = true;
        budget_ = entries_at_most(&scope_);
        walk(&scope_, members, no_scope, 0);
    }
}

void UnitScopes::walk(Dwarf_Die* parent, const Members& members, std::uint32_t scope, int depth) {
    Dwarf_Die child;
    if (depth > max_depth || dwarf_child(parent, &child) != 0) {
        return;
    }
    while (budget_ > 0) {
        --budget_;
        visit(&child, members, scope, depth);
        Dwarf_Die next;
        if (dwarf_siblingof(&child, &next) != 0 || next.addr <= child.addr) {
            return;
        }
        child = next;
    }
}

void UnitScopes::visit(Dwarf_Die* die, const Members& members, std::uint32_t scope, int depth) {
    const int tag = dwarf_tag(die);
    switch (tag) {
    case DW_TAG_subprogram:
    case DW_TAG_inlined_subroutine: {
        if (prefix_ != 0) {
            prefix_of_.emplace(dwarf_dieoffset(die), prefix_);
        }
        const Members held = within(die, members, scope);
        if (!held.empty()) {
            const auto own = static_cast<std::uint32_t>(scopes_.size());
            scopes_.push_back({*die, scope, tag == DW_TAG_inlined_subroutine});
            for (const std::uint32_t each : held) {
                innermost_[each] = own;
            }
            walk(die, held, own, depth + 1);
        } else if (is_thorough_ && tag == DW_TAG_subprogram) {
            walk(die, members, scope, depth + 1);
        }
        return;
    }
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt: {
        const Members held =
            is_thorough_ && scope == no_scope ? members : within(die, members, scope);
        if (!held.empty()) {
            walk(die, held, scope, depth + 1);
        }
        return;
    }
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
        walk_named_space(die, members, scope, depth);
        return;
    default:
        return;
    }
}

void UnitScopes::walk_named_space(Dwarf_Die* die, const Members& members, std::uint32_t scope,
                                  int depth) {
    if (dwarf_haschildren(die) != 1) {
        return;
    }
    const std::uint32_t outer = prefix_;
    std::string prefix = prefixes_[outer];
    const std::string_view name = view(dwarf_diename(die));
    if (prefix.size() + name.size() < 1024) {
        prefix +=
            name.empty() && dwarf_tag(die) == DW_TAG_namespace ? "(anonymous namespace)" : name;
        prefix += prefix.empty() || prefix.ends_with("::") ? "" : "::";
    }
    prefixes_.push_back(std::move(prefix));
    prefix_ = static_cast<std::uint32_t>(prefixes_.size() - 1);
    walk(die, members, scope, depth + 1);
    prefix_ = outer;
}

// Returns the members in the entry's ranges that no neighbour of it has taken.
UnitScopes::Members UnitScopes::within(Dwarf_Die* die, const Members& members,
                                       std::uint32_t scope) const {
    Members held;
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    std::ptrdiff_t offset = 0;
    bool is_first = true;
    while ((offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
        auto member = std::lower_bound(
            members.begin(), members.end(), low,
            [this](std::uint32_t each, Dwarf_Addr wanted) { return addresses_[each] < wanted; });
        const bool had_some = !held.empty();
        for (; member != members.end() && addresses_[*member] < high; ++member) {
            if (innermost_[*member] == scope) {
                held.push_back(*member);
            }
        }
        is_first = is_first && !had_some;
    }
    if (!is_first) { // ranges may come in any order, and overlap
        std::sort(held.begin(), held.end());
        held.erase(std::unique(held.begin(), held.end()), held.end());
    }
    return held;
}

// Returns the name as the source has it, with the namespaces and classes around it where they were
// walked past: what has no linkage name is static, or of a language that has none.
std::string UnitScopes::written_name(Dwarf_Die* die) const {
    const std::string_view name = view(dwarf_diename(die));
    if (name.empty()) {
        return {};
    }
    Dwarf_Die at = *die;
    for (int step = 0; step < 8; ++step) {
        const auto prefix = prefix_of_.find(dwarf_dieoffset(&at));
        if (prefix != prefix_of_.end() && at.cu == scope_.cu) {
            return readable_name(prefixes_[prefix->second] + std::string(name));
        }
        Dwarf_Attribute attribute;
        if ((dwarf_attr(&at, DW_AT_abstract_origin, &attribute) == nullptr &&
             dwarf_attr(&at, DW_AT_specification, &attribute) == nullptr) ||
            dwarf_formref_die(&attribute, &at) == nullptr) {
            break;
        }
    }
    return readable_name(name);
}

const std::string& UnitScopes::name_of(Scope& scope) {
    if (!scope.is_named) {
        scope.is_named = true;
        const std::string_view linkage = linkage_name(&scope.die);
        scope.has_linkage_name = !linkage.empty();
        scope.name = linkage.empty() ? written_name(&scope.die) : readable_name(linkage);
    }
    return scope.name;
}

// Of a static C++ function the symbol tells more than the entry; of a C function it is the same.
std::string_view UnitScopes::function_of(Scope& scope, std::string_view symbol) {
    const std::string& name = name_of(scope);
    const bool has_symbol = !is_inlined(scope) && !symbol.empty();
    if (has_symbol && !scope.has_linkage_name &&
        (name.empty() || symbol.find('(') != symbol.npos)) {
        return symbol;
    }
    return name.empty() ? std::string_view("(unnamed)") : std::string_view(name);
}

SourceFrame UnitScopes::line_of(std::uint64_t address) {
    SourceFrame frame;
    if (Dwarf_Line* const line = dwarf_getsrc_die(&unit_, address)) {
        int line_number = 0;
        if (dwarf_lineno(line, &line_number) == 0 && line_number > 0) {
            frame.line = static_cast<std::uint32_t>(line_number);
        }
        frame.file = view(dwarf_linesrc(line, nullptr, nullptr)).substr(0, max_path_bytes);
    }
    return frame;
}

SourceFrame UnitScopes::call_of(Scope& inlined) {
    SourceFrame frame;
    frame.line = number(&inlined.die, DW_AT_call_line);
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    const std::uint32_t file = number(&inlined.die, DW_AT_call_file);
    if (dwarf_getsrcfiles(&scope_, &files, &count) == 0 && file < count) {
        frame.file = view(dwarf_filesrc(files, file, nullptr, nullptr)).substr(0, max_path_bytes);
    }
    return frame;
}

void UnitScopes::frames(std::size_t address, std::string_view symbol,
                        std::vector<SourceFrame>& frames) {
    SourceFrame frame = line_of(addresses_[address]);
    std::uint32_t at = innermost_[address];
    if (at == no_scope && !symbol.empty()) { // without a symbol either it is padding
        frame.function = symbol;
        frames.push_back(frame);
    }
    while (at != no_scope) {
        Scope& scope = scopes_[at];
        frame.function = function_of(scope, symbol);
        frame.is_inlined = is_inlined(scope);
        frames.push_back(frame);
        if (!frame.is_inlined) {
            return;
        }
        frame = call_of(scope);
        at = scope.parent;
    }
}

} // namespace alloclab
