// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_defect.hpp>
#include <alloclab/alloc/debug_fill.hpp>
#include <alloclab/alloc/debug_pages.hpp>
#include <alloclab/alloc/layer.hpp>
#include <alloclab/alloc/quarantine_options.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <bit>
#include <utility>

namespace alloclab {

// Keeps freed blocks from being used again for a while, filled with 0xDD: who still writes to one
// is found out when it leaves, who reads one reads the fill. See docs/allocators/quarantine.md.
//   waiting_bytes_ = sum of sizes of the blocks between oldest_ and newest_
template <Allocator A, PageSource Source = OsPageSource> class Quarantine : public Layer<A> {
public:
    using Options = LayerOptions<QuarantineOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    explicit Quarantine(const Options& options = default_options, Source source = Source{}) noexcept
        : Layer<A>(options.upstream, source), options_(options), source_(std::move(source)) {}
    Quarantine(FromChildren, const QuarantineOptions& options, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)), options_(options) {}
    ~Quarantine() {
        drain();
        if (ring_ != nullptr) {
            source_.unmap(ring_, ring_bytes());
        }
    }

    // What waits goes before a request is refused.
    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        void* const block = this->upstream_.allocate(size, alignment, site...);
        if (block != nullptr || oldest_ == newest_) [[likely]] {
            return block;
        }
        drain();
        return this->upstream_.allocate(size, alignment, site...);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        void* const block = this->upstream_.allocate_zeroed(size, alignment);
        if (block != nullptr || oldest_ == newest_) [[likely]] {
            return block;
        }
        drain();
        return this->upstream_.allocate_zeroed(size, alignment);
    }

    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (block == nullptr) {
            return;
        }
        if (size > options_.bytes || !has_ring()) [[unlikely]] {
            this->upstream_.deallocate(block, size, alignment);
            return;
        }
        fill_freed(block, size);
        while (newest_ - oldest_ == slot_count() || waiting_bytes_ + size > options_.bytes) {
            release_oldest();
        }
        ring_[newest_++ & (slot_count() - 1)] = {block, size, alignment};
        waiting_bytes_ += size;
    }

    void deallocate(void* block) noexcept = delete; // the fill needs the size
    // What waits is looked at, then ended with the rest.
    void reset() noexcept requires Resettable<A> {
        check_waiting();
        oldest_ = newest_ = waiting_bytes_ = 0;
        this->upstream_.reset();
    }
    // What waits is given back first: memory that ends here is not looked at later.
    auto rewind(const auto& to) noexcept requires Marking<A> {
        drain();
        return this->upstream_.rewind(to);
    }
    auto stats() const noexcept requires Reporting<A> {
        auto stats = this->upstream_.stats();
        const std::size_t own_bytes = ring_ != nullptr ? ring_bytes() : 0;
        stats.reserved_bytes += own_bytes;
        stats.committed_bytes += own_bytes;
        return stats;
    }

    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(this->upstream_, visitor);
        visitor("quarantined_blocks", waiting_blocks());
        visitor("quarantined_bytes", waiting_bytes());
    }

    // Looks at every block that waits. Returns whether all are untouched; damage goes to the
    // handler. Cost: O(waiting bytes).
    bool check_waiting() noexcept {
        bool is_whole = true;
        for (std::size_t slot = oldest_; slot != newest_; ++slot) {
            is_whole = check_slot(ring_[slot & (slot_count() - 1)]) && is_whole;
        }
        return is_whole;
    }
    // Gives every block that waits back.
    void drain() noexcept {
        while (oldest_ != newest_) {
            release_oldest();
        }
    }
    std::size_t waiting_blocks() const noexcept { return newest_ - oldest_; }
    std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }

    // Also told to the child, if it has one.
    void set_defect_handler(const DefectHandler& handler) noexcept {
        handler_ = handler;
        if constexpr (requires { this->upstream_.set_defect_handler(handler); }) {
            this->upstream_.set_defect_handler(handler);
        }
    }

private:
    struct Waiting {
        void* block;
        std::size_t size;
        std::size_t alignment;
    };

    std::size_t slot_count() const noexcept { return slot_count_; }
    std::size_t ring_bytes() const noexcept {
        return align_up(slot_count_ * sizeof(Waiting), page_bytes);
    }
    bool has_ring() noexcept { return ring_ != nullptr || open(); }
    [[gnu::noinline, gnu::cold]] bool open() noexcept {
        if (options_.blocks == 0) {
            return false;
        }
        slot_count_ = std::bit_ceil(options_.blocks);
        ring_ = static_cast<Waiting*>(source_.map(ring_bytes(), page_bytes));
        return ring_ != nullptr;
    }

    void release_oldest() noexcept {
        Waiting& oldest = ring_[oldest_++ & (slot_count() - 1)];
        waiting_bytes_ -= oldest.size;
        fetch_ahead(ring_[oldest_ & (slot_count() - 1)]);
        check_slot(oldest);
        this->upstream_.deallocate(oldest.block, oldest.size, oldest.alignment);
    }
    // The next one to leave is looked at by the next free, and left the nearest cache long ago.
    [[gnu::always_inline]] static void fetch_ahead(const Waiting& waiting) noexcept {
        const auto* const bytes = static_cast<const char*>(waiting.block);
#pragma GCC unroll 5
        for (std::size_t offset = 0; offset < most_even_bytes; offset += 64) {
            __builtin_prefetch(bytes + offset, 1);
        }
    }
    // Repairs what it reports, so that it is reported once.
    bool check_slot(const Waiting& waiting) noexcept {
        if (is_freed_fill(waiting.block, waiting.size)) [[likely]] {
            return true;
        }
        report_use(waiting);
        return false;
    }
    [[gnu::noinline, gnu::cold]] void report_use(const Waiting& waiting) noexcept {
        const DamagedBytes damage = find_damage(waiting.block, waiting.size, freed_fill);
        Defect defect;
        defect.kind = DefectKind::use_after_free;
        defect.block = waiting.block;
        defect.size_bytes = waiting.size;
        defect.offset = static_cast<std::ptrdiff_t>(damage.first);
        defect.damaged_bytes = damage.count;
        handler_(defect);
        std::memset(static_cast<std::byte*>(waiting.block) + damage.first, freed_fill,
                    damage.count);
    }

    QuarantineOptions options_;
    std::size_t slot_count_ = 0;
    Waiting* ring_ = nullptr;
    std::size_t oldest_ = 0; // counts up without end; the slot is the count modulo slot_count_
    std::size_t newest_ = 0;
    std::size_t waiting_bytes_ = 0;
    DefectHandler handler_;
    [[no_unique_address]] Source source_;
};

template <class A, PageSource Source>
inline constexpr bool leaves_ended_memory_alone<Quarantine<A, Source>> =
    leaves_ended_memory_alone<A>;

} // namespace alloclab
