// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_defect.hpp>
#include <alloclab/alloc/tracing/ended_blocks.hpp>
#include <alloclab/alloc/tracing/live_table.hpp>
#include <alloclab/alloc/tracing/site_table.hpp>
#include <alloclab/alloc/tracing/trace_options.hpp>

namespace alloclab::tracing {

// What Trace keeps about blocks, apart from the allocator it wraps: who is live, who was, what it
// comes to, and what is to be said of a free that fits none of them.
//   live_.size() = allocation_count - free_count; current_bytes = sum of their sizes
// Only what cannot be worked out of the rest is counted as blocks come and go.
class Core {
public:
    Core(const char* name, const TraceOptions& options) noexcept;
    ~Core();
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    // Sites are given as their numbers: see SiteTable.
    // Returns false, having noted nothing, when there is no memory for the record.
    [[gnu::always_inline]] bool add(const PageCalls& pages, const void* block, std::size_t size,
                                    std::size_t alignment, std::uint64_t number,
                                    unsigned char call = 0) noexcept {
        if (!live_.insert(pages, {make_key(block, alignment, call), size, number,
                                  totals_.allocation_count})) [[unlikely]] {
            return false;
        }
        if (!ended_.is_empty()) [[unlikely]] {
            take_back_ended(block, size);
        }
        if (has_sites(number)) {
            count_in_site(number, size);
        }
        ++totals_.allocation_count;
        totals_.total_allocated_bytes += size;
        raise(size);
        return true;
    }
    [[gnu::always_inline]] void remove(const PageCalls& pages, LiveRecord* record,
                                       std::uint64_t number, bool is_transfer = false) noexcept {
        past_.add(pages, *record, number, is_transfer);
        forget(record);
    }
    // Ends a block without a trace of it: as if it had never been.
    void forget(LiveRecord* record) noexcept {
        count_out_site(*record);
        totals_.current_bytes -= record->size;
        live_.erase(record);
    }
    void change_size(LiveRecord& record, std::size_t size) noexcept;

    LiveRecord* find(const void* block) const noexcept { return live_.find(block); }
    // A defect with what the tables know of the block.
    Defect describe(DefectKind kind, const LiveRecord& record,
                    const AllocationSite& found = {}) const noexcept;
    // Says what is wrong with a free of an address where no live block starts. Cost: O(live).
    void report_unknown(const void* block, const AllocationSite& found) noexcept;
    // Adds the sites to what an inner block found out, and passes it on.
    void report_inner(const Defect& defect, const AllocationSite& found) noexcept;
    void report(const Defect& defect) noexcept;

    // Around a reset of the wrapped allocator: every live block becomes an ended one, and is filled
    // if the allocator leaves it alone.
    void begin_reset(const PageCalls& pages, const AllocationSite& site,
                     bool is_left_alone) noexcept;
    void end_reset() noexcept;
    // Ends the blocks born at or after `birth`.
    void end_since(const PageCalls& pages, std::uint64_t birth) noexcept;
    bool check_ended() noexcept;
    void close(const PageCalls& pages) noexcept;

    bool is_owner_thread() const noexcept {
        return !options_.is_owner_checked || owner_ == __builtin_thread_pointer();
    }
    void adopt_thread() noexcept { owner_ = __builtin_thread_pointer(); }
    std::size_t metadata_bytes() const noexcept {
        return live_.mapped_bytes() + sites_.mapped_bytes() + past_.mapped_bytes() +
               ended_.mapped_bytes();
    }
    void set_name(const char* name) noexcept { name_ = name; }
    TraceTotals totals() const noexcept {
        TraceTotals totals = totals_;
        totals.total_freed_bytes = totals.total_allocated_bytes - totals.current_bytes;
        totals.free_count = totals.allocation_count - live_.size();
        return totals;
    }
    std::uint64_t allocation_count() const noexcept { return totals_.allocation_count; }
    void note_failed() noexcept { ++totals_.failed_count; }
    // Calls visit(const TagTotals&) for every tag in the order they came; the untagged ones last.
    template <class Visit> void for_each_tag(Visit&& visit) const noexcept {
        if (has_seen_sites_) {
            sites_.for_each_tag(visit);
        } else if (totals_.allocation_count != 0) {
            visit(all_untagged(live_.size()));
        }
    }
    const LiveTable& live() const noexcept { return live_; }
    SiteTable& sites() noexcept { return sites_; }
    const SiteTable& sites() const noexcept { return sites_; }
    void set_handler(const DefectHandler& handler) noexcept { handler_ = handler; }

private:
    friend class Registry;
    // Until a site comes every block is untagged, and the totals say what the untagged come to.
    bool has_sites(std::uint64_t number) const noexcept { return number != 0 || has_seen_sites_; }
    [[gnu::always_inline]] void count_in_site(std::uint64_t number, std::size_t size) noexcept {
        if (!has_seen_sites_) [[unlikely]] {
            sites_.set_untagged(all_untagged(live_.size() - 1)); // without the one that is added
            has_seen_sites_ = true;
        }
        sites_.count_in(number, size);
    }
    void count_out_site(const LiveRecord& record) noexcept {
        if (has_sites(record.site)) {
            sites_.count_out(record.site, record.size);
        }
    }
    TagTotals all_untagged(std::size_t live_count) const noexcept {
        return {nullptr, live_count, totals_.current_bytes, totals_.peak_bytes,
                totals_.allocation_count};
    }
    void raise(std::size_t size) noexcept {
        totals_.current_bytes += size;
        if (totals_.current_bytes > totals_.peak_bytes) {
            totals_.peak_bytes = totals_.current_bytes;
        }
    }
    [[gnu::noinline, gnu::cold]] void take_back_ended(const void* block, std::size_t size) noexcept;
    void report_ended(const LiveRecord& record, const DamagedBytes& damage) noexcept;
    bool report_past(const void* block, const AllocationSite& found) noexcept;
    bool report_interior(const void* block, const AllocationSite& found) noexcept;

    LiveTable live_;
    SiteTable sites_;
    PastBlocks past_;
    EndedBlocks ended_;
    TraceTotals totals_;
    TraceOptions options_;
    DefectHandler handler_;
    const char* name_;
    void* owner_;
    std::uint64_t reset_number_ = 0; // the site of the reset under way
    bool has_seen_sites_ = false;
    Core* next_ = nullptr; // of all traces
};

// Keeps every trace's table where it is while another thread may look into it. Growing is rare.
class GrowthLock {
public:
    GrowthLock() noexcept;
    ~GrowthLock();
    GrowthLock(const GrowthLock&) = delete;
    GrowthLock& operator=(const GrowthLock&) = delete;
};

} // namespace alloclab::tracing
