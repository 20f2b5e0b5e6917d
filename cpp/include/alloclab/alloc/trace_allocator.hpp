// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/guard.hpp>
#include <alloclab/alloc/layer.hpp>
#include <alloclab/alloc/tracing/records.hpp>
#include <alloclab/alloc/tracing/report.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <concepts>
#include <utility>

namespace alloclab {

// Marks of a type of their own. Those of the C interface leave no room for the number of the next
// block beside them.
template <class A>
concept HasTypedMarks = Marking<A> && !requires(const A& allocator) {
    allocator.mark().words;
};

// Remembers every live block of another allocator: its size, its tag, where it was asked for. Tells
// what leaked, what each tag comes to, and which call is wrong: see docs/allocators/trace.md. One
// thread at a time; its own tables are pages of `Source`, at most 64 bytes a live block.
//
// Over Guard and Quarantine it names the sites of what they find: Trace<Guard<Quarantine<A>>>.
template <Allocator A, PageSource Source = OsPageSource>
class Trace : private tracing::Records<Source>, public Layer<A> {
    using Records = tracing::Records<Source>;

public:
    using Options = LayerOptions<TraceOptions, OptionsOf<A>>;
    using Stats = TraceStats;
    static constexpr Options default_options{};

    explicit Trace(const Options& options = default_options, Source source = Source{}) noexcept
        : Records(options, source), Layer<A>(options.upstream, source) {
        listen();
    }
    Trace(FromChildren, const TraceOptions& options, A child) noexcept
        : Records(options, {}), Layer<A>(from_children, std::forward<A>(child)) {
        listen();
    }
    // For a child that is given its handler when it is made: `make(handler)` returns it.
    template <std::invocable<DefectHandler> Make>
    Trace(FromChildren, const TraceOptions& options, Make&& make)
        : Records(options, {}), Layer<A>(from_children, make(this->inner_handler())) {}
    // Says nothing of leaks: who wants to know asks before.
    ~Trace() {
        current_ = 0;
        core_.check_ended();
    }

    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment) noexcept {
        return allocate_numbered(size, alignment, 0, 0);
    }
    void* allocate(std::size_t size, std::size_t alignment, const AllocationSite& site) noexcept {
        return allocate_numbered(size, alignment, number_of(site), 0);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment,
                          const AllocationSite& site = {}) noexcept requires Zeroing<A> {
        const std::uint64_t number = number_of(site);
        check_owner(number);
        return note(this->upstream_.allocate_zeroed(size, alignment), size, alignment, number, 0);
    }
    // For callers who keep numbers of sites, and tell calls apart by a number of their own.
    [[gnu::always_inline]] void* allocate_numbered(std::size_t size, std::size_t alignment,
                                                   std::uint64_t number,
                                                   unsigned char call) noexcept {
        check_owner(number);
        return note(this->upstream_.allocate(size, alignment), size, alignment, number, call);
    }

