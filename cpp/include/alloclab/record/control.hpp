// SPDX-License-Identifier: MIT
#pragma once

// The word of the driver: when to stop, and how much all captures may take together. It is a file
// that others can write to, so it is read by system calls at rare moments and never mapped: whoever
// truncates a mapped file ends the program by SIGBUS.

#include <alloclab/record/capture_format.hpp>

#include <cstdint>

namespace alloclab::record {

// Looks for the file `control` in the folder of captures. Returns why not to begin at all, or none.
capture::StopReason open_control();

// Whether this caller is to read it now, a few milliseconds after the last time. Cost: a
// comparison.
bool claim_control(std::uint64_t ticks);
// Returns why to stop, or none: also where there is no such file, or nothing sound in it.
capture::StopReason read_control();

// Counts what a capture has reserved, where there is a limit.
void count_reserved(std::uint64_t bytes);

// For a forked child, whose parent's thread may have been reading.
void reset_control();
void close_control();

} // namespace alloclab::record
