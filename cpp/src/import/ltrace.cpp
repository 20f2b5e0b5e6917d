// SPDX-License-Identifier: MIT
//
// The text of ltrace, a call a line, with what its options put in front:
//     [pid 123] 15:04:05.123456 [0x4004d0] ls->malloc(24)   = 0x5581c2a4 <0.000123>
// A call that is not over when another thread's event comes stands on two lines,
//     123 malloc(24 <unfinished ...>
//     123 <... malloc resumed> )        = 0x5581c2a4
// where a free takes effect on the first, everything else on the second. Calls within another call
// of the family are its own doing and left out; so is every other line, by kind. ltrace sees the
// calls of the objects it watches: a block that a library allocates for itself is unknown when it
// is freed. It does not print what posix_memalign gave.
// Source: output.c and options.c in https://github.com/dkogan/ltrace; what ltrace 0.7.3 prints.

#include "ltrace_call.hpp"

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/log_clock.hpp>
#include <alloclab/import/thread_numbers.hpp>

#include <map>
#include <set>

namespace alloclab {

namespace {

class LtraceImporter final : public LineImporter {
public:
    using LineImporter::LineImporter;

private:
    struct Unfinished {
        LtraceCall call;
        ForeignBlocks::Reallocation block;
    };

    void line(std::string_view text) override {
        Scanner scan(text);
        const std::uint64_t pid = read_prefix(scan);
        if (scan.take("+++ ")) {
            return end_thread(pid);
        }
        if (scan.take("--- ")) {
            return leave_out("signals");
        }
        const bool is_resumed = scan.take("<... ");
        const LtraceFunction* function = take_ltrace_function(scan, is_resumed);
        if (function == nullptr) {
            return leave_out(is_resumed || scan.rest().find('(') != std::string_view::npos
                                 ? "other_calls"
                                 : "other_lines");
        }
        running_.insert(pid);
        has_calls_ = true;
        ForeignCaller caller{.thread = threads_.number_of(pid), .time_ns = clock_.time_ns()};
        std::vector<Unfinished>& open = unfinished_[caller.thread];
        if (is_resumed) {
            resume(*function, scan, open, caller);
        } else {
            call(*function, scan, open, caller);
        }
    }

    // Takes the process or thread, the time, the instruction and the indentation. 0: no process.
    std::uint64_t read_prefix(Scanner& scan) {
        std::uint64_t pid = 0;
        scan.spaces();
        if (scan.take("[pid ")) {
            if (!scan.number(pid) || !scan.take(']')) {
                throw TraceError("there is no number after \"[pid \"");
            }
        } else if (Scanner attempt = scan; attempt.number(pid) && attempt.spaces()) {
            scan = attempt;
        } else {
            pid = 0; // a time, whose first number goes on with a point or a colon
        }
        has_pids_ = has_pids_ || pid != 0;
        scan.spaces();
        read_time(scan);
        scan.spaces();
        if (scan.rest().starts_with("[0x")) {
            scan.until("]");
            scan.take(']');
            scan.spaces();
        }
        return pid;
    }

    // Small numbers of seconds are those since the line before (-r).
    bool read_time(Scanner& scan) {
        constexpr std::uint64_t least_epoch = 100'000'000;
        Scanner attempt = scan;
        std::uint64_t seconds = 0;
        const bool is_relative =
            attempt.number(seconds) && seconds < least_epoch && attempt.rest().starts_with('.');
        return is_relative ? clock_.read_relative(scan) : clock_.read(scan);
    }

    void call(const LtraceFunction& function, Scanner& scan, std::vector<Unfinished>& open,
              const ForeignCaller& caller) {
        LtraceCall call = read_ltrace_arguments(function, scan);
        const bool is_inner = !open.empty();
        if (!ends_unfinished(scan)) {
            call.result = read_ltrace_result(function, scan);
            return is_inner ? leave_out("inner_calls") : apply(call, begin(call, caller), caller);
        }
        if (open.size() >= deepest) {
            throw TraceError("too many calls of a thread are within each other");
        }
        if (is_inner) {
            leave_out("inner_calls");
        }
        open.push_back({call, is_inner ? ForeignBlocks::Reallocation{} : begin(call, caller)});
    }

