// SPDX-License-Identifier: MIT
#pragma once

#include "call_site.hpp"
#include "live_heap.hpp"

#include <exception>
#include <vector>

namespace alloclab::bindings {

// A live allocator as a table of the core sees it. Its arrays are blocks that are looked at: a
// reset, a rewind or the end of the allocator leaves them alone, and says so. What the allocator
// throws is kept for `rethrow`.
class TableMemory {
public:
    TableMemory(std::shared_ptr<LiveHeap> heap, const char* tag)
        : heap_(std::move(heap)), tag_(tag) {}
    TableMemory(const TableMemory&) = delete;
    TableMemory& operator=(const TableMemory&) = delete;

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        try {
            const AnyAllocator* const allocator = heap_->allocator();
            AllocationSite site =
                call_site(std::nullopt, allocator != nullptr && allocator->has_sites());
            site.tag = interned(tag_);
            blocks_.reserve(blocks_.size() + 1);
            auto block = heap_->allocate(size, alignment, site, false);
            if (block == nullptr) {
                return nullptr;
            }
            block->begin_export();
            return blocks_.emplace_back(std::move(block))->address();
        } catch (...) {
            thrown_ = std::current_exception();
            return nullptr;
        }
    }

    void deallocate(void* address, std::size_t /*size*/, std::size_t /*alignment*/) noexcept {
        const auto place = find(address);
        (*place)->end_export();
        blocks_.erase(place); // the handle goes, and frees the block
    }

    bool resize(void* address, std::size_t /*old_size*/, std::size_t new_size,
                std::size_t /*alignment*/) noexcept {
        if (heap_->is_closed() || !heap_->allocator()->has_resize()) {
            return false;
        }
        Block& block = **find(address);
        block.end_export();
        bool is_resized = false;
        try {
            is_resized = heap_->resize(block, new_size);
        } catch (...) {
            thrown_ = std::current_exception();
        }
        block.begin_export();
        return is_resized;
    }

    // The allocator's block that holds the address, given away: nobody looks at it any more.
    std::unique_ptr<Block> release(const void* address) {
        const auto place = find(address);
        (*place)->end_export();
        auto block = std::move(*place);
        blocks_.erase(place);
        return block;
    }

    void forget_thrown() noexcept { thrown_ = nullptr; }
    // Throws what the allocator threw; otherwise it refused, and this returns.
    void rethrow() {
        if (thrown_ != nullptr) {
            std::rethrow_exception(std::exchange(thrown_, nullptr));
        }
    }
    const LiveHeap& heap() const noexcept { return *heap_; }

private:
    std::vector<std::unique_ptr<Block>>::iterator find(const void* address) noexcept {
        auto place = blocks_.begin(); // there are few, and it is one of them
        while ((*place)->address() != address) {
            ++place;
        }
        return place;
    }

    std::shared_ptr<LiveHeap> heap_;
    const char* tag_;
    std::vector<std::unique_ptr<Block>> blocks_;
    std::exception_ptr thrown_;
};

static_assert(Allocator<TableMemory> && Resizable<TableMemory>);

} // namespace alloclab::bindings
