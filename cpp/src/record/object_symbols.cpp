// SPDX-License-Identifier: MIT

// A lookup in the hash table of a dynamic symbol table, as `ld --hash-style=gnu` writes it: a Bloom
// filter, buckets by hash, and from each bucket's first symbol on a chain that ends with an odd
// word. Source: glibc, elf/dl-lookup.c (do_lookup_x). Every place is checked to lie in the object.

#include <alloclab/record/object_symbols.hpp>

#include <cstring>
#include <elf.h>

namespace alloclab::record {

namespace {

class DynamicTables {
public:
    explicit DynamicTables(const Module& module) : module_(module) {
        std::uintptr_t at = module.dynamic;
        if (at == 0)
            return;
        for (Elf64_Dyn entry{}; read(at, entry) && entry.d_tag != DT_NULL; at += sizeof entry)
            if (entry.d_tag == DT_GNU_HASH)
                hashes_ = address_of(entry);
            else if (entry.d_tag == DT_SYMTAB)
                symbols_ = address_of(entry);
            else if (entry.d_tag == DT_STRTAB)
                strings_ = address_of(entry);
    }

    ObjectSymbol find(const char* name) const {
        const std::uint32_t hash = hash_of(name);
        std::uint32_t head[4]; // buckets, first symbol, words of the filter, its shift
        if (symbols_ == 0 || strings_ == 0 || hashes_ == 0 || !read(hashes_, head) ||
            head[0] == 0 || head[2] == 0)
            return {};
        const std::uintptr_t filter = hashes_ + sizeof head;
        const std::uintptr_t buckets = filter + std::uint64_t{head[2]} * sizeof(std::uint64_t);
        const std::uintptr_t chains = buckets + std::uint64_t{head[0]} * sizeof(std::uint32_t);
        constexpr std::uint32_t word_bits = 64;
        std::uint64_t word = 0;
        if (!read(filter + std::uint64_t{hash / word_bits % head[2]} * sizeof word, word) ||
            (word >> hash % word_bits & word >> (hash >> head[3] % 32) % word_bits & 1) == 0)
            return {};
        std::uint32_t symbol = 0;
        if (!read(buckets + std::uint64_t{hash % head[0]} * sizeof symbol, symbol) ||
            symbol < head[1])
            return {};
        for (std::uint32_t link = 0;; ++symbol) {
            if (!read(chains + std::uint64_t{symbol - head[1]} * sizeof link, link))
                return {};
            if ((link | 1) == (hash | 1))
                if (const ObjectSymbol found = symbol_called(name, symbol); found.address != 0)
                    return found;
            if ((link & 1) != 0)
                return {};
        }
    }

private:
    static std::uint32_t hash_of(const char* name) {
        std::uint32_t hash = 5381;
        for (; *name != '\0'; ++name)
            hash = hash * 33 + static_cast<unsigned char>(*name);
        return hash;
    }

    bool is_within(std::uintptr_t at, std::size_t bytes) const {
        return at >= module_.begin && at <= module_.end && bytes <= module_.end - at;
    }

    template <class Type> bool read(std::uintptr_t at, Type& out) const {
        if (!is_within(at, sizeof out))
            return false;
        std::memcpy(&out, reinterpret_cast<const void*>(at), sizeof out);
        return true;
    }

    // The loader has moved these addresses where it could write to them.
    std::uintptr_t address_of(const Elf64_Dyn& entry) const {
        return is_within(entry.d_un.d_ptr, 1) ? entry.d_un.d_ptr : entry.d_un.d_ptr + module_.bias;
    }

    ObjectSymbol symbol_called(const char* name, std::uint32_t number) const {
        Elf64_Sym symbol{};
        const std::size_t bytes = std::strlen(name) + 1;
        if (!read(symbols_ + std::uint64_t{number} * sizeof symbol, symbol) ||
            symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) > STT_FUNC ||
            !is_within(strings_ + symbol.st_name, bytes) ||
            std::memcmp(reinterpret_cast<const void*>(strings_ + symbol.st_name), name, bytes) != 0)
            return {};
        const std::uintptr_t address = module_.bias + symbol.st_value;
        return is_within(address, symbol.st_size) ? ObjectSymbol{address, symbol.st_size}
                                                  : ObjectSymbol{};
    }

    const Module& module_;
    std::uintptr_t hashes_ = 0;
    std::uintptr_t symbols_ = 0;
    std::uintptr_t strings_ = 0;
};

} // namespace

ObjectSymbol find_object_symbol(const Module& module, const char* name) {
    return DynamicTables(module).find(name);
}

} // namespace alloclab::record
