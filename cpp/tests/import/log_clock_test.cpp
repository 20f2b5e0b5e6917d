// SPDX-License-Identifier: MIT
#include <alloclab/import/log_clock.hpp>

#include <gtest/gtest.h>

namespace alloclab::test {

namespace {

// The time after reading each text in turn.
std::uint64_t after(std::initializer_list<std::string_view> texts) {
    LogClock clock;
    for (const std::string_view text : texts) {
        Scanner scan(text);
        EXPECT_TRUE(clock.read(scan)) << text;
        EXPECT_TRUE(scan.is_at_end()) << text;
    }
    return clock.time_ns();
}

TEST(LogClockTest, times_count_from_the_first) {
    EXPECT_EQ(after({"15:04:05.25"}), 0u);
    EXPECT_EQ(after({"15:04:05.25", "15:04:06"}), 750'000'000u);
    EXPECT_EQ(after({"100.000000001", "101.1"}), 1'099'999'999u);
}

TEST(LogClockTest, a_time_before_the_last_counts_as_that) {
    EXPECT_EQ(after({"15:04:05", "15:04:07", "15:04:06"}), 2'000'000'000u);
}

TEST(LogClockTest, a_time_of_the_day_goes_on_after_midnight) {
    EXPECT_EQ(after({"23:59:59", "00:00:01", "00:00:02"}), 3'000'000'000u);
    EXPECT_EQ(after({"12:00:00", "23:59:59", "11:00:00", "23:30:00", "00:00:00"}),
              36u * 3'600'000'000'000u);
}

TEST(LogClockTest, what_is_no_time_is_left_where_it_is) {
    for (const std::string_view text :
         {"", "malloc(8)", "123 ", "24:00:00", "1:60:00", "1:2", "5.", "5.1234567890",
          "99999999999.5", "18446744073709551616.5"}) {
        LogClock clock;
        Scanner scan(text);
        EXPECT_FALSE(clock.read(scan)) << text;
        EXPECT_EQ(scan.rest(), text);
        EXPECT_FALSE(clock.has_read());
    }
}

TEST(LogClockTest, relative_times_add_up) {
    LogClock clock;
    for (const std::string_view text : {"0.000000", "0.5", "1.25"}) {
        Scanner scan(text);
        EXPECT_TRUE(clock.read_relative(scan));
    }
    EXPECT_EQ(clock.time_ns(), 1'750'000'000u);
}

} // namespace

} // namespace alloclab::test
