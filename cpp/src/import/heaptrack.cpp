// SPDX-License-Identifier: MIT
//
// What KDE's heaptrack records: lines of a letter and hexadecimal fields. Both kinds of file have
//     v HEAPTRACK_VERSION [FILE_VERSION]   X COMMAND LINE    I PAGE_BYTES PAGES   A: attached late
//     c MILLISECONDS, R RESIDENT_PAGES: since the start, every 10 ms              # a comment
// A raw file has, further, x PROGRAM, m MODULE ADDRESS [SEGMENT SIZE]..., and calls by address:
//     t ADDRESS CALLER_STACK       + SIZE STACK POINTER       - POINTER
// An interpreted one has tables instead:
//     s STRING       i ADDRESS MODULE [FUNCTION [FILE LINE] of each inlined function]
//     t INSTRUCTION CALLER_STACK   a SIZE STACK: a kind of allocation    + KIND      - KIND
// A kind is a size and a call stack; the pointer is gone. Which of the live blocks of a kind a '-'
// ends nobody can say: here it is the youngest, which heaptrack itself assumes where it counts
// temporary allocations. Version 0 files are interpreted ones whose calls have pointers.
// Sources: src/track/libheaptrack.cpp, src/interpret/heaptrack_interpret.cpp and
// src/analyze/accumulatedtracedata.cpp of https://github.com/KDE/heaptrack

#include "heaptrack_tables.hpp"

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>

#include <algorithm>

namespace alloclab {

namespace {

constexpr std::uint64_t newest_file_version = 3;
constexpr std::uint64_t version_before_file_versions = 0x010200; // whose files are of version 1
constexpr std::size_t longest_line = std::size_t{1} << 20;       // C++ has long names
constexpr std::uint64_t ns_per_ms = 1'000'000;
constexpr std::uint64_t most_ms = (std::uint64_t{1} << 62) / ns_per_ms;

using heaptrack::expect_end;
using heaptrack::field;

class HeaptrackImporter final : public LineImporter {
public:
    HeaptrackImporter(const std::filesystem::path& trace, const ImportOptions& options)
        : LineImporter(trace, options, longest_line), tables_(builder_) {}

private:
    // What makes a block in an interpreted file.
    struct Kind {
        std::uint64_t size = 0;
        std::uint32_t site = 0;
        std::uint64_t youngest = 0; // its object + 1; 0: none lives
    };

    bool has_pointers() const { return is_raw_ || file_version_ == 0; }

    void line(std::string_view text) override {
        if (line_number() == 1 && !text.starts_with("v ")) {
            throw TraceError("a heaptrack file begins with its version");
        }
        if (text.empty()) {
            return;
        }
        Scanner scan(text.substr(1));
        const char letter = text.front();
        if (letter == '#') {
            is_end_seen_ = is_end_seen_ || text.starts_with("# ips:");
            return;
        }
        is_end_seen_ = false;
        if (letter == '+') {
            has_pointers() ? allocate_at_pointer(scan) : allocate(scan);
        } else if (letter == '-') {
            has_pointers() ? free_at_pointer(scan) : free(scan);
        } else if (!table_line(letter, scan)) {
            header_line(letter, scan);
        }
    }

    bool table_line(char letter, Scanner scan) {
        switch (letter) {
        case 's':
            tables_.add_string(scan);
            return true;
        case 'i':
            tables_.add_instruction(scan);
            return true;
        case 't':
            is_raw_ ? tables_.add_raw_stack(scan) : tables_.add_stack(scan);
            return true;
        case 'a':
            add_kind(scan);
            return true;
        case 'x':
            is_raw_ = true;
            tables_.set_program(scan);
            return true;
        case 'm':
            is_raw_ = true;
            tables_.add_module(scan);
            return true;
        default:
            return false;
        }
    }

    void header_line(char letter, Scanner scan) {
        switch (letter) {
        case 'v':
            return read_version(scan);
        case 'c':
            return read_time(scan);
        case 'X':
            scan.spaces();
            report_.told.try_emplace("command", scan.rest());
            return;
        case 'I':
            page_bytes_ = field(scan, "size of a page");
            return;
        case 'R':
            peak_resident_pages_ = std::max(peak_resident_pages_, field(scan, "number of pages"));
            return;
        case 'A':
            report_.told["attached"] = "to a program that ran already";
            return;
        case 'S': // what the leak report is to be silent about
            return leave_out("suppressions");
        default:
            throw TraceError("no line of such a file begins so");
        }
    }

