// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/import/scanner.hpp>
#include <alloclab/trace/builder.hpp>
#include <alloclab/trace/stacks.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace alloclab::heaptrack {

// The next field of a line, hexadecimal, of which an error says that it is missing.
// Throws: TraceError.
std::uint64_t field(Scanner& scan, const char* what);

// Throws: TraceError unless the line ends here.
void expect_end(Scanner& scan);

// What a heaptrack file says of its call stacks, gathered line by line. Indices in the file count
// from 1; 0 is none. The call stacks of an interpreted file have instruction pointers, of which the
// file tells functions and lines; those of a raw one have addresses within the mapped modules.
// Cost: O(1) a line, O(log modules) for an address; memory follows the lines.
class Tables {
public:
    explicit Tables(TraceBuilder& builder) : builder_(builder) {}

    // From here on strings have their length in front (file version 3), and raw addresses are those
    // of the call, not of what it returns to (heaptrack 1.3).
    void set_version(std::uint64_t heaptrack, std::uint64_t file);

    // Each takes the rest of a line after its letter. Throws: TraceError when the line is malformed
    // or names what was not told before.
    void add_string(Scanner scan);
    void add_instruction(Scanner scan);
    void add_stack(Scanner scan);
    void add_raw_stack(Scanner scan);
    void set_program(Scanner scan);
    void add_module(Scanner scan);

    // The site of a call stack by its index in the file, 0 for none.
    std::uint32_t site_of(std::uint64_t stack);

    const std::string& program() const { return program_; }
    StackTable take() { return std::move(table_); }

private:
    struct Instruction {
        std::uint32_t first_frame = 0; // innermost; those it is inlined into follow
        std::uint32_t frames = 0;
    };
    struct Fragment {
        std::uint64_t end = 0;
        std::uint64_t bias = 0;
        std::uint32_t name = 0;
    };

    std::string_view text(Scanner& scan) const;
    std::uint32_t name_of(std::uint64_t string) const;
    std::uint32_t caller_of(std::uint64_t parent) const;
    void add_node(std::uint32_t parent, std::uint32_t frame);
    void end_stack();
    std::uint32_t frame_at(std::uint64_t address);

    TraceBuilder& builder_;
    StackTable table_;
    std::vector<std::uint32_t> strings_; // names
    std::vector<Instruction> instructions_;
    std::vector<std::uint32_t> nodes_;              // the innermost of each stack
    std::vector<std::uint32_t> sites_;              // of each stack, 0: not asked for yet
    std::map<std::uint64_t, Fragment> modules_;     // by begin
    std::map<std::uint64_t, std::uint32_t> frames_; // of addresses in these modules
    std::string program_;
    std::uint64_t return_distance_ = 0;
    bool has_lengths_ = false;
};

} // namespace alloclab::heaptrack
