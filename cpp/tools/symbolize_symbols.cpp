// SPDX-License-Identifier: MIT
#include "symbolize_symbols.hpp"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <gelf.h>
#include <limits>
#include <memory>
#include <tuple>

namespace alloclab {

namespace {

constexpr std::size_t max_mangled_bytes = 32 << 10; // the demangler recurses
constexpr std::size_t max_name_bytes = 4 << 10;

struct Symbol {
    std::string_view name;
    std::uint64_t low;
    std::uint64_t high; // low: the table gives no size
    std::uint64_t section_high;
    int rank; // of several names for one address, the highest is taken
};

// Prefers what a program calls over what a library calls it inside: malloc over __libc_malloc.
int rank_of(const GElf_Sym& symbol, std::string_view name) {
    const int binding = GELF_ST_BIND(symbol.st_info) == STB_GLOBAL ? 2
                        : GELF_ST_BIND(symbol.st_info) == STB_WEAK ? 1
                                                                   : 0;
    const std::size_t underscores = std::min<std::size_t>(name.find_first_not_of('_'), 3);
    const bool is_plain = GELF_ST_TYPE(symbol.st_info) != STT_NOTYPE;
    return (is_plain ? 16 : 0) + (3 - static_cast<int>(underscores)) * 4 + binding;
}

bool is_function(const GElf_Sym& symbol) {
    const int type = GELF_ST_TYPE(symbol.st_info);
    // Hand-written assembly forgets the type, but a label within a function has no size either.
    return type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && symbol.st_size > 0);
}

std::uint64_t section_end(Elf* elf, GElf_Word index, GElf_Addr bias) {
    GElf_Shdr header;
    if (elf == nullptr || gelf_getshdr(elf_getscn(elf, index), &header) == nullptr) {
        return std::numeric_limits<std::uint64_t>::max();
    }
    return header.sh_addr + header.sh_size + bias;
}

std::vector<Symbol> read_symbols(Dwfl_Module* module) {
    std::vector<Symbol> symbols;
    const int count = dwfl_module_getsymtab(module);
    for (int index = 1; index < count; ++index) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        GElf_Word section = 0;
        Elf* elf = nullptr;
        Dwarf_Addr bias = 0;
        const char* const text =
            dwfl_module_getsym_info(module, index, &symbol, &address, &section, &elf, &bias);
        if (text == nullptr || *text == '\0' || symbol.st_shndx == SHN_UNDEF ||
            !is_function(symbol)) {
            continue;
        }
        std::string_view name(text);
        name = name.substr(0, name.find('@', 1)); // malloc@@GLIBC_2.2.5
        const std::uint64_t end =
            symbol.st_size == 0 ? section_end(elf, section, bias) : address + symbol.st_size;
        symbols.push_back({name, address, address + symbol.st_size, end, rank_of(symbol, name)});
    }
    return symbols;
}

} // namespace

std::string readable_name(std::string_view symbol) {
    std::string name(symbol.substr(0, max_mangled_bytes));
    if (name.size() == symbol.size() && name.starts_with("_Z")) {
        int status = 0;
        const std::unique_ptr<char, decltype(&std::free)> demangled(
            abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
        if (demangled != nullptr) {
            name = demangled.get();
        }
    }
    if (name.size() > max_name_bytes) {
        name.resize(max_name_bytes - 3);
        name += "...";
    }
    return name;
}

SymbolTable::SymbolTable(Dwfl_Module* module) {
    std::vector<Symbol> symbols = read_symbols(module);
    std::sort(symbols.begin(), symbols.end(), [](const Symbol& a, const Symbol& b) {
        return std::tie(a.low, a.rank, b.name) < std::tie(b.low, b.rank, a.name);
    });
    std::vector<Interval> intervals;
    std::uint64_t next_low = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t following = next_low; // the next address at which a symbol begins
    for (auto symbol = symbols.rbegin(); symbol != symbols.rend(); ++symbol) {
        if (symbol->low != next_low) {
            following = next_low;
            next_low = symbol->low;
        }
        const bool is_sized = symbol->high > symbol->low;
        const std::uint64_t high =
            is_sized ? symbol->high : std::min(following, symbol->section_high);
        intervals.push_back({symbol->low, high, static_cast<std::uint32_t>(names_.size())});
        names_.push_back(symbol->name);
    }
    std::reverse(intervals.begin(), intervals.end());
    intervals_ = IntervalTable(std::move(intervals));
}

std::string_view SymbolTable::symbol(std::uint64_t address) const {
    const Interval* const found = intervals_.find(address);
    return found == nullptr ? std::string_view() : names_[found->value];
}

std::string_view SymbolTable::name(std::uint64_t address) {
    const Interval* const found = intervals_.find(address);
    if (found == nullptr) {
        return {};
    }
    const auto [at, is_new] = readable_.try_emplace(found->value);
    if (is_new) {
        at->second = readable_name(names_[found->value]);
    }
    return at->second;
}

} // namespace alloclab
