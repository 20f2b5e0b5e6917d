// SPDX-License-Identifier: MIT
#pragma once

// The bytes of a capture file, shared by the recorder that writes them and the reader.
// docs/capture-format.md says the same in prose.

#include <cstddef>
#include <cstdint>

namespace alloclab::capture {

inline constexpr char file_magic[8] = {'a', 'l', 'l', 'o', 'c', 'c', 'a', 'p'};
inline constexpr std::uint32_t format_version = 2;
inline constexpr std::uint32_t window_magic = 0x57434c41;  // "ALCW"
inline constexpr std::uint32_t control_magic = 0x54434c41; // "ALCT"

// A capture is a head of fixed size, then windows. Windows begin at multiples of the granule, or
// where a shortened window ends.
inline constexpr std::size_t head_bytes = 64 << 10;
inline constexpr std::size_t text_offset = 4096;
inline constexpr std::size_t text_bytes = 28 << 10;
inline constexpr std::size_t images_offset = 32 << 10;
inline constexpr std::size_t window_granule_bytes = 64 << 10;
inline constexpr std::size_t window_max_bytes = 1 << 20;

// A window is a sequence of blocks; the first holds the window's header. A block begins with the
// clock, so that one stands at least every 248 events: the shortest event takes a byte.
inline constexpr std::size_t block_bytes = 256;
inline constexpr std::size_t block_clock_bytes = 8;
inline constexpr std::uint64_t block_is_timed = std::uint64_t{1} << 63; // a clock after each event
inline constexpr unsigned event_clock_shift = 4; // event clocks count 16 ticks

enum class Clock : std::uint32_t { cycles = 0, monotonic_ns = 1 };

enum class StopReason : std::uint32_t {
    none = 0,        // still running, or killed
    exit = 1,        // exit, _exit, quick_exit
    exec = 2,        // replaced by another image
    duration = 3,    // asked to stop; the program went on
    max_bytes = 4,   // the captures reached their limit; the program went on
    no_space = 5,    // a window could not be had (stop_errno says why); the program went on
    self_forked = 6, // the process was cloned behind the recorder's back
};

// One image that this process started or became.
enum class ImageKind : std::uint32_t { none = 0, exec = 1, spawn = 2, fork = 3 };
inline constexpr std::size_t image_path_bytes = 232;
struct Image {
    std::uint64_t wall_ns;
    ImageKind kind;
    std::uint32_t process_id;
    std::uint32_t has_failed; // the exec came back
    std::uint32_t reserved;
    char path[image_path_bytes]; // NUL-terminated, cut when longer
};
inline constexpr std::size_t image_capacity = 128;
static_assert(images_offset + image_capacity * sizeof(Image) <= head_bytes);

struct FileHeader {
    char magic[8];
    std::uint32_t version;
    Clock clock;
    std::uint32_t process_id;
    std::uint32_t parent_process_id;
    std::uint32_t forked_from; // process id, 0: the image began with exec
    std::uint32_t page_bytes;
    std::uint64_t start_wall_ns;
    std::uint64_t start_ticks; // two readings of both clocks give the rate
    std::uint64_t start_monotonic_ns;
    std::uint64_t latest_ticks;
    std::uint64_t latest_monotonic_ns;
    std::uint64_t file_bytes; // windows reach up to here
    std::uint64_t lost_events;
    std::uint64_t untracked_blocks; // large blocks beyond the recorder's table: no touched events
    std::uint32_t thread_count;
    std::uint32_t is_complete; // the end was seen
    StopReason stop_reason;
    std::uint32_t stop_errno;
    std::uint32_t has_own_malloc; // the program's malloc is not the recorder's
    std::uint32_t is_redacted;
    std::uint32_t argument_count;
    std::uint32_t has_cut_arguments;      // more than the text holds
    std::uint32_t image_count;            // may exceed image_capacity; the rest is only counted
    std::uint32_t text_used_bytes;        // image path, allocator path, version, then the arguments
    std::uint32_t is_address_random;      // personality without ADDR_NO_RANDOMIZE
    std::uint32_t has_huge_pages;         // transparent huge pages not disabled for the process
    std::uint64_t static_anonymous_bytes; // data, bss and main stack at the end; 0: not seen
    std::uint64_t lost_names;  // times that a name was new and the recorder's table of them full
    std::uint64_t cut_stacks;  // distinct stacks that end where the thread's stack did not
    std::uint64_t lost_frames; // times that a frame was new and its thread's table full
    std::uint64_t edge_epochs; // times that live blocks were searched for references
    std::uint64_t edge_words;  // looked at in blocks
    std::uint64_t edge_hits;   // of them, pointing into a live block
    std::uint64_t edge_chance_hits;   // pointing into one had all blocks lain elsewhere
    std::uint64_t edge_references;    // changes recorded
    std::uint64_t edge_roots;         // the same of roots
    std::uint64_t edge_unseen_blocks; // of a gibibyte and more, oddly placed, beyond the tables
};
static_assert(sizeof(FileHeader) <= text_offset);

struct WindowHeader {
    std::uint32_t magic;
    std::uint32_t bytes; // this window's extent, header included; a multiple of block_bytes
    std::uint32_t thread;
    std::uint32_t lane; // 0: the thread itself, 1: signal handlers that interrupted the recorder
    std::uint32_t sequence; // of the lane's windows
    std::uint32_t has_thread_exit;
    std::uint64_t end_ticks; // 0: never closed
};
static_assert(sizeof(WindowHeader) <= block_bytes);

// The head of the file `control`; behind it a byte for each granule of the captures.
struct Control {
    std::uint32_t magic;
    std::uint32_t stop;      // a StopReason, none: go on
    std::uint64_t max_bytes; // 0: no limit
};

// The call an allocation came from, where the code does not say it.
enum class Call : std::uint8_t {
    malloc,
    calloc,
    realloc,
    reallocarray,
    posix_memalign,
    aligned_alloc,
    memalign,
    valloc,
    pvalloc,
};

// Names are counted over the whole process: each is told by the thread that first used it, which
// need not be the first of whom a reader hears it. Scopes too are counted over the process, from 1.
inline constexpr std::size_t name_part_bytes = 128; // the most of a name that one event tells

enum class RootChange : std::uint8_t { push, pop, set };
enum class ModuleChange : std::uint8_t { gone, mapped };

// A frame of an interpreter has no address. Its place in `frame` is that bit, the name of its
// function and file (with a newline between them), and the line in the lowest bits.
inline constexpr std::uint64_t frame_is_named = std::uint64_t{1} << 63;
inline constexpr unsigned frame_line_bits = 24;

// An event's first byte: odd, a free; otherwise code << 1.
enum class Code : std::uint8_t {
    end = 0,
    malloc_sized,      // size, delta
    calloc_sized,      // size, delta
    realloc_new,       // size, delta: realloc(NULL, size)
    realloc_begin,     // delta
    realloc_end,       // size, delta
    free_null,         //
    allocate_any,      // call, size, alignment, address
    free_any,          // address
    realloc_begin_any, // address
    realloc_end_any,   // size, address
    map,               // address, size, is_reserved
    unmap,             // address, size
    remap,             // address, size, old address, old size
    discard,           // address, size
    touched_birth,     // address, pages, resident pages, is_prefix
    touched_death,     // the same
    footprint,         // anonymous bytes, file bytes, page faults
    fork,              // process id
    exec,              // 0
    mark,              // name
    name,              // name, bytes, text: a part of that name, behind those before it
    scope_enter,       // scope, name of its kind, name
    scope_exit,        // scope
    tag,               // name + 1, or 0: of this thread's allocations from here on
    reset,             // scope
    transfer,          // address, scope
    reference,         // address of the holder, slot, address of the target or 0
    root,              // RootChange, then: address | how many | index, address
    site,              // frame: the stack of the lane's next allocation or reallocation
    frame,             // frame of its caller or 0, address: the lane's next frame, counted from 1
    module,            // ModuleChange, begin, end, name of its path, name of its build id, bias
    first_unused,
    calloc_first = 32, // 32 codes: calloc of 8 * (code - 32) bytes; delta
    malloc_first = 64, // 64 codes: malloc of 8 * (code - 64) bytes; delta
};
inline constexpr std::size_t calloc_short_bytes = 8 * 31;
inline constexpr std::size_t malloc_short_bytes = 8 * 63;

} // namespace alloclab::capture
