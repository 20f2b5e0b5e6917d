// SPDX-License-Identifier: MIT
#pragma once

// The members of pool::Heap. Included by heap.hpp only.

#include <alloclab/alloc/pool/heap.hpp>

#include <cstring>

namespace alloclab::pool {

template <PageSource Source>
template <class Relieve>
std::uint32_t Heap<Source>::take(std::uint32_t class_idx, std::span<void*> out,
                                 Relieve&& relieve) noexcept {
    if (!is_open()) {
        return 0;
    }
    const auto relieve_runs = [&] { relieve(*this); };
    if (!classes().is_mid(class_idx)) {
        return slabs_.take(runs_, class_idx, out, relieve_runs);
    }
    const std::uint32_t units = classes().classes[class_idx].run_units;
    const LockGuard guard(runs_.lock);
    bool is_zero = false;
    const std::uint32_t unit = runs_.allocate(units, is_zero, relieve_runs);
    if (unit == 0) {
        return 0;
    }
    mark_run(unit, units, static_cast<Kind>(class_idx));
    out[0] = runs_.region.address_of(unit);
    return 1;
}

template <PageSource Source>
void Heap<Source>::give(std::uint32_t class_idx, std::span<void* const> blocks) noexcept {
    if (!classes().is_mid(class_idx)) {
        slabs_.give(runs_, class_idx, blocks);
        return;
    }
    const LockGuard guard(runs_.lock);
    for (void* const block : blocks) {
        give_mid_locked(class_idx, block);
    }
}

// Cuts a run of `count + extra` units to the `count` that start at `alignment`, and marks them.
template <PageSource Source>
std::uint32_t Heap<Source>::trim_to_alignment(std::uint32_t unit, std::uint32_t count,
                                              std::uint32_t extra, std::size_t alignment) noexcept {
    Region& region = runs_.region;
    const auto address = reinterpret_cast<std::uintptr_t>(region.address_of(unit));
    const auto before =
        static_cast<std::uint32_t>((align_up(address, alignment) - address) / unit_bytes);
    const std::uint32_t first = unit + before;
    const std::uint32_t after = extra - before;
    mark_large(first, count);
    if (before != 0) {
        runs_.deallocate(unit, before);
    }
    if (after != 0) {
        runs_.deallocate(first + count, after);
    }
    return first;
}

template <PageSource Source>
template <class Relieve>
[[gnu::noinline]] void* Heap<Source>::allocate_large(std::size_t size, std::size_t alignment,
                                                     bool is_zeroed, Relieve&& relieve) noexcept {
    if (!is_open()) {
        return nullptr;
    }
    const std::size_t memory_bytes = std::size_t{runs_.region.unit_count()} * unit_bytes;
    if (size > memory_bytes || alignment > memory_bytes / 2) {
        return nullptr;
    }
    size = std::max<std::size_t>(size, 1);
    if (size >= whole_page_min_bytes) {
        alignment = std::max(alignment, page_bytes);
    }
    const std::uint32_t count = units_for(size);
    const std::uint32_t extra =
        alignment > unit_bytes ? static_cast<std::uint32_t>(alignment / unit_bytes) - 1 : 0;
    bool is_zero = false;
    std::uint32_t unit = 0;
    {
        const LockGuard guard(runs_.lock);
        unit = runs_.allocate(count + extra, is_zero, [&] { relieve(*this); });
        if (unit == 0) {
            return nullptr;
        }
        if (extra != 0) {
            unit = trim_to_alignment(unit, count, extra, alignment);
        } else {
            mark_large(unit, count);
        }
    }
    std::byte* const block = runs_.region.address_of(unit);
    if (is_zeroed && !is_zero) {
        std::memset(block, 0, size);
    }
    return block;
}

template <PageSource Source>
[[gnu::noinline]] void Heap<Source>::deallocate_large(void* block) noexcept {
    const LockGuard guard(runs_.lock);
    const std::uint32_t unit = runs_.region.unit_of(block);
    runs_.deallocate(unit, runs_.region.tags[unit]);
}

template <PageSource Source>
bool Heap<Source>::resize_large(void* block, std::size_t new_size) noexcept {
    const std::size_t memory_bytes = std::size_t{runs_.region.unit_count()} * unit_bytes;
    if (new_size > memory_bytes) {
        return false;
    }
    const LockGuard guard(runs_.lock);
    const std::uint32_t unit = runs_.region.unit_of(block);
    const std::uint32_t old_count = runs_.region.tags[unit];
    const std::uint32_t new_count = units_for(new_size);
    if (new_count > old_count && !runs_.extend(unit, old_count, new_count)) {
        return false;
    }
    mark_large(unit, new_count);
    if (new_count < old_count) {
        runs_.deallocate(unit + new_count, old_count - new_count);
    }
    return true;
}

// Moves a whole-page block's pages to another's, and frees what is left. Returns false where the
// source cannot, or it does not pay.
template <PageSource Source>
bool Heap<Source>::move_pages(void* from, void* to, std::size_t bytes) noexcept {
    if constexpr (MovingSource<Source>) {
        const std::size_t ends = runs_.region.offset_of(from) | runs_.region.offset_of(to) | bytes;
        if (bytes < whole_page_min_bytes || ends % page_bytes != 0 ||
            !runs_.source().move(from, to, bytes)) {
            return false;
        }
        const LockGuard guard(runs_.lock);
        runs_.deallocate_clean(runs_.region.unit_of(from),
                               static_cast<std::uint32_t>(bytes / unit_bytes));
        return true;
    }
    return false;
}

template <PageSource Source>
template <class Relieve>
[[gnu::noinline]] void* Heap<Source>::reallocate_large(void* block, std::size_t new_size,
                                                       Relieve&& relieve) noexcept {
    if (resize_large(block, new_size)) {
        return block;
    }
    const std::size_t old_size = usable_size(block);
    void* const moved = allocate_large(new_size, 1, false, relieve);
    if (moved == nullptr) {
        return nullptr;
    }
    if (!move_pages(block, moved, old_size)) {
        std::memcpy(moved, block, std::min(old_size, new_size));
        deallocate_large(block);
    }
    return moved;
}

template <PageSource Source>
std::size_t Heap<Source>::usable_size(const void* block) const noexcept {
    Kind kind = free_kind;
    if (!find_kind(block, kind)) {
        return 0;
    }
    return kind == large_kind
               ? std::size_t{runs_.region.tags[runs_.region.unit_of(block)]} * unit_bytes
               : classes().classes[kind].block_bytes;
}

template <PageSource Source>
PoolStats Heap<Source>::stats(std::size_t cached_bytes, std::size_t slot_bytes) noexcept {
    PoolStats stats;
    lock_all();
    std::size_t slab_free_bytes = 0;
    slabs_.for_each(runs_.region, [&](const SlabRecord& slab) {
        const SizeClass& size_class = classes().classes[slab.kind];
        const std::size_t blocks_bytes =
            std::size_t{size_class.block_count} * size_class.block_bytes;
        slab_free_bytes += std::size_t{slab.free_count} * size_class.block_bytes;
        slab_free_bytes += size_class.run_units * unit_bytes - blocks_bytes;
        ++stats.slab_count;
    });
    const std::size_t used_bytes = runs_.used_units() * unit_bytes;
    stats.reserved_bytes = runs_.region.is_open() ? runs_.region.mapped_bytes : 0;
    stats.committed_bytes = used_bytes + runs_.dirty_units() * unit_bytes;
    stats.cached_bytes = cached_bytes;
    stats.block_live_bytes = used_bytes - slab_free_bytes - cached_bytes - slot_bytes;
    stats.free_bytes = stats.committed_bytes - stats.block_live_bytes - cached_bytes;
    stats.purged_bytes = runs_.purged_bytes();
    stats.rejected_frees =
        slabs_.rejected_frees() + rejected_frees_.load(std::memory_order_relaxed);
    unlock_all();
    return stats;
}

template <PageSource Source> bool Heap<Source>::check_invariants() noexcept {
    if (!runs_.region.is_open()) {
        return true;
    }
    lock_all();
    const std::int64_t free_units = runs_.free_runs().count_checked(runs_.region);
    bool is_sound = free_units >= 0 && runs_.used_units() + static_cast<std::size_t>(free_units) +
                                               runs_.leaving_units() + units_per_page ==
                                           runs_.top_unit();
    slabs_.for_each(runs_.region, [&](const SlabRecord& slab) {
        const int free_bits = std::popcount(slab.free_bits[0]) + std::popcount(slab.free_bits[1]);
        is_sound =
            is_sound && free_bits == slab.free_count && slab.is_listed == (slab.free_count != 0);
    });
    unlock_all();
    return is_sound;
}

} // namespace alloclab::pool
