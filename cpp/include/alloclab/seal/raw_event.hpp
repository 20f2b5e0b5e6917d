// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace alloclab {

// The call an allocation came from; the C library treats several of them specially.
enum class AllocationCall : std::uint8_t {
    malloc,
    calloc,
    realloc, // realloc(NULL, size): an allocation by that call
    reallocarray,
    posix_memalign,
    aligned_alloc,
    memalign,
    valloc,
    pvalloc,
};

// What a capture says happened, in merged order, with addresses still unresolved.
enum class RawKind : std::uint8_t {
    allocate,         // address (0: the call failed), size, alignment, call
    reallocate_begin, // address: the old block, stamped before the call
    reallocate_end,   // address: the new block (0: failed, the old one lives on), size; same thread
    free,             // address (0: free(NULL)); realloc(p, 0) that frees is a begin and an end of
                      // size 0 and address 0
    map,              // anonymous memory the program mapped itself: address, size, is_reserved
    unmap,            // address, size: any range, also part of regions or across several
    remap,            // address, size: where it is now; old_address, old_size: where it was
    discard,          // madvise(DONTNEED, FREE, REMOVE): address, size
    touched_birth,    // address of a large block or region just born: pages, resident_pages, prefix
    touched_death,    // the same for one about to be freed, reallocated, unmapped, or at the end
    footprint,        // size: resident anonymous bytes; file_bytes; page_faults since process start
    thread_start,     // thread
    thread_exit,      // thread
    fork,             // value: the child's process id; this process goes on
    exec,             // the image is about to be replaced; value: 0
    mark,             // name
    name,             // name; text, size: the next part of that name
    scope_enter,      // value: scope, from 1 over the process; kind_name; name
    scope_exit,       // value: scope
    tag,              // name + 1, or 0: of this thread's allocations from here on
    reset,            // value: scope
    transfer,         // address; value: scope
    reference,        // address: the holder; value: slot; old_address: the target or 0
    root_push,        // address or 0
    root_pop,         // value: how many
    root_set,         // value: index; address or 0
    frame,            // value: the caller's frame or 0; address: one more frame of this thread
    module_mapped,    // address, size; old_address: load bias; name: path; kind_name: build id
    module_gone,      // address
};

// One event of a capture. Which fields mean something is said beside its kind above; the others
// are zero.
struct RawEvent {
    RawKind kind{};
    AllocationCall call{};
    bool is_prefix{};       // touched_*: the resident pages are one run from the start
    bool is_reserved{};     // map: mapped without access (PROT_NONE)
    std::uint32_t thread{}; // dense, 0 is the first thread seen
    std::uint32_t site{};   // of what allocates: the thread's frame, counted from 1; 0: unknown
    std::uint32_t name{};
    std::uint32_t kind_name{};
    std::uint64_t time_ns{}; // since the capture began; interpolated between stamps
    std::uint64_t address{};
    std::uint64_t size{};
    std::uint64_t alignment{}; // 0: the call's default
    std::uint64_t old_address{};
    std::uint64_t old_size{};
    std::uint64_t pages{};
    std::uint64_t resident_pages{};
    std::uint64_t file_bytes{};
    std::uint64_t page_faults{};
    std::uint64_t value{};
    const unsigned char* text{}; // in the capture's bytes
};

} // namespace alloclab
