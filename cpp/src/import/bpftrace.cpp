// SPDX-License-Identifier: MIT
//
// What the bpftrace script in docs/formats.md prints. bpftrace has no output of its own; script
// and lines are ours, version 1:
//     alloclab-bpftrace 1
//     TIME TID m SIZE ADDRESS                malloc
//     TIME TID c COUNT SIZE ADDRESS          calloc
//     TIME TID a ALIGNMENT SIZE ADDRESS      memalign, aligned_alloc, posix_memalign
//     TIME TID r OLD_ADDRESS SIZE            realloc begins
//     TIME TID R NEW_ADDRESS                 and returns
//     TIME TID f ADDRESS                     free
//     TIME 0 end
// Times are nanoseconds, addresses hexadecimal. bpftrace reads one buffer after another, so the
// lines must be sorted by their times; where it says "Lost N events" these are counted as lost.

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/scanner.hpp>
#include <alloclab/import/thread_numbers.hpp>

#include <map>

namespace alloclab {

namespace {

class BpftraceImporter final : public LineImporter {
public:
    using LineImporter::LineImporter;

private:
    struct Begun {
        ForeignBlocks::Reallocation block;
        std::uint64_t size = 0;
    };

    void line(std::string_view text) override {
        Scanner scan(text);
        scan.spaces();
        if (scan.is_at_end() || is_remark(scan)) {
            return;
        }
        if (!has_version_) {
            throw TraceError("there is no line \"alloclab-bpftrace 1\" before");
        }
        if (report_.is_complete) {
            throw TraceError("it comes after the end");
        }
        const std::uint64_t time_ns = number(scan);
        const std::uint64_t tid = number(scan);
        scan.spaces();
        const std::string_view kind = scan.until(" \t");
        set_time(time_ns);
        if (kind == "end") {
            report_.is_complete = true;
        } else {
            call(kind, scan, {.thread = threads_.number_of(tid), .time_ns = last_ns_ - first_ns_});
        }
        scan.spaces();
        if (!scan.is_at_end()) {
            throw TraceError("there is something after the call");
        }
    }

    // Lines that are no calls: bpftrace's own and the version.
    bool is_remark(Scanner& scan) {
        std::uint64_t lost = 0;
        if (scan.take("Attaching ")) {
            return true;
        }
        if (scan.take("Lost ") && scan.number(lost)) {
            if (lost > most_lost - report_.lost_events) {
                throw TraceError("so many cannot have been lost");
            }
            report_.lost_events += lost;
            return true;
        }
        if (scan.take("alloclab-bpftrace ")) {
            if (scan.rest() != "1") {
                throw TraceError("this version is not known");
            }
            has_version_ = true;
            return true;
        }
        return false;
    }

    void call(std::string_view kind, Scanner& scan, const ForeignCaller& caller) {
        if (kind == "m") {
            const std::uint64_t size = number(scan);
            blocks_.allocate(address(scan), size, 0, AllocationCall::malloc, caller);
        } else if (kind == "c") {
            const std::uint64_t count = number(scan);
            const std::uint64_t size = number(scan);
            blocks_.allocate_array(address(scan), count, size, caller);
        } else if (kind == "a") {
            const std::uint64_t alignment = number(scan);
            const std::uint64_t size = number(scan);
            blocks_.allocate(address(scan), size, alignment, AllocationCall::memalign, caller);
        } else if (kind == "f") {
            blocks_.free(address(scan), caller);
        } else if (kind == "r") {
            const std::uint64_t old = address(scan);
            const std::uint64_t size = number(scan);
            const bool is_second =
                !begun_
                     .insert_or_assign(caller.thread, Begun{blocks_.begin_reallocation(old), size})
                     .second;
            if (is_second) {
                leave_out("unfinished");
            }
        } else if (kind == "R") {
            const auto begun = begun_.find(caller.thread);
            if (begun == begun_.end()) {
                throw TraceError("no realloc of this thread has begun");
            }
            blocks_.end_reallocation(begun->second.block, address(scan), begun->second.size,
                                     caller);
            begun_.erase(begun);
        } else {
            throw TraceError("there is no such call");
        }
    }

    static std::uint64_t number(Scanner& scan) {
        std::uint64_t value = 0;
        scan.spaces();
        if (!scan.number(value)) {
            throw TraceError("a number is missing");
        }
        return value;
    }

    static std::uint64_t address(Scanner& scan) {
        std::uint64_t value = 0;
        scan.spaces();
        if (!scan.address(value)) {
            throw TraceError("an address is missing");
        }
        return value;
    }

    void set_time(std::uint64_t time_ns) {
        if (!has_times_) {
            first_ns_ = last_ns_ = time_ns;
            has_times_ = true;
        }
        if (time_ns < last_ns_) {
            throw TraceError("it is earlier than the line before: sort the file by time first, "
                             "with sort -s -n");
        }
        last_ns_ = time_ns;
    }

    void end_lines() override {
        if (!has_version_ && report_.truncated_at.empty()) {
            throw TraceError(here() + ": it ends without a line \"alloclab-bpftrace 1\"");
        }
        report_.cannot_say.assign(
            {"call stacks", "which aligned call", "thread starts", "thread ends"});
        if (!report_.is_complete) {
            report_.cannot_say.emplace_back("end");
        }
        if (!begun_.empty()) {
            leave_out("unfinished", begun_.size());
        }
    }

    static constexpr std::uint64_t most_lost = std::uint64_t{1} << 62;

    ThreadNumbers threads_;
    std::map<std::uint32_t, Begun> begun_; // reallocs, by thread
    std::uint64_t first_ns_ = 0;
    std::uint64_t last_ns_ = 0;
    bool has_version_ = false;
    bool has_times_ = false;
};

} // namespace

std::unique_ptr<Importer> make_bpftrace_importer(const std::filesystem::path& trace,
                                                 const ImportOptions& options) {
    return std::make_unique<BpftraceImporter>(trace, options);
}

} // namespace alloclab
