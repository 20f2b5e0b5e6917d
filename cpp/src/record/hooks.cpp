// SPDX-License-Identifier: MIT
#include <alloclab/record/hooks.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/activations.hpp>
#include <alloclab/record/elf_symbols.hpp>
#include <alloclab/record/options.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/prologue.hpp>
#include <alloclab/record/settings.hpp>
#include <alloclab/record/text.hpp>

#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <link.h>
#include <sys/mman.h>

namespace alloclab::record {

namespace {

constexpr std::uint32_t most_symbols = 64;
constexpr std::size_t symbol_most_bytes = 256;
constexpr std::size_t code_bytes = 64 << 10; // of stubs near an object

struct Wanted {
    char symbol[symbol_most_bytes];
    bool is_frame;
    bool is_scope;
    bool is_found;
    const char* refusal;
};

Wanted wanted[most_symbols];
std::uint32_t wanted_count;
std::uint32_t hook_count;
bool is_prepared;
std::size_t looked_at; // objects of the loader's list
RareLock lock;

unsigned char* code; // where the next stub goes
unsigned char* code_end;

Wanted* wanted_of(const char* symbol) {
    for (std::uint32_t wanted_idx = 0; wanted_idx < wanted_count; ++wanted_idx)
        if (std::strcmp(wanted[wanted_idx].symbol, symbol) == 0)
            return &wanted[wanted_idx];
    return nullptr;
}

void want(const char* list, bool is_frame, bool (*is_others)(const char*)) {
    char symbol[symbol_most_bytes];
    while ((list = next_symbol(list, symbol, sizeof symbol)) != nullptr) {
        if (is_frame && is_others != nullptr && is_others(symbol))
            continue;
        Wanted* place = wanted_of(symbol);
        if (place == nullptr) {
            if (wanted_count == most_symbols) {
                warn_of("scope-on: more than 64 functions; not this one", symbol);
                continue;
            }
            place = &wanted[wanted_count++];
            std::memcpy(place->symbol, symbol, sizeof symbol);
        }
        (is_frame ? place->is_frame : place->is_scope) = true;
    }
}

// Maps a page range within a near jump's reach of the address, or returns null.
unsigned char* map_near(const unsigned char* address) {
    constexpr std::uintptr_t step = 1 << 20;
    constexpr std::uintptr_t reach = std::uintptr_t{1} << 30;
    constexpr int fixed_no_replace = 0x100000; // MAP_FIXED_NOREPLACE
    const auto middle = reinterpret_cast<std::uintptr_t>(address) & ~(step - 1);
    for (std::uintptr_t distance = step; distance < reach; distance += step) {
        for (const std::uintptr_t at : {middle + distance, middle - distance}) {
            if (at < step || at > middle + reach)
                continue;
            const long mapped = system_call(SYS_mmap, static_cast<long>(at), code_bytes,
                                            PROT_READ | PROT_WRITE | PROT_EXEC,
                                            MAP_PRIVATE | MAP_ANONYMOUS | fixed_no_replace, -1, 0);
            if (!is_error(mapped) && static_cast<std::uintptr_t>(mapped) == at)
                return reinterpret_cast<unsigned char*>(at);
            if (!is_error(mapped))
                unmap_memory(reinterpret_cast<void*>(mapped), code_bytes);
        }
    }
    return nullptr;
}

bool is_near(const unsigned char* one, const unsigned char* other) {
    const std::ptrdiff_t distance = one - other;
    return distance > -(std::ptrdiff_t{1} << 30) && distance < std::ptrdiff_t{1} << 30;
}

// Writes a jump to any address: jmp [rip], then the address.
unsigned char* put_far_jump(unsigned char* out, const void* target) {
    static constexpr unsigned char opcode[] = {0xff, 0x25, 0, 0, 0, 0};
    std::memcpy(out, opcode, sizeof opcode);
    std::memcpy(out + sizeof opcode, &target, sizeof target);
    return out + sizeof opcode + sizeof target;
}

// The pages of a function, writable while this lives.
class Writable {
public:
    explicit Writable(const unsigned char* entry)
        : first_(reinterpret_cast<std::uintptr_t>(entry) & ~(page_bytes - 1)),
          bytes_((reinterpret_cast<std::uintptr_t>(entry) + jump_bytes - first_ + page_bytes - 1) &
                 ~(page_bytes - 1)),
          is_writable_(protect(PROT_READ | PROT_WRITE | PROT_EXEC)) {}
    ~Writable() { protect(PROT_READ | PROT_EXEC); }
    Writable(const Writable&) = delete;
    Writable& operator=(const Writable&) = delete;
    explicit operator bool() const { return is_writable_; }

private:
    bool protect(int protection) const {
        return !is_error(system_call(SYS_mprotect, static_cast<long>(first_),
                                     static_cast<long>(bytes_), protection));
    }
    std::uintptr_t first_;
    std::uintptr_t bytes_;
    bool is_writable_;
};

// Puts a jump to a stub at the function's entry. Returns why not, or null.
const char* patch(unsigned char* entry, std::size_t size, Wanted& symbol) {
    constexpr std::size_t stub_most_bytes = 160;
    if (hook_count == most_hooks)
        return "is one too many: 256 functions are hooked";
    if (code == nullptr || !is_near(code, entry) || code + stub_most_bytes > code_end) {
        code = map_near(entry);
        if (code == nullptr)
            return "has no free memory near it";
        code_end = code + code_bytes;
    }
    unsigned char* const moved = code;
    const MovedPrologue prologue = move_prologue(entry, size, moved);
    if (prologue.taken == 0)
        return prologue.refusal;
    const std::uint32_t hook_idx = hook_count;
    unsigned char* const stub = put_far_jump(moved + prologue.bytes, entry + prologue.taken);
    stub[0] = 0x68; // push the number
    std::memcpy(stub + 1, &hook_idx, sizeof hook_idx);
    unsigned char* const end =
        put_far_jump(stub + jump_bytes, reinterpret_cast<const void*>(&alloclab_hook_entry));
    const Writable writable(entry);
    if (!writable)
        return "may not be written to";
    hooks[hook_idx] = {symbol.symbol, moved, symbol.is_frame, symbol.is_scope, false};
    unsigned char jump[jump_bytes] = {0xe9};
    const auto distance = static_cast<std::int32_t>(stub - (entry + jump_bytes));
    std::memcpy(jump + 1, &distance, sizeof distance);
    std::memcpy(entry, jump, sizeof jump);
    code = end;
    ++hook_count;
    return nullptr;
}

void hook_function(void*, const char* name, std::uintptr_t address, std::size_t size) {
    Wanted* const symbol = wanted_of(name);
    if (symbol == nullptr)
        return;
    auto* const entry = reinterpret_cast<unsigned char*>(address);
    // An alias: the entry is a jump of ours already.
    std::int32_t distance = 0;
    std::memcpy(&distance, entry + 1, sizeof distance);
    const unsigned char* const target = entry + jump_bytes + distance;
    if (entry[0] == 0xe9 && code != nullptr && target < code_end && target >= code_end - code_bytes)
        return;
    const char* const refusal = patch(entry, size, *symbol);
    if (refusal == nullptr)
        symbol->is_found = true;
    else
        symbol->refusal = refusal;
}

void look_at(const link_map& object) {
    const auto own = reinterpret_cast<std::uintptr_t>(&_DYNAMIC);
    if (reinterpret_cast<std::uintptr_t>(object.l_ld) == own || object.l_name == nullptr ||
        std::strstr(object.l_name, "/ld-linux") != nullptr)
        return;
    const char* const path = object.l_name[0] != '\0' ? object.l_name : "/proc/self/exe";
    each_function(path, object.l_addr, hook_function, nullptr);
}

const char* outcome_of(const Wanted& symbol) {
    for (std::uint32_t hook_idx = 0; hook_idx < hook_count; ++hook_idx)
        if (hooks[hook_idx].is_called && hooks[hook_idx].symbol == symbol.symbol)
            return "was called";
    if (symbol.is_found)
        return "was never called";
    return symbol.refusal != nullptr ? symbol.refusal : "was not found";
}

} // namespace

bool has_pending_hooks() {
    for (std::uint32_t wanted_idx = 0; wanted_idx < wanted_count; ++wanted_idx)
        if (!wanted[wanted_idx].is_found)
            return true;
    return false;
}

void hook_loaded_objects(bool (*is_others)(const char*)) {
    if (options().frame_on[0] == '\0' && options().scope_on[0] == '\0')
        return;
    RareGuard guard(lock);
    if (!is_prepared) {
        is_prepared = true;
        want(options().frame_on, true, is_others);
        want(options().scope_on, false, nullptr);
    }
    if (wanted_count == 0)
        return;
    std::size_t object_idx = 0;
    for (const link_map* object = _r_debug.r_map; object != nullptr; object = object->l_next)
        if (object_idx++ >= looked_at)
            look_at(*object);
    looked_at = object_idx;
}

void report_hook(const char* symbol, const char* outcome) {
    char path[sizeof(Settings::directory) + 16];
    put_text(put_text(path, settings().directory), "/hooks");
    const long fd = system_call(SYS_openat, AT_FDCWD, address_argument(path),
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (is_error(fd))
        return;
    char line[symbol_most_bytes + 128];
    char* const end = put_text(put_text(put_text(put_text(line, symbol), " "), outcome), "\n");
    system_call(SYS_write, fd, address_argument(line), end - line);
    system_call(SYS_close, fd);
}

void report_hooks() {
    for (std::uint32_t wanted_idx = 0; wanted_idx < wanted_count; ++wanted_idx)
        report_hook(wanted[wanted_idx].symbol, outcome_of(wanted[wanted_idx]));
}

} // namespace alloclab::record
