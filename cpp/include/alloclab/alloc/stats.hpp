// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/reallocate.hpp>
#include <alloclab/alloc/stats_counts.hpp>

namespace alloclab {

// What a `Stats` keeps beside the counts.
struct StatsDetail {
    bool has_slack = false;     // asks for every block's usable size, twice
    bool has_histogram = false; // by size
};

// Counts what passes through: the vocabulary of StatsCollector of std.experimental.allocator, see
// docs/allocators/combinators.md. For one thread at a time. A free without its size is not passed
// on: nobody would know what to take off.
template <Allocator A, StatsDetail detail = StatsDetail{}> class Stats : public Layer<A> {
    static_assert(!detail.has_slack || Measurable<A>, "slack is usable size less asked size");

public:
    using Options = LayerOptions<NoOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Stats(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...) {}
    Stats(FromChildren, A child) noexcept : Layer<A>(from_children, std::forward<A>(child)) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        return note_born(this->upstream_.allocate(size, alignment, site...), size, alignment);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        return note_born(this->upstream_.allocate_zeroed(size, alignment), size, alignment);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        if (block != nullptr) [[likely]] {
            ++counts_.deallocate_ops;
            counts_.note_shrunk(size);
            counts_.slack_bytes -= slack_of(block, size);
        }
        this->upstream_.deallocate(block, size, alignment);
    }
    void deallocate(void* block) noexcept = delete;

    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        const std::uint64_t old_slack = slack_of(block, old_size);
        const bool is_done = this->upstream_.resize(block, old_size, new_size, alignment);
        ++counts_.resize_ops;
        counts_.resize_ok_ops += is_done;
        counts_.expand_ops += new_size > old_size;
        counts_.expand_ok_ops += new_size > old_size && is_done;
        if (is_done) {
            counts_.note_in_place(old_size, new_size);
            counts_.slack_bytes += slack_of(block, new_size) - old_slack;
        }
        return is_done;
    }
    void* reallocate(void* block, std::size_t old_size, std::size_t new_size,
                     std::size_t alignment) noexcept {
        const std::uint64_t old_slack = slack_of(block, old_size);
        void* const got =
            alloclab::reallocate(this->upstream_, block, old_size, new_size, alignment);
        ++counts_.reallocate_ops;
        if (got == nullptr) {
            return nullptr;
        }
        ++counts_.reallocate_ok_ops;
        if (got == block) {
            ++counts_.reallocate_in_place_ops;
            counts_.note_in_place(old_size, new_size);
        } else {
            counts_.moved_bytes += old_size;
            counts_.note_grown(new_size); // both live while the bytes are copied
            counts_.note_shrunk(old_size);
        }
        counts_.slack_bytes += slack_of(got, new_size) - old_slack;
        return got;
    }

    void reset() noexcept requires Resettable<A> {
        this->upstream_.reset();
        ++counts_.reset_ops;
        counts_.note_shrunk(counts_.used_bytes);
        counts_.slack_bytes = 0;
    }
    bool owns(const void* block) const noexcept requires Owning<A> {
        ++counts_.owns_ops;
        return this->upstream_.owns(block);
    }
    auto mark() const noexcept = delete;
    auto rewind(const auto& to) noexcept = delete;

    // The counts by their names behind "stats_", those of the histogram as
    // "stats_size_up_to_<bytes>_ops".
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(this->upstream_, visitor);
        counts_.visit(visitor);
        if constexpr (detail.has_histogram) {
            histogram_.visit(visitor);
        }
    }
    StatsCounts stats() const noexcept {
        StatsCounts all = counts_;
        static_cast<HeldStats&>(all) = held_by(this->upstream_);
        return all;
    }
    const SizeHistogram& histogram() const noexcept requires(detail.has_histogram) {
        return histogram_;
    }

private:
    struct NoHistogram {
        void add(std::size_t) noexcept {}
    };

    [[gnu::always_inline]] void* note_born(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        ++counts_.allocate_ops;
        histogram_.add(size);
        const bool is_aligned = alignment > default_alignment;
        counts_.aligned_allocate_ops += is_aligned;
        if (block != nullptr) [[likely]] {
            ++counts_.allocate_ok_ops;
            counts_.aligned_allocate_ok_ops += is_aligned;
            counts_.note_grown(size);
            counts_.slack_bytes += slack_of(block, size);
        }
        return block;
    }
    std::uint64_t slack_of(const void* block, std::size_t size) const noexcept {
        if constexpr (detail.has_slack) {
            return this->upstream_.usable_size(block) - size;
        } else {
            return 0;
        }
    }

    mutable StatsCounts counts_; // asking `owns` is counted too
    [[no_unique_address]] std::conditional_t<detail.has_histogram, SizeHistogram, NoHistogram>
        histogram_;
};

} // namespace alloclab
