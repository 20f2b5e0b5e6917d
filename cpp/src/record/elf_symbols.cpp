// SPDX-License-Identifier: MIT
#include <alloclab/record/elf_symbols.hpp>

#include <alloclab/record/system_call.hpp>

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace alloclab::record {

namespace {

// A file mapped to be read.
class MappedFile {
public:
    explicit MappedFile(const char* path) {
        const long fd =
            system_call(SYS_openat, AT_FDCWD, address_argument(path), O_RDONLY | O_CLOEXEC);
        if (is_error(fd))
            return;
        struct stat status {};
        if (!is_error(system_call(SYS_fstat, fd, address_argument(&status))) &&
            S_ISREG(status.st_mode) && status.st_size > 0) {
            bytes_ = static_cast<std::size_t>(status.st_size);
            data_ = static_cast<unsigned char*>(
                map_memory(bytes_, PROT_READ, MAP_PRIVATE, static_cast<int>(fd), 0));
        }
        system_call(SYS_close, fd);
    }
    ~MappedFile() {
        if (data_ != nullptr)
            unmap_memory(data_, bytes_);
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    // The bytes there, or null when the file does not hold as many.
    const unsigned char* at(std::uint64_t offset, std::uint64_t bytes) const {
        const bool is_within = data_ != nullptr && offset <= bytes_ && bytes <= bytes_ - offset;
        return is_within ? data_ + offset : nullptr;
    }

private:
    unsigned char* data_ = nullptr;
    std::size_t bytes_ = 0;
};

template <class Type> bool read(const MappedFile& file, std::uint64_t offset, Type& out) {
    const unsigned char* const from = file.at(offset, sizeof out);
    if (from != nullptr)
        std::memcpy(&out, from, sizeof out);
    return from != nullptr;
}

bool find_section(const MappedFile& file, const Elf64_Ehdr& header, std::uint32_t type,
                  Elf64_Shdr& found) {
    for (std::uint64_t section_idx = 0; section_idx < header.e_shnum; ++section_idx)
        if (read(file, header.e_shoff + section_idx * sizeof(Elf64_Shdr), found) &&
            found.sh_type == type)
            return true;
    return false;
}

} // namespace

void each_function(const char* path, std::uintptr_t load_address,
                   void (*visit)(void*, const char*, std::uintptr_t, std::size_t), void* context) {
    const MappedFile file(path);
    Elf64_Ehdr header{};
    Elf64_Shdr symbols{};
    Elf64_Shdr texts{};
    if (!read(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr) ||
        header.e_shoff > (std::uint64_t{1} << 48))
        return;
    if (!find_section(file, header, SHT_SYMTAB, symbols) &&
        !find_section(file, header, SHT_DYNSYM, symbols))
        return;
    if (!read(file, header.e_shoff + symbols.sh_link * sizeof(Elf64_Shdr), texts))
        return;
    const auto* const strings =
        reinterpret_cast<const char*>(file.at(texts.sh_offset, texts.sh_size));
    const unsigned char* const table = file.at(symbols.sh_offset, symbols.sh_size);
    if (strings == nullptr || table == nullptr || texts.sh_size == 0 ||
        strings[texts.sh_size - 1] != '\0')
        return;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, table + at, sizeof symbol);
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF &&
            symbol.st_name < texts.sh_size && symbol.st_value != 0)
            visit(context, strings + symbol.st_name, load_address + symbol.st_value,
                  symbol.st_size);
    }
}

} // namespace alloclab::record
