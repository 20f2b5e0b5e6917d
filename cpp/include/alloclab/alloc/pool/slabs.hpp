// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/pool/run_heap.hpp>

#include <array>
#include <span>

namespace alloclab::pool {

// Slabs of equal blocks, a shelf a class, each with its lock. A shelf lists the slabs that have a
// free block, most recently freed into first. A slab's bitmap gives blocks in address order and
// needs no set-up; a slab that is empty goes back to the run heap unless it is its shelf's only
// one. Lock order: a shelf, then the run heap.
template <PageSource Source> class Slabs {
public:
    // Fills `out` from its end towards its start with blocks in address order, so that a cache that
    // pops from the end gives rising addresses; moves them to the start when there are fewer.
    // Returns how many, 0 only when there is no memory.
    template <class Relieve>
    std::uint32_t take(RunHeap<Source>& runs, std::uint32_t class_idx, std::span<void*> out,
                       Relieve&& relieve) noexcept;
    void give(RunHeap<Source>& runs, std::uint32_t class_idx,
              std::span<void* const> blocks) noexcept;

    void lock_all() noexcept {
        for (Shelf& shelf : shelves_) {
            shelf.lock.lock();
        }
    }
    void unlock_all() noexcept {
        for (Shelf& shelf : shelves_) {
            shelf.lock.unlock();
        }
    }
    // Forgets every slab. Requires: the region they stood in is closed.
    void forget() noexcept {
        for (Shelf& shelf : shelves_) {
            shelf.head = shelf.rejected_frees = 0;
        }
        free_record_ = 0;
        next_record_ = 1;
    }

    // Calls `visit(record)` for every slab. Requires: all locks held.
    template <class Visit> void for_each(const Region& region, Visit&& visit) const noexcept {
        for (std::uint32_t record = 1; record < next_record_; ++record) {
            if (region.slabs[record].kind != free_kind) {
                visit(region.slabs[record]);
            }
        }
    }

    // Requires: all locks held.
    std::size_t rejected_frees() const noexcept {
        std::size_t sum = 0;
        for (const Shelf& shelf : shelves_) {
            sum += shelf.rejected_frees;
        }
        return sum;
    }

private:
    struct Shelf {
        SpinLock lock;
        std::uint32_t head = 0;
        std::uint32_t rejected_frees = 0;
    };

    template <class Relieve>
    std::uint32_t create(RunHeap<Source>& runs, std::uint32_t class_idx,
                         Relieve&& relieve) noexcept;
    void retire(RunHeap<Source>& runs, std::uint32_t record) noexcept;
    void settle(RunHeap<Source>& runs, Shelf& shelf, std::uint32_t record) noexcept;
    static void list(Region& region, Shelf& shelf, std::uint32_t record) noexcept;
    static void unlist(Region& region, Shelf& shelf, SlabRecord& slab) noexcept;

    std::array<Shelf, max_slab_class_count + 1> shelves_{};
    std::uint32_t free_record_ = 0; // records without a slab, linked by `next`; under the run lock
    std::uint32_t next_record_ = 1;
};

template <PageSource Source>
void Slabs<Source>::list(Region& region, Shelf& shelf, std::uint32_t record) noexcept {
    SlabRecord& slab = region.slabs[record];
    slab.previous = 0;
    slab.next = shelf.head;
    slab.is_listed = true;
    if (shelf.head != 0) {
        region.slabs[shelf.head].previous = record;
    }
    shelf.head = record;
}

template <PageSource Source>
void Slabs<Source>::unlist(Region& region, Shelf& shelf, SlabRecord& slab) noexcept {
    if (slab.next != 0) {
        region.slabs[slab.next].previous = slab.previous;
    }
    (slab.previous != 0 ? region.slabs[slab.previous].next : shelf.head) = slab.next;
    slab.is_listed = false;
}

// Returns the record of a new slab with all blocks free, or 0. Requires: the shelf's lock held.
template <PageSource Source>
template <class Relieve>
[[gnu::noinline]] std::uint32_t
Slabs<Source>::create(RunHeap<Source>& runs, std::uint32_t class_idx, Relieve&& relieve) noexcept {
    const SizeClass& size_class = runs.classes.classes[class_idx];
    Region& region = runs.region;
    const LockGuard guard(runs.lock);
    bool is_zero = false;
    const std::uint32_t unit = runs.allocate(size_class.run_units, is_zero, relieve);
    if (unit == 0) {
        return 0;
    }
    std::uint32_t record = free_record_;
    if (record != 0) {
        free_record_ = region.slabs[record].next;
    } else {
        record = next_record_++;
    }
    SlabRecord& slab = region.slabs[record];
    slab.unit = unit;
    slab.kind = static_cast<Kind>(class_idx);
    slab.free_count = size_class.block_count;
    slab.is_listed = false;
    for (std::uint32_t word_idx = 0; word_idx < 2; ++word_idx) {
        const int bits = std::clamp(
            static_cast<int>(size_class.block_count) - static_cast<int>(word_idx * 64), 0, 64);
        slab.free_bits[word_idx] = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    }
    for (std::uint32_t unit_idx = unit; unit_idx < unit + size_class.run_units; ++unit_idx) {
        region.kinds[unit_idx] = static_cast<Kind>(class_idx);
        region.tags[unit_idx] = record;
    }
    return record;
}

// Takes an empty slab apart. Requires: its shelf's lock held, the slab not listed.
template <PageSource Source>
void Slabs<Source>::retire(RunHeap<Source>& runs, std::uint32_t record) noexcept {
    SlabRecord& slab = runs.region.slabs[record];
    const LockGuard guard(runs.lock);
    runs.deallocate(slab.unit, runs.classes.classes[slab.kind].run_units);
    slab.kind = free_kind;
    slab.next = free_record_;
    free_record_ = record;
}

template <PageSource Source>
template <class Relieve>
std::uint32_t Slabs<Source>::take(RunHeap<Source>& runs, std::uint32_t class_idx,
                                  std::span<void*> out, Relieve&& relieve) noexcept {
    Region& region = runs.region;
    Shelf& shelf = shelves_[class_idx];
    const std::size_t block_bytes = runs.classes.classes[class_idx].block_bytes;
    std::size_t left = out.size();
    const LockGuard guard(shelf.lock);
    while (left != 0) {
        if (shelf.head == 0) {
            // A new slab only for a cache that would otherwise get nothing.
            const std::uint32_t record = left == out.size() ? create(runs, class_idx, relieve) : 0;
            if (record == 0) {
                break;
            }
            list(region, shelf, record);
        }
        SlabRecord& slab = region.slabs[shelf.head];
        std::byte* const first = region.address_of(slab.unit);
        const std::size_t left_before = left;
        for (std::size_t word_idx = 0; word_idx < 2; ++word_idx) {
            std::uint64_t bits = slab.free_bits[word_idx];
            for (; bits != 0 && left != 0; bits &= bits - 1) {
                const auto bit_idx = static_cast<std::size_t>(std::countr_zero(bits));
                out[--left] = first + (word_idx * 64 + bit_idx) * block_bytes;
            }
            slab.free_bits[word_idx] = bits;
        }
        slab.free_count = static_cast<std::uint16_t>(slab.free_count - (left_before - left));
        if (slab.free_count == 0) {
            unlist(region, shelf, slab);
        }
    }
    if (left != 0) {
        std::copy(out.begin() + static_cast<std::ptrdiff_t>(left), out.end(), out.begin());
    }
    return static_cast<std::uint32_t>(out.size() - left);
}

// Blocks freed one after the other often stand in one slab: what is looked up of it is kept.
template <PageSource Source>
void Slabs<Source>::give(RunHeap<Source>& runs, std::uint32_t class_idx,
                         std::span<void* const> blocks) noexcept {
    constexpr std::size_t prefetch_distance = 4; // a record each, all over the table
    Region& region = runs.region;
    const SizeClass& size_class = runs.classes.classes[class_idx];
    const std::size_t slab_bytes = size_class.run_units * unit_bytes;
    Shelf& shelf = shelves_[class_idx];
    const LockGuard guard(shelf.lock);
    std::uint32_t record = 0;
    std::size_t slab_first = 0; // as an offset in the region
    for (std::size_t block_idx = 0; block_idx < blocks.size(); ++block_idx) {
        if (block_idx + prefetch_distance < blocks.size()) {
            const std::uint32_t unit = region.unit_of(blocks[block_idx + prefetch_distance]);
            __builtin_prefetch(&region.slabs[region.tags[unit]], 1);
        }
        const std::size_t offset = region.offset_of(blocks[block_idx]);
        if (record == 0 || offset - slab_first >= slab_bytes) {
            settle(runs, shelf, record);
            record = region.tags[offset / unit_bytes];
            slab_first = std::size_t{region.slabs[record].unit} * unit_bytes;
        }
        SlabRecord& slab = region.slabs[record];
        const std::size_t bit_idx = (offset - slab_first) * size_class.reciprocal >> 32;
        const std::uint64_t bit = std::uint64_t{1} << (bit_idx % 64);
        const bool is_block = bit_idx * size_class.block_bytes == offset - slab_first;
        if (!is_block || (slab.free_bits[bit_idx / 64] & bit) != 0) [[unlikely]] {
            ++shelf.rejected_frees; // no block begins there, or it is free already
            continue;
        }
        slab.free_bits[bit_idx / 64] |= bit;
        ++slab.free_count;
    }
    settle(runs, shelf, record);
}

// After blocks came back to a slab: lists it, or takes it apart when it is empty and not alone.
template <PageSource Source>
void Slabs<Source>::settle(RunHeap<Source>& runs, Shelf& shelf, std::uint32_t record) noexcept {
    if (record == 0) {
        return;
    }
    Region& region = runs.region;
    SlabRecord& slab = region.slabs[record];
    if (!slab.is_listed) {
        list(region, shelf, record);
    }
    const bool is_alone = shelf.head == record && slab.next == 0;
    if (slab.free_count == runs.classes.classes[slab.kind].block_count && !is_alone) {
        unlist(region, shelf, slab);
        retire(runs, record);
    }
}

} // namespace alloclab::pool
