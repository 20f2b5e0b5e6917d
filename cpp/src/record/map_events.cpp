// SPDX-License-Identifier: MIT
#include <alloclab/record/recorder.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/append.hpp>
#include <alloclab/record/due.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/touched.hpp>

namespace alloclab::record {

using namespace capture;

void record_map(void* p, std::size_t size, bool is_reserved, bool is_populated) {
    append_event(EventBytes(Code::map).put(p).put(size).put(is_reserved));
    if (!is_recording())
        return;
    track_region(p, size);
    if (is_populated)
        append_touched(Code::touched_birth, p, size);
    else // nothing of it is resident yet: no need to ask, however large it is
        append_residence(Code::touched_birth, p, {size / page_bytes, 0, true});
    note_allocated(size);
}

void record_unmap(void* p, std::size_t size) {
    bool has_parts = false;
    auto at = reinterpret_cast<std::uintptr_t>(p);
    const std::uintptr_t end = at + size;
    while (at < end) {
        const Range part = tracked_part(reinterpret_cast<void*>(at), end - at);
        if (part.size == 0)
            break;
        has_parts = true;
        append_touched(Code::touched_death, part.p, part.size);
        at = reinterpret_cast<std::uintptr_t>(part.p) + part.size;
    }
    if (!has_parts)
        return; // nothing of it is a region the capture knows
    untrack_region(p, size);
    append_event(EventBytes(Code::unmap).put(p).put(size));
}

void record_remap(void* p, std::size_t size, void* old, std::size_t old_size) {
    untrack_region(old, old_size);
    append_event(EventBytes(Code::remap).put(p).put(size).put(old).put(old_size));
    if (!is_recording())
        return;
    track_region(p, size);
    append_touched(Code::touched_birth, p, size);
}

bool is_tracked_region(void* p, std::size_t size) {
    return tracked_part(p, size).size != 0;
}

void record_discard(void* p, std::size_t size) {
    if (is_tracked_region(p, size))
        append_event(EventBytes(Code::discard).put(p).put(size));
}

} // namespace alloclab::record
