// SPDX-License-Identifier: MIT
#include <alloclab/measure/placement.hpp>

#include <alloclab/base/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace alloclab {

namespace {

struct Row {
    std::int64_t offset, size, block_size, birth, death;
};

// Rows as columns, and what is asked about them.
struct Map {
    explicit Map(const std::vector<Row>& rows) {
        for (const Row& row : rows) {
            offset.push_back(row.offset);
            size.push_back(row.size);
            block_size.push_back(row.block_size);
            birth.push_back(row.birth);
            death.push_back(row.death);
        }
    }

    PlacementFigures judge(std::uint64_t events, bool may_move_onto_itself = false,
                           const std::vector<std::int64_t>& sample_events = {}) const {
        return judge_placement({offset, size, block_size, birth, death},
                               {events, may_move_onto_itself, sample_events});
    }

    std::vector<std::int64_t> offset, size, block_size, birth, death;
};

constexpr std::int64_t alive = BlockColumns::alive;

// The first overlap by comparing every pair, births before deaths.
std::optional<std::uint64_t> first_overlap_by_pairs(const std::vector<Row>& rows) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
        for (std::size_t other = 0; other < row; ++other) {
            const Row& a = rows[row];
            const Row& b = rows[other];
            const bool is_live = b.death == alive || b.death > a.birth;
            if (is_live && a.offset < b.offset + b.block_size &&
                b.offset < a.offset + a.block_size) {
                return row;
            }
        }
    }
    return std::nullopt;
}

} // namespace

TEST(Placement, figures_are_those_worked_out_by_hand) {
    // event 0: A [0, 16), 10 asked;  1: B [16, 48), 30 asked;  2: C [48, 64), 16 asked;
    // 3: B dies;  4: D [16, 24), 8 asked.
    const Map map(
        {{0, 10, 16, 0, alive}, {16, 30, 32, 1, 3}, {48, 16, 16, 2, alive}, {16, 8, 8, 4, alive}});
    const PlacementFigures found = map.judge(5, false, {1, 3, 4});
    EXPECT_FALSE(found.overlap);
    EXPECT_EQ(found.block_bytes_total, 16u + 32 + 16 + 8);
    EXPECT_EQ(found.peak_requested_live_bytes, 10u + 30 + 16);
    EXPECT_EQ(found.peak_requested_event, 2u);
    EXPECT_EQ(found.block_live_bytes_at_peak_requested, 64u);
    EXPECT_EQ(found.extent_bytes_at_peak_requested, 64u);
    EXPECT_EQ(found.peak_block_live_bytes, 64u);
    EXPECT_EQ(found.high_water.extent_bytes, 64u);
    EXPECT_EQ(found.high_water.event, 2u);
    EXPECT_EQ(found.high_water.block_live_bytes, 64u);
    // Over bytes asked for: 10 at 16/10, 30 at 48/40, 16 at 64/56, 8 at 64/34.
    EXPECT_DOUBLE_EQ(found.mean_extent_ratio,
                     (10 * 1.6 + 30 * 1.2 + 16 * (64.0 / 56) + 8 * (64.0 / 34)) / 64);
    ASSERT_EQ(found.samples.size(), 3u);
    EXPECT_EQ(found.samples[0].extent_bytes, 48u);
    EXPECT_EQ(found.samples[1].block_live_bytes, 32u);
    EXPECT_EQ(found.samples[1].largest_free_run_bytes, 32u); // [16, 48)
    EXPECT_EQ(found.samples[2].largest_free_run_bytes, 24u); // [24, 48)
    EXPECT_EQ(found.samples[2].allocated_bytes, 64u);
}

TEST(Placement, an_overlap_names_both_rows) {
    for (const Row& second :
         {Row{8, 1, 1, 1, alive}, Row{0, 4, 4, 1, alive}, Row{15, 40, 40, 1, alive}}) {
        const PlacementFigures found = Map({{0, 16, 16, 0, alive}, second}).judge(2);
        ASSERT_TRUE(found.overlap);
        EXPECT_EQ(found.overlap->row, 1u);
        EXPECT_EQ(found.overlap->other, 0u);
    }
    // From below into the one above.
    EXPECT_TRUE(Map({{16, 16, 16, 0, alive}, {0, 17, 17, 1, alive}}).judge(2).overlap);
    EXPECT_FALSE(Map({{16, 16, 16, 0, alive}, {0, 16, 16, 1, alive}}).judge(2).overlap);
}

