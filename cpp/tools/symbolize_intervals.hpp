// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace alloclab {

struct Interval {
    std::uint64_t low; // covers [low, high)
    std::uint64_t high;
    std::uint32_t value;
};

// Ranges of addresses, nested or overlapping as an object file pleases.
class IntervalTable {
public:
    IntervalTable() = default;

    // Of intervals that begin together, the last one given is found first.
    explicit IntervalTable(std::vector<Interval> intervals) : intervals_(std::move(intervals)) {
        std::stable_sort(intervals_.begin(), intervals_.end(),
                         [](const Interval& a, const Interval& b) { return a.low < b.low; });
        highest_.reserve(intervals_.size());
        std::uint64_t highest = 0;
        for (const Interval& each : intervals_) {
            highest = std::max(highest, each.high);
            highest_.push_back(highest);
        }
    }

    // Returns the interval that covers the address, of several the latest to begin; null for none.
    const Interval* find(std::uint64_t address) const {
        const auto after = std::upper_bound(
            intervals_.begin(), intervals_.end(), address,
            [](std::uint64_t wanted, const Interval& each) { return wanted < each.low; });
        std::size_t index = static_cast<std::size_t>(after - intervals_.begin());
        for (int step = 0; index > 0 && step < max_steps && highest_[index - 1] > address; ++step) {
            if (intervals_[--index].high > address) {
                return &intervals_[index];
            }
        }
        return nullptr;
    }

private:
    // A file made to be slow nests thousands of intervals; real ones nest a few.
    static constexpr int max_steps = 256;

    std::vector<Interval> intervals_;
    std::vector<std::uint64_t> highest_; // [i] = the highest end of intervals_[0 .. i]
};

} // namespace alloclab
