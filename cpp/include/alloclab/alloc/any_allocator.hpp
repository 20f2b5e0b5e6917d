// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/reallocate.hpp>
#include <alloclab/plugin.h>

#include <cstring>
#include <utility>

namespace alloclab {

// An allocator of any type behind the C table of plugin.h: one indirect call each. It owns what is
// behind it; that never moves, this handle may. What composed stacks are built of at run time.
//
// Whether a capability is there is known at run time only: ask `has_...` first. Without it `resize`
// says no, `reallocate` resizes or moves, `allocate_zeroed` clears and the site is dropped, which
// is what those mean; the others must not be called.
class AnyAllocator {
public:
    AnyAllocator(const alloclab_allocator& table, void* self) noexcept
        : table_(&table), self_(self) {}
    ~AnyAllocator() { drop(); }
    AnyAllocator(AnyAllocator&& other) noexcept
        : table_(other.table_), self_(std::exchange(other.self_, nullptr)) {}
    AnyAllocator& operator=(AnyAllocator&& other) noexcept {
        drop();
        table_ = other.table_;
        self_ = std::exchange(other.self_, nullptr);
        return *this;
    }
    AnyAllocator(const AnyAllocator&) = delete;
    AnyAllocator& operator=(const AnyAllocator&) = delete;

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return table_->allocate(self_, size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        table_->deallocate(self_, block, size, alignment);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept {
        return has_resize() && table_->resize(self_, block, old_size, new_size, alignment) != 0;
    }
    void* reallocate(void* block, std::size_t old_size, std::size_t new_size,
                     std::size_t alignment) noexcept {
        return has_reallocate() ? table_->reallocate(self_, block, old_size, new_size, alignment)
                                : resize_or_move(*this, block, old_size, new_size, alignment);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        if (table_->allocate_zeroed != nullptr) {
            return table_->allocate_zeroed(self_, size, alignment);
        }
        void* const block = allocate(size, alignment);
        return block == nullptr ? block : std::memset(block, 0, size);
    }
    void* allocate(std::size_t size, std::size_t alignment, AllocationSite site) noexcept {
        if (table_->allocate_at == nullptr) {
            return allocate(size, alignment);
        }
        const alloclab_site plain{site.tag, site.file, site.line};
        return table_->allocate_at(self_, size, alignment, &plain);
    }
    void reset() noexcept { table_->reset(self_); }
    bool owns(const void* block) const noexcept { return table_->owns(self_, block) != 0; }
    std::size_t usable_size(const void* block) const noexcept {
        return table_->usable_size(self_, block);
    }
    alloclab_mark mark() const noexcept { return table_->mark(self_); }
    // Returns false, having changed nothing, where the allocator refuses the mark.
    bool rewind(alloclab_mark to) noexcept { return table_->rewind(self_, to) != 0; }
    void visit_stats(StatVisitor visitor) const noexcept {
        if (table_->visit_stats != nullptr) {
            table_->visit_stats(self_, {visitor.visit, visitor.context});
        }
    }

    bool has_resize() const noexcept { return table_->resize != nullptr; }
    bool has_reallocate() const noexcept { return table_->reallocate != nullptr; }
    bool has_reset() const noexcept { return table_->reset != nullptr; }
    bool has_owns() const noexcept { return table_->owns != nullptr; }
    bool has_usable_size() const noexcept { return table_->usable_size != nullptr; }
    bool has_mark() const noexcept { return table_->mark != nullptr && table_->rewind != nullptr; }
    bool has_sites() const noexcept { return table_->allocate_at != nullptr; }
    bool is_thread_safe() const noexcept { return (table_->flags & ALLOCLAB_THREAD_SAFE) != 0; }
    const char* name() const noexcept { return table_->name; }

private:
    void drop() noexcept {
        if (self_ != nullptr && table_->destroy != nullptr) {
            table_->destroy(self_);
        }
    }

    const alloclab_allocator* table_;
    void* self_; // null once moved from
};

static_assert(Allocator<AnyAllocator> && Resizable<AnyAllocator> && Resettable<AnyAllocator> &&
              Owning<AnyAllocator> && Measurable<AnyAllocator> && Zeroing<AnyAllocator> &&
              Noting<AnyAllocator> && Counting<AnyAllocator>);

} // namespace alloclab
