// SPDX-License-Identifier: MIT
#include <alloclab/import/log_clock.hpp>

#include <algorithm>

namespace alloclab {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t day_ns = 86'400 * second_ns;
constexpr std::uint64_t most_seconds = std::uint64_t{1} << 33; // the year 2242

// Takes ".123456" as nanoseconds.
bool read_fraction(Scanner& scan, std::uint64_t& fraction_ns) {
    if (!scan.take('.')) {
        return false;
    }
    const std::size_t before = scan.rest().size();
    if (!scan.number(fraction_ns) || fraction_ns >= second_ns) {
        return false;
    }
    for (std::size_t digits = before - scan.rest().size(); digits < 9; ++digits) {
        fraction_ns *= 10;
    }
    return fraction_ns < second_ns;
}

bool read_seconds(Scanner& scan, std::uint64_t& time_ns) {
    std::uint64_t fraction_ns = 0;
    if (!scan.number(time_ns) || time_ns > most_seconds || !read_fraction(scan, fraction_ns)) {
        return false;
    }
    time_ns = time_ns * second_ns + fraction_ns;
    return true;
}

bool read_time_of_day(Scanner& scan, std::uint64_t& time_ns) {
    std::uint64_t hours = 0;
    std::uint64_t minutes = 0;
    std::uint64_t seconds = 0;
    if (!scan.number(hours) || !scan.take(':') || !scan.number(minutes) || !scan.take(':') ||
        !scan.number(seconds) || hours > 23 || minutes > 59 || seconds > 60) {
        return false;
    }
    std::uint64_t fraction_ns = 0;
    if (scan.rest().starts_with('.') && !read_fraction(scan, fraction_ns)) {
        return false;
    }
    time_ns = ((hours * 60 + minutes) * 60 + seconds) * second_ns + fraction_ns;
    return true;
}

} // namespace

void LogClock::set(std::uint64_t time_ns) {
    if (!has_first_) {
        first_ns_ = time_ns;
        has_first_ = true;
    }
    if (time_ns > first_ns_) {
        now_ns_ = std::max(now_ns_, time_ns - first_ns_);
    }
}

bool LogClock::read(Scanner& scan) {
    Scanner attempt = scan;
    std::uint64_t time_ns = 0;
    if (read_time_of_day(attempt, time_ns)) {
        if (has_first_) {
            const std::uint64_t last_ns = first_ns_ + now_ns_;
            time_ns += last_ns / day_ns * day_ns;
            if (time_ns + day_ns / 2 < last_ns) {
                time_ns += day_ns;
            }
        }
    } else {
        attempt = scan;
        if (!read_seconds(attempt, time_ns)) {
            return false;
        }
    }
    set(time_ns);
    scan = attempt;
    return true;
}

bool LogClock::read_relative(Scanner& scan) {
    Scanner attempt = scan;
    std::uint64_t since_ns = 0;
    if (!read_seconds(attempt, since_ns)) {
        return false;
    }
    has_first_ = true;
    now_ns_ = std::min(now_ns_ + since_ns, most_seconds * second_ns);
    scan = attempt;
    return true;
}

} // namespace alloclab