    // Reports a size that is not the block's, and frees the block all the same, at its own size.
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size, std::size_t) noexcept {
        deallocate_sized(block, size, 0);
    }
    void deallocate(void* block, std::size_t size, std::size_t,
                    const AllocationSite& site) noexcept {
        deallocate_sized(block, size, number_of(site));
    }
    // The same for callers who do not know the size.
    void deallocate(void* block) noexcept { deallocate_numbered(block, 0); }
    void deallocate(void* block, const AllocationSite& site) noexcept {
        deallocate_numbered(block, number_of(site));
    }
    [[gnu::always_inline]] void deallocate_numbered(void* block, std::uint64_t number) noexcept {
        if (block == nullptr) {
            return;
        }
        LiveRecord* const record = find_checked(block, number);
        if (record != nullptr) [[likely]] {
            deallocate_found(record, block, number);
        }
    }
    [[gnu::always_inline]] void deallocate_sized(void* block, std::size_t size,
                                                 std::uint64_t number) noexcept {
        if (block == nullptr) {
            return;
        }
        LiveRecord* const record = find_checked(block, number);
        if (record != nullptr) [[likely]] {
            deallocate_found(record, block, size, number);
        }
    }
    // Both for callers who have looked the block up in `core()` themselves.
    // Requires: `record` is the block's, and the calling thread may call.
    [[gnu::always_inline]] void deallocate_found(tracing::LiveRecord* record, void* block,
                                                 std::uint64_t number) noexcept {
        release(record, block, record->size, number);
    }
    [[gnu::always_inline]] void deallocate_found(tracing::LiveRecord* record, void* block,
                                                 std::size_t size, std::uint64_t number) noexcept {
        if (record->size != size) [[unlikely]] {
            report_size(*record, size, number);
            deallocate_found(record, block, number);
            return;
        }
        release(record, block, size, number);
    }

    bool resize(void* block, std::size_t old_size, std::size_t new_size, std::size_t alignment,
                const AllocationSite& site = {}) noexcept requires Resizable<A>;

    // Blocks that live are ended, not leaked. What they held is poisoned, see `annotate_ended`.
    void reset(const AllocationSite& site = {}) noexcept requires Resettable<A>;

    bool owns(const void* block) const noexcept { return core_.find(block) != nullptr; }
    // What was asked for: more may be there, but nobody should use it.
    std::size_t usable_size(const void* block) const noexcept {
        const LiveRecord* const record = core_.find(block);
        return record != nullptr ? record->size : 0;
    }

    template <class Inner> struct Mark {
        Inner inner;
        std::uint64_t birth;
    };
    auto mark() const noexcept requires HasTypedMarks<A> {
        return Mark<decltype(std::declval<const A&>().mark())>{this->upstream_.mark(),
                                                               core_.allocation_count()};
    }
    // Returns what the wrapped allocator does; a mark it refuses ends nothing.
    template <class Inner> auto rewind(const Mark<Inner>& to) noexcept requires HasTypedMarks<A> {
        if constexpr (std::is_void_v<decltype(this->upstream_.rewind(to.inner))>) {
            this->upstream_.rewind(to.inner);
            core_.end_since(pages(), to.birth);
        } else {
            const auto is_done = this->upstream_.rewind(to.inner);
            if (is_done) {
                core_.end_since(pages(), to.birth);
            }
            return is_done;
        }
    }

    // The block has another owner from now on, who frees it: it is no leak of this trace, and to
    // free it here is a defect. Returns false, and reports, when it is not this trace's.
    bool release_to_other(void* block, const AllocationSite& site = {}) noexcept;
    // The other end: a block of the wrapped allocator, given by someone else, is this trace's.
    bool adopt(void* block, std::size_t size, std::size_t alignment,
               const AllocationSite& site = {}) noexcept {
        return core_.add(pages(), block, size, alignment, number_of(site));
    }

    // Looks at the guards of every live block, at what waits in quarantine, and at what a reset
    // ended, as far as there are such. Returns whether all is whole. Cost: O(blocks).
    bool check() noexcept;

    // Blocks still live are leaks: a report of them, largest first. See tracing/report.hpp.
    bool write_leaks(const TextSink& sink, std::size_t most_rows = 10) noexcept {
        return tracing::write_leaks(sink, core_, PageCalls::of(source_), most_rows);
    }
    void write_statistics(const TextSink& sink, const char* name,
                          const char* note = nullptr) const noexcept {
        tracing::write_statistics(sink, name, core_.totals(), note);
    }
    void write_tags(const TextSink& sink) const noexcept { tracing::write_tags(sink, core_); }
    // Calls visit(const tracing::LiveRow&) for every live block, in no order.
    template <class Visit> void visit_live(Visit&& visit) const noexcept {
        core_.live().for_each([&](const LiveRecord& record) {
            visit(tracing::LiveRow{tracing::block_of(record), record.size,
                                   tracing::alignment_of(record), record.birth,
                                   core_.sites().site_of(record.site)});
        });
    }
    // Calls visit(const tracing::TagTotals&) for every tag; the untagged ones last.
    template <class Visit> void visit_tags(Visit&& visit) const noexcept {
        core_.for_each_tag(visit);
    }

    Stats stats() const noexcept {
        Stats stats{core_.totals()};
        stats.metadata_bytes = core_.metadata_bytes();
        stats.reserved_bytes = stats.committed_bytes = stats.metadata_bytes;
        const HeldStats held = held_by(this->upstream_);
        stats.reserved_bytes += held.reserved_bytes;
        stats.committed_bytes += held.committed_bytes;
        return stats;
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(this->upstream_, visitor);
        visitor("metadata_bytes", core_.metadata_bytes());
        visitor("current_bytes", core_.totals().current_bytes);
        visitor("defect_count", core_.totals().defect_count);
    }
    // Without one, a defect is written to stderr and aborts.
    void set_defect_handler(const DefectHandler& handler) noexcept { core_.set_handler(handler); }
    // What other traces call this one when a block of it is freed through them. Must live as long.
    void set_name(const char* name) noexcept { core_.set_name(name); }
    // The calling thread is the one allowed to call, from now on.
    void adopt_thread() noexcept { core_.adopt_thread(); }
    tracing::Core& core() noexcept { return core_; }

