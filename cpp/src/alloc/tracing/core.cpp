// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tracing/core.hpp>

#include <alloclab/alloc/spin_lock.hpp>

namespace alloclab::tracing {

// All traces of the process, so that a block of one that is freed through another can be told.
class Registry {
public:
    static void add(Core& core) noexcept {
        const LockGuard guard(lock_);
        core.next_ = first_;
        first_ = &core;
    }
    static void remove(Core& core) noexcept {
        const LockGuard guard(lock_);
        Core** link = &first_;
        while (*link != &core) {
            link = &(*link)->next_;
        }
        *link = core.next_;
    }
    // The other trace that has this block, or null.
    static const char* find_other(const Core& asking, const void* block) noexcept {
        const LockGuard guard(lock_);
        for (const Core* core = first_; core != nullptr; core = core->next_) {
            if (core != &asking && core->live_.contains_relaxed(block)) {
                return core->name_;
            }
        }
        return nullptr;
    }

private:
    friend class GrowthLock;
    static constinit SpinLock lock_;
    static constinit Core* first_;
};
constinit SpinLock Registry::lock_;
constinit Core* Registry::first_ = nullptr;

GrowthLock::GrowthLock() noexcept {
    Registry::lock_.lock();
}
GrowthLock::~GrowthLock() {
    Registry::lock_.unlock();
}

Core::Core(const char* name, const TraceOptions& options) noexcept
    : past_(options.past_blocks), options_(options), name_(name),
      owner_(__builtin_thread_pointer()) {
    Registry::add(*this);
}
Core::~Core() {
    Registry::remove(*this);
}

void Core::close(const PageCalls& pages) noexcept {
    live_.close(pages);
    sites_.close(pages);
    past_.close(pages);
    ended_.close(pages);
}

void Core::change_size(LiveRecord& record, std::size_t size) noexcept {
    if (has_sites(record.site)) {
        sites_.count_out(record.site, record.size);
        sites_.count_in(record.site, size);
        sites_.uncount_allocation(record.site);
    }
    totals_.current_bytes -= record.size;
    if (size > record.size) {
        totals_.total_allocated_bytes += size - record.size;
        if (!ended_.is_empty()) {
            take_back_ended(static_cast<std::byte*>(block_of(record)) + record.size,
                            size - record.size);
        }
    }
    raise(size);
    record.size = size;
}

void Core::report(const Defect& defect) noexcept {
    ++totals_.defect_count;
    handler_(defect);
}

Defect Core::describe(DefectKind kind, const LiveRecord& record,
                      const AllocationSite& found) const noexcept {
    Defect defect;
    defect.kind = kind;
    defect.block = block_of(record);
    defect.size_bytes = record.size;
    defect.allocated = sites_.site_of(record.site);
    defect.found = found;
    return defect;
}

bool Core::report_past(const void* block, const AllocationSite& found) noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(block);
    const PastRecord* const past = past_.find(
        [address](const PastRecord& record) { return (record.key & address_mask) == address; });
    if (past == nullptr) {
        return false;
    }
    const bool is_transferred = (past->end_site & PastRecord::transferred_bit) != 0;
    Defect defect =
        describe(is_transferred ? DefectKind::free_after_transfer : DefectKind::double_free,
                 {past->key, past->size, past->site, 0}, found);
    defect.freed = sites_.site_of(past->end_site & ~PastRecord::transferred_bit);
    report(defect);
    return true;
}

bool Core::report_interior(const void* block, const AllocationSite& found) noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(block);
    bool is_interior = false;
    Defect defect;
    live_.for_each([&](const LiveRecord& record) {
        const std::uint64_t start = record.key & address_mask;
        if (start < address && address < start + record.size) {
            defect = describe(DefectKind::interior_free, record, found);
            defect.offset = static_cast<std::ptrdiff_t>(address - start);
            is_interior = true;
        }
    });
    if (is_interior) {
        report(defect);
    }
    return is_interior;
}

