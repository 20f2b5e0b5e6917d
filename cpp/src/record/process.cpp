// SPDX-License-Identifier: MIT
#include <alloclab/record/process.hpp>

#include <alloclab/record/control.hpp>
#include <alloclab/record/files.hpp>
#include <alloclab/record/head.hpp>
#include <alloclab/record/options.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/settings.hpp>
#include <alloclab/record/text.hpp>

#include <cpuid.h>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <x86intrin.h>

namespace alloclab::record {

using namespace capture;

__thread ThreadLanes thread_lanes;
Process process;
ForkPage fork_page;

namespace {

std::uint64_t monotonic_ns() {
    struct timespec now {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

// Whether the cycle counter runs at one rate on every core (CPUID 0x80000007, bit 8).
bool has_invariant_cycles() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

// One file a process image: a process that execs makes another.
int create_file() {
    constexpr unsigned most_images = 100'000;
    for (unsigned image_idx = 0; image_idx < most_images; ++image_idx) {
        char* end = put_text(put_text(process.path, settings().directory), "/");
        end = put_number(put_text(put_number(end, process.process_id), "-"), image_idx);
        put_text(end, ".capture");
        const long fd = system_call(SYS_openat, AT_FDCWD, address_argument(process.path),
                                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd != -EEXIST)
            return static_cast<int>(fd);
    }
    return -EEXIST;
}

void remember_file(int fd) {
    struct stat status {};
    system_call(SYS_fstat, fd, address_argument(&status));
    process.file = identity_of(status);
    process.fd = fd;
}

bool is_capture_descriptor(int fd) {
    struct stat status {};
    return is_of_file(fd, process.file, status);
}

bool map_head(int fd) {
    if (is_error(reserve(fd, 0, head_bytes)))
        return false;
    // In a forked child over what stands there for its parent's.
    const int place = process.header == nullptr ? 0 : MAP_FIXED;
    const long head = system_call(SYS_mmap, address_argument(process.header), head_bytes,
                                  PROT_READ | PROT_WRITE, MAP_SHARED | place, fd, 0);
    if (is_error(head))
        return false;
    process.header = reinterpret_cast<FileHeader*>(head);
    return true;
}

void fill_header() {
    FileHeader& header = *process.header;
    header.version = format_version;
    header.clock = process.can_read_cycles ? Clock::cycles : Clock::monotonic_ns;
    header.process_id = process.process_id;
    header.parent_process_id = static_cast<std::uint32_t>(system_call(SYS_getppid));
    header.forked_from = process.forked_from;
    header.page_bytes = 4096;
    struct timespec now {};
    clock_gettime(CLOCK_REALTIME, &now);
    header.start_wall_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
                           static_cast<std::uint64_t>(now.tv_nsec);
    header.start_ticks = read_clock();
    header.start_monotonic_ns = monotonic_ns();
    header.latest_ticks = header.start_ticks;
    header.latest_monotonic_ns = header.start_monotonic_ns;
    header.file_bytes = head_bytes;
    fill_head_text(header);
    compiler_barrier();
    std::memcpy(header.magic, file_magic, sizeof file_magic);
}

// From here on a child that is a copy of this process finds the page wiped.
void watch_for_children() {
    constexpr int wipe_on_fork = 18; // MADV_WIPEONFORK, Linux 4.14
    system_call(SYS_madvise, address_argument(&fork_page), sizeof fork_page, wipe_on_fork);
    process.has_capture = true;
    fork_page.is_ours = true;
}

bool open_capture() {
    process.process_id = static_cast<std::uint32_t>(system_call(SYS_getpid));
    process.can_read_cycles = has_invariant_cycles();
    if (!read_settings())
        return false;
    if (open_control() != StopReason::none)
        return false; // the recording is over: the program goes on unrecorded
    read_options(settings().directory);
    const int created = create_file();
    if (created < 0) {
        warn("cannot create a capture in ALLOCLAB_RECORD_DIR", settings().directory);
        return false;
    }
    remember_file(move_out_of_the_way(created));
    if (!map_head(process.fd)) {
        warn("no space for a capture in ALLOCLAB_RECORD_DIR", settings().directory);
        system_call(SYS_unlink, address_argument(process.path));
        return false;
    }
    fill_header();
    watch_for_children();
    return true;
}

// The builtins that name no type: clang's others take no enumeration.
Phase load_phase() {
    Phase phase{};
    __atomic_load(&fork_page.phase, &phase, __ATOMIC_ACQUIRE);
    return phase;
}

void store_phase(Phase phase) {
    __atomic_store(&fork_page.phase, &phase, __ATOMIC_RELEASE);
}

// Returns whether this caller is the one to open the capture.
bool claim_opening() {
    Phase expected = Phase::fresh;
    Phase opening = Phase::opening;
    return __atomic_compare_exchange(&fork_page.phase, &expected, &opening, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE);
}

} // namespace

bool ensure_capture() {
    Phase phase = load_phase();
    if (__builtin_expect(phase == Phase::active, true))
        return true;
    static __thread bool is_opening;
    if (is_opening)
        return false; // a signal handler in the midst of it
    if (is_unnoticed_child())
        enter_forked_child();
    is_opening = true;
    if (claim_opening())
        store_phase(open_capture() ? Phase::active : Phase::off);
    while ((phase = load_phase()) == Phase::opening)
        system_call(SYS_sched_yield);
    is_opening = false;
    return phase == Phase::active;
}

std::uint64_t read_clock() {
    return (process.can_read_cycles ? __rdtsc() : monotonic_ns()) & ~block_is_timed;
}

void calibrate_clock() {
    process.header->latest_ticks = read_clock();
    process.header->latest_monotonic_ns = monotonic_ns();
}

int capture_descriptor() {
    if (process.fd >= 0 && is_capture_descriptor(process.fd))
        return process.fd;
    const long fd =
        system_call(SYS_openat, AT_FDCWD, address_argument(process.path), O_RDWR | O_CLOEXEC);
    if (is_error(fd))
        return static_cast<int>(fd);
    process.fd = move_out_of_the_way(static_cast<int>(fd));
    return is_capture_descriptor(process.fd) ? process.fd : -ESTALE;
}

void stop_recording(StopReason reason, int error_number) {
    process.header->stop_errno = static_cast<std::uint32_t>(error_number);
    process.header->stop_reason = reason;
    store_phase(Phase::stopped);
}

void count_lost_event() {
    if (fork_page.phase == Phase::active ||
        (fork_page.phase == Phase::stopped && process.header->stop_reason == StopReason::no_space))
        __atomic_fetch_add(&process.header->lost_events, 1, __ATOMIC_RELAXED);
}

namespace {

void write_line(const char* opening, const char* what, const char* value) {
    char line[512];
    char* end = put_text(put_text(line, opening), what);
    if (value != nullptr) {
        end = put_text(end, ": ");
        for (const char* c = value; *c != '\0' && end < line + sizeof line - 2; ++c)
            *end++ = *c >= ' ' && *c < 127 ? *c : '?';
    }
    *end++ = '\n';
    system_call(SYS_write, 2, address_argument(line), end - line);
}

} // namespace

void warn(const char* what, const char* value) {
    write_line("alloclab: not recording: ", what, value);
}

void warn_of(const char* what, const char* value) {
    write_line("alloclab: ", what, value);
}

void forget_parent_capture() {
    ++process.generation;
    process.forked_from = process.process_id;
    // What of the recorder a handler interrupted may still write into the header.
    if (process.header != nullptr && !cover_with_zeros(process.header, head_bytes))
        process.header = nullptr;
    process.has_capture = false;
    process.has_threads = false;
    process.first_lane = nullptr;
    process.mapped_window_bytes = 0;
    process.own_page_faults = 0;
    process.lock.reset();
    reset_control();
    if (process.fd >= 0 && is_capture_descriptor(process.fd))
        system_call(SYS_close, process.fd);
    process.fd = -1;
    if (fork_page.phase != Phase::off)
        fork_page.phase = Phase::fresh;
}

} // namespace alloclab::record
