// SPDX-License-Identifier: MIT
//
// What Android's malloc debug records and its memory_replay plays, a line a call:
//     TID: malloc POINTER SIZE            TID: memalign POINTER ALIGNMENT SIZE
//     TID: calloc POINTER COUNT SIZE      TID: realloc NEW_POINTER OLD_POINTER SIZE
//     TID: free POINTER                   TID: thread_done 0x0 [END]
// Newer ones end in two times, START END, nanoseconds (a thread's end in one), and after those free
// and realloc may have the bytes of the old block that were present. Lines are in the order in
// which the calls began.
// Sources: libc/malloc_debug/README.md ("record_allocs") and malloc_debug.cpp in
// https://android.googlesource.com/platform/bionic, and MemoryTrace.cpp of libmemory_trace and
// File.cpp of memory_replay, https://android.googlesource.com/platform/system/extras

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/scanner.hpp>
#include <alloclab/import/thread_numbers.hpp>

namespace alloclab {

namespace {

class AndroidImporter final : public LineImporter {
public:
    using LineImporter::LineImporter;

private:
    void line(std::string_view text) override {
        Scanner scan(text);
        std::uint64_t tid = 0;
        if (!scan.number(tid) || !scan.take(':') || !scan.spaces()) {
            throw TraceError("it does not begin with \"THREAD: \"");
        }
        const std::string_view call = scan.until(" \t");
        const std::uint64_t pointer = address(scan);
        ForeignCaller caller{.thread = threads_.number_of(tid)};
        if (call == "malloc") {
            const std::uint64_t size = number(scan);
            finish_line(scan, caller);
            blocks_.allocate(pointer, size, 0, AllocationCall::malloc, caller);
        } else if (call == "free") {
            finish_line(scan, caller);
            blocks_.free(pointer, caller);
        } else if (call == "calloc") {
            const std::uint64_t count = number(scan);
            const std::uint64_t size = number(scan);
            finish_line(scan, caller);
            blocks_.allocate_array(pointer, count, size, caller);
        } else if (call == "realloc") {
            const std::uint64_t old = address(scan);
            const std::uint64_t size = number(scan);
            finish_line(scan, caller);
            blocks_.reallocate(old, pointer, size, caller);
        } else if (call == "memalign") {
            const std::uint64_t alignment = number(scan);
            const std::uint64_t size = number(scan);
            finish_line(scan, caller);
            blocks_.allocate(pointer, size, alignment, AllocationCall::memalign, caller);
        } else if (call == "thread_done") {
            end_thread(scan, tid, caller);
        } else {
            throw TraceError("there is no such call");
        }
    }

    void end_lines() override {
        report_.cannot_say.assign({"call stacks", "thread starts", "end"});
        if (!has_times_) {
            report_.cannot_say.emplace_back("time");
        }
    }

    static std::uint64_t number(Scanner& scan) {
        std::uint64_t value = 0;
        if (!scan.spaces() || !scan.number(value)) {
            throw TraceError("a number is missing");
        }
        return value;
    }

    static std::uint64_t address(Scanner& scan) {
        std::uint64_t value = 0;
        if (!scan.spaces() || !scan.address(value)) {
            throw TraceError("a pointer is missing");
        }
        return value;
    }

    // Takes the times and what may come after them.
    void finish_line(Scanner& scan, ForeignCaller& caller) {
        std::uint64_t start = 0;
        std::uint64_t end = 0;
        scan.spaces();
        if (!scan.is_at_end()) {
            if (!scan.number(start) || !scan.spaces() || !scan.number(end)) {
                throw TraceError("its times are not two numbers");
            }
            set_time(start, caller);
            scan.spaces();
            std::uint64_t present = 0;
            if (!scan.is_at_end() && (scan.take("-1") || scan.number(present))) {
                leave_out("present_bytes");
                scan.spaces();
            }
        }
        caller.time_ns = time_ns_;
        if (!scan.is_at_end()) {
            throw TraceError("there is more than the call has");
        }
    }

    void end_thread(Scanner& scan, std::uint64_t tid, ForeignCaller& caller) {
        std::uint64_t end = 0;
        scan.spaces();
        if (scan.number(end)) {
            set_time(end, caller);
            scan.spaces();
        }
        if (!scan.is_at_end()) {
            throw TraceError("there is more than a thread's end has");
        }
        builder_.append(
            {.code = static_cast<std::uint8_t>(EventKind::thread_exit), .thread = caller.thread},
            time_ns_);
        threads_.forget(tid);
    }

    // Times count from the first; one that is earlier than what came before counts as that.
    void set_time(std::uint64_t time_ns, ForeignCaller& caller) {
        if (!has_times_) {
            first_ns_ = time_ns;
            has_times_ = true;
        }
        if (time_ns > first_ns_ && time_ns - first_ns_ > time_ns_) {
            time_ns_ = time_ns - first_ns_;
        }
        caller.time_ns = time_ns_;
    }

    ThreadNumbers threads_;
    std::uint64_t first_ns_ = 0;
    std::uint64_t time_ns_ = 0;
    bool has_times_ = false;
};

} // namespace

std::unique_ptr<Importer> make_android_importer(const std::filesystem::path& trace,
                                                const ImportOptions& options) {
    return std::make_unique<AndroidImporter>(trace, options);
}

} // namespace alloclab
