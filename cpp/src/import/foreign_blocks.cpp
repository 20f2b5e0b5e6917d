// SPDX-License-Identifier: MIT
#include <alloclab/import/foreign_blocks.hpp>

#include <alloclab/base/error.hpp>

#include <bit>
#include <random>

namespace alloclab {

namespace {

// A source that orders calls by when they began may tell of a free after the allocation that got
// its memory: on another thread, and as many events later as there are threads under way.
constexpr std::uint64_t overtaking_limit_events = 256;

constexpr std::uint64_t largest_size = (std::uint64_t{1} << 62) - 1; // TraceBuilder's
constexpr std::uint64_t largest_alignment = std::uint64_t{1} << 47;  // the same

std::uint64_t random_number() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

} // namespace

ForeignBlocks::ForeignBlocks(TraceBuilder& builder)
    : builder_(builder), secret_{random_number(), random_number() | 1} {}

// A one-to-one scrambling that no file can foresee, so that none can fill one place of the map
// with its addresses. Requires: `address` is not zero. Returns: never zero.
std::uint64_t ForeignBlocks::key_of(std::uint64_t address) const {
    const auto scramble = [this](std::uint64_t bits) {
        bits ^= secret_[0];
        bits ^= bits >> 32;
        bits *= secret_[1];
        return bits ^ (bits >> 29);
    };
    const std::uint64_t key = scramble(address);
    return key != 0 ? key : scramble(0);
}

std::uint64_t ForeignBlocks::write(EventKind kind, const ForeignCaller& caller,
                                   std::uint64_t object, std::uint64_t size) {
    Event event{.code = static_cast<std::uint8_t>(kind),
                .thread = caller.thread,
                .object = object,
                .size = size};
    if (has_site(event.code)) {
        event.site = caller.site;
        event.tag = caller.tag;
    }
    return builder_.append(event, caller.time_ns);
}

// Ends the block that lives at an address which is handed out again.
void ForeignBlocks::settle(std::uint64_t key, const ForeignCaller& caller) {
    LiveBlock block;
    if (blocks_.take(key, block)) {
        const std::uint64_t event = write(EventKind::free, caller, block.object);
        ++counts_.missed_frees;
        debts_[key] = {event, caller.thread};
    }
}

// Whether the free at hand is the one that settle() has written ahead.
bool ForeignBlocks::repays(std::uint64_t key, const ForeignCaller& caller) {
    const auto debt = debts_.find(key);
    if (debt == debts_.end()) {
        return false;
    }
    const bool is_repaid = caller.thread != debt->second.thread &&
                           builder_.events() - debt->second.event <= overtaking_limit_events;
    debts_.erase(debt);
    if (is_repaid) {
        --counts_.missed_frees;
        ++counts_.inversions;
    }
    return is_repaid;
}

void ForeignBlocks::allocate(std::uint64_t address, std::uint64_t size, std::uint64_t alignment,
                             AllocationCall call, const ForeignCaller& caller) {
    const bool failed = address == 0;
    const std::uint64_t key = failed ? 0 : key_of(address);
    if (!failed) {
        settle(key, caller);
    }
    Event event{
        .code = static_cast<std::uint8_t>(
            static_cast<std::uint8_t>(failed ? EventKind::allocate_failed : EventKind::allocate) |
            static_cast<std::uint8_t>(call)),
        .thread = caller.thread,
        .size = failed ? told_size(size) : size,
        .site = caller.site,
        .tag = caller.tag};
    if (alignment > 1 && call_has_alignment(event.code & 0x0f)) {
        if (failed) {
            alignment = told_alignment(alignment);
        }
        event.alignment_log2 = static_cast<std::uint8_t>(std::bit_width(alignment - 1));
        counts_.rounded_alignments += !std::has_single_bit(alignment);
    }
    const std::uint64_t object = builder_.objects();
    const std::uint64_t index = builder_.append(event, caller.time_ns);
    if (!failed) {
        blocks_.insert(key, {object, size, index, caller.thread});
    }
}

void ForeignBlocks::allocate_array(std::uint64_t address, std::uint64_t count, std::uint64_t size,
                                   const ForeignCaller& caller) {
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        if (address != 0) {
            throw TraceError("its size is more than there can be");
        }
        bytes = ~std::uint64_t{0};
    }
    allocate(address, bytes, 0, AllocationCall::calloc, caller);
}

// A size that was not to be had, as far as a trace can say it.
std::uint64_t ForeignBlocks::told_size(std::uint64_t size) {
    if (size <= largest_size) {
        return size;
    }
    ++counts_.cut_sizes;
    return largest_size;
}

// The same for an alignment.
std::uint64_t ForeignBlocks::told_alignment(std::uint64_t alignment) {
    if (alignment <= largest_alignment) {
        return alignment;
    }
    ++counts_.cut_alignments;
    return largest_alignment;
}

void ForeignBlocks::allocate_failed(std::uint64_t size, std::uint64_t alignment,
                                    AllocationCall call, const ForeignCaller& caller) {
    allocate(0, size, alignment, call, caller);
}

void ForeignBlocks::free(std::uint64_t address, const ForeignCaller& caller) {
    if (address == 0) {
        write(EventKind::free_null, caller, 0);
        return;
    }
    const std::uint64_t key = key_of(address);
    if (!debts_.empty() && repays(key, caller)) {
        return;
    }
    LiveBlock block;
    if (!blocks_.take(key, block)) {
        ++counts_.unknown_frees;
        return;
    }
    write(EventKind::free, caller, block.object);
}

void ForeignBlocks::reallocate(std::uint64_t old_address, std::uint64_t new_address,
                               std::uint64_t size, const ForeignCaller& caller) {
    end_reallocation(begin_reallocation(old_address), new_address, size, caller);
}

ForeignBlocks::Reallocation ForeignBlocks::begin_reallocation(std::uint64_t old_address) {
    Reallocation begun;
    if (old_address != 0) {
        begun.old_key = key_of(old_address);
        begun.is_known = blocks_.take(begun.old_key, begun.block);
    }
    return begun;
}

void ForeignBlocks::end_reallocation(Reallocation begun, std::uint64_t new_address,
                                     std::uint64_t size, const ForeignCaller& caller) {
    if (begun.old_key == 0) {
        return allocate(new_address, size, 0, AllocationCall::realloc, caller);
    }
    LiveBlock& block = begun.block;
    if (!begun.is_known) {
        ++counts_.unknown_reallocations;
        if (new_address != 0) {
            allocate(new_address, size, 0, AllocationCall::realloc, caller);
        }
        return;
    }
    if (new_address == 0 && size == 0) {
        write(EventKind::reallocate_zero, caller, block.object);
        return;
    }
    if (new_address == 0) {
        write(EventKind::reallocate_failed, caller, block.object, told_size(size));
        settle(begun.old_key, caller);
        blocks_.insert(begun.old_key, block);
        return;
    }
    const std::uint64_t new_key = key_of(new_address);
    settle(new_key, caller);
    block.sized_by_event = write(EventKind::reallocate, caller, block.object, size);
    block.size = size;
    block.thread = caller.thread;
    blocks_.insert(new_key, block);
}

const LiveBlock* ForeignBlocks::find(std::uint64_t address) {
    return address == 0 ? nullptr : blocks_.find(key_of(address));
}

} // namespace alloclab
