// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace alloclab::pool {

// Decides how much free memory is given back as time passes. The idea is jemalloc's
// (`dirty_decay_ms` in its manual, https://jemalloc.net/jemalloc.3.html); ours looks at what was
// left over instead of at ages: time goes in epochs, and at the end of each, half of the units that
// were free all through it are owed to the system. What is used again within an epoch is never
// given back, and eight epochs after a peak a hundredth of what it left is still there.
//   owed_ <= idle_ <= units free and dirty now
// Knows no clock and no heap: both are told. Not locked: the run heap is.
class Decay {
public:
    static constexpr std::uint64_t epochs_per_decay = 8;

    // Tells how many units are free and dirty, whenever some were taken.
    void note_free(std::size_t units) noexcept {
        idle_ = std::min(idle_, units);
        owed_ = std::min(owed_, idle_);
    }

    // Returns how many units are to be given back now. An epoch that is looked at late ends then,
    // and counts as often as it would have fitted in.
    std::size_t owed(std::uint64_t now_ns, std::uint64_t decay_ns, std::size_t units) noexcept {
        const std::uint64_t epoch_ns = std::max<std::uint64_t>(decay_ns / epochs_per_decay, 1);
        const std::uint64_t epochs = (now_ns - epoch_start_ns_) / epoch_ns;
        if (epoch_start_ns_ == 0) {
            epoch_start_ns_ = now_ns;
            idle_ = units;
        } else if (epochs != 0) {
            const std::size_t kept = epochs < 32 ? idle_ >> epochs : 0;
            owed_ = kept < least_units ? idle_ : idle_ - kept;
            epoch_start_ns_ = now_ns;
            idle_ = units;
        }
        return owed_;
    }

    // Tells that so many were given back.
    void note_given(std::size_t units) noexcept {
        idle_ -= std::min(idle_, units);
        owed_ -= std::min(owed_, units);
    }

private:
    static constexpr std::size_t least_units = 128; // 64 KiB: halving ends somewhere

    std::size_t idle_ = 0; // free and dirty ever since the epoch began
    std::size_t owed_ = 0;
    std::uint64_t epoch_start_ns_ = 0; // 0 before the first
};

} // namespace alloclab::pool