    void read_version(Scanner scan) {
        const std::uint64_t heaptrack = field(scan, "version");
        scan.spaces();
        if (!scan.is_at_end()) {
            file_version_ = field(scan, "version of the file");
        } else {
            file_version_ = heaptrack == version_before_file_versions ? 1 : 0;
        }
        if (line_number() != 1) {
            throw TraceError("it has two versions");
        }
        if (file_version_ > newest_file_version) {
            throw TraceError("its version is newer than " + std::to_string(newest_file_version));
        }
        tables_.set_version(heaptrack, file_version_);
        report_.told["file_version"] = std::to_string(file_version_);
    }

    void read_time(Scanner scan) {
        const std::uint64_t ms = field(scan, "time");
        expect_end(scan);
        if (ms > most_ms) {
            throw TraceError("the time is more than there can be");
        }
        if (ms * ns_per_ms < caller_.time_ns) {
            return leave_out("times_that_run_backwards");
        }
        caller_.time_ns = ms * ns_per_ms;
    }

    void add_kind(Scanner scan) {
        const std::uint64_t size = field(scan, "size");
        const std::uint64_t stack = field(scan, "call stack");
        expect_end(scan);
        kinds_.push_back({size, tables_.site_of(stack)});
    }

    Kind& kind(Scanner scan) {
        const std::uint64_t index = field(scan, "kind of allocation");
        expect_end(scan);
        if (index >= kinds_.size()) {
            throw TraceError("there is no such kind of allocation yet");
        }
        return kinds_[static_cast<std::size_t>(index)];
    }

    void allocate(Scanner scan) {
        Kind& of = kind(scan);
        elder_.push_back(of.youngest);
        builder_.append({.code = static_cast<std::uint8_t>(EventKind::allocate),
                         .size = of.size,
                         .site = of.site},
                        caller_.time_ns);
        of.youngest = elder_.size();
    }

    void free(Scanner scan) {
        Kind& of = kind(scan);
        if (of.youngest == 0) {
            return blocks_.count_unknown_frees(1);
        }
        const std::uint64_t object = of.youngest - 1;
        builder_.append({.code = static_cast<std::uint8_t>(EventKind::free), .object = object},
                        caller_.time_ns);
        of.youngest = elder_[static_cast<std::size_t>(object)];
    }

    void allocate_at_pointer(Scanner scan) {
        const std::uint64_t size = field(scan, "size");
        caller_.site = tables_.site_of(field(scan, "call stack"));
        const std::uint64_t pointer = field(scan, "pointer");
        expect_end(scan);
        blocks_.allocate(pointer, size, 0, AllocationCall::malloc, caller_);
    }

    void free_at_pointer(Scanner scan) {
        const std::uint64_t pointer = field(scan, "pointer");
        expect_end(scan);
        blocks_.free(pointer, caller_);
    }

    void end_lines() override {
        builder_.set_stacks(tables_.take());
        report_.cannot_say.assign({"threads", "calls", "alignments", "reallocations",
                                   "failed calls", "time between stamps"});
        if (!has_pointers()) {
            report_.cannot_say.emplace_back("which of the blocks of a size and call stack a free "
                                            "ends: the youngest is assumed");
        }
        if (is_raw_) { // it ends as it goes on, with a time
            report_.cannot_say.emplace_back("end");
        } else if (!is_end_seen_ && report_.truncated_at.empty()) {
            note_truncation(here(), "the input ends without the counts that end such a file");
        }
        report_.is_complete = is_end_seen_;
        if (std::uint64_t bytes = 0;
            !__builtin_mul_overflow(peak_resident_pages_, page_bytes_, &bytes) && bytes != 0) {
            report_.told["peak_resident_bytes"] = std::to_string(bytes);
        }
        if (is_raw_ && !tables_.program().empty()) {
            report_.told["program"] = tables_.program();
        }
    }

    heaptrack::Tables tables_;
    std::vector<Kind> kinds_;
    std::vector<std::uint64_t> elder_; // of each object: the next older one alive of its kind, + 1
    ForeignCaller caller_;
    std::uint64_t file_version_ = 0;
    std::uint64_t page_bytes_ = 0;
    std::uint64_t peak_resident_pages_ = 0;
    bool is_raw_ = false;
    bool is_end_seen_ = false;
};

} // namespace

std::unique_ptr<Importer> make_heaptrack_importer(const std::filesystem::path& trace,
                                                  const ImportOptions& options) {
    return std::make_unique<HeaptrackImporter>(trace, options);
}

} // namespace alloclab
