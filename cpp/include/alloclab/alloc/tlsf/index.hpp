// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/tlsf/block.hpp>

#include <bit>

namespace alloclab::tlsf {

// What is told of every block head an operation looks at, so that a test can count them.
struct NoVisits {
    static void visit() {}
};

// The class of a span, counted through both levels: 32 to a doubling, and one a granule below 512
// bytes, where every block of a class is alike.
inline constexpr unsigned second_level_bits = 5;
inline constexpr unsigned second_level_count = 1U << second_level_bits;
inline constexpr unsigned first_level_count = 32;
inline constexpr std::size_t linear_limit_bytes = granule_bytes << second_level_bits;

constexpr unsigned class_of(std::size_t span) {
    if (span < linear_limit_bytes) {
        return static_cast<unsigned>(span / granule_bytes);
    }
    const auto high_bit = static_cast<unsigned>(std::bit_width(span)) - 1;
    const auto second = static_cast<unsigned>(span >> (high_bit - second_level_bits));
    const unsigned first = high_bit - std::countr_zero(linear_limit_bytes) + 1;
    return first * second_level_count + (second - second_level_count);
}

// The lowest class whose every block has at least `span` bytes.
constexpr unsigned class_at_least(std::size_t span) {
    if (span < linear_limit_bytes) {
        return class_of(span);
    }
    const auto high_bit = static_cast<unsigned>(std::bit_width(span)) - 1;
    return class_of(span + (std::size_t{1} << (high_bit - second_level_bits)) - 1);
}

static_assert(class_of(2 * max_span - 1) < first_level_count * second_level_count);

// The free blocks, a list a class, and two levels of bits that say which lists have any. Every
// operation looks at a fixed number of heads, `find_exact` at up to `exact_probe_limit`.
//   bit of a class set = its list is not empty;  bit of a level set = one of its classes' is
template <class Visits> class Index {
public:
    static constexpr unsigned exact_probe_limit = 16;

    // Returns a block of at least `span` from the smallest class where any would do, or null.
    Block* find(std::size_t span) const {
        const unsigned class_idx = class_at_least(span);
        unsigned first = class_idx / second_level_count;
        std::uint32_t seconds = second_bits_[first] & (~0U << (class_idx % second_level_count));
        if (seconds == 0) {
            const std::uint64_t firsts = first_bits_ & (~std::uint64_t{1} << first);
            if (firsts == 0) {
                return nullptr;
            }
            first = static_cast<unsigned>(std::countr_zero(firsts));
            seconds = second_bits_[first];
        }
        const auto second = static_cast<unsigned>(std::countr_zero(seconds));
        return heads_[first * second_level_count + second];
    }

    // What `find` passes over: a block in the class of `span` itself, among the newest of them.
    Block* find_exact(std::size_t span) const {
        Block* block = heads_[class_of(span)];
        for (unsigned probe = 0; probe < exact_probe_limit && block != nullptr; ++probe) {
            Visits::visit();
            if (block->span() >= span) {
                return block;
            }
            block = block->next_free;
        }
        return nullptr;
    }

    void insert(Block* block, std::size_t span) {
        Visits::visit();
        const unsigned class_idx = class_of(span);
        link(block, &heads_[class_idx], heads_[class_idx]);
        first_bits_ |= std::uint64_t{1} << (class_idx / second_level_count);
        second_bits_[class_idx / second_level_count] |= 1U << (class_idx % second_level_count);
    }

    // `span` is the one it was inserted with.
    void remove(Block* block, std::size_t span) {
        Visits::visit();
        *block->link_to_this_free = block->next_free;
        if (block->next_free != nullptr) {
            Visits::visit();
            block->next_free->link_to_this_free = block->link_to_this_free;
        }
        const unsigned class_idx = class_of(span);
        if (heads_[class_idx] == nullptr) {
            const unsigned first = class_idx / second_level_count;
            second_bits_[first] &= ~(1U << (class_idx % second_level_count));
            if (second_bits_[first] == 0) {
                first_bits_ &= ~(std::uint64_t{1} << first);
            }
        }
    }

    // `remove` of one block and `insert` of another that takes its bytes over, where nothing is to
    // be done but its links when both are of one class: a large block that is cut from, or grows.
    void replace(Block* old_block, std::size_t old_span, Block* block, std::size_t span) {
        if (class_of(old_span) != class_of(span)) {
            remove(old_block, old_span);
            insert(block, span);
        } else if (old_block != block) {
            Visits::visit();
            link(block, old_block->link_to_this_free, old_block->next_free);
        }
    }

    const Block* head(unsigned class_idx) const { return heads_[class_idx]; }
    bool has_bit(unsigned class_idx) const {
        const unsigned first = class_idx / second_level_count;
        return (first_bits_ >> first & 1) != 0 &&
               (second_bits_[first] >> (class_idx % second_level_count) & 1) != 0;
    }
    void clear() { *this = Index{}; }

private:
    static void link(Block* block, Block** link_to_block, Block* next) {
        block->next_free = next;
        block->link_to_this_free = link_to_block;
        *link_to_block = block;
        if (next != nullptr) {
            Visits::visit();
            next->link_to_this_free = &block->next_free;
        }
    }

    std::uint64_t first_bits_ = 0;
    std::uint32_t second_bits_[first_level_count] = {};
    Block* heads_[first_level_count * second_level_count] = {};
};

} // namespace alloclab::tlsf
