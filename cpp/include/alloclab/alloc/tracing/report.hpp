// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_text.hpp>
#include <alloclab/alloc/tracing/core.hpp>

namespace alloclab::tracing {

// A live block as a row, for tables.
struct LiveRow {
    const void* block;
    std::size_t size;
    std::size_t alignment;
    std::uint64_t birth; // how many allocations came before it
    AllocationSite site;
};

// The three reports of the SwiftLang allocator document, to the letter. None writes anything into a
// buffer of fixed size: lines go to the sink as they are made.

// Writes nothing and returns false when nothing leaks. At most `most_rows` blocks, largest first,
// then how many more there are. Cost: O(live * log live), and pages to sort them in; without those
// pages in no order.
bool write_leaks(const TextSink& sink, const Core& core, const PageCalls& pages,
                 std::size_t most_rows) noexcept;

// The line above the sections, once.
void write_statistics_title(const TextSink& sink) noexcept;
// One allocator's section. A `note` says why nothing is in use, "reset after compilation" for
// instance; the number of allocations is then left out, as in the document.
void write_statistics(const TextSink& sink, const char* name, const TraceTotals& totals,
                      const char* note) noexcept;

// The table of tags, in the order they came; untagged blocks last.
void write_tags(const TextSink& sink, const Core& core) noexcept;

} // namespace alloclab::tracing
