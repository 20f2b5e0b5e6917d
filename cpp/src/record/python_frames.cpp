// SPDX-License-Identifier: MIT

// CPython's chain of frames, as its own tracemalloc walks it (Modules/_tracemalloc.c).

#include <alloclab/record/python_frames.hpp>

#include <alloclab/record/name_text.hpp>
#include <alloclab/record/object_symbols.hpp>
#include <alloclab/record/options.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/text.hpp>

#include <cstring>

namespace alloclab::record {

bool is_python_met;

namespace {

struct Interpreter {
    std::uintptr_t (*own_state)(); // of this thread, null before and after the interpreter's life
    std::uintptr_t (*running_state)(); // of the thread that holds the lock
    int (*line_of)(std::uintptr_t code, int instruction);
    ObjectSymbol loop;
    std::uintptr_t object; // where the object begins that it is in
};
Interpreter interpreter;
alloclab_python_layout layout;

template <class Value> Value load(std::uintptr_t object, unsigned short offset) {
    Value value{};
    std::memcpy(&value, reinterpret_cast<const void*>(object + offset), sizeof value);
    return value;
}

std::uintptr_t load_address(std::uintptr_t object, unsigned short offset) {
    return load<std::uintptr_t>(object, offset);
}

template <class Function> bool look_up(const Module& module, const char* name, Function*& found) {
    found = reinterpret_cast<Function*>(find_object_symbol(module, name).address);
    return found != nullptr;
}

// Builds of one version differ: with reference tracing or without the lock every object begins
// otherwise. The types, which are there before the program begins, say how large they are.
bool is_type_of(const Module& module, const char* name, unsigned short bytes) {
    const ObjectSymbol type = find_object_symbol(module, name);
    const unsigned short at = options().python.type_basic_size;
    return type.bytes >= at + sizeof(std::size_t) && load<std::size_t>(type.address, at) == bytes;
}

void tell_other_version(std::uint64_t version) {
    static bool is_told;
    if (is_told)
        return;
    is_told = true;
    char text[8];
    put_number(put_text(text, "3."), version >> 16 & 0xff);
    warn_of("sites without Python frames: alloclab runs on another build of Python than the "
            "recorded program, which is",
            text);
}

bool is_complete(std::uintptr_t frame, std::uintptr_t code, std::uintptr_t instruction) {
    const auto owner = load<unsigned char>(frame, layout.frame_owner);
    const auto first = load<std::uint32_t>(code, layout.code_first_traceable);
    return owner == layout.generator_owner ||
           instruction >= code + layout.code_instructions + sizeof(std::uint16_t) * first;
}

// The characters of a text: where they are, how many, and of how many bytes each; none for a text
// that is not ready.
struct Characters {
    std::uintptr_t at;
    std::size_t count;
    unsigned bytes;
};

Characters characters_of(std::uintptr_t text) {
    constexpr std::uint32_t kind_mask = 7;
    const auto state = load<std::uint32_t>(text, layout.text_state);
    const unsigned kind = state >> layout.kind_shift & kind_mask;
    std::uintptr_t at = text + layout.text_characters;
    if ((state >> layout.compact_bit & 1) == 0)
        at = load_address(text, layout.text_characters);
    else if ((state >> layout.ascii_bit & 1) != 0)
        at = text + layout.text_ascii;
    if (at == 0 || (kind != 1 && kind != 2 && kind != 4))
        return {0, 0, 1};
    return {at, load<std::size_t>(text, layout.text_length), kind};
}

// What tells a text from another that takes its place: its hash, or where the interpreter has not
// computed that, its length and its end.
std::uint64_t mark_of(std::uintptr_t text) {
    const auto hash = load<std::uint64_t>(text, layout.text_hash);
    if (hash != ~std::uint64_t{0})
        return hash;
    const Characters characters = characters_of(text);
    const std::size_t bytes = characters.count * characters.bytes;
    std::uint64_t mark = 0;
    if (__builtin_expect(bytes >= sizeof mark, true))
        mark = load<std::uint64_t>(characters.at + bytes - sizeof mark, 0);
    for (std::size_t byte_idx = 0; byte_idx < bytes && bytes < sizeof mark; ++byte_idx)
        mark = mark << 8 | load<std::uint8_t>(characters.at + byte_idx, 0);
    return mark ^ bytes << 32;
}

// Callers are often of the same file.
struct MarkedText {
    std::uintptr_t text;
    std::uint64_t mark;

