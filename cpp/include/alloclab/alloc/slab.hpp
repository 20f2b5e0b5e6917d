// SPDX-License-Identifier: MIT
// J. Bonwick, "The slab allocator: an object-caching kernel memory allocator" (USENIX Summer 1994).
// Changed: what is free is a bitmap, so that free objects are not touched and a second free is
// noticed; objects are not kept constructed.
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/slab_page.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <utility>

namespace alloclab {

// Objects of one size in small slabs, the lowest free address of the serving slab first. A slab
// that is empty is kept until `retained_slabs` are, then goes back to the page source. One thread
// at a time. See docs/allocators/slab.md.
//   live objects = sum over slabs of object_count - free_count
//   partial_ holds the slabs with some objects free, full_ those with none, empty_ the untouched
template <PageSource Source = OsPageSource> class Slab {
public:
    using Options = SlabOptions;
    using Stats = SlabStats;
    static constexpr Options default_options{};

    explicit Slab(const Options& options = default_options, Source source = Source{}) noexcept
        : geometry_(options), retained_slabs_(options.retained_slabs), source_(std::move(source)) {}
    ~Slab() { reset(); }
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;

    // Returns null for a size above the object size, an alignment above the object's own, or when
    // the page source refuses. Cost: O(1); looks at up to slab_bytes / object_bytes / 64 words.
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        if (size > geometry_.object_bytes || alignment > geometry_.alignment) [[unlikely]] {
            return nullptr;
        }
        SlabHead* slab = partial_.first;
        if (slab == nullptr && (slab = add_partial()) == nullptr) [[unlikely]] {
            return nullptr;
        }
        void* const object = geometry_.take(slab);
        if (slab->free_count == 0) [[unlikely]] {
            slab->is_in_partial = 0;
            partial_.unlink(slab);
            full_.push_front(slab);
        }
        return object;
    }

    // An object that is free already is counted and ignored.
    void deallocate(void* object, std::size_t, std::size_t) noexcept { deallocate(object); }
    void deallocate(void* object) noexcept {
        if (object == nullptr) [[unlikely]] {
            return;
        }
        SlabHead* const slab = geometry_.slab_of(object);
        if (!geometry_.give_back(slab, object)) [[unlikely]] {
            ++rejected_frees_;
            return;
        }
        if (slab->is_in_partial == 0 || slab->free_count == geometry_.object_count) [[unlikely]] {
            settle(slab);
        }
    }

    // The object already is as large as it gets. Returns whether the new size fits.
    bool resize(void*, std::size_t, std::size_t new_size, std::size_t) noexcept {
        return new_size <= geometry_.object_bytes;
    }
    std::size_t usable_size(const void* object) const noexcept {
        return object != nullptr ? geometry_.object_bytes : 0;
    }

    // Gives every slab back. Cost: O(slabs).
    void reset() noexcept {
        for (Chain<SlabHead>* const chain : {&partial_, &full_, &empty_}) {
            while (SlabHead* const slab = chain->first) {
                chain->unlink(slab);
                source_.unmap(slab, geometry_.slab_bytes);
            }
        }
        empty_count_ = 0;
    }

    bool owns(const void* object) const noexcept; // Cost: O(slabs).
    Stats stats() const noexcept;                 // Cost: O(slabs).
    void visit_stats(StatVisitor visitor) const noexcept { stats().visit(visitor); }
    bool check_invariants() const noexcept; // Cost: O(objects).
    const SlabGeometry& geometry() const noexcept { return geometry_; }
    Source& source() noexcept { return source_; }

private:
    [[gnu::noinline]] SlabHead* add_partial() noexcept {
        SlabHead* slab = empty_.first;
        if (slab != nullptr) {
            empty_.unlink(slab);
            --empty_count_;
        } else {
            void* const memory = source_.map(geometry_.slab_bytes, geometry_.slab_bytes);
            if (memory == nullptr) {
                return nullptr;
            }
            slab = geometry_.create_slab(memory, slab_serial_++);
        }
        slab->is_in_partial = 1;
        partial_.push_front(slab);
        return slab;
    }

    // A slab was full and has a free object now, or has none but free ones.
    [[gnu::noinline]] void settle(SlabHead* slab) noexcept {
        if (slab->is_in_partial == 0) {
            full_.unlink(slab);
            slab->is_in_partial = 1;
            partial_.push_back(
                slab); // last in turn, so that more objects come back before it serves
        }
        if (slab->free_count == geometry_.object_count) {
            slab->is_in_partial = 0;
            partial_.unlink(slab);
            if (empty_count_ < retained_slabs_) {
                empty_.push_front(slab);
                ++empty_count_;
            } else {
                source_.unmap(slab, geometry_.slab_bytes);
            }
        }
    }

    Chain<SlabHead> partial_; // its first serves
    Chain<SlabHead> full_;
    Chain<SlabHead> empty_;
    SlabGeometry geometry_;
    std::size_t empty_count_ = 0;
    std::size_t retained_slabs_ = 0;
    std::size_t slab_serial_ = 0;
    std::size_t rejected_frees_ = 0;
    [[no_unique_address]] Source source_;
};

template <PageSource Source> bool Slab<Source>::owns(const void* object) const noexcept {
    const SlabHead* const candidate = geometry_.slab_of(object);
    for (const SlabHead* slab : {partial_.first, full_.first, empty_.first}) {
        for (; slab != nullptr; slab = slab->next) {
            if (slab == candidate) {
                return true;
            }
        }
    }
    return false;
}

template <PageSource Source> SlabStats Slab<Source>::stats() const noexcept {
    Stats stats;
    for (const SlabHead* slab : {partial_.first, full_.first, empty_.first}) {
        for (; slab != nullptr; slab = slab->next) {
            ++stats.slab_count;
            stats.live_count += geometry_.object_count - slab->free_count;
        }
    }
    stats.empty_slab_count = empty_count_;
    stats.reserved_bytes = stats.slab_count * geometry_.slab_bytes;
    stats.committed_bytes = stats.reserved_bytes;
    stats.block_live_bytes = stats.live_count * geometry_.object_bytes;
    stats.rejected_frees = rejected_frees_;
    return stats;
}

template <PageSource Source> bool Slab<Source>::check_invariants() const noexcept {
    const std::uint32_t all = geometry_.object_count;
    bool holds = true;
    for (const SlabHead* slab = partial_.first; slab != nullptr; slab = slab->next) {
        holds &= geometry_.is_consistent(*slab) && slab->is_in_partial != 0;
        holds &= slab->free_count > 0 && slab->free_count < all;
    }
    for (const SlabHead* slab = full_.first; slab != nullptr; slab = slab->next) {
        holds &= geometry_.is_consistent(*slab) && slab->free_count == 0 && !slab->is_in_partial;
    }
    std::size_t empty_count = 0;
    for (const SlabHead* slab = empty_.first; slab != nullptr; slab = slab->next, ++empty_count) {
        holds &= geometry_.is_consistent(*slab) && slab->free_count == all && !slab->is_in_partial;
    }
    return holds && empty_count == empty_count_;
}

} // namespace alloclab
