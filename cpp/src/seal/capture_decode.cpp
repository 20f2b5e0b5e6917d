// SPDX-License-Identifier: MIT
#include "capture_lane.hpp"

#include <alloclab/base/bits.hpp>

#include <bit>
#include <cstring>
#include <utility>

namespace alloclab {

using namespace capture;

// The two enumerations name the same calls; the one in the file never changes its numbers.
static_assert(static_cast<int>(Call::malloc) == static_cast<int>(AllocationCall::malloc) &&
              static_cast<int>(Call::pvalloc) == static_cast<int>(AllocationCall::pvalloc));

CaptureLane::Decoded CaptureLane::decode() {
    const unsigned first = block_[at_];
    if ((first & 1) != 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, block_.data() + at_, sizeof word);
        const unsigned bytes = static_cast<unsigned>(std::countr_zero(word >> 1 | 0x80)) + 1;
        const std::uint64_t delta = (word >> (bytes + 1)) & (~std::uint64_t{0} >> (65 - 7 * bytes));
        at_ += bytes;
        last_granule_ += static_cast<std::uint64_t>(zigzag_decode(delta));
        event_->kind = RawKind::free;
        event_->address = last_granule_ << 4;
        return Decoded::event;
    }
    const unsigned code = first >> 1;
    ++at_;
    if (code >= static_cast<unsigned>(Code::calloc_first)) {
        const bool is_malloc = code >= static_cast<unsigned>(Code::malloc_first);
        event_->kind = RawKind::allocate;
        event_->call = is_malloc ? AllocationCall::malloc : AllocationCall::calloc;
        event_->size =
            8 * (code - static_cast<unsigned>(is_malloc ? Code::malloc_first : Code::calloc_first));
        take_delta();
        event_->site = std::exchange(pending_site_, 0);
        return Decoded::event;
    }
    if (code > static_cast<unsigned>(Code::mark))
        return decode_marker(code);
    if (!decode_coded(code))
        return Decoded::bad;
    if (event_->kind == RawKind::allocate || event_->kind == RawKind::reallocate_end)
        event_->site = std::exchange(pending_site_, 0);
    return Decoded::event;
}

bool CaptureLane::decode_coded(unsigned code) {
    const auto allocate = [this](AllocationCall call) {
        event_->kind = RawKind::allocate;
        event_->call = call;
        event_->size = take_varint();
        take_delta();
    };
    const auto touched = [this](RawKind kind) {
        event_->kind = kind;
        event_->address = take_varint();
        event_->pages = take_varint();
        event_->resident_pages = take_varint();
        event_->is_prefix = take_varint() != 0;
    };
    const auto range = [this](RawKind kind) {
        event_->kind = kind;
        event_->address = take_varint();
        event_->size = take_varint();
    };
    switch (static_cast<Code>(code)) {
    case Code::malloc_sized:
        allocate(AllocationCall::malloc);
        return true;
    case Code::calloc_sized:
        allocate(AllocationCall::calloc);
        return true;
    case Code::realloc_new:
        allocate(AllocationCall::realloc);
        return true;
    case Code::realloc_begin:
        event_->kind = RawKind::reallocate_begin;
        take_delta();
        return true;
    case Code::realloc_end:
        allocate(AllocationCall::realloc);
        event_->kind = RawKind::reallocate_end;
        return true;
    case Code::free_null:
        event_->kind = RawKind::free;
        return true;
    case Code::allocate_any: {
        event_->kind = RawKind::allocate;
        const std::uint64_t call = take_varint();
        event_->call = static_cast<AllocationCall>(call);
        event_->size = take_varint();
        event_->alignment = take_varint();
        event_->address = take_varint();
        return call <= static_cast<std::uint64_t>(AllocationCall::pvalloc);
    }
    case Code::free_any:
        event_->kind = RawKind::free;
        event_->address = take_varint();
        return true;
    case Code::realloc_begin_any:
        event_->kind = RawKind::reallocate_begin;
        event_->address = take_varint();
        return true;
    case Code::realloc_end_any:
        event_->kind = RawKind::reallocate_end;
        event_->call = AllocationCall::realloc;
        event_->size = take_varint();
        event_->address = take_varint();
        return true;
    case Code::map:
        range(RawKind::map);
        event_->is_reserved = take_varint() != 0;
        return true;
    case Code::unmap:
        range(RawKind::unmap);
        return true;
    case Code::remap:
        range(RawKind::remap);
        event_->old_address = take_varint();
        event_->old_size = take_varint();
        return true;
    case Code::discard:
        range(RawKind::discard);
        return true;
    case Code::touched_birth:
        touched(RawKind::touched_birth);
        return true;
    case Code::touched_death:
        touched(RawKind::touched_death);
        return true;
    case Code::footprint:
        event_->kind = RawKind::footprint;
        event_->size = take_varint();
        event_->file_bytes = take_varint();
        event_->page_faults = take_varint();
        return true;
    case Code::fork:
    case Code::exec:
        event_->kind = static_cast<Code>(code) == Code::fork ? RawKind::fork : RawKind::exec;
        event_->value = take_varint();
        return true;
    case Code::mark:
        event_->kind = RawKind::mark;
        event_->name = take_name();
        return true;
    default:
        return false;
    }
}

} // namespace alloclab
