// SPDX-License-Identifier: MIT
#include "malloc_debug.hpp"

#include "malloc_environment.hpp"
#include "malloc_fork.hpp"

#include <alloclab/alloc/option_list.hpp>
#include <alloclab/alloc/option_text.hpp>
#include <alloclab/alloc/spin_lock.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>

#include <pthread.h>
#include <unistd.h>

namespace alloclab {
namespace {

using Stack = Trace<DebugRoutes>;

struct DebugOptions : LayerOptions<TraceOptions, DebugRoutes::Options> {
    bool has_calls_checked = true;
    bool has_leaks_reported = false;

    // Names: those of Trace and of the quarantine; check_calls (whether new goes with delete),
    // leaks (a report at the end).
    bool set(std::string_view name, std::string_view value) noexcept {
        if (name == "check_calls") {
            return parse_flag(value, has_calls_checked);
        }
        if (name == "leaks") {
            return parse_flag(value, has_leaks_reported);
        }
        return TraceOptions::set(name, value) || upstream.upstream.set(name, value) ||
               upstream.upstream.upstream.set(name, value);
    }
};

// Looks at every block now and then. What looks cost is paid from `patience`: until it is used up,
// which takes some milliseconds, every call looks, so that what a short program does wrong is found
// where it happens; then so seldom that a call pays about a nanosecond.
class Audit {
public:
    [[gnu::always_inline]] bool is_due() noexcept { return --calls_left_ == 0; }
    // Says what this look costs, in blocks.
    void plan(std::size_t cost) noexcept {
        constexpr std::size_t calls_for_a_block = 8;
        if (cost <= patience_) {
            patience_ -= cost;
            calls_left_ = 1;
        } else {
            calls_left_ = std::max(cost * calls_for_a_block, std::size_t{1024});
        }
    }

private:
    std::size_t calls_left_ = 1;
    std::size_t patience_ = 400000;
};

constinit SpinLock lock;
alignas(Stack) constinit std::byte memory[sizeof(Stack)]{};
constinit bool is_started = false;
constinit Audit audit;
constinit DebugOptions options;

Stack& stack() noexcept {
    return *std::launder(reinterpret_cast<Stack*>(memory));
}

// The lock is let go, because whoever catches the abort may allocate.
[[noreturn]] void die(const Defect& defect) noexcept {
    lock.unlock();
    write_defect(descriptor_sink(STDERR_FILENO), defect);
    std::abort();
}

[[gnu::noinline, gnu::cold]] void start() noexcept {
    char buffer[512];
    options.is_owner_checked = false;
    DebugOptions read = options;
    const auto bad_item = set_options(read, read_malloc_options(buffer, sizeof buffer));
    if (!bad_item.empty()) {
        report_bad_option("liballoclab_malloc", bad_item);
    } else {
        options = read;
    }
    options.is_owner_checked = false; // all threads share it, behind the lock
    new (memory) Stack(options);
    stack().set_defect_handler(
        {[](void*, const Defect& defect) noexcept { die(defect); }, nullptr});
    is_started = true;
}

AllocationSite at(const void* caller) noexcept {
    return {nullptr, nullptr, 0, caller};
}

std::uint64_t number_of(const void* caller) noexcept {
    return tracing::SiteTable::number_of(caller);
}

// Around every call: the lock, and a look when it is due.
class Call {
public:
    [[gnu::always_inline]] Call() noexcept : guard_(lock) {
        if (!is_started) [[unlikely]] {
            start();
        }
        if (audit.is_due()) [[unlikely]] {
            look();
        }
    }

private:
    [[gnu::noinline, gnu::cold]] static void look() noexcept {
        stack().check();
        audit.plan(stack().core().live().size() + stack().upstream().waiting_bytes() / 64 + 1);
    }
    LockGuard<SpinLock> guard_;
};

const char* const call_names[] = {"malloc", "new", "new[]"};
const char* const ending_names[] = {"free", "delete", "delete[]"};

[[gnu::noinline, gnu::cold]] void report_mismatch(const tracing::LiveRecord& record,
                                                  const void* caller, MallocCall call) noexcept {
    static constinit char text[64];
    Defect defect = stack().core().describe(DefectKind::mismatched_call, record, at(caller));
    std::size_t length = 0;
    for (const char* part : {"from ", call_names[tracing::call_of(record)], ", ended by ",
                             ending_names[static_cast<std::size_t>(call)]}) {
        const std::size_t part_length = std::strlen(part);
        std::memcpy(text + length, part, part_length + 1);
        length += part_length;
    }
    defect.other = text;
    stack().core().report(defect);
}

[[gnu::always_inline]] inline void check_call(const tracing::LiveRecord& record, const void* caller,
                                              MallocCall call) noexcept {
    if (tracing::call_of(record) != static_cast<unsigned char>(call) && options.has_calls_checked)
        [[unlikely]] {
        report_mismatch(record, caller, call);
    }
}

// The record of a live block; null, once it is reported, for any other address.
[[gnu::always_inline]] inline tracing::LiveRecord* find_reported(const void* block,
                                                                 const void* caller) noexcept {
    tracing::LiveRecord* const record = stack().core().find(block);
    if (record == nullptr) [[unlikely]] {
        stack().core().report_unknown(block, at(caller));
    }
    return record;
}

// A touch of memory that traps: says what it was, if it lies in what we fenced.
void on_fault(int signal, siginfo_t* info, void*) noexcept {
    const void* const address = info->si_addr;
    Defect defect;
    std::size_t size = 0;
    if (stack().upstream().empty().owns(address)) {
        defect.kind = DefectKind::overflow;
        defect.block = address;
        die(defect);
    }
    if (stack().upstream().fenced().find_waiting(address, defect.block, size)) {
        defect.kind = DefectKind::use_after_free;
        defect.size_bytes = size;
        die(defect);
    }
    stack().visit_live([&](const tracing::LiveRow& row) {
        const auto* const block = static_cast<const std::byte*>(row.block);
        if (row.size >= DebugRoutes::fenced_from_bytes && address >= block - Fenced::fence_bytes &&
            address < block + row.size + page_bytes + Fenced::fence_bytes) {
            defect.kind = address < row.block ? DefectKind::underflow : DefectKind::overflow;
            defect.block = row.block;
            defect.size_bytes = row.size;
            defect.offset = static_cast<const std::byte*>(address) - block;
            defect.allocated = row.site;
            die(defect);
        }
    });
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    ::sigaction(signal, &plain, nullptr); // the same instruction faults again
}

} // namespace

void* DebugMalloc::allocate(std::size_t size, std::size_t alignment, bool is_zeroed,
                            const void* caller, MallocCall call) noexcept {
    void* block = nullptr;
    if (size <= PTRDIFF_MAX) [[likely]] {
        const Call during;
        block = is_zeroed ? stack().allocate_zeroed(size, alignment, at(caller))
                          : stack().allocate_numbered(size, alignment, number_of(caller),
                                                      static_cast<unsigned char>(call));
    }
    if (block == nullptr) [[unlikely]] {
        errno = ENOMEM;
    }
    return block;
}

void DebugMalloc::deallocate(void* block, const void* caller, MallocCall call) noexcept {
    if (block == nullptr) {
        return;
    }
    const Call during;
    if (tracing::LiveRecord* const record = find_reported(block, caller)) [[likely]] {
        check_call(*record, caller, call);
        stack().deallocate_found(record, block, number_of(caller));
    }
}

void DebugMalloc::deallocate_sized(void* block, std::size_t size, const void* caller,
                                   MallocCall call) noexcept {
    if (block == nullptr) {
        return;
    }
    const Call during;
    if (tracing::LiveRecord* const record = find_reported(block, caller)) [[likely]] {
        check_call(*record, caller, call);
        stack().deallocate_found(record, block, size, number_of(caller));
    }
}

void* DebugMalloc::reallocate(void* block, std::size_t size, const void* caller) noexcept {
    const Call during;
    const tracing::LiveRecord* const record = find_reported(block, caller);
    if (record == nullptr) {
        return nullptr;
    }
    check_call(*record, caller, MallocCall::malloc);
    const std::size_t old_size = record->size;
    if (size == old_size) {
        return block; // growing to what malloc_usable_size says must not move
    }
    void* const moved = stack().allocate(size, default_alignment, at(caller));
    if (moved != nullptr) {
        std::memcpy(moved, block, std::min(size, old_size));
        stack().deallocate(block, at(caller));
    }
    return moved;
}

std::size_t DebugMalloc::usable_size(void* block) noexcept {
    const LockGuard guard(lock);
    return is_started && block != nullptr ? stack().usable_size(block) : 0;
}

void DebugMalloc::watch_process() noexcept {
    { const Call during; }
    hold_over_forks<[] { lock.lock(); }, [] { lock.unlock(); }>();
    struct sigaction before {};
    if (::sigaction(SIGSEGV, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
        struct sigaction ours {};
        ours.sa_sigaction = on_fault;
        ours.sa_flags = SA_SIGINFO | SA_NODEFER;
        ::sigaction(SIGSEGV, &ours, nullptr);
    }
}

void DebugMalloc::end_process() noexcept {
    const LockGuard guard(lock);
    if (is_started) {
        stack().check();
        if (options.has_leaks_reported) {
            stack().write_leaks(descriptor_sink(STDERR_FILENO));
        }
    }
}

} // namespace alloclab
