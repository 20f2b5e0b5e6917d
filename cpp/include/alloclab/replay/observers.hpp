// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/kernel.hpp>

#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace alloclab {

// What a kernel does at each block beside the calls, as a block put into it at compile time.
struct ObserveNothing {
    void reserve(std::uint32_t) {}
    ObserveNothing for_thread(std::uint32_t) const { return {}; }
    void refused(std::uint32_t) {}
    template <class Heap> void born(Heap&, std::uint32_t, void*, std::size_t, ReplayCounts&) {}
    template <class Heap> void dies(Heap&, std::uint32_t, void*, ReplayCounts&) {}
};

// Sums the sizes the allocator gives its blocks, and notes the sum where most was requested.
struct ObserveBlocks {
    void reserve(std::uint32_t slots) { sizes_.resize(slots); }
    void refused(std::uint32_t) {}

    template <class Heap>
    void born(Heap& heap, std::uint32_t slot, void* block, std::size_t size, ReplayCounts& counts) {
        const std::uint64_t usable = heap.usable_size(block, size);
        sizes_[slot] = {size, usable};
        requested_live_bytes_ += size;
        counts.block_live_bytes += usable;
        counts.block_total_bytes += usable;
        if (counts.block_live_bytes > counts.peak_block_live_bytes) {
            counts.peak_block_live_bytes = counts.block_live_bytes;
        }
        if (requested_live_bytes_ > peak_requested_live_bytes_) {
            peak_requested_live_bytes_ = requested_live_bytes_;
            counts.block_live_bytes_at_peak_requested = counts.block_live_bytes;
        }
    }

    template <class Heap> void dies(Heap&, std::uint32_t slot, void*, ReplayCounts& counts) {
        counts.block_live_bytes -= sizes_[slot].usable;
        requested_live_bytes_ -= sizes_[slot].requested;
        sizes_[slot] = {};
    }

private:
    struct Sizes {
        std::uint64_t requested = 0;
        std::uint64_t usable = 0;
    };
    std::vector<Sizes> sizes_;
    std::uint64_t requested_live_bytes_ = 0;
    std::uint64_t peak_requested_live_bytes_ = 0;
};

// Notes where each block stands that an allocation or a reallocation gave, in their order, and a
// null for each that was refused: whoever has the trace knows the rest.
struct ObservePlacement {
    void reserve(std::uint32_t) {}
    void refused(std::uint32_t) { placed_.push_back({}); }

    template <class Heap>
    void born(Heap& heap, std::uint32_t, void* block, std::size_t size, ReplayCounts&) {
        placed_.push_back({reinterpret_cast<std::uint64_t>(block), heap.usable_size(block, size)});
    }
    template <class Heap> void dies(Heap&, std::uint32_t, void*, ReplayCounts&) {}

    std::vector<PlacedBlock> take() { return std::exchange(placed_, {}); }

private:
    std::vector<PlacedBlock> placed_;
};

// Writes the slot's number and a count into both ends of a block, and looks for them at its end: an
// allocator that hands out overlapping blocks, or loses contents on realloc, is found; so is one
// whose blocks are not aligned as asked. Copies share the table of stamps: a block may end on
// another thread than the one that got it.
struct ObserveStamps {
    void reserve(std::uint32_t slots) { stamps_->resize(slots); }
    ObserveStamps for_thread(std::uint32_t thread) const {
        ObserveStamps copy = *this;
        copy.serial_ = std::uint64_t{thread} << 40;
        return copy;
    }
    void refused(std::uint32_t) {}

    template <class Heap>
    void born(Heap&, std::uint32_t slot, void* block, std::size_t size, ReplayCounts&) {
        Stamp& stamp = (*stamps_)[slot];
        stamp = {size, (std::uint64_t{slot} << 32) ^ (++serial_ * 0x9e3779b97f4a7c15ull)};
        const std::size_t bytes = size < sizeof stamp.value ? size : sizeof stamp.value;
        std::memcpy(static_cast<char*>(block) + size - bytes, &stamp.value, bytes);
        std::memcpy(block, &stamp.value, bytes); // short blocks: the ends overlap, this one stays
    }

    void aligned(const void* block, std::size_t alignment, ReplayCounts& counts) {
        counts.misaligned_blocks += reinterpret_cast<std::uintptr_t>(block) % alignment != 0;
    }

    template <class Heap> void dies(Heap&, std::uint32_t slot, void* block, ReplayCounts& counts) {
        if (block == nullptr) {
            return;
        }
        const Stamp& stamp = (*stamps_)[slot];
        const std::size_t bytes = stamp.size < sizeof stamp.value ? stamp.size : sizeof stamp.value;
        bool is_intact = std::memcmp(block, &stamp.value, bytes) == 0;
        if (stamp.size >= 2 * sizeof stamp.value) {
            is_intact &= std::memcmp(static_cast<char*>(block) + stamp.size - bytes, &stamp.value,
                                     bytes) == 0;
        }
        counts.damaged_blocks += !is_intact;
        ++counts.checked_blocks;
    }

    // After a realloc to `size`, the front must still hold the old stamp.
    void moved(std::uint32_t slot, void* block, std::size_t size, ReplayCounts& counts) {
        const Stamp& stamp = (*stamps_)[slot];
        std::size_t bytes = stamp.size < size ? stamp.size : size;
        bytes = bytes < sizeof stamp.value ? bytes : sizeof stamp.value;
        counts.damaged_blocks += std::memcmp(block, &stamp.value, bytes) != 0;
    }

private:
    struct Stamp {
        std::size_t size = 0;
        std::uint64_t value = 0;
    };
    std::shared_ptr<std::vector<Stamp>> stamps_ = std::make_shared<std::vector<Stamp>>();
    std::uint64_t serial_ = 0;
};

} // namespace alloclab