private:
    using Records::core_;
    using Records::current_;
    using Records::pages;
    using Records::source_;
    using LiveRecord = tracing::LiveRecord;

    void listen() noexcept {
        if constexpr (requires { this->upstream_.set_defect_handler(DefectHandler{}); }) {
            this->upstream_.set_defect_handler(this->inner_handler());
        }
    }
    std::uint64_t number_of(const AllocationSite& site) noexcept {
        return core_.sites().find_or_add(pages(), site);
    }
    [[gnu::always_inline]] void check_owner(std::uint64_t number) noexcept {
        if (!core_.is_owner_thread()) [[unlikely]] {
            report_thread(number);
        }
    }
    [[gnu::always_inline]] void* note(void* block, std::size_t size, std::size_t alignment,
                                      std::uint64_t number, unsigned char call) noexcept {
        if (block != nullptr && core_.add(pages(), block, size, alignment, number, call))
            [[likely]] {
            return block;
        }
        return fail(block, size, alignment);
    }
    [[gnu::noinline, gnu::cold]] void* fail(void* block, std::size_t size,
                                            std::size_t alignment) noexcept {
        core_.note_failed();
        this->upstream_.deallocate(block, size, alignment);
        return nullptr;
    }
    [[gnu::always_inline]] LiveRecord* find_checked(void* block, std::uint64_t number) noexcept {
        check_owner(number);
        LiveRecord* const record = core_.find(block);
        if (record == nullptr) [[unlikely]] {
            core_.report_unknown(block, core_.sites().site_of(number));
        }
        return record;
    }
    // Guards are looked at within, while the record can still say whose they are. What the caller
    // told is passed on once the record agreed: so the block is loaded while the record still is.
    [[gnu::always_inline]] void release(LiveRecord* record, void* block, std::size_t size,
                                        std::uint64_t number) noexcept {
        current_ = number;
        const std::size_t alignment = tracing::alignment_of(*record);
        if (alignment == default_alignment) [[likely]] {
            this->upstream_.deallocate(block, size, default_alignment);
        } else {
            deallocate_aligned(block, size, alignment);
        }
        core_.remove(pages(), record, number);
    }
    [[gnu::noinline]] void deallocate_aligned(void* block, std::size_t size,
                                              std::size_t alignment) noexcept {
        this->upstream_.deallocate(block, size, alignment);
    }
    [[gnu::noinline, gnu::cold]] void report_thread(std::uint64_t number) noexcept {
        Defect defect;
        defect.kind = DefectKind::wrong_thread;
        defect.found = core_.sites().site_of(number);
        core_.report(defect);
    }
    [[gnu::noinline, gnu::cold]] void report_size(const LiveRecord& record, std::size_t size,
                                                  std::uint64_t number) noexcept {
        Defect defect =
            core_.describe(DefectKind::size_mismatch, record, core_.sites().site_of(number));
        defect.given_bytes = size;
        core_.report(defect);
    }
};

template <Allocator A, PageSource Source>
bool Trace<A, Source>::resize(void* block, std::size_t, std::size_t new_size, std::size_t,
                              const AllocationSite& site) noexcept requires Resizable<A> {
    const std::uint64_t number = number_of(site);
    LiveRecord* const record = find_checked(block, number);
    if (record == nullptr) {
        return false;
    }
    current_ = number;
    const bool is_done =
        this->upstream_.resize(block, record->size, new_size, tracing::alignment_of(*record));
    if (is_done) {
        core_.change_size(*record, new_size);
    }
    return is_done;
}

template <Allocator A, PageSource Source>
void Trace<A, Source>::reset(const AllocationSite& site) noexcept requires Resettable<A> {
    check_owner(number_of(site));
    current_ = 0;
    check();
    core_.begin_reset(pages(), site, leaves_ended_memory_alone<A>);
    this->upstream_.reset();
    core_.end_reset();
}

template <Allocator A, PageSource Source>
bool Trace<A, Source>::release_to_other(void* block, const AllocationSite& site) noexcept {
    const std::uint64_t number = number_of(site);
    LiveRecord* const record = find_checked(block, number);
    if (record == nullptr) {
        return false;
    }
    core_.remove(pages(), record, number, true);
    return true;
}

template <Allocator A, PageSource Source> bool Trace<A, Source>::check() noexcept {
    bool is_whole = core_.check_ended();
    if constexpr (ChecksBlocks<A>) {
        core_.live().for_each([&](const LiveRecord& record) {
            is_whole = this->upstream_.check(tracing::block_of(record), record.size) && is_whole;
        });
    }
    if constexpr (ChecksWaiting<A>) {
        is_whole = this->upstream_.check_waiting() && is_whole;
    }
    return is_whole;
}

} // namespace alloclab
