// SPDX-License-Identifier: MIT
#include "frames.hpp"

#include "frames.h"

#include <alloclab/record/append.hpp>
#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/name_text.hpp>

#include <cstdlib>
#include <cstring>

namespace alloclab::recording {

using namespace record;

namespace {

// The code objects that the threads' tables know by their addresses: kept alive meanwhile.
NumberTable kept_codes;
PyCodeObject** kept;
std::size_t kept_count;
std::size_t kept_capacity;

bool keep_code(PyCodeObject* code) {
    const auto key = reinterpret_cast<std::uintptr_t>(code);
    if (kept_codes.find(key, 0) != 0)
        return true;
    if (kept_count == kept_capacity) {
        const std::size_t capacity = kept_capacity == 0 ? 1024 : 2 * kept_capacity;
        auto* const grown =
            static_cast<PyCodeObject**>(std::realloc(kept, capacity * sizeof *kept));
        if (grown == nullptr)
            return false;
        kept = grown;
        kept_capacity = capacity;
    }
    if (!kept_codes.insert(key, 0, 1))
        return false;
    Py_INCREF(code);
    kept[kept_count++] = code;
    return true;
}

// Not by the interpreter's own conversion, which allocates.
void put(NameText& name, PyObject* text) {
    const int kind = PyUnicode_KIND(text);
    const void* const data = PyUnicode_DATA(text);
    const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    for (Py_ssize_t at = 0; at < length; ++at)
        name.put(PyUnicode_READ(kind, data, at));
}

// Tells a new frame. Returns its number, or 0 when that could not be.
[[gnu::noinline]] std::uint32_t tell_frame(RecordedThread& me, const alloclab_python_frame& frame,
                                           std::uint64_t key, std::uint32_t parent) {
    if (!keep_code(frame.code))
        return 0;
    NameText text;
    put(text, frame.code->co_qualname);
    text.put('\n');
    put(text, frame.code->co_filename);
    const int line = PyCode_Addr2Line(frame.code, frame.instruction);
    constexpr std::uint64_t most_line = (std::uint64_t{1} << capture::frame_line_bits) - 1;
    LaneHold hold;
    if (!hold || &*hold != &thread_lanes.own)
        return 0;
    const std::uint32_t name = intern_name(hold, text.bytes(), text.used());
    if (name == no_name)
        return 0;
    EventBytes event(capture::Code::frame);
    event.put(std::uint64_t{parent})
        .put(capture::frame_is_named | std::uint64_t{name} << capture::frame_line_bits |
             (line > 0 ? static_cast<std::uint64_t>(line) & most_line : 0));
    if (!hold.make_room(event.count()))
        return 0;
    hold.append(event);
    // Counted as soon as it is told: a reader counts the same.
    const std::uint32_t number = ++me.frame_count;
    me.frames.insert(key, parent, number);
    return number;
}

// One key for each place of each code object: objects begin at multiples of 16, and code is
// shorter than 2 MiB of instructions, or its places share keys.
std::uint64_t key_of(const alloclab_python_frame& frame) {
    constexpr unsigned place_bits = 20;
    return reinterpret_cast<std::uintptr_t>(frame.code) >> 4 << place_bits |
           (static_cast<std::uint64_t>(frame.instruction) >> 1 &
            ((std::uint64_t{1} << place_bits) - 1));
}

} // namespace

std::uint32_t find_python_site(RecordedThread& me, std::uint32_t depth) {
    alloclab_python_frame frames[most_python_frames];
    std::uint32_t site = 0;
    for (std::size_t left = alloclab_read_frames(frames, depth); left > 0; --left) {
        const alloclab_python_frame& frame = frames[left - 1];
        const std::uint64_t key = key_of(frame);
        const std::uint32_t known = me.frames.find(key, site);
        site = known != 0 ? known : tell_frame(me, frame, key, site);
        if (site == 0)
            return 0;
    }
    return site;
}

void release_codes() {
    kept_codes.release();
    PyCodeObject** const codes = kept;
    const std::size_t count = kept_count;
    kept = nullptr;
    kept_count = kept_capacity = 0;
    for (std::size_t code_idx = 0; code_idx < count; ++code_idx)
        Py_DECREF(codes[code_idx]);
    std::free(codes);
}

} // namespace alloclab::recording
