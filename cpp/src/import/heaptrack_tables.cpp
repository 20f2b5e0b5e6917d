// SPDX-License-Identifier: MIT
#include "heaptrack_tables.hpp"

#include <alloclab/base/error.hpp>

#include <algorithm>
#include <iterator>

namespace alloclab::heaptrack {

namespace {

constexpr std::uint32_t most_inlined = 255;

// A line of few bytes may name a stack whose frame has many inlined ones: no file grows much
// beyond what files do where functions are inlined into each other.
constexpr std::size_t spare_nodes = std::size_t{1} << 20;
constexpr std::size_t nodes_a_stack = 16;
constexpr std::size_t most_nodes = std::size_t{1} << 31;

} // namespace

std::uint64_t field(Scanner& scan, const char* what) {
    std::uint64_t value = 0;
    scan.spaces();
    if (!scan.number(value, 16) || !(scan.is_at_end() || scan.rest().front() == ' ')) {
        throw TraceError(std::string("there is no hexadecimal ") + what);
    }
    return value;
}

void expect_end(Scanner& scan) {
    scan.spaces();
    if (!scan.is_at_end()) {
        throw TraceError("there is more than such a line has");
    }
}

void Tables::set_version(std::uint64_t heaptrack, std::uint64_t file) {
    has_lengths_ = file >= 3;
    return_distance_ = heaptrack >= 0x10300 ? 1 : 0;
}

// A string within a line: with its length in front, or up to the next space.
std::string_view Tables::text(Scanner& scan) const {
    if (!has_lengths_) {
        scan.spaces();
        return scan.until(" ");
    }
    const std::uint64_t length = field(scan, "length");
    const std::string_view rest = scan.rest();
    if (rest.empty() || length > rest.size() - 1) {
        throw TraceError("a text is shorter than its length");
    }
    const auto taken = static_cast<std::size_t>(length);
    scan = Scanner(rest.substr(1 + taken));
    return rest.substr(1, taken);
}

void Tables::add_string(Scanner scan) {
    std::string_view string;
    if (has_lengths_) {
        string = text(scan);
        expect_end(scan);
    } else {
        scan.take(' ');
        string = scan.rest();
    }
    strings_.push_back(static_cast<std::uint32_t>(builder_.intern(string)));
}

std::uint32_t Tables::name_of(std::uint64_t string) const {
    if (string > strings_.size()) {
        throw TraceError("there is no string " + std::to_string(string) + " yet");
    }
    return string == 0 ? StackFrame::unknown : strings_[static_cast<std::size_t>(string - 1)];
}

// An address, a module, and for each function, innermost first, its name, file and line; trailing
// ones may be missing.
void Tables::add_instruction(Scanner scan) {
    const std::uint64_t address = field(scan, "address");
    const std::uint32_t module = name_of(field(scan, "module"));
    Instruction added{static_cast<std::uint32_t>(table_.frames.size()), 0};
    do {
        if (added.frames > most_inlined) {
            throw TraceError("there are too many inlined functions");
        }
        StackFrame frame{.module = module};
        scan.spaces();
        if (!scan.is_at_end()) {
            frame.function = name_of(field(scan, "function"));
        }
        scan.spaces();
        if (!scan.is_at_end()) {
            frame.file = name_of(field(scan, "file"));
            frame.line = static_cast<std::uint32_t>(field(scan, "line") & 0xffffffff);
        }
        // The file does not say where modules lay: an address says something only outside them.
        frame.offset = module == StackFrame::unknown ? address : 0;
        if (added.frames > 0) {
            table_.frames.back().is_inlined = true;
        }
        table_.frames.push_back(frame);
        ++added.frames;
        scan.spaces();
    } while (!scan.is_at_end());
    instructions_.push_back(added);
}

std::uint32_t Tables::caller_of(std::uint64_t parent) const {
    if (parent > nodes_.size()) {
        throw TraceError("there is no call stack " + std::to_string(parent) + " yet");
    }
    return parent == 0 ? 0 : nodes_[static_cast<std::size_t>(parent - 1)] + 1;
}

void Tables::add_node(std::uint32_t parent, std::uint32_t frame) {
    if (table_.nodes.size() >= std::min(most_nodes, spare_nodes + nodes_.size() * nodes_a_stack)) {
        throw TraceError("there are too many call stacks");
    }
    table_.nodes.push_back({parent, frame});
}

void Tables::end_stack() {
    nodes_.push_back(static_cast<std::uint32_t>(table_.nodes.size() - 1));
    sites_.push_back(0);
}

void Tables::add_stack(Scanner scan) {
    const std::uint64_t index = field(scan, "instruction");
    std::uint32_t parent = caller_of(field(scan, "caller"));
    expect_end(scan);
    if (index > instructions_.size()) {
        throw TraceError("there is no instruction " + std::to_string(index) + " yet");
    }
    if (index == 0) {
        add_node(parent, static_cast<std::uint32_t>(table_.frames.size()));
        table_.frames.emplace_back();
        return end_stack();
    }
    const Instruction& at = instructions_[static_cast<std::size_t>(index - 1)];
    for (std::uint32_t left = at.frames; left > 0; --left) {
        add_node(parent, at.first_frame + left - 1);
        parent = static_cast<std::uint32_t>(table_.nodes.size());
    }
    end_stack();
}

void Tables::add_raw_stack(Scanner scan) {
    const std::uint64_t address = field(scan, "address");
    const std::uint32_t parent = caller_of(field(scan, "caller"));
    expect_end(scan);
    add_node(parent, frame_at(address));
    end_stack();
}

std::uint32_t Tables::frame_at(std::uint64_t address) {
    const auto [known, is_new] =
        frames_.try_emplace(address, static_cast<std::uint32_t>(table_.frames.size()));
    if (is_new) {
        StackFrame frame{.offset = address};
        const auto after = modules_.upper_bound(address);
        if (after != modules_.begin() && address < std::prev(after)->second.end) {
            const Fragment& in = std::prev(after)->second;
            frame.module = in.name;
            frame.offset = address - in.bias + return_distance_;
        }
        table_.frames.push_back(frame);
    }
    return known->second;
}

void Tables::set_program(Scanner scan) {
    program_ = text(scan);
    expect_end(scan);
}

// A module's name, where it lies, and its segments, each with its place in it and its size; "-"
// says that the list begins anew, "x" is the program.
void Tables::add_module(Scanner scan) {
    std::string_view name = text(scan);
    if (name == "-") {
        expect_end(scan);
        modules_.clear();
        frames_.clear();
        return;
    }
    if (name == "x") {
        name = program_;
    }
    const std::uint64_t bias = field(scan, "address");
    const auto index = static_cast<std::uint32_t>(builder_.intern(name));
    for (scan.spaces(); !scan.is_at_end(); scan.spaces()) {
        const std::uint64_t begin = bias + field(scan, "segment");
        const std::uint64_t size = field(scan, "size of a segment");
        if (begin + size < begin) {
            throw TraceError("a segment ends behind the last address");
        }
        modules_.insert_or_assign(begin, Fragment{begin + size, bias, index});
    }
}

std::uint32_t Tables::site_of(std::uint64_t stack) {
    if (stack == 0) {
        return 0;
    }
    caller_of(stack); // throws where there is none
    const auto at = static_cast<std::size_t>(stack - 1);
    if (sites_[at] == 0) {
        table_.stacks.push_back(nodes_[at]);
        sites_[at] = static_cast<std::uint32_t>(table_.stacks.size());
    }
    return sites_[at];
}

} // namespace alloclab::heaptrack
