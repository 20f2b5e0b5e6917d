// SPDX-License-Identifier: MIT
#include <alloclab/subsystems/subsystem.hpp>

#include <alloclab/compose/build_allocator.hpp>
#include <alloclab/compose/watched.hpp>

#include <algorithm>
#include <cstring>

namespace alloclab {

namespace {

AnyAllocator build(AnyAllocator plain, bool is_traced, Trace<AnyAllocator>*& trace) {
    if (!is_traced) {
        return plain;
    }
    TracedAllocator traced = trace_around(std::move(plain));
    trace = traced.trace;
    return std::move(traced.allocator);
}

} // namespace

Subsystem::Subsystem(const SubsystemRow& row, bool is_traced)
    : Subsystem(row, build_allocator(parse_allocator_spec(row.spec)), is_traced) {}

Subsystem::Subsystem(const SubsystemRow& row, AnyAllocator allocator, bool is_traced)
    : row_(row), is_bulk_(allocator.has_mark()),
      allocator_(build(std::move(allocator), is_traced, trace_)) {
    if (trace_ != nullptr) {
        trace_->core().set_name(row_.title);
    }
}

void Subsystem::grow(std::size_t size) noexcept {
    totals_.total_allocated_bytes += size;
    totals_.current_bytes += size;
    totals_.peak_bytes = std::max(totals_.peak_bytes, totals_.current_bytes);
}

void* Subsystem::note(void* block, std::size_t size) noexcept {
    if (block == nullptr) {
        ++totals_.failed_count;
        return nullptr;
    }
    ++totals_.allocation_count;
    grow(size);
    return block;
}

void Subsystem::count_free(std::size_t size) noexcept {
    ++totals_.free_count;
    if (!is_bulk_) {
        totals_.total_freed_bytes += size;
        totals_.current_bytes -= size;
    }
}

void* Subsystem::allocate_zeroed(std::size_t size, std::size_t alignment,
                                 AllocationSite site) noexcept {
    if (!allocator_.has_sites()) {
        return note(allocator_.allocate_zeroed(size, alignment), size);
    }
    void* const block = allocate(size, alignment, site);
    return block == nullptr ? block : std::memset(block, 0, size);
}

void Subsystem::deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
    if (block == nullptr) {
        return;
    }
    count_free(size);
    if (!is_bulk_ || trace_ != nullptr) {
        allocator_.deallocate(block, size, alignment);
    }
}

bool Subsystem::resize(void* block, std::size_t old_size, std::size_t new_size,
                       std::size_t alignment) noexcept {
    if (!allocator_.resize(block, old_size, new_size, alignment)) {
        return false;
    }
    if (new_size >= old_size) {
        grow(new_size - old_size);
    } else {
        totals_.total_freed_bytes += old_size - new_size;
        totals_.current_bytes -= old_size - new_size;
    }
    return true;
}

void* Subsystem::reallocate(void* block, std::size_t old_size, std::size_t new_size,
                            std::size_t alignment, AllocationSite site) noexcept {
    if (block == nullptr) {
        return allocate(new_size, alignment, site);
    }
    if (resize(block, old_size, new_size, alignment)) {
        return block;
    }
    void* const moved = allocator_.allocate(new_size, alignment, site);
    if (moved == nullptr) {
        ++totals_.failed_count;
        return nullptr;
    }
    std::memcpy(moved, block, std::min(old_size, new_size));
    allocator_.deallocate(block, old_size, alignment);
    // One block before, one after: neither an allocation nor a free. An arena still holds the old.
    if (!is_bulk_) {
        totals_.total_freed_bytes += old_size;
        totals_.current_bytes -= old_size;
    }
    grow(new_size);
    return moved;
}

void* Subsystem::allocate_remembered(std::size_t size, AllocationSite site) noexcept {
    if (trace_ != nullptr) {
        return allocate(size, default_alignment, site);
    }
    if (size > SIZE_MAX - sizeof(Header)) {
        return note(nullptr, size);
    }
    void* const block =
        note(allocator_.allocate(size + sizeof(Header), default_alignment, site), size);
    return block == nullptr ? nullptr : new (block) Header{this, size} + 1;
}

bool Subsystem::deallocate_remembered(void* block) noexcept {
    if (trace_ != nullptr) {
        if (!trace_->owns(block)) {
            return false;
        }
        deallocate(block, trace_->usable_size(block), default_alignment);
        return true;
    }
    Header* const header = static_cast<Header*>(block) - 1;
    if (header->owner != this) {
        return false;
    }
    header->owner = nullptr; // a second free is not taken for a first one
    count_free(header->size);
    if (!is_bulk_) {
        allocator_.deallocate(header, header->size + sizeof(Header), default_alignment);
    }
    return true;
}

void Subsystem::reset() noexcept {
    allocator_.reset();
    totals_.total_freed_bytes += totals_.current_bytes;
    totals_.current_bytes = 0;
    ++totals_.reset_count;
}

void Subsystem::write_statistics(const TextSink& sink) const noexcept {
    if (totals_.allocation_count == 0 && totals_.failed_count == 0) {
        return;
    }
    const bool is_empty_by_reset = totals_.reset_count != 0 && totals_.current_bytes == 0;
    tracing::write_statistics(sink, row_.title, totals_,
                              is_empty_by_reset ? row_.reset_when : nullptr);
}

} // namespace alloclab
