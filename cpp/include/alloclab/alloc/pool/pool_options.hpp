// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

struct PoolOptions {
    // Address space reserved at the first allocation; half of it, and so on, where that is refused.
    std::size_t region_bytes = std::size_t{256} << 30;
    // Sizes to 1 KiB are rounded up to one of so many between a power of two and the next: 1, 2, 4,
    // 8 or 16. See docs/benchmarks.md for what each loses on the recordings.
    std::size_t classes_per_doubling = 8;
    // Whether free memory goes back to the system where fresh pages would set a new peak.
    bool purge = true;
    // Free memory kept all the same: the peak divided by this. 16 costs a sixteenth of the peak in
    // the worst case and saves most of the page faults.
    std::size_t purge_slack_divisor = 16;
    // Free memory that nobody needed for this long goes back, all but a hundredth; 0 keeps it. Only
    // calls that a cache cannot serve look at the clock.
    std::size_t decay_ms = 1000;
    // In the malloc libraries: whether a thread lets time pass for a program that makes no calls.
    bool background = false;
    // Use from which the heap grows by huge pages; 0 is never.
    std::size_t huge_pages_from_bytes = 0;
    // Fresh memory is faulted in this many bytes at a time; 0 leaves it to faults.
    std::size_t populate_bytes = 65536;

    // Names: region_bytes (1 MiB to 1 TiB), classes_per_doubling, purge, purge_slack_divisor (1 to
    // 1024), decay_ms (0 to a day), background, huge_pages_from_bytes, populate_bytes (0 to 2 MiB).
    // Returns false, and changes nothing, for an unknown name or a value out of range.
    bool set(std::string_view name, std::string_view value) noexcept;
};

struct PoolStats {
    std::size_t reserved_bytes = 0;   // address space, tables included
    std::size_t committed_bytes = 0;  // memory that was touched and not given back; no tables
    std::size_t block_live_bytes = 0; // blocks handed out, at their usable sizes
    std::size_t cached_bytes = 0;     // free blocks of the caches the pool knows
    std::size_t free_bytes = 0;       // committed and in no block: slabs, free runs, slab ends
    std::size_t purged_bytes = 0;     // ever given back to the system
    std::size_t slab_count = 0;
    std::size_t rejected_frees = 0; // of blocks that were free already, as far as that was noticed
};

} // namespace alloclab
