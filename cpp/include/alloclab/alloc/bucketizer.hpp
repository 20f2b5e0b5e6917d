// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/combinator_options.hpp>
#include <alloclab/alloc/layer.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <new>

namespace alloclab {

// Which bucket a size belongs to, and the largest size of each: equal steps, or `step_bytes` as the
// quantum of geometric ones.
class BucketSteps {
public:
    // Takes what fits `bucket_limit`; larger sizes belong to no bucket then.
    BucketSteps(const BucketizerOptions& options, std::size_t bucket_limit) noexcept
        : options_(options),
          step_shift_(static_cast<unsigned>(std::countr_zero(options.step_bytes))),
          geometric_{std::max<std::size_t>(options.steps_per_doubling, 1)} {
        if (options_.min_bytes == 0 || options_.max_bytes < options_.min_bytes) {
            return;
        }
        if (is_geometric()) {
            first_number_ = geometric_.number_of(unit_of(options_.min_bytes) + 1);
            for (std::size_t unit = unit_of(options_.min_bytes); unit < index_of_unit_.size();
                 ++unit) {
                const std::size_t bucket_idx = geometric_.number_of(unit + 1) - first_number_;
                index_of_unit_[unit] = static_cast<std::uint16_t>(bucket_idx);
            }
        }
        count_ = std::min(index_of(options_.max_bytes) + 1, bucket_limit);
        options_.max_bytes = std::min(options_.max_bytes, largest_of(count_ - 1));
    }

    std::size_t count() const noexcept { return count_; }
    // A size of zero is served like one byte.
    [[gnu::always_inline]] bool holds(std::size_t size) const noexcept {
        return size - options_.min_bytes <= options_.max_bytes - options_.min_bytes && count_ != 0;
    }
    [[gnu::always_inline]] std::size_t index_of(std::size_t size) const noexcept {
        if (!is_geometric()) {
            return (size - options_.min_bytes) >> step_shift_;
        }
        const std::size_t unit = unit_of(size);
        return unit < index_of_unit_.size() ? index_of_unit_[unit]
                                            : geometric_.number_of(unit + 1) - first_number_;
    }
    std::size_t largest_of(std::size_t bucket_idx) const noexcept {
        return is_geometric() ? geometric_.largest_of(bucket_idx + first_number_) << step_shift_
                              : options_.min_bytes + ((bucket_idx + 1) << step_shift_) - 1;
    }

private:
    bool is_geometric() const noexcept { return options_.steps_per_doubling != 0; }
    std::size_t unit_of(std::size_t size) const noexcept { return (size - 1) >> step_shift_; }

    BucketizerOptions options_;
    unsigned step_shift_;
    GeometricSteps geometric_;
    std::size_t first_number_ = 0;
    std::size_t count_ = 0;
    std::array<std::uint16_t, 128>
        index_of_unit_{}; // of geometric steps: the small sizes, looked up
};

// An allocator a range of sizes, all of one kind: each is asked for the largest size of its range
// only, so that a free list or a slab under it fits exactly (its one size of blocks is set to
// that). Sizes outside of [min_bytes, max_bytes] get null: put a segregator before it. Bucketizer
// of std.experimental.allocator, its ranges also geometric.
template <Allocator A, std::size_t bucket_limit = 64> class Bucketizer {
public:
    using Options = LayerOptions<BucketizerOptions, OptionsOf<A>>;

    template <class... Sources>
    explicit Bucketizer(const Options& options, const Sources&... sources) noexcept
        : steps_(options, bucket_limit) {
        for (std::size_t bucket_idx = 0; bucket_idx < steps_.count(); ++bucket_idx) {
            OptionsOf<A> child = options.upstream;
            set_block_size(child, steps_.largest_of(bucket_idx));
            ::new (start(bucket_idx)) A(make_child<A>(child, sources...));
        }
    }
    Bucketizer() noexcept : Bucketizer(Options{}) {}
    // `make(bytes)` gives the child for the bucket whose largest size that is.
    template <class Make>
    Bucketizer(FromChildren, const BucketizerOptions& options, Make&& make)
        : steps_(options, bucket_limit) {
        for (std::size_t bucket_idx = 0; bucket_idx < steps_.count(); ++bucket_idx) {
            ::new (start(bucket_idx)) A(make(steps_.largest_of(bucket_idx)));
        }
    }
    ~Bucketizer() {
        for_each([](A& bucket) { bucket.~A(); });
    }
    Bucketizer(const Bucketizer&) = delete;
    Bucketizer& operator=(const Bucketizer&) = delete;

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        const std::size_t held = std::max<std::size_t>(size, 1);
        if (!steps_.holds(held)) [[unlikely]] {
            return nullptr;
        }
        const std::size_t bucket_idx = steps_.index_of(held);
        return bucket(bucket_idx).allocate(places_[bucket_idx].block_bytes, alignment, site...);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        const std::size_t held = std::max<std::size_t>(size, 1);
        if (!steps_.holds(held)) {
            return nullptr;
        }
        const std::size_t bucket_idx = steps_.index_of(held);
        return bucket(bucket_idx).allocate_zeroed(places_[bucket_idx].block_bytes, alignment);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        const std::size_t held = std::max<std::size_t>(size, 1);
        if (block == nullptr || !steps_.holds(held)) [[unlikely]] {
            return;
        }
        const std::size_t bucket_idx = steps_.index_of(held);
        bucket(bucket_idx).deallocate(block, places_[bucket_idx].block_bytes, alignment);
    }
    // Asks every bucket whether the block is its own.
    void deallocate(void* block) noexcept requires Owning<A> && UnsizedDeallocating<A> {
        for_each([block](A& each) {
            if (each.owns(block)) {
                each.deallocate(block);
            }
        });
    }