TEST(Placement, a_resize_in_place_replaces_the_row_and_a_move_must_not_touch_it) {
    const Map in_place({{0, 16, 16, 0, 1}, {0, 32, 32, 1, alive}});
    EXPECT_FALSE(in_place.judge(2).overlap);
    const Map into_neighbour({{0, 16, 16, 0, 2}, {16, 8, 8, 1, alive}, {0, 17, 17, 2, alive}});
    EXPECT_TRUE(into_neighbour.judge(3).overlap);
    // The block moves back by eight bytes, into where it stands itself.
    const Map onto_itself({{8, 16, 16, 0, 1}, {0, 24, 24, 1, alive}});
    EXPECT_TRUE(onto_itself.judge(2).overlap);
    EXPECT_FALSE(onto_itself.judge(2, true).overlap);
}

TEST(Placement, while_a_block_moves_both_places_count_for_the_extent) {
    const Map map({{0, 8, 8, 0, 1}, {8, 16, 16, 1, alive}});
    const PlacementFigures found = map.judge(2, false, {1});
    EXPECT_EQ(found.high_water.extent_bytes, 24u);
    EXPECT_EQ(found.high_water.block_live_bytes, 16u);
    EXPECT_EQ(found.peak_block_live_bytes, 16u);
    EXPECT_EQ(found.samples[0].allocated_bytes, 16u); // eight, and eight of growth
}

TEST(Placement, refused_requests_are_counted_and_stand_nowhere) {
    const Map map({{BlockColumns::refused, 100, 0, 0, 2}, {0, 8, 8, 1, alive}});
    const PlacementFigures found = map.judge(3);
    EXPECT_EQ(found.refused_blocks, 1u);
    EXPECT_EQ(found.refused_bytes, 100u);
    EXPECT_EQ(found.peak_requested_live_bytes, 108u); // what the program asked for all the same
    EXPECT_EQ(found.high_water.extent_bytes, 8u);
}

TEST(Placement, everything_may_die_at_once) {
    const Map map({{0, 8, 8, 0, 2}, {8, 8, 8, 1, 2}, {0, 16, 16, 3, alive}});
    const PlacementFigures found = map.judge(4, false, {2, 3});
    EXPECT_FALSE(found.overlap);
    EXPECT_EQ(found.samples[0].extent_bytes, 0u);
    EXPECT_EQ(found.samples[1].extent_bytes, 16u);
}

TEST(Placement, agrees_with_comparing_every_pair) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        std::vector<Row> rows;
        for (std::int64_t event = 0; event < 60; ++event) {
            const auto size = static_cast<std::int64_t>(random() % 20 + 1);
            const auto life = static_cast<std::int64_t>(random() % 8 + 1);
            // Deaths fall between births, so that no event has both.
            const std::int64_t death = 2 * (event + life) + 1;
            rows.push_back({static_cast<std::int64_t>(random() % 2000), size, size, 2 * event,
                            death < 120 ? death : alive});
        }
        const PlacementFigures found = Map(rows).judge(120);
        const auto expected = first_overlap_by_pairs(rows);
        ASSERT_EQ(found.overlap.has_value(), expected.has_value()) << "seed " << seed;
        if (expected) {
            EXPECT_EQ(found.overlap->row, *expected) << "seed " << seed;
        }
    }
}

TEST(Placement, rows_that_are_no_placement_are_refused) {
    const std::vector<std::vector<Row>> wrong = {
        {{-2, 8, 8, 0, alive}},
        {{0, -1, 8, 0, alive}},
        {{0, 8, 0, 0, alive}},
        {{0, 8, 8, 5, alive}},
        {{0, 8, 8, 1, alive}, {8, 8, 8, 0, alive}},
        {{0, 8, 8, 1, alive}, {8, 8, 8, 1, alive}},
        {{0, 8, 8, 1, 1}},
        {{0, 8, 8, 1, 5}},
        {{std::int64_t{1} << 62, 8, (std::int64_t{1} << 62) + 1, 0, alive}},
    };
    for (const auto& rows : wrong) {
        EXPECT_THROW(Map(rows).judge(5), Error);
    }
    Map uneven({{0, 8, 8, 0, alive}});
    uneven.death.clear();
    EXPECT_THROW(uneven.judge(5), Error);
    EXPECT_EQ(Map({}).judge(0).high_water.extent_bytes, 0u);
}

} // namespace alloclab
