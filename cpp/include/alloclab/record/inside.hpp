// SPDX-License-Identifier: MIT
#pragma once

// Recording a process from within: begun and ended by the program itself, any number of times. Each
// recording is a capture of its own. The caller sees to it that no thread is in the recorder while
// one begins or ends.

#include <alloclab/record/lane.hpp>

#include <cstdint>

namespace alloclab::record {

// Opens a capture in a folder, an absolute path. Events carry clocks from the first one on: threads
// may be there already. Returns whether it is open; if not, a line on stderr says why.
// Requires: no capture is open.
bool begin_inside(const char* directory);

// Ends the capture in good order; `path` in Process still names its file. Afterwards every thread's
// lanes are to be given up, and then the file itself.
void finish_inside();
void give_up_lanes(ThreadLanes& lanes);
void close_inside();

// Makes the calling thread one of this capture. Every thread comes here before its first event.
void adopt_thread();

// In a forked child: what is open is the parent's.
void forget_inside();

} // namespace alloclab::record
