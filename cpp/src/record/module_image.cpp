// SPDX-License-Identifier: MIT
#include <alloclab/record/module_image.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/record/system_call.hpp>

#include <cstring>
#include <fcntl.h>
#include <sys/auxv.h>

namespace alloclab::record {

namespace {

bool is_within(const Module& module, std::uintptr_t at, std::size_t bytes) {
    return at >= module.begin && at <= module.end && bytes <= module.end - at;
}

void read_notes(std::uintptr_t at, std::size_t bytes, Module& module) {
    constexpr char owner[] = "GNU";
    while (bytes >= sizeof(ElfW(Nhdr))) {
        const auto& note = *reinterpret_cast<const ElfW(Nhdr)*>(at);
        const std::size_t name_bytes = align_up(std::size_t{note.n_namesz}, 4);
        const std::size_t whole =
            sizeof note + name_bytes + align_up(std::size_t{note.n_descsz}, 4);
        if (whole > bytes)
            return;
        const auto* const name = reinterpret_cast<const char*>(at + sizeof note);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof owner &&
            std::memcmp(name, owner, sizeof owner) == 0) {
            module.build_id = reinterpret_cast<const unsigned char*>(name) + name_bytes;
            module.build_id_bytes = note.n_descsz;
            return;
        }
        at += whole;
        bytes -= whole;
    }
}

std::size_t copy(char* out, std::size_t capacity, const char* text) {
    const std::size_t length = std::strlen(text);
    const std::size_t kept = length < capacity ? length : capacity;
    std::memcpy(out, text, kept);
    return kept;
}

} // namespace

bool read_headers(const ElfW(Phdr) * headers, std::size_t count, Module& module) {
    std::uintptr_t begin = UINTPTR_MAX;
    std::uintptr_t end = 0;
    for (std::size_t header_idx = 0; header_idx < count; ++header_idx) {
        const ElfW(Phdr)& header = headers[header_idx];
        if (header.p_type != PT_LOAD || header.p_memsz == 0)
            continue;
        const std::uintptr_t first = module.bias + header.p_vaddr;
        begin = first < begin ? first : begin;
        end = first + header.p_memsz > end ? first + header.p_memsz : end;
    }
    if (begin >= end)
        return false;
    module.begin = begin & ~std::uintptr_t{page_bytes - 1};
    module.end = align_up(std::size_t{end}, page_bytes);
    for (std::size_t header_idx = 0; header_idx < count; ++header_idx) {
        const ElfW(Phdr)& header = headers[header_idx];
        const std::uintptr_t at = module.bias + header.p_vaddr;
        if (!is_within(module, at, header.p_memsz))
            continue;
        if (header.p_type == PT_GNU_EH_FRAME) {
            module.unwind_header = reinterpret_cast<const unsigned char*>(at);
            module.unwind_header_bytes = header.p_memsz;
        } else if (header.p_type == PT_DYNAMIC) {
            module.dynamic = at;
        } else if (header.p_type == PT_NOTE && module.build_id == nullptr) {
            read_notes(at, header.p_memsz, module);
        }
    }
    return true;
}

bool read_image_headers(Module& module) {
    if (module.end - module.begin < sizeof(ElfW(Ehdr)))
        return false;
    const auto& file = *reinterpret_cast<const ElfW(Ehdr)*>(module.begin);
    if (std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_phentsize != sizeof(ElfW(Phdr)) ||
        file.e_phoff > module.end - module.begin ||
        file.e_phnum > (module.end - module.begin - file.e_phoff) / sizeof(ElfW(Phdr)))
        return false;
    const auto* const headers = reinterpret_cast<const ElfW(Phdr)*>(module.begin + file.e_phoff);
    return read_headers(headers, file.e_phnum, module);
}

std::size_t module_path(const Module& module, char* out, std::size_t capacity) {
    if (module.name == nullptr)
        return 0;
    if (module.begin == getauxval(AT_SYSINFO_EHDR))
        return copy(out, capacity, "[vdso]");
    if (module.name[0] == '/')
        return copy(out, capacity, module.name);
    const bool is_executable = module.name[0] == '\0';
    long length = is_executable
                      ? system_call(SYS_readlink, address_argument("/proc/self/exe"),
                                    address_argument(out), static_cast<long>(capacity))
                      : system_call(SYS_getcwd, address_argument(out), static_cast<long>(capacity));
    if (length <= 0)
        return copy(out, capacity, module.name);
    if (is_executable)
        return static_cast<std::size_t>(length);
    out[length - 1] = '/'; // where the terminating zero was counted
    return static_cast<std::size_t>(length) +
           copy(out + length, capacity - static_cast<std::size_t>(length), module.name);
}

std::size_t build_id_text(const Module& module, char* out, std::size_t capacity) {
    constexpr char digits[] = "0123456789abcdef";
    std::size_t length = 0;
    for (std::size_t byte_idx = 0; byte_idx < module.build_id_bytes && length + 2 <= capacity;
         ++byte_idx) {
        out[length++] = digits[module.build_id[byte_idx] >> 4];
        out[length++] = digits[module.build_id[byte_idx] & 15];
    }
    return length;
}

} // namespace alloclab::record
