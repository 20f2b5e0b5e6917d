// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tracing/report.hpp>

#include <algorithm>

namespace alloclab::tracing {
namespace {

bool is_larger_or_older(const LiveRecord& one, const LiveRecord& other) noexcept {
    return one.size != other.size ? one.size > other.size : one.birth < other.birth;
}

void write_leak(TextWriter& writer, const Core& core, const LiveRecord& record) noexcept {
    AllocationSite site = core.sites().site_of(record.site);
    if (site.file == nullptr && site.code == nullptr) {
        site.file = "<unknown>";
    }
    if (site.tag == nullptr && site.code == nullptr) {
        site.tag = "<untagged>";
    }
    writer.text("  ").hex(record.key & address_mask).text(": ").number(record.size);
    writer.text(" bytes at ");
    write_site(writer, site);
    writer.text("\n");
}

} // namespace

bool write_leaks(const TextSink& sink, const Core& core, const PageCalls& pages,
                 std::size_t most_rows) noexcept {
    const std::size_t leak_count = core.live().size();
    if (leak_count == 0) {
        return false;
    }
    TextWriter writer(sink);
    writer.text("=== MEMORY LEAKS DETECTED ===\n").number(core.totals().current_bytes);
    writer.text(" bytes leaked in ").number(leak_count).text(" allocations\n");
    PageArray<LiveRecord> sorted;
    std::size_t row_count = 0;
    if (sorted.reserve(pages, leak_count)) {
        core.live().for_each([&](const LiveRecord& record) { sorted.push(pages, record); });
        const std::size_t shown = std::min(most_rows, sorted.size());
        std::partial_sort(sorted.begin(), sorted.begin() + shown, sorted.end(), is_larger_or_older);
        for (; row_count < shown; ++row_count) {
            write_leak(writer, core, sorted[row_count]);
        }
        sorted.close(pages);
    } else {
        core.live().for_each([&](const LiveRecord& record) {
            if (row_count < most_rows) {
                write_leak(writer, core, record);
                ++row_count;
            }
        });
    }
    if (row_count < leak_count) {
        writer.text("  ... and ").number(leak_count - row_count).text(" more allocations\n");
    }
    return true;
}

void write_statistics_title(const TextSink& sink) noexcept {
    TextWriter(sink).text("=== Memory Allocator Statistics ===\n");
}

void write_statistics(const TextSink& sink, const char* name, const TraceTotals& totals,
                      const char* note) noexcept {
    TextWriter writer(sink);
    writer.text("\n--- ").text(name).text(" ---\n");
    writer.text("Total Allocated:  ").number(totals.total_allocated_bytes).text(" bytes\n");
    writer.text("Current Usage:    ").number(totals.current_bytes).text(" bytes");
    if (note != nullptr) {
        writer.text(" (").text(note).text(")");
    }
    writer.text("\nPeak Usage:       ").number(totals.peak_bytes).text(" bytes\n");
    if (note == nullptr) {
        writer.text("Allocations:      ").number(totals.allocation_count).text("\n");
    }
}

void write_tags(const TextSink& sink, const Core& core) noexcept {
    TextWriter writer(sink);
    writer.text("=== Allocation by Tag ===\n"
                "| Tag                  | Count | Current Size | Peak Size |\n"
                "|---------------------|-------|--------------|-----------|\n");
    core.for_each_tag([&](const TagTotals& tag) {
        writer.text("| ").padded(tag.tag != nullptr ? tag.tag : "<untagged>", 20).text("|");
        writer.number(tag.live_count, 6).text(" |").number(tag.current_bytes, 12).text("  |");
        writer.number(tag.peak_bytes, 9).text("  |\n");
    });
}

} // namespace alloclab::tracing
