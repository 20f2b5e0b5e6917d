// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/import/scanner.hpp>

#include <cstdint>

namespace alloclab {

// The times in front of a log's lines: a time of the day, "15:04:05.123456", or seconds,
// "1634567890.123456". What is before the time of the line before counts as that; a time of the
// day that is more than half a day before it is the next day's.
class LogClock {
public:
    // Takes a time from the front; false, and nothing taken, when there is none.
    bool read(Scanner& scan);

    // Takes seconds since the line before.
    bool read_relative(Scanner& scan);

    bool has_read() const { return has_first_; }

    // Nanoseconds from the first time to the last.
    std::uint64_t time_ns() const { return now_ns_; }

private:
    void set(std::uint64_t time_ns);

    std::uint64_t first_ns_ = 0;
    std::uint64_t now_ns_ = 0;
    bool has_first_ = false;
};

} // namespace alloclab
