// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace alloclab {

// What the kernel says is resident of this process, in bytes.
struct Resident {
    std::uint64_t anonymous = 0;
    std::uint64_t file = 0;
    std::uint64_t shared = 0;     // shared memory, memfd included
    std::uint64_t high_water = 0; // of all three together, since start or the last reset
};

// Reads this process's resident memory from /proc, without the heap.
class ResidentMeter {
public:
    // Throws: SystemError when /proc cannot be read.
    ResidentMeter();
    ~ResidentMeter();
    ResidentMeter(const ResidentMeter&) = delete;
    ResidentMeter& operator=(const ResidentMeter&) = delete;

    // All four figures, exactly. Cost: some 10 microseconds.
    Resident read() const;

    // The anonymous part alone, for timelines. Cost: some 2 microseconds.
    std::uint64_t anonymous_bytes() const;

    // Sets the high-water mark to what is resident now. Returns false where the kernel refuses.
    bool reset_high_water() const;

private:
    int status_ = -1;
    int statm_ = -1;
};

// Faults in every page of every readable file mapping of this process, so that none is faulted in
// while memory is measured.
void populate_file_mappings();

// This process's minor and major page faults so far.
std::uint64_t page_faults();

} // namespace alloclab
