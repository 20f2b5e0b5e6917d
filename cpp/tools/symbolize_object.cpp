// SPDX-License-Identifier: MIT
#include "symbolize_object.hpp"

#include "symbolize_debug.hpp"
#include "symbolize_symbols.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <memory>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace alloclab {

namespace {

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int number() const { return number_; }
    int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

std::string hex(const void* bytes, std::size_t size) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char each : std::span(static_cast<const unsigned char*>(bytes), size)) {
        text += digits[each >> 4];
        text += digits[each & 15];
    }
    return text;
}

// Returns why the open file's symbols cannot be those of the recorded module; empty: they are.
std::string refusal(int descriptor, const ModuleRequest& request) {
    const std::unique_ptr<Elf, decltype(&elf_end)> elf(
        elf_begin(descriptor, ELF_C_READ_MMAP, nullptr), &elf_end);
    GElf_Ehdr header;
    if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF ||
        gelf_getehdr(elf.get(), &header) == nullptr) {
        return "not an ELF file";
    }
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
        return "neither a program nor a shared object";
    }
    if (request.build_id.empty()) {
        return {};
    }
    const void* bytes = nullptr;
    const ssize_t size = dwelf_elf_gnu_build_id(elf.get(), &bytes);
    const std::string build_id = size > 0 ? hex(bytes, static_cast<std::size_t>(size)) : "none";
    return build_id == request.build_id ? std::string()
                                        : "the file has changed since: its build id is " +
                                              build_id + ", recorded was " + request.build_id;
}

std::string open_failure(int error) {
    return error == ENOENT ? "the file is gone"
                           : std::string("cannot be read: ") + std::strerror(error);
}

std::vector<Lookup> sorted_lookups(const ModuleRequest& request) {
    std::vector<Lookup> lookups;
    for (std::size_t index = 0; index < request.addresses.size(); ++index) {
        const std::uint64_t address = request.addresses[index];
        // What a call returns to may be another line, or the next function.
        const bool is_before = request.is_return[index] != 0 && address > 0;
        lookups.push_back({address - (is_before ? 1 : 0), static_cast<std::uint32_t>(index)});
    }
    std::sort(lookups.begin(), lookups.end(),
              [](const Lookup& a, const Lookup& b) { return a.address < b.address; });
    return lookups;
}

void answer_from(Dwfl_Module* module, const ModuleRequest& request, Answer& answer) {
    std::vector<Lookup> lookups = sorted_lookups(request);
    Dwarf_Addr bias = 0;
    Dwarf* const dwarf = request.is_symbols_only ? nullptr : dwfl_module_getdwarf(module, &bias);
    SymbolTable symbols(module);
    if (dwarf != nullptr) {
        lookups = DebugInfo(dwarf, bias).find(lookups, symbols, answer);
    } else {
        answer.add_reason(symbols.is_empty() ? "no debug information and no symbols"
                                             : "no debug information");
    }
    for (const Lookup& lookup : lookups) {
        const std::string_view name = symbols.name(lookup.address);
        if (!name.empty()) {
            answer.set_frames(lookup.index, {{name, {}, 0, false}});
        }
    }
}

} // namespace

Answer answer_module(const ModuleRequest& request) {
    Answer answer(request.addresses.size());
    if (request.path.empty() || request.path.front() != '/' ||
        request.path.find('\0') != std::string::npos) {
        answer.add_reason("not a file");
        return answer;
    }
    // A pipe must not hold the reader up.
    Descriptor file(::open(request.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status;
    if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
        answer.add_reason(open_failure(errno));
        return answer;
    }
    if (!S_ISREG(status.st_mode)) {
        answer.add_reason("not a file");
        return answer;
    }
    elf_version(EV_CURRENT);
    if (const std::string reason = refusal(file.number(), request); !reason.empty()) {
        answer.add_reason(reason);
        return answer;
    }
    const Dwfl_Callbacks callbacks{dwfl_build_id_find_elf, dwfl_standard_find_debuginfo,
                                   dwfl_offline_section_address, nullptr};
    const std::unique_ptr<Dwfl, decltype(&dwfl_end)> session(dwfl_begin(&callbacks), &dwfl_end);
    if (session == nullptr) {
        throw std::bad_alloc();
    }
    dwfl_report_begin(session.get());
    // Reported at its own addresses; libdwfl closes the file from here on.
    Dwfl_Module* const module = dwfl_report_elf(session.get(), request.path.c_str(),
                                                request.path.c_str(), file.number(), 0, true);
    if (module != nullptr) {
        file.release();
    }
    if (module == nullptr || dwfl_report_end(session.get(), nullptr, nullptr) != 0) {
        const char* const message = dwfl_errmsg(-1);
        answer.add_reason(std::string("cannot be read: ") +
                          (message == nullptr ? "damaged" : message));
        return answer;
    }
    answer_from(module, request, answer);
    return answer;
}

} // namespace alloclab
