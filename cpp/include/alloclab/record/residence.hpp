// SPDX-License-Identifier: MIT
#pragma once

// What of the program's memory the kernel holds in memory.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

struct Residence {
    std::uint64_t pages;          // that the range overlaps
    std::uint64_t resident_pages; // of them
    bool is_prefix;               // the resident ones are one run from the first
};

// Asks the kernel about a range, slice by slice. Beyond 16 GiB it takes pages for absent: a
// reserved region may be terabytes, and nobody waits for that.
Residence residence_of(const void* p, std::size_t size);

struct Footprint {
    bool is_known;
    std::uint64_t anonymous_bytes;
    std::uint64_t file_bytes; // without the recorder's own windows
    std::uint64_t page_faults;
};

Footprint read_footprint();
// In a forked child the kept descriptor tells of the parent.
void forget_footprint();

} // namespace alloclab::record
