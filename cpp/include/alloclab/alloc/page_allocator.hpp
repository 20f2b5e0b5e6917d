// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/mapping_table.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace alloclab {

struct PageAllocatorOptions {
    // It has none.
    bool set(std::string_view, std::string_view) noexcept { return false; }
};

// What a page allocator holds.
//   block_live = requested_live + rounding_waste;  reserved = block_live + table
struct PageAllocatorStats {
    std::size_t reserved_bytes = 0;
    std::size_t committed_bytes = 0; // the same
    std::size_t block_live_bytes = 0;
    std::size_t requested_live_bytes = 0;
    std::size_t rounding_waste_bytes = 0; // page - (n mod page) for a block of n bytes
    std::size_t table_bytes = 0;
    std::size_t live_count = 0;
    std::size_t rejected_frees = 0; // of what is no live block

    template <class Visitor> void visit(const Visitor& visitor) const {
        visitor("reserved_bytes", reserved_bytes);
        visitor("committed_bytes", committed_bytes);
        visitor("block_live_bytes", block_live_bytes);
        visitor("requested_live_bytes", requested_live_bytes);
        visitor("rounding_waste_bytes", rounding_waste_bytes);
        visitor("table_bytes", table_bytes);
        visitor("live_count", live_count);
        visitor("rejected_frees", rejected_frees);
    }
};

// A mapping for every allocation, unmapped by its free: the baseline that shows what a system call
// and whole pages cost. Blocks have no headers; a table beside them knows them. One thread at a
// time. See docs/allocators/page_allocator.md.
template <PageSource Source = OsPageSource> class PageAllocator {
public:
    using Options = PageAllocatorOptions;
    using Stats = PageAllocatorStats;
    static constexpr Options default_options{};

    explicit PageAllocator(const Options& = default_options, Source source = Source{}) noexcept
        : source_(std::move(source)) {}
    ~PageAllocator() { reset(); }
    PageAllocator(const PageAllocator&) = delete;
    PageAllocator& operator=(const PageAllocator&) = delete;

    // Returns null when the page source refuses. Cost: a system call.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t bytes = mapped_bytes_for(size);
        void* const block =
            bytes == 0 ? nullptr : source_.map(bytes, std::max(alignment, page_bytes));
        if (block != nullptr && !table_.insert(block, bytes, source_)) {
            source_.unmap(block, bytes);
            return nullptr;
        }
        if (block != nullptr) {
            block_live_bytes_ += bytes;
            requested_live_bytes_ += size;
        }
        return block;
    }

    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        void* const block = allocate(size, alignment);
        if (block != nullptr && !Source::maps_zeroed) {
            std::memset(block, 0, size);
        }
        return block;
    }

    // Counts and ignores what is no live block. Cost: a system call.
    void deallocate(void* block, std::size_t size, std::size_t) noexcept {
        const std::size_t bytes = block != nullptr ? table_.erase(block) : 0;
        if (bytes == 0) {
            rejected_frees_ += block != nullptr;
            return;
        }
        block_live_bytes_ -= bytes;
        requested_live_bytes_ -= size;
        source_.unmap(block, bytes);
    }

    // Returns whether the new size takes as many pages as the block has.
    bool resize(void* block, std::size_t old_size, std::size_t new_size, std::size_t) noexcept {
        const std::size_t bytes = table_.find(block);
        if (bytes == 0 || mapped_bytes_for(new_size) != bytes) {
            return false;
        }
        requested_live_bytes_ += new_size - old_size;
        return true;
    }

    std::size_t usable_size(const void* block) const noexcept { return table_.find(block); }
    bool owns(const void* block) const noexcept { return table_.find(block) != 0; }

    // Unmaps every block, and the table. Cost: O(blocks).
    void reset() noexcept {
        table_.for_each([this](void* block, std::size_t bytes) { source_.unmap(block, bytes); });
        table_.clear(source_);
        block_live_bytes_ = 0;
        requested_live_bytes_ = 0;
    }

    Stats stats() const noexcept {
        Stats stats;
        stats.reserved_bytes = block_live_bytes_ + table_.table_bytes();
        stats.committed_bytes = stats.reserved_bytes;
        stats.block_live_bytes = block_live_bytes_;
        stats.requested_live_bytes = requested_live_bytes_;
        stats.rounding_waste_bytes = block_live_bytes_ - requested_live_bytes_;
        stats.table_bytes = table_.table_bytes();
        stats.live_count = table_.count();
        stats.rejected_frees = rejected_frees_;
        return stats;
    }
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }
    Source& source() noexcept { return source_; }

private:
    // 0 when no mapping could be that large.
    static std::size_t mapped_bytes_for(std::size_t size) noexcept {
        return size > SIZE_MAX / 4 ? 0 : align_up(std::max<std::size_t>(size, 1), page_bytes);
    }

    MappingTable table_;
    std::size_t block_live_bytes_ = 0;
    std::size_t requested_live_bytes_ = 0;
    std::size_t rejected_frees_ = 0;
    [[no_unique_address]] Source source_;
};

} // namespace alloclab
