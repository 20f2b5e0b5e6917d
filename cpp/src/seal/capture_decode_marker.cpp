// SPDX-License-Identifier: MIT
//
// The part of decoding that is about what a program says of itself, and about call sites.
#include "capture_lane.hpp"

#include <algorithm>

namespace alloclab {

using namespace capture;

std::uint32_t CaptureLane::take_name() {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(take_varint(), UINT32_MAX));
}

void CaptureLane::decode_name() {
    event_->kind = RawKind::name;
    event_->name = take_name();
    event_->size = std::min<std::uint64_t>(take_varint(), name_part_bytes);
    // What the file lacks of it is cut; the caller then sees that the event leaves its block.
    const std::uint64_t left =
        block_offset_ + at_ < bytes_.size() ? bytes_.size() - block_offset_ - at_ : 0;
    event_->text = reinterpret_cast<const unsigned char*>(bytes_.data()) + block_offset_ + at_;
    at_ += event_->size;
    event_->size = std::min(event_->size, left);
}

bool CaptureLane::decode_root() {
    const std::uint64_t change = take_varint();
    if (change > static_cast<std::uint64_t>(RootChange::set))
        return false;
    switch (static_cast<RootChange>(change)) {
    case RootChange::push:
        event_->kind = RawKind::root_push;
        event_->address = take_varint();
        break;
    case RootChange::pop:
        event_->kind = RawKind::root_pop;
        event_->value = take_varint();
        break;
    case RootChange::set:
        event_->kind = RawKind::root_set;
        event_->value = take_varint();
        event_->address = take_varint();
        break;
    }
    return true;
}

bool CaptureLane::decode_module() {
    const std::uint64_t change = take_varint();
    event_->kind = change == static_cast<std::uint64_t>(ModuleChange::mapped)
                       ? RawKind::module_mapped
                       : RawKind::module_gone;
    event_->address = take_varint();
    const std::uint64_t end = take_varint();
    event_->size = end > event_->address ? end - event_->address : 0;
    event_->name = take_name();
    event_->kind_name = take_name();
    event_->old_address = take_varint();
    return change <= static_cast<std::uint64_t>(ModuleChange::mapped);
}

CaptureLane::Decoded CaptureLane::decode_marker(unsigned code) {
    const auto is = [](bool is_event) { return is_event ? Decoded::event : Decoded::bad; };
    switch (static_cast<Code>(code)) {
    case Code::name:
        decode_name();
        return Decoded::event;
    case Code::scope_enter:
        event_->kind = RawKind::scope_enter;
        event_->value = take_varint();
        event_->kind_name = take_name();
        event_->name = take_name();
        return Decoded::event;
    case Code::scope_exit:
    case Code::reset:
        event_->kind =
            static_cast<Code>(code) == Code::reset ? RawKind::reset : RawKind::scope_exit;
        event_->value = take_varint();
        return Decoded::event;
    case Code::tag:
        event_->kind = RawKind::tag;
        event_->name = take_name();
        return Decoded::event;
    case Code::transfer:
        event_->kind = RawKind::transfer;
        event_->address = take_varint();
        event_->value = take_varint();
        return Decoded::event;
    case Code::reference:
        event_->kind = RawKind::reference;
        event_->address = take_varint();
        event_->value = take_varint();
        event_->old_address = take_varint();
        return Decoded::event;
    case Code::root:
        return is(decode_root());
    case Code::module:
        return is(decode_module());
    case Code::frame:
        event_->kind = RawKind::frame;
        event_->value = take_varint();
        event_->address = take_varint();
        return is_first_lane_ ? Decoded::event : Decoded::nothing; // handlers have no sites
    case Code::site: {
        const std::uint64_t site = take_varint();
        pending_site_ = is_first_lane_
                            ? static_cast<std::uint32_t>(std::min<std::uint64_t>(site, UINT32_MAX))
                            : 0;
        return Decoded::nothing;
    }
    default:
        return Decoded::bad;
    }
}

} // namespace alloclab