    void become(std::uintptr_t other) {
        if (other != text)
            *this = {other, mark_of(other)};
    }
};

// One key for each place of each code object. Objects die and others take their addresses, so that
// what the object refers to, and what that says, is in it. Odd factors as in sites.cpp.
std::uint64_t key_of(std::uintptr_t code, std::int32_t instruction, MarkedText& file) {
    const std::uintptr_t name = load_address(code, layout.code_qualname);
    file.become(load_address(code, layout.code_filename));
    const std::uint64_t place = std::uint64_t{load<std::uint32_t>(code, layout.code_first_line)}
                                    << 32 |
                                static_cast<std::uint32_t>(instruction);
    std::uint64_t sum = code * 0x9e3779b97f4a7c15U + place * 0xe7037ed1a0b428dbU +
                        name * 0x8ebc6af09c88c6e3U + mark_of(name) * 0x589965cc75374cc3U +
                        file.text * 0x1d8e4e27c47d124fU + file.mark * 0xeb44accab455d165U +
                        load_address(code, layout.code_line_table) * 0xa0761d6478bd642fU;
    sum = (sum ^ sum >> 32) * 0xd6e8feb86659fd93U;
    return (sum ^ sum >> 32) | capture::frame_is_named;
}

void put(NameText& name, std::uintptr_t text) {
    Characters characters = characters_of(text);
    for (; characters.count > 0 && !name.is_full(); --characters.count) {
        if (characters.bytes == 1)
            name.put(load<std::uint8_t>(characters.at, 0));
        else if (characters.bytes == 2)
            name.put(load<std::uint16_t>(characters.at, 0));
        else
            name.put(load<std::uint32_t>(characters.at, 0));
        characters.at += characters.bytes;
    }
}

} // namespace

void meet_python(const Module& module) {
    if (options().python.version == 0 || options().sites != Sites::stack ||
        options().stack_depth == 1 || has_python())
        return;
    const std::uint64_t* version = nullptr;
    Interpreter found{};
    if (!look_up(module, "Py_Version", version) ||
        !look_up(module, "PyGILState_GetThisThreadState", found.own_state) ||
        (!look_up(module, "PyThreadState_GetUnchecked", found.running_state) && // from 3.13
         !look_up(module, "_PyThreadState_UncheckedGet", found.running_state)) ||
        !look_up(module, "PyCode_Addr2Line", found.line_of))
        return;
    found.loop = find_object_symbol(module, "_PyEval_EvalFrameDefault");
    found.object = module.begin;
    if (*version >> 16 != options().python.version ||
        !is_type_of(module, "PyCode_Type", options().python.code_type_bytes) ||
        !is_type_of(module, "PyUnicode_Type", options().python.text_type_bytes)) {
        tell_other_version(*version);
        return;
    }
    interpreter = found;
    layout = options().python;
    __atomic_store_n(&is_python_met, true, __ATOMIC_RELEASE);
}

void lose_python(const Module& module) {
    if (has_python() && interpreter.object == module.begin)
        __atomic_store_n(&is_python_met, false, __ATOMIC_RELEASE);
}

std::uintptr_t python_state() {
    if (is_closing_modules())
        return 0;
    // In this order: a thread that runs no Python code never touches the other's thread-local
    // variable, for which a library opened late would have the loader allocate.
    const std::uintptr_t state = interpreter.own_state();
    return state != 0 && interpreter.running_state() == state ? state : 0;
}

std::size_t read_python_frames(std::uintptr_t state, PythonFrame* out, std::size_t most) {
    const std::uintptr_t holder =
        layout.state_cframe == 0 ? state : load_address(state, layout.state_cframe);
    std::size_t count = 0;
    MarkedText file{};
    for (std::uintptr_t frame = holder == 0 ? 0 : load_address(holder, layout.current_frame);
         frame != 0 && count < most; frame = load_address(frame, layout.frame_previous)) {
        const std::uintptr_t code = load_address(frame, layout.frame_code);
        const std::uintptr_t instruction = load_address(frame, layout.frame_instruction);
        if (load<unsigned char>(frame, layout.frame_owner) == layout.c_stack_owner ||
            !is_complete(frame, code, instruction) ||
            load<std::size_t>(code, layout.object_references) == 0) // it is about to go
            continue;
        const auto place = static_cast<std::int32_t>(instruction - code - layout.code_instructions);
        out[count++] = {code, place, key_of(code, place, file)};
    }
    return count;
}

bool is_in_python_loop(std::uintptr_t return_address) {
    return return_address - 1 - interpreter.loop.address < interpreter.loop.bytes;
}

std::uint64_t python_frame_word(LaneHold& hold, const PythonFrame& frame) {
    NameText text;
    put(text, load_address(frame.code, layout.code_qualname));
    text.put('\n');
    put(text, load_address(frame.code, layout.code_filename));
    const int line = interpreter.line_of(frame.code, frame.instruction);
    const std::uint32_t name = intern_name(hold, text.bytes(), text.used());
    if (name == no_name)
        return 0;
    constexpr std::uint64_t most_line = (std::uint64_t{1} << capture::frame_line_bits) - 1;
    return capture::frame_is_named | std::uint64_t{name} << capture::frame_line_bits |
           (line > 0 ? static_cast<std::uint64_t>(line) & most_line : 0);
}

} // namespace alloclab::record