void Core::report_unknown(const void* block, const AllocationSite& found) noexcept {
    if (const LiveRecord* const ended = ended_.find(block)) {
        Defect defect = describe(DefectKind::use_after_reset, *ended, found);
        defect.freed = sites_.site_of(ended_.reset_site());
        report(defect);
        return;
    }
    if (report_past(block, found) || report_interior(block, found)) {
        return;
    }
    Defect defect;
    defect.block = block;
    defect.found = found;
    defect.other = Registry::find_other(*this, block);
    defect.kind = defect.other != nullptr ? DefectKind::wrong_allocator : DefectKind::foreign_free;
    report(defect);
}

// What an inner block calls a block may be larger than ours and start before it, an affix or guards
// included; the damage lies in ours or next to it.
void Core::report_inner(const Defect& defect, const AllocationSite& found) noexcept {
    Defect known = defect;
    known.found = found;
    const auto outer = reinterpret_cast<std::uint64_t>(defect.block);
    const auto is_within = [&](std::uint64_t key) {
        const std::uint64_t start = key & address_mask;
        return outer <= start && start < outer + defect.size_bytes;
    };
    const auto name = [&](std::uint64_t key, std::size_t size, std::uint64_t site) {
        const std::uint64_t start = key & address_mask;
        known.block = reinterpret_cast<const void*>(start);
        known.size_bytes = size;
        known.offset = defect.offset + static_cast<std::ptrdiff_t>(outer - start);
        known.allocated = sites_.site_of(site);
    };
    const LiveRecord* live = live_.find(defect.block);
    if (live != nullptr) {
        known.allocated = sites_.site_of(live->site);
        report(known);
        return;
    }
    live_.for_each(
        [&](const LiveRecord& record) { live = is_within(record.key) ? &record : live; });
    if (live != nullptr) {
        name(live->key, live->size, live->site);
    } else if (const PastRecord* const past =
                   past_.find([&](const PastRecord& record) { return is_within(record.key); })) {
        name(past->key, past->size, past->site);
        known.freed = sites_.site_of(past->end_site & ~PastRecord::transferred_bit);
    }
    report(known);
}

void Core::report_ended(const LiveRecord& record, const DamagedBytes& damage) noexcept {
    Defect defect = describe(DefectKind::use_after_reset, record);
    defect.offset = static_cast<std::ptrdiff_t>(damage.first);
    defect.damaged_bytes = damage.count;
    defect.freed = sites_.site_of(ended_.reset_site());
    report(defect);
}

void Core::take_back_ended(const void* block, std::size_t size) noexcept {
    ended_.take_back(block, size, [this](const LiveRecord& record, const DamagedBytes& damage) {
        report_ended(record, damage);
    });
}

bool Core::check_ended() noexcept {
    const std::size_t defect_count = totals_.defect_count;
    ended_.check([this](const LiveRecord& record, const DamagedBytes& damage) {
        report_ended(record, damage);
    });
    return totals_.defect_count == defect_count;
}

void Core::begin_reset(const PageCalls& pages, const AllocationSite& site,
                       bool is_left_alone) noexcept {
    reset_number_ = sites_.find_or_add(pages, site);
    ended_.forget();
    live_.for_each([&](const LiveRecord& record) {
        if (options_.is_poisoning && is_left_alone && record.size != 0) {
            ended_.add(pages, record);
        }
        count_out_site(record);
    });
    totals_.current_bytes = 0;
    ++totals_.reset_count;
    live_.clear();
    ended_.fill();
}

void Core::end_reset() noexcept {
    ended_.settle(reset_number_);
}

// Marks are rewound in the opposite order they were taken in, so the blocks after one are the
// youngest.
void Core::end_since(const PageCalls& pages, std::uint64_t birth) noexcept {
    live_.erase_where([&](const LiveRecord& record) {
        if (record.birth < birth) {
            return false;
        }
        past_.add(pages, record, 0, false);
        count_out_site(record);
        totals_.current_bytes -= record.size;
        return true;
    });
}

} // namespace alloclab::tracing
