// SPDX-License-Identifier: MIT
#pragma once

// The events of one block, as the functions before an allocator tell them.

#include "known_blocks.hpp"
#include "threads.hpp"

#include <alloclab/record/lane.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/recorder.hpp>

#include <cstddef>

namespace alloclab::recording {

// Before an allocation is recorded: it is counted, and has the site of the Python code that runs.
void note_origin(Domain domain, std::size_t size);

// The short form of a small block's event; returns whether the lane took it.
inline bool append_birth(capture::Call call, void* p, std::size_t size) {
    using capture::Code;
    constexpr std::size_t two_byte_sizes = 1 << 14;
    if (p == nullptr || !record::is_granule(p) || size >= two_byte_sizes)
        return false;
    const bool is_coded =
        call == capture::Call::malloc && size % 8 == 0 && size <= capture::malloc_short_bytes;
    const Code code = call == capture::Call::malloc   ? Code::malloc_sized
                      : call == capture::Call::calloc ? Code::calloc_sized
                                                      : Code::realloc_new;
    constexpr std::uint64_t five_byte_delta_max = (std::uint64_t{1} << 35) - 1;
    return record::append_short_at<five_byte_delta_max>(
        record::thread_lanes.site, record::granule_of(p), [=](std::uint64_t delta) {
            const capture::Word address = capture::varint_word(delta);
            const capture::Word sized = is_coded ? capture::Word{} : capture::varint_word(size);
            const std::uint64_t code_byte =
                is_coded ? (static_cast<std::uint64_t>(Code::malloc_first) + size / 8) << 1
                         : static_cast<std::uint64_t>(code) << 1;
            const unsigned before = 1 + sized.bytes;
            return capture::Word{code_byte | sized.bits << 8 | address.bits << (8 * before),
                                 before + address.bytes};
        });
}

inline void note_birth(Domain domain, capture::Call call, void* p, std::size_t size) {
    note_origin(domain, size);
    if (p != nullptr)
        add_known(p);
    if (!append_birth(call, p, size))
        record::record_allocation(call, p, size, 0);
}

inline void note_death(void* p) {
    const bool is_short = record::is_granule(p) && !record::may_be_tracked(p);
    if (!is_short || !record::append_short(record::granule_of(p), capture::free_word))
        record::record_free(p);
}

template <class Allocate>
void* allocate(Domain domain, capture::Call call, std::size_t size, Allocate allocate_really) {
    const Entry entry;
    void* const p = allocate_really();
    if (entry)
        note_birth(domain, call, p, size);
    return p;
}

// A block from before the recording is left alone: an event about an address that nobody knows
// could be taken for one about the block that comes to lie there next.
template <class Free> void free(void* p, Free free_really) {
    const Entry entry;
    if (entry && p != nullptr && take_known(p))
        note_death(p);
    free_really();
}

// Such a block is born when it is reallocated.
template <class Reallocate>
void* reallocate(Domain domain, void* old, std::size_t size, Reallocate reallocate_really) {
    const Entry entry;
    const bool is_known = entry && old != nullptr && take_known(old);
    if (is_known)
        record::record_realloc_begin(old);
    void* const p = reallocate_really();
    if (!entry)
        return p;
    if (!is_known) {
        if (p != nullptr || old == nullptr)
            note_birth(domain, capture::Call::realloc, p, size);
        return p;
    }
    note_origin(domain, size);
    add_known(p != nullptr ? p : old);
    record::record_realloc_end(p, size, old);
    return p;
}

} // namespace alloclab::recording
