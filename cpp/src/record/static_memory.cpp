// SPDX-License-Identifier: MIT
//
// Reads /proc/self/maps and pagemap (Documentation/admin-guide/mm/pagemap.rst of Linux).
#include <alloclab/record/static_memory.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/memory_maps.hpp>
#include <alloclab/record/system_call.hpp>

namespace alloclab::record {

namespace {

constexpr std::uint64_t page_is_present = std::uint64_t{1} << 63;
constexpr std::uint64_t page_is_swapped = std::uint64_t{1} << 62;
constexpr std::uint64_t page_is_file = std::uint64_t{1} << 61; // or shared

std::uint64_t anonymous_pages(long pagemap, const Mapping& mapping) {
    constexpr std::uint64_t batch = 256;
    std::uint64_t entries[batch];
    std::uint64_t count = 0;
    const std::uint64_t last = mapping.end / page_bytes;
    for (std::uint64_t page = mapping.start / page_bytes; page < last; page += batch) {
        const std::uint64_t wanted = last - page < batch ? last - page : batch;
        const long got = system_call(SYS_pread64, pagemap, address_argument(entries),
                                     static_cast<long>(wanted * sizeof *entries),
                                     static_cast<long>(page * sizeof *entries));
        if (got <= 0)
            return count;
        for (std::uint64_t at = 0; at < static_cast<std::uint64_t>(got) / sizeof *entries; ++at) {
            const bool is_resident = (entries[at] & (page_is_present | page_is_swapped)) != 0;
            count += is_resident && (entries[at] & page_is_file) == 0;
        }
    }
    return count;
}

} // namespace

std::uint64_t static_anonymous_bytes() {
    const long pagemap = open_read_only("/proc/self/pagemap");
    if (is_error(pagemap))
        return 0;
    std::uint64_t pages = 0;
    visit_mappings([&](const Mapping& mapping) {
        if (!mapping.is_executable && (mapping.is_object() || mapping.is_bss || mapping.is_stack))
            pages += anonymous_pages(pagemap, mapping);
    });
    system_call(SYS_close, pagemap);
    return pages * page_bytes;
}

} // namespace alloclab::record
