// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/tracing/core.hpp>
#include <alloclab/vm/page_source.hpp>

#include <cstdint>
#include <utility>

namespace alloclab::tracing {

// What a Trace keeps, and the pages it keeps it in. Its first base, so that it ends last: an
// allocator within may find a defect while it ends, and the sites are named from here.
template <PageSource Source> class Records {
protected:
    Records(const TraceOptions& options, Source source) noexcept
        : core_("trace", options), source_(std::move(source)) {}
    ~Records() { core_.close(pages()); }

    PageCalls pages() noexcept { return PageCalls::of(source_); }

    // What to tell of a defect that is found within: it gets its sites, and goes on to the trace's
    // own handler.
    DefectHandler inner_handler() noexcept {
        return {[](void* context, const Defect& defect) noexcept {
                    auto& records = *static_cast<Records*>(context);
                    Core& core = records.core_;
                    core.report_inner(defect, core.sites().site_of(records.current_));
                },
                this};
    }

    Core core_;
    std::uint64_t current_ = 0; // the site of the last call that looked at guards
    [[no_unique_address]] Source source_;
};

} // namespace alloclab::tracing
