// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/tlsf.hpp>
#include <alloclab/measure/growth.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <cstdlib>
#include <cstring>

namespace alloclab::growth {

using CountedPages = CountingSource<OsPageSource>;
using CountedArena = Arena<SourceRef<CountedPages>>;
using CountedHeap = Tlsf<SourceRef<CountedPages>>;

// One array that grows. `ground` says where its memory comes from; `grow(array, new_bytes)` returns
// whether it could, having counted what it did.
struct Array {
    std::byte* first = nullptr;
    std::size_t used_bytes = 0;
    std::size_t capacity_bytes = 0;
};

// In any allocator of the lab: in place where it can, or by a copy, the old array then freed.
template <class A> class InAllocator {
public:
    InAllocator(A& allocator, GrowthResult& result) : allocator_(allocator), result_(result) {}

    bool grow(Array& array, std::size_t new_bytes) {
        result_.allocated_bytes += new_bytes;
        ++result_.allocation_count;
        if (array.first != nullptr &&
            allocator_.resize(array.first, array.capacity_bytes, new_bytes, 16)) {
            array.capacity_bytes = new_bytes;
            return true;
        }
        void* const moved = allocator_.allocate(new_bytes, 16);
        if (moved == nullptr) {
            return false;
        }
        if (array.first != nullptr) {
            std::memcpy(moved, array.first, array.used_bytes);
            result_.copied_bytes += array.used_bytes;
            ++result_.moved_count;
            release(array);
        }
        array.first = static_cast<std::byte*>(moved);
        array.capacity_bytes = new_bytes;
        return true;
    }
    void release(Array& array) {
        allocator_.deallocate(array.first, array.capacity_bytes, 16);
        array.first = nullptr;
    }

private:
    A& allocator_;
    GrowthResult& result_;
};

// By the process's realloc. Whether it copies or moves pages (mremap) is its own business.
class InPlatform {
public:
    explicit InPlatform(GrowthResult& result) : result_(result) {}

    bool grow(Array& array, std::size_t new_bytes) {
        result_.allocated_bytes += new_bytes;
        ++result_.allocation_count;
        const auto before = reinterpret_cast<std::uintptr_t>(array.first);
        auto* const grown = static_cast<std::byte*>(std::realloc(array.first, new_bytes));
        if (grown == nullptr) {
            return false;
        }
        if (before != 0 && reinterpret_cast<std::uintptr_t>(grown) != before) {
            ++result_.moved_count;
        }
        array.first = grown;
        array.capacity_bytes = new_bytes;
        return true;
    }
    void release(Array& array) {
        std::free(array.first);
        array.first = nullptr;
    }

private:
    GrowthResult& result_;
};

// In the heap while it is small, then on pages of its own, whose growth moves pages.
class InPagesAbove {
public:
    InPagesAbove(CountedHeap& heap, CountedPages& source, std::size_t threshold_bytes,
                 GrowthResult& result)
        : heap_(heap, result), source_(source), threshold_bytes_(threshold_bytes), result_(result) {
    }

    bool grow(Array& array, std::size_t new_bytes) {
        const bool was_mapped = is_mapped(array);
        if (!was_mapped && new_bytes < threshold_bytes_) {
            return heap_.grow(array, new_bytes);
        }
        const std::size_t page_bytes_needed = align_up(new_bytes, page_bytes);
        result_.allocated_bytes += new_bytes;
        ++result_.allocation_count;
        void* const moved = source_.map(page_bytes_needed, page_bytes);
        if (moved == nullptr) {
            return false;
        }
        if (array.first != nullptr) {
            ++result_.moved_count;
            if (!was_mapped || !source_.move(array.first, moved, array.capacity_bytes)) {
                std::memcpy(moved, array.first, array.used_bytes);
                result_.copied_bytes += array.used_bytes;
            }
            release(array);
        }
        array.first = static_cast<std::byte*>(moved);
        array.capacity_bytes = page_bytes_needed;
        return true;
    }
    void release(Array& array) {
        if (is_mapped(array)) {
            source_.unmap(array.first, array.capacity_bytes);
            array.first = nullptr;
        } else {
            heap_.release(array);
        }
    }

private:
    bool is_mapped(const Array& array) const {
        return array.first != nullptr && array.capacity_bytes >= threshold_bytes_;
    }
    InAllocator<CountedHeap> heap_;
    CountedPages& source_;
    std::size_t threshold_bytes_;
    GrowthResult& result_;
};

} // namespace alloclab::growth
