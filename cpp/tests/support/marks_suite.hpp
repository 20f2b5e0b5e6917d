// SPDX-License-Identifier: MIT
#pragma once

// The suite every allocator with marks passes. Include it in one file of a test program, after
// `alloclab::MarkingCases`, a ::testing::Types of the cases it is to run on.

#include <support/conformance_fixture.hpp>

#include <alloclab/alloc/layer.hpp>

namespace alloclab {
namespace {

template <class Case> class MarksTest : public ConformanceTest<Case> {
protected:
    using typename ConformanceTest<Case>::A;
    static_assert(Marking<A>);

    // Allocates blocks of any size and alignment, into the model of what lives.
    std::string grow(LiveBlocks& model, std::uint64_t seed, int count = 50) {
        Rng rng(seed);
        for (int block_idx = 0; block_idx < count; ++block_idx) {
            const std::size_t size = this->any_size(rng) % 3000;
            const std::size_t alignment = this->any_alignment(rng) % 8192;
            void* const block = allocator_.allocate(size, std::max<std::size_t>(alignment, 1));
            if (block == nullptr) {
                return "refused";
            }
            const std::string problem = model.add(block, size, std::max<std::size_t>(alignment, 1));
            if (!problem.empty()) {
                return problem;
            }
        }
        return {};
    }
    // Frees every block, looking at its bytes.
    std::string end_all(LiveBlocks& model) {
        while (!model.blocks().empty()) {
            const auto [address, block] = *model.blocks().rbegin();
            auto* const memory = reinterpret_cast<void*>(address);
            const std::string problem = model.remove(memory);
            if (!problem.empty()) {
                return problem;
            }
            allocator_.deallocate(memory, block.size, block.alignment);
        }
        return {};
    }
    // Whether it was done; of one that refuses no mark, always.
    template <class Mark> bool rewind(const Mark& to) {
        if constexpr (std::is_void_v<decltype(allocator_.rewind(to))>) {
            allocator_.rewind(to);
            return true;
        } else {
            return allocator_.rewind(to);
        }
    }

    A allocator_{Case::options(), CountingRef(this->source_)};
};

TYPED_TEST_SUITE(MarksTest, MarkingCases);

TYPED_TEST(MarksTest, blocks_older_than_a_mark_keep_their_place_and_bytes) {
    LiveBlocks older;
    ASSERT_EQ(this->grow(older, 1), "");
    const auto mark = this->allocator_.mark();
    LiveBlocks all = older;
    ASSERT_EQ(this->grow(all, 2), "");
    ASSERT_TRUE(this->rewind(mark));
    all = older;
    ASSERT_EQ(this->grow(all, 3), "") << "what comes next lies in what is older";
    EXPECT_EQ(this->end_all(all), "");
}

TYPED_TEST(MarksTest, what_came_after_a_mark_is_gone_and_its_memory_used_again) {
    LiveBlocks older;
    ASSERT_EQ(this->grow(older, 1), "");
    const auto mark = this->allocator_.mark();
    const auto live_and_end = [&](int rounds) {
        for (int round = 0; round < rounds; ++round) {
            LiveBlocks all = older;
            ASSERT_EQ(this->grow(all, 2), "") << "round " << round;
            ASSERT_TRUE(this->rewind(mark)) << "a mark stays good";
        }
    };
    live_and_end(2); // tables of a layer's own grow with the first blocks that end
    const std::size_t mapped_bytes = this->source_.mapped_bytes();
    live_and_end(100);
    EXPECT_EQ(this->source_.mapped_bytes(), mapped_bytes);
}

TYPED_TEST(MarksTest, nested_marks_are_rewound_from_the_innermost_out) {
    constexpr std::size_t depth = 8;
    std::vector<LiveBlocks> levels(1);
    std::vector<decltype(this->allocator_.mark())> marks;
    for (std::size_t level = 0; level < depth; ++level) {
        marks.push_back(this->allocator_.mark());
        levels.push_back(levels.back());
        ASSERT_EQ(this->grow(levels.back(), level), "") << "level " << level;
    }
    while (!marks.empty()) {
        levels.pop_back();
        ASSERT_TRUE(this->rewind(marks.back()));
        LiveBlocks all = levels.back();
        ASSERT_EQ(this->grow(all, 100), "") << "level " << marks.size();
        ASSERT_TRUE(this->rewind(marks.back()));
        marks.pop_back();
    }
}

TYPED_TEST(MarksTest, a_rewind_to_an_outer_mark_ends_the_inner_ones_too) {
    LiveBlocks older;
    ASSERT_EQ(this->grow(older, 1), "");
    const auto outer = this->allocator_.mark();
    LiveBlocks all = older;
    ASSERT_EQ(this->grow(all, 2), "");
    this->allocator_.mark();
    ASSERT_EQ(this->grow(all, 3), "");
    ASSERT_TRUE(this->rewind(outer));
    all = older;
    ASSERT_EQ(this->grow(all, 4), "");
    EXPECT_EQ(this->end_all(all), "");
}

TYPED_TEST(MarksTest, what_is_freed_after_a_mark_does_not_outlive_the_rewind) {
    LiveBlocks older;
    ASSERT_EQ(this->grow(older, 1), "");
    const auto mark = this->allocator_.mark();
    for (int round = 0; round < 10; ++round) {
        LiveBlocks younger;
        ASSERT_EQ(this->grow(younger, 2), "") << "round " << round;
        ASSERT_EQ(this->end_all(younger), "");
        ASSERT_TRUE(this->rewind(mark));
    }
    ASSERT_EQ(this->grow(older, 3), "");
    EXPECT_EQ(this->end_all(older), "");
}

TYPED_TEST(MarksTest, a_mark_of_the_very_start_ends_everything) {
    const auto start = this->allocator_.mark();
    LiveBlocks blocks;
    ASSERT_EQ(this->grow(blocks, 1), "");
    ASSERT_TRUE(this->rewind(start));
    blocks.clear();
    EXPECT_EQ(this->grow(blocks, 1), "");
}

TYPED_TEST(MarksTest, figures_of_what_lives_go_back_to_those_at_the_mark) {
    const auto live_bytes = [this](const auto& stats) -> std::size_t {
        if constexpr (requires { stats.current_bytes; }) {
            return stats.current_bytes; // of Trace
        } else if constexpr (requires { stats.used_bytes; }) {
            return stats.used_bytes;
        } else {
            return 0;
        }
    };
    LiveBlocks blocks;
    ASSERT_EQ(this->grow(blocks, 1), "");
    const std::size_t before = live_bytes(this->allocator_.stats());
    const auto mark = this->allocator_.mark();
    ASSERT_EQ(this->grow(blocks, 2), "");
    ASSERT_TRUE(this->rewind(mark));
    EXPECT_EQ(live_bytes(this->allocator_.stats()), before);
}

} // namespace
} // namespace alloclab
