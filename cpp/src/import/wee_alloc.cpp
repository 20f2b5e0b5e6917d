// SPDX-License-Identifier: MIT
//
// The traces that wee_alloc's tests replay, an operation a line:
//     Alloc(SIZE),
//     Free(INDEX),      of the INDEXth Alloc, from 0
// They were made from valgrind's log, with a realloc told as a Free and an Alloc. A Free of what is
// free already, or was never allocated, does nothing there; here it is counted.
// Source: test/src/lib.rs, trace-malloc-free/src/main.rs and test/traces/ in
// https://github.com/rustwasm/wee_alloc

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/scanner.hpp>

#include <algorithm>
#include <limits>

namespace alloclab {

namespace {

class WeeAllocImporter final : public LineImporter {
public:
    using LineImporter::LineImporter;

private:
    void line(std::string_view text) override {
        Scanner scan(text);
        scan.spaces();
        if (scan.is_at_end()) {
            return;
        }
        const bool is_alloc = scan.take("Alloc(");
        std::uint64_t value = 0;
        if (!is_alloc && !scan.take("Free(")) {
            throw TraceError("it is neither Alloc(SIZE) nor Free(INDEX)");
        }
        if (!scan.number(value) || !scan.take(')')) {
            throw TraceError("there is no number in the brackets");
        }
        scan.take(',');
        scan.spaces();
        if (!scan.is_at_end()) {
            throw TraceError("there is something after the operation");
        }
        // Blocks are named by their index; as addresses they begin with 1, as 0 is null.
        if (is_alloc) {
            blocks_.allocate(++allocations_, value, 0, AllocationCall::malloc, {});
        } else {
            blocks_.free(std::min(value, std::numeric_limits<std::uint64_t>::max() - 1) + 1, {});
        }
    }

    void end_lines() override {
        report_.cannot_say.assign(
            {"threads", "time", "call stacks", "alignment", "reallocations", "end"});
    }

    std::uint64_t allocations_ = 0;
};

} // namespace

std::unique_ptr<Importer> make_wee_alloc_importer(const std::filesystem::path& trace,
                                                  const ImportOptions& options) {
    return std::make_unique<WeeAllocImporter>(trace, options);
}

} // namespace alloclab
