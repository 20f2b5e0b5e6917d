// SPDX-License-Identifier: MIT
#include <alloclab/record/options.hpp>

#include <gtest/gtest.h>

#include <string>

namespace alloclab::record {
namespace {

struct Parsed {
    explicit Parsed(const char* lines) : text(lines), wrong(parse_options(text.data(), options)) {}
    std::string text;
    Options options;
    const char* wrong;
};

TEST(Options, are_taken_line_by_line) {
    const Parsed parsed("sites=stack:3\nedges=100\nframe-on=usleep,poll\nscope-on=f.part.0\n");
    EXPECT_EQ(parsed.wrong, nullptr);
    EXPECT_EQ(parsed.options.sites, Sites::stack);
    EXPECT_EQ(parsed.options.stack_depth, 3u);
    EXPECT_EQ(parsed.options.edges, Edges::every);
    EXPECT_EQ(parsed.options.edge_interval, 100u);
    EXPECT_STREQ(parsed.options.frame_on, "usleep,poll");
    EXPECT_STREQ(parsed.options.scope_on, "f.part.0");
}

TEST(Options, have_a_depth_when_none_is_said) {
    const Parsed parsed("sites=stack");
    EXPECT_EQ(parsed.options.stack_depth, 16u);
    EXPECT_EQ(parsed.options.edges, Edges::none);
}

class WrongOptions : public ::testing::TestWithParam<const char*> {};

TEST_P(WrongOptions, are_named_and_passed_over) {
    const std::string lines = std::string("edges=frame\n") + GetParam() + "\nsites=caller\n";
    const Parsed parsed(lines.c_str());
    ASSERT_NE(parsed.wrong, nullptr);
    EXPECT_STREQ(parsed.wrong, GetParam());
    EXPECT_EQ(parsed.options.sites, Sites::caller);
    EXPECT_EQ(parsed.options.edges, Edges::frame);
    EXPECT_STREQ(parsed.options.scope_on, "");
}

INSTANTIATE_TEST_SUITE_P(Lines, WrongOptions,
                         ::testing::Values("sites", "sites=", "sites=stack:", "sites=stack:0",
                                           "sites=stack:65", "sites=stack:99999999999999999999",
                                           "edges=0", "edges=-1", "edges=18446744073709551616",
                                           "scope-on=", "scope-on=a,,b", "scope-on=a,",
                                           "scope-on=1a", "scope-on=a b", "more=1", "=1"));

TEST(Options, find_whole_symbols_only) {
    EXPECT_TRUE(has_symbol("usleep,poll", "poll"));
    EXPECT_FALSE(has_symbol("usleep,ppoll", "poll"));
    EXPECT_FALSE(has_symbol("", "poll"));
}

TEST(Options, walk_symbols_and_pass_over_what_is_too_long) {
    char symbol[8];
    const char* rest = next_symbol("ab,much_too_long,c", symbol, sizeof symbol);
    EXPECT_STREQ(symbol, "ab");
    rest = next_symbol(rest, symbol, sizeof symbol);
    EXPECT_STREQ(symbol, "c");
    EXPECT_EQ(next_symbol(rest, symbol, sizeof symbol), nullptr);
}

} // namespace
} // namespace alloclab::record
