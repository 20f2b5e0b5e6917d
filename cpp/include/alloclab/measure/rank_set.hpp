// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace alloclab {

// A set of numbers below a bound that knows each member's neighbours: a tree of 64-bit words, the
// van Emde Boas layout cut down to one machine word a node.
// Invariant: bit b of word w on level k + 1 is set where word 64 w + b on level k is not zero.
// Cost: every call O(log64 bound); memory: bound / 63 bits.
class RankSet {
public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    explicit RankSet(std::size_t bound) {
        do {
            bound = (bound + 63) / 64;
            levels_.emplace_back(bound == 0 ? 1 : bound);
        } while (bound > 1);
    }

    bool contains(std::uint32_t rank) const {
        return (levels_[0][rank / 64] >> (rank % 64) & 1) != 0;
    }

    void insert(std::uint32_t rank) {
        for (auto& level : levels_) {
            std::uint64_t& word = level[rank / 64];
            const bool was_empty = word == 0;
            word |= std::uint64_t{1} << (rank % 64);
            if (!was_empty) {
                return;
            }
            rank /= 64;
        }
    }

    void erase(std::uint32_t rank) {
        for (auto& level : levels_) {
            std::uint64_t& word = level[rank / 64];
            word &= ~(std::uint64_t{1} << (rank % 64));
            if (word != 0) {
                return;
            }
            rank /= 64;
        }
    }

    // The greatest member below `rank`, or none.
    std::uint32_t below(std::uint32_t rank) const {
        for (std::size_t level = 0; level < levels_.size(); ++level, rank /= 64) {
            const std::uint64_t lower = (std::uint64_t{1} << (rank % 64)) - 1;
            const std::uint64_t word = levels_[level][rank / 64] & lower;
            if (word != 0) {
                return descend(level, rank / 64 * 64 + last_bit(word), last_bit);
            }
        }
        return none;
    }

    // The smallest member above `rank`, or none.
    std::uint32_t above(std::uint32_t rank) const {
        for (std::size_t level = 0; level < levels_.size(); ++level, rank /= 64) {
            const std::uint64_t higher = ~std::uint64_t{1} << (rank % 64);
            const std::uint64_t word = levels_[level][rank / 64] & higher;
            if (word != 0) {
                return descend(level, rank / 64 * 64 + first_bit(word), first_bit);
            }
        }
        return none;
    }

    // The greatest member, or none.
    std::uint32_t last() const {
        const std::uint64_t root = levels_.back()[0];
        return root == 0 ? none : descend(levels_.size() - 1, last_bit(root), last_bit);
    }

    // The smallest member, or none.
    std::uint32_t first() const {
        const std::uint64_t root = levels_.back()[0];
        return root == 0 ? none : descend(levels_.size() - 1, first_bit(root), first_bit);
    }

private:
    static std::uint32_t first_bit(std::uint64_t word) {
        return static_cast<std::uint32_t>(std::countr_zero(word));
    }
    static std::uint32_t last_bit(std::uint64_t word) {
        return 63 - static_cast<std::uint32_t>(std::countl_zero(word));
    }

    // From bit `at` of `level` down to the member under it that `pick` prefers.
    template <class Pick>
    std::uint32_t descend(std::size_t level, std::uint32_t at, Pick pick) const {
        while (level-- > 0) {
            at = at * 64 + pick(levels_[level][at]);
        }
        return at;
    }

    std::vector<std::vector<std::uint64_t>> levels_;
};

} // namespace alloclab
