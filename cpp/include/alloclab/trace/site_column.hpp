// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace alloclab {

// Predicts call sites: after a site comes the one that came after it the last time. Programs
// allocate in the same sequences over and over, so that most sites of a chunk need not be told.
// Cost: O(1); four bytes a stack.
class SitePredictor {
public:
    // The site that is likely next, 0 for none.
    std::uint32_t predicted() const { return last_ < after_.size() ? after_[last_] : 0; }

    void add(std::uint32_t site) {
        if (last_ >= after_.size())
            after_.resize(last_ + std::size_t{1});
        after_[last_] = site;
        last_ = site;
    }

    void restart() {
        after_.clear();
        last_ = 0;
    }

private:
    std::vector<std::uint32_t> after_;
    std::uint32_t last_ = 0;
};

} // namespace alloclab
