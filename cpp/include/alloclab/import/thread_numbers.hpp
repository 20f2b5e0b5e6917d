// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>

namespace alloclab {

// Numbers foreign thread ids in the order they are met, from 0. An ordered map: no choice of ids
// makes it slow.
class ThreadNumbers {
public:
    // Cost: O(1) for the id of the call before, O(log n) otherwise.
    std::uint32_t number_of(std::uint64_t id) {
        if (id != last_id_ || !has_last_) {
            const auto [place, is_new] = numbers_.try_emplace(id, next_);
            next_ += is_new;
            last_id_ = id;
            last_number_ = place->second;
            has_last_ = true;
        }
        return last_number_;
    }

    // The thread has ended: whoever has this id next is another.
    void forget(std::uint64_t id) {
        numbers_.erase(id);
        has_last_ = false;
    }

private:
    std::map<std::uint64_t, std::uint32_t> numbers_;
    std::uint32_t next_ = 0;
    std::uint64_t last_id_ = 0;
    std::uint32_t last_number_ = 0;
    bool has_last_ = false;
};

} // namespace alloclab
