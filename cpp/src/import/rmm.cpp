// SPDX-License-Identifier: MIT
//
// The log of RAPIDS RMM's logging_resource_adaptor, calls for the memory of a GPU as CSV:
//     Thread,Time,Action,Pointer,Size,Stream
//     1979932,14:21:19.998533,allocate,0x30a000000,256,0x2
// Actions are allocate, allocate failure and free (or deallocate); the header may be missing, where
// the log went to a shared stream. A free tells the size again: where it is another one, it is
// counted. The stream is not kept.
// Source: logging_resource_adaptor.hpp and benchmarks/utilities/log_parser.hpp in
// https://github.com/rapidsai/rmm

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/log_clock.hpp>
#include <alloclab/import/thread_numbers.hpp>

namespace alloclab {

namespace {

class RmmImporter final : public LineImporter {
public:
    using LineImporter::LineImporter;

private:
    void line(std::string_view text) override {
        if (line_number() == 1 && text == "Thread,Time,Action,Pointer,Size,Stream") {
            return;
        }
        Scanner scan(text);
        std::uint64_t thread = 0;
        std::uint64_t address = 0;
        std::uint64_t size = 0;
        if (!scan.number(thread) || !scan.take(',')) {
            throw TraceError("it does not begin with a thread");
        }
        if (!clock_.read(scan) || !scan.take(',')) {
            throw TraceError("there is no time after the thread");
        }
        const std::string_view action = scan.until(",");
        scan.take(',');
        if (!(scan.take("(nil)") || scan.address(address)) || !scan.take(',')) {
            throw TraceError("there is no pointer after the action");
        }
        if (!scan.number(size) || !scan.take(',') || scan.is_at_end()) {
            throw TraceError("there is no size and stream after the pointer");
        }
        act(action, address, size,
            {.thread = threads_.number_of(thread), .time_ns = clock_.time_ns()});
    }

    void act(std::string_view action, std::uint64_t address, std::uint64_t size,
             const ForeignCaller& caller) {
        if (action == "allocate") {
            if (address == 0 && size == 0) {
                return leave_out("empty_allocations"); // a resource may give null for nothing
            }
            blocks_.allocate(address, size, 0, AllocationCall::malloc, caller);
        } else if (action == "allocate failure") {
            blocks_.allocate_failed(size, 0, AllocationCall::malloc, caller);
        } else if (action == "free" || action == "deallocate") {
            const LiveBlock* block = blocks_.find(address);
            if (block != nullptr && block->size != size) {
                leave_out("frees_with_another_size");
            }
            blocks_.free(address, caller);
        } else {
            throw TraceError("there is no such action");
        }
    }

    void end_lines() override {
        report_.cannot_say.assign(
            {"call stacks", "alignment", "streams", "thread starts", "thread ends", "end"});
    }

    ThreadNumbers threads_;
    LogClock clock_;
};

} // namespace

std::unique_ptr<Importer> make_rmm_importer(const std::filesystem::path& trace,
                                            const ImportOptions& options) {
    return std::make_unique<RmmImporter>(trace, options);
}

} // namespace alloclab