    void resume(const LtraceFunction& function, Scanner& scan, std::vector<Unfinished>& open,
                const ForeignCaller& caller) {
        if (open.empty()) {
            return leave_out("resumed_without_start");
        }
        if (open.back().call.function->call != function.call) {
            throw TraceError("what resumes is not what the thread was in");
        }
        Unfinished last = open.back();
        if (ends_unfinished(scan)) {
            return;
        }
        open.pop_back();
        last.call.result = read_ltrace_result(function, scan);
        if (open.empty()) {
            apply(last.call, last.block, caller);
        }
    }

    // What takes effect when a call begins.
    ForeignBlocks::Reallocation begin(const LtraceCall& call, const ForeignCaller& caller) {
        if (call.function->call == LtraceFunction::Call::free) {
            blocks_.free(call.arguments[0], caller);
        }
        return call.function->call == LtraceFunction::Call::realloc
                   ? blocks_.begin_reallocation(call.arguments[0])
                   : ForeignBlocks::Reallocation{};
    }

    // What takes effect when it returns.
    void apply(const LtraceCall& call, const ForeignBlocks::Reallocation& block,
               const ForeignCaller& caller) {
        const auto& [first, second, third] = call.arguments;
        switch (call.function->call) {
        case LtraceFunction::Call::malloc:
            return blocks_.allocate(call.result, first, 0, AllocationCall::malloc, caller);
        case LtraceFunction::Call::calloc:
            return blocks_.allocate_array(call.result, first, second, caller);
        case LtraceFunction::Call::realloc:
            return blocks_.end_reallocation(block, call.result, second, caller);
        case LtraceFunction::Call::memalign:
            return blocks_.allocate(call.result, second, first, AllocationCall::memalign, caller);
        case LtraceFunction::Call::aligned_alloc:
            return blocks_.allocate(call.result, second, first, AllocationCall::aligned_alloc,
                                    caller);
        case LtraceFunction::Call::posix_memalign:
            if (call.result != 0) {
                return blocks_.allocate_failed(third, second, AllocationCall::posix_memalign,
                                               caller);
            }
            return leave_out("posix_memaligns"); // their address is not told
        case LtraceFunction::Call::free:
            return;
        }
    }

    void end_thread(std::uint64_t pid) {
        const std::uint32_t thread = threads_.number_of(pid);
        builder_.append(
            {.code = static_cast<std::uint8_t>(EventKind::thread_exit), .thread = thread},
            clock_.time_ns());
        const auto open = unfinished_.find(thread);
        if (open != unfinished_.end()) {
            if (!open->second.empty()) {
                leave_out("unfinished");
            }
            unfinished_.erase(open);
        }
        threads_.forget(pid);
        running_.erase(pid);
        has_ends_ = true;
    }

    void end_lines() override {
        if (!has_calls_ && report_.truncated_at.empty()) {
            throw TraceError(here() + ": it ends, and no line is a call of an allocator");
        }
        report_.cannot_say.assign({"call stacks", "calls within libraries", "thread starts"});
        if (!has_pids_) {
            report_.cannot_say.emplace_back("threads");
        }
        if (!clock_.has_read()) {
            report_.cannot_say.emplace_back("time");
        }
        report_.is_complete = has_ends_ && running_.empty();
        if (!has_ends_) {
            report_.cannot_say.emplace_back("end");
        }
        for (const auto& [thread, open] : unfinished_) {
            if (!open.empty()) {
                leave_out("unfinished");
            }
        }
    }

    static constexpr std::size_t deepest = 64;

    ThreadNumbers threads_;
    LogClock clock_;
    std::map<std::uint32_t, std::vector<Unfinished>> unfinished_; // by thread, outermost first
    std::set<std::uint64_t> running_;
    bool has_calls_ = false;
    bool has_pids_ = false;
    bool has_ends_ = false;
};

} // namespace

std::unique_ptr<Importer> make_ltrace_importer(const std::filesystem::path& trace,
                                               const ImportOptions& options) {
    return std::make_unique<LtraceImporter>(trace, options);
}

} // namespace alloclab
