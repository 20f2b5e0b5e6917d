// SPDX-License-Identifier: MIT
//
// The .rep traces of the CS:APP malloc lab. Four numbers, then an operation a line:
//     a ID SIZE         allocate
//     r ID SIZE         reallocate; of an ID that holds nothing, from null
//     f ID              free; of -1: of null
// The second number is how many ids there are, the third how many operations; the first and the
// fourth are a heap size, a weight or a flag, which say nothing of the calls. A file with fewer
// operations than it says is refused; what follows the last is counted, as the lab's newer drivers
// stop there.
// Sources: traces/README and read_trace() in mdriver.c of the lab,
// https://csapp.cs.cmu.edu/3e/labs.html, for instance in
// https://github.com/ROUJINN/malloclab-handout

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/scanner.hpp>

namespace alloclab {

namespace {

class MalloclabImporter final : public LineImporter {
public:
    using LineImporter::LineImporter;

private:
    void line(std::string_view text) override {
        Scanner scan(text);
        scan.spaces();
        while (header_numbers_ < 4 && !scan.is_at_end()) {
            header_[header_numbers_++] = number(scan, "the header has four numbers");
            scan.spaces();
        }
        if (scan.is_at_end()) {
            return;
        }
        if (operations_ == header_[2]) {
            return leave_out("lines_beyond_the_header");
        }
        operation(scan);
        ++operations_;
        scan.spaces();
        if (!scan.is_at_end()) {
            throw TraceError("there is something after the operation");
        }
    }

    void operation(Scanner& scan) {
        const std::string_view kind = scan.until(" \t");
        if (kind != "a" && kind != "r" && kind != "f") {
            throw TraceError("it is no operation: a, r or f");
        }
        scan.spaces();
        if (kind == "f" && scan.take("-1")) {
            return blocks_.free(0, {});
        }
        const std::uint64_t id = number(scan, "an id is missing");
        if (id >= header_[1]) {
            throw TraceError("its id is not below " + std::to_string(header_[1]) +
                             ", as the header says");
        }
        const std::uint64_t address = id + 1; // 0 is null
        if (kind == "f") {
            return blocks_.free(address, {});
        }
        scan.spaces();
        const std::uint64_t size = number(scan, "a size is missing");
        const bool is_alive = blocks_.find(address) != nullptr;
        if (kind == "a") {
            if (is_alive) {
                throw TraceError("its id is in use");
            }
            return blocks_.allocate(address, size, 0, AllocationCall::malloc, {});
        }
        blocks_.reallocate(is_alive ? address : 0, address, size, {});
    }

    static std::uint64_t number(Scanner& scan, const char* reason) {
        std::uint64_t value = 0;
        if (!scan.number(value)) {
            throw TraceError(reason);
        }
        return value;
    }

    void end_lines() override {
        report_.cannot_say.assign({"threads", "time", "call stacks", "alignment"});
        report_.is_complete = header_numbers_ == 4 && operations_ == header_[2];
        if (!report_.is_complete && report_.truncated_at.empty()) {
            note_truncation("line " + std::to_string(line_number() + 1),
                            header_numbers_ < 4
                                ? "the input ends within the header of four numbers"
                                : "the input ends after " + std::to_string(operations_) + " of " +
                                      std::to_string(header_[2]) + " operations");
        }
    }

    std::uint64_t header_[4] = {};
    int header_numbers_ = 0;
    std::uint64_t operations_ = 0;
};

} // namespace

std::unique_ptr<Importer> make_malloclab_importer(const std::filesystem::path& trace,
                                                  const ImportOptions& options) {
    return std::make_unique<MalloclabImporter>(trace, options);
}

} // namespace alloclab
