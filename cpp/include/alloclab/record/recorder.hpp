// SPDX-License-Identifier: MIT
#pragma once

// What the preload library's entry points call. Nothing here allocates, throws or changes errno
// knowingly; the entry points save errno around what may.

#include <alloclab/record/capture_format.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Blocks from here on are asked how many of their pages are resident, at birth and at death.
inline constexpr std::size_t large_block_bytes = 64 << 10;

// Records an allocation that returned `p`. Always correct; the entry points try a short form first.
void record_allocation(capture::Call call, void* p, std::size_t size, std::size_t alignment);

// Records a free about to happen.
void record_free(void* p);
void record_free_null();

// Record a realloc of a block: before and after the real call.
void record_realloc_begin(void* p);
void record_realloc_end(void* p, std::size_t size, void* old);

// Record what the program does with its address space: unmap before the call, the others after it
// succeeded. What touches no region that was recorded leaves no event.
void record_map(void* p, std::size_t size, bool is_reserved, bool is_populated);
void record_unmap(void* p, std::size_t size);
void record_remap(void* p, std::size_t size, void* old, std::size_t old_size);
void record_discard(void* p, std::size_t size);
// Whether part of a recorded region lies in the range.
bool is_tracked_region(void* p, std::size_t size);

// Records that the process started or is about to become another image.
// Returns the image's slot, or -1 when the table is full.
int record_image(capture::ImageKind kind, std::uint32_t process_id, const char* path);
void fail_image(int slot);

// Sees to it that the capture exists, so that a program without a single call leaves one too.
void begin_capture();

// The end of the process or of the image: the touched pages of what is alive, a last footprint.
void finish_capture(capture::StopReason reason);
// An exec came back: the recording goes on.
void resume_capture();

// In a forked child: forgets the parent's capture; the next event begins one of its own.
void enter_forked_child();

// From now on every event carries a clock: a second thread is about to start.
void expect_threads();

// Ends this thread's lanes. Events that come later still have a little room.
void finish_thread();

} // namespace alloclab::record
