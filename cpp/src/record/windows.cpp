// SPDX-License-Identifier: MIT
#include <alloclab/base/units.hpp>
#include <alloclab/record/control.hpp>
#include <alloclab/record/files.hpp>
#include <alloclab/record/process.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace alloclab::record {

using namespace capture;

namespace {

// What exited threads left of their windows, for threads to come.
struct Remainder {
    std::uint64_t file_offset;
    std::uint32_t bytes;
    std::uint32_t generation;
};
constexpr std::size_t remainder_capacity = 64;
Remainder remainders[remainder_capacity];
std::size_t remainder_count;

constexpr std::size_t first_window_bytes = window_granule_bytes;
constexpr int madvise_populate_write = 23; // MADV_POPULATE_WRITE, Linux 5.14

bool take_remainder(std::uint64_t& offset, std::size_t& bytes) {
    while (remainder_count > 0) {
        const Remainder& last = remainders[--remainder_count];
        if (last.generation == process.generation) {
            offset = last.file_offset;
            bytes = last.bytes;
            return true;
        }
    }
    return false;
}

// Takes room at the end of the file: a window of `bytes`, or smaller ones while there is no space.
long take_file_end(std::uint64_t& offset, std::size_t& bytes) {
    const int fd = capture_descriptor();
    if (fd < 0)
        return fd;
    FileHeader& header = *process.header;
    long result = -ENOSPC;
    for (; bytes >= first_window_bytes; bytes /= 2) {
        result = reserve(fd, header.file_bytes, bytes);
        if (!is_error(result)) {
            offset = header.file_bytes;
            header.file_bytes += bytes;
            return 0;
        }
    }
    return result;
}

long page_faults_of_thread() {
    struct rusage usage {};
    system_call(SYS_getrusage, RUSAGE_THREAD, address_argument(&usage));
    return usage.ru_minflt;
}

// Maps part of the capture file with every page present and writable.
unsigned char* map_window(std::uint64_t offset, std::size_t bytes) {
    const int fd = capture_descriptor();
    if (fd < 0)
        return nullptr;
    const std::uint64_t page_offset = offset % page_bytes;
    const std::size_t mapped = bytes + page_offset;
    const long faults_before = page_faults_of_thread();
    void* const p =
        map_memory(mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset - page_offset);
    if (p == nullptr)
        return nullptr;
    if (is_error(system_call(SYS_madvise, address_argument(p), static_cast<long>(mapped),
                             madvise_populate_write)))
        system_call(SYS_madvise, address_argument(p), static_cast<long>(mapped), MADV_WILLNEED);
    __atomic_fetch_add(&process.own_page_faults, page_faults_of_thread() - faults_before,
                       __ATOMIC_RELAXED);
    __atomic_fetch_add(&process.mapped_window_bytes, mapped, __ATOMIC_RELAXED);
    return static_cast<unsigned char*>(p) + page_offset;
}

// The first thread's windows grow from 256 KiB, the others' from 64, to a mebibyte.
std::size_t next_window_bytes(const Lane& lane, std::uint32_t thread) {
    if (thread_lanes.has_exited)
        return first_window_bytes;
    const std::size_t first = thread == 0 ? 4 * first_window_bytes : first_window_bytes;
    const std::size_t doubled = first << (lane.sequence < 5 ? lane.sequence : 5);
    return doubled < window_max_bytes ? doubled : window_max_bytes;
}

void unmap_window(Lane& lane) {
    unsigned char* const first_page = reinterpret_cast<unsigned char*>(
        reinterpret_cast<std::uintptr_t>(lane.window) & ~(page_bytes - 1));
    const std::size_t mapped = static_cast<std::size_t>(lane.map_end - first_page);
    unmap_memory(first_page, mapped);
    __atomic_fetch_sub(&process.mapped_window_bytes, mapped, __ATOMIC_RELAXED);
}

} // namespace

bool open_window(Lane& lane, std::uint32_t thread, std::uint32_t lane_idx) {
    RareGuard guard(process.lock);
    if (fork_page.phase != Phase::active)
        return false;
    std::uint64_t offset = 0;
    std::size_t bytes = next_window_bytes(lane, thread);
    if (!take_remainder(offset, bytes)) {
        if (const long result = take_file_end(offset, bytes); is_error(result)) {
            stop_recording(StopReason::no_space, static_cast<int>(-result));
            return false;
        }
        count_reserved(bytes);
    }
    unsigned char* const window = map_window(offset, bytes);
    if (window == nullptr) {
        stop_recording(StopReason::no_space, ENOMEM);
        return false;
    }
    auto* const header = reinterpret_cast<WindowHeader*>(window);
    header->bytes = static_cast<std::uint32_t>(bytes);
    header->thread = thread;
    header->lane = lane_idx;
    header->sequence = lane.sequence++;
    compiler_barrier();
    header->magic = window_magic; // last: a window without it is not one
    lane.is_stale = false;
    lane.window = window;
    lane.window_end = lane.map_end = window + bytes;
    lane.file_offset = offset;
    lane.block_end = window + block_bytes;
    lane.cursor = lane.block_end;
    lane.last_granule = 0;
    return true;
}

void close_window(Lane& lane) {
    reinterpret_cast<WindowHeader*>(lane.window)->end_ticks = read_clock();
    calibrate_clock();
    unmap_window(lane);
    lane.window = nullptr;
    lane.cursor = lane.limit = lane.timed_limit = lane.block_end = nullptr;
}

bool begin_block(Lane& lane) {
    unsigned char* const block = lane.block_end;
    if (block == lane.window_end)
        return false;
    lane.is_timed = process.has_threads || &lane != &thread_lanes.own;
    const std::uint64_t ticks = read_clock();
    lane.last_ticks = ticks;
    const std::uint64_t first_word = lane.is_timed ? ticks | block_is_timed : ticks;
    std::memcpy(block, &first_word, sizeof first_word);
    lane.block_end = block + block_bytes;
    lane.cursor = block + block_clock_bytes;
    unsigned char* const end = lane.block_end - sizeof(Word::bits) + 1;
    lane.limit = lane.is_timed ? nullptr : end;
    lane.timed_limit = lane.is_timed ? end : nullptr;
    return true;
}

void shorten_window(Lane& lane, std::size_t kept_blocks) {
    RareGuard guard(process.lock);
    auto* const header = reinterpret_cast<WindowHeader*>(lane.window);
    unsigned char* const end = lane.block_end + kept_blocks * block_bytes;
    if (end + 16 * block_bytes > lane.window_end || remainder_count == remainder_capacity)
        return;
    Remainder& rest = remainders[remainder_count];
    rest.bytes = static_cast<std::uint32_t>(lane.window_end - end);
    rest.file_offset = lane.file_offset + static_cast<std::uint64_t>(end - lane.window);
    rest.generation = process.generation;
    ++remainder_count;
    lane.window_end = end;
    header->bytes = static_cast<std::uint32_t>(end - lane.window);
}

} // namespace alloclab::record
