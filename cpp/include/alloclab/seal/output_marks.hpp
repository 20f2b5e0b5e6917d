// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/seal/resolver.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace alloclab {

// A line that the program printed, and what it stands for: "mark", an instant; "scope", a phase
// that ends the one before; any other, "frame" say, a boundary between two of them.
struct OutputMark {
    std::uint64_t time_ns = 0;
    std::string kind;
    std::string name;
};

// Puts what a program printed among its events, by time, as the first thread's.
class OutputMarks {
public:
    // Requires: `marks` in the order of their times, which count from the capture's beginning.
    OutputMarks(std::vector<OutputMark> marks, Resolver& resolver)
        : marks_(std::move(marks)), resolver_(resolver) {}

    // Writes the marks that come before an event at `time_ns`. Cost: a comparison where none does.
    void write_until(std::uint64_t time_ns) {
        while (next_ < marks_.size() && marks_[next_].time_ns <= time_ns) {
            write(marks_[next_++]);
        }
    }

private:
    // The program's own scopes are numbered far below.
    static constexpr std::uint64_t first_scope = std::uint64_t{1} << 63;

    void write(const OutputMark& mark);

    std::vector<OutputMark> marks_;
    std::size_t next_ = 0;
    Resolver& resolver_;
    std::map<std::string, std::uint64_t> open_; // scope by kind
    std::uint64_t next_scope_ = first_scope;
};

} // namespace alloclab
