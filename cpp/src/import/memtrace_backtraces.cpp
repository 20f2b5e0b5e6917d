// SPDX-License-Identifier: MIT
#include "memtrace_backtraces.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>

namespace alloclab::memtrace {

std::uint32_t RecentNames::take(std::size_t code, Bytes& bytes, TraceBuilder& builder,
                                std::size_t& slot) {
    if (code == length) {
        const auto name = static_cast<std::uint32_t>(builder.intern(bytes.text()));
        const auto free_slot = used_ < length ? used_++ : entries_.back().slot;
        std::move_backward(entries_.begin(), entries_.end() - 1, entries_.end());
        entries_.front() = {name, static_cast<std::uint8_t>(free_slot)};
    } else if (code < used_) {
        const auto chosen = entries_.begin() + static_cast<std::ptrdiff_t>(code);
        std::rotate(entries_.begin(), chosen, chosen + 1);
    } else {
        throw TraceError("a place is named by a number that stands for nothing");
    }
    slot = entries_.front().slot;
    return entries_.front().name;
}

void Stacks::read_location(Bytes& bytes, LocationNames& recent) {
    const std::uint64_t code = bytes.u64();
    const std::uint8_t count = bytes.u8();
    const Place place{static_cast<std::uint32_t>(table_.frames.size()), count};
    for (std::uint8_t frame_idx = 0; frame_idx < count; ++frame_idx) {
        const std::uint64_t low = bytes.u32();
        const std::uint64_t packed = low | std::uint64_t{bytes.u16()} << 32;
        std::size_t file_slot = 0;
        std::size_t unused = 0;
        StackFrame frame{.line = static_cast<std::uint32_t>(packed & 0xfffff),
                         .is_inlined = frame_idx > 0};
        frame.file = recent.files.take(packed >> 38 & 31, bytes, builder_, file_slot);
        frame.function =
            recent.functions[file_slot].take(packed >> 43 & 31, bytes, builder_, unused);
        table_.frames.push_back(frame);
    }
    places_.try_emplace(code, place);
}

// A code that no location event has told stands for a frame of which nothing is known.
const Stacks::Place& Stacks::place_of(std::uint64_t code) {
    const auto [known, is_new] =
        places_.try_emplace(code, Place{static_cast<std::uint32_t>(table_.frames.size()), 1});
    if (is_new) {
        table_.frames.emplace_back();
    }
    return known->second;
}

std::uint32_t Stacks::node_of(std::uint32_t parent, std::uint64_t code) {
    const auto [known, is_new] = nodes_.try_emplace({parent, code}, parent);
    if (is_new) {
        const Place& place = place_of(code);
        if (std::max(nodes_.size(), table_.nodes.size() + place.frames) > limit_) {
            throw TraceError("there are too many call stacks");
        }
        for (std::uint32_t frame_idx = 0; frame_idx < place.frames; ++frame_idx) {
            table_.nodes.push_back({known->second, place.first_frame + frame_idx});
            known->second = static_cast<std::uint32_t>(table_.nodes.size());
        }
    }
    return known->second;
}

void Stacks::set_input_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t nodes_a_byte = 4;
    limit_ = static_cast<std::size_t>(
        std::min<std::uint64_t>(least_limit + bytes * nodes_a_byte, most_limit));
}

std::uint32_t Stacks::site_of(std::uint32_t node) {
    if (node == 0) {
        return 0;
    }
    const auto [known, is_new] = sites_.try_emplace(node, 0);
    if (is_new) {
        table_.stacks.push_back(node - 1);
        known->second = static_cast<std::uint32_t>(table_.stacks.size());
    }
    return known->second;
}

Backtraces::Backtraces() : codes_(buckets), next_(buckets) {}

bool Backtraces::agrees(std::uint16_t bucket, std::uint16_t next, std::uint64_t code) const {
    return bucket < buckets && next_[bucket] == next && codes_[bucket] == code;
}

void Backtraces::push(std::uint16_t bucket, Stacks* stacks) {
    if (stacks == nullptr) {
        return;
    }
    if (last_.size() >= longest) {
        throw TraceError("a call stack is longer than " + std::to_string(longest) + " frames");
    }
    last_.push_back(stacks->node_of(last_.empty() ? 0 : last_.back(), codes_[bucket]));
}

std::uint32_t Backtraces::read(Bytes& bytes, std::uint64_t common, std::uint32_t encoded,
                               Stacks& stacks) {
    // A writer cuts a long stack short, and may then share more of it than it wrote: the words
    // keep the cache right, and the stack stays what was last known of it.
    const bool is_known = common <= last_.size();
    if (is_known) {
        last_.resize(static_cast<std::size_t>(common));
    }
    Stacks* const into = is_known ? &stacks : nullptr;
    std::uint16_t before = 0;
    for (std::uint32_t word_idx = 0; word_idx < encoded; ++word_idx) {
        const std::uint16_t word = bytes.u16();
        const auto bucket = static_cast<std::uint16_t>(word >> 2);
        const unsigned tag = word & 3;
        next_[before] = bucket;
        before = bucket;
        if (tag == 3) {
            codes_[bucket] = bytes.u64();
        }
        push(bucket, into);
        std::uint32_t predicted = tag == 3 ? 0 : tag == 2 ? bytes.u8() : tag;
        for (; predicted > 0; --predicted) {
            before = next_[before];
            push(before, into);
        }
    }
    return last_.empty() ? 0 : last_.back();
}

} // namespace alloclab::memtrace