    // Within its bucket.
    bool resize(void*, std::size_t old_size, std::size_t new_size, std::size_t) noexcept {
        const std::size_t held = std::max<std::size_t>(new_size, 1);
        return steps_.holds(held) &&
               steps_.index_of(std::max<std::size_t>(old_size, 1)) == steps_.index_of(held);
    }

    void reset() noexcept requires Resettable<A> {
        for_each([](A& each) { each.reset(); });
    }
    // Cost: O(buckets), each as its kind does it.
    bool owns(const void* block) const noexcept requires Owning<A> {
        bool is_owned = false;
        for_each([&](const A& each) { is_owned = is_owned || each.owns(block); });
        return is_owned;
    }
    std::size_t usable_size(const void* block) const noexcept requires Owning<A> && Measurable<A> {
        std::size_t usable_bytes = 0;
        for_each([&](const A& each) {
            usable_bytes = each.owns(block) ? each.usable_size(block) : usable_bytes;
        });
        return usable_bytes;
    }
    HeldStats stats() const noexcept requires Reporting<A> {
        HeldStats held;
        for_each([&](const A& each) { held = held + held_by(each); });
        return held;
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        for_each([visitor](const A& each) { visit_stats_of(each, visitor); });
    }

    std::size_t bucket_count() const noexcept { return steps_.count(); }
    std::size_t bucket_bytes(std::size_t bucket_idx) const noexcept {
        return steps_.largest_of(bucket_idx);
    }
    A& bucket(std::size_t bucket_idx) noexcept {
        return *std::launder(reinterpret_cast<A*>(places_[bucket_idx].bytes));
    }
    const A& bucket(std::size_t bucket_idx) const noexcept {
        return const_cast<Bucketizer*>(this)->bucket(bucket_idx);
    }

private:
    void* start(std::size_t bucket_idx) noexcept {
        places_[bucket_idx].block_bytes = steps_.largest_of(bucket_idx);
        return places_[bucket_idx].bytes;
    }
    template <class Function> void for_each(Function&& function) noexcept {
        for (std::size_t bucket_idx = 0; bucket_idx < steps_.count(); ++bucket_idx) {
            function(bucket(bucket_idx));
        }
    }
    template <class Function> void for_each(Function&& function) const noexcept {
        const_cast<Bucketizer*>(this)->for_each([&](const A& each) { function(each); });
    }

    struct Place {
        alignas(A) std::byte bytes[sizeof(A)];
        std::size_t block_bytes; // the largest size of the bucket
    };

    BucketSteps steps_;
    Place places_[bucket_limit];
};

} // namespace alloclab
