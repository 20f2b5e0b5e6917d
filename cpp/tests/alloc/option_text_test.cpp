// SPDX-License-Identifier: MIT
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/option_list.hpp>
#include <alloclab/alloc/option_text.hpp>
#include <alloclab/alloc/pool/pool_options.hpp>

#include <gtest/gtest.h>

#include <string>

namespace alloclab {
namespace {

TEST(OptionText, bytes_are_a_number_and_a_power_of_1024) {
    for (const auto& [text, expected] : {std::pair<const char*, std::size_t>{"0", 0},
                                         {"65536", 65536},
                                         {"64 KiB", 65536},
                                         {"64KiB", 65536},
                                         {"64k", 65536},
                                         {"2 MiB", 2U << 20},
                                         {"1G", 1U << 30},
                                         {"5 B", 5}}) {
        std::size_t value = 1;
        EXPECT_TRUE(parse_bytes(text, value)) << text;
        EXPECT_EQ(value, expected) << text;
    }
    for (const char* const text :
         {"", " 1", "1 ", "KiB", "-1", "1.5", "64 kb", "1KiBs", "1  KiB", "99999999999999999999",
          "18446744073709551616", "99999999999 GiB", "0x10"}) {
        std::size_t value = 7;
        EXPECT_FALSE(parse_bytes(text, value)) << text;
        EXPECT_EQ(value, 7U) << text;
    }
}

TEST(OptionText, a_ratio_has_at_most_one_point) {
    double value = 0;
    EXPECT_TRUE(parse_ratio("1.25", value));
    EXPECT_DOUBLE_EQ(value, 1.25);
    EXPECT_TRUE(parse_ratio("2", value));
    EXPECT_DOUBLE_EQ(value, 2);
    for (const char* const text : {"", ".", "1.", ".5", "1.2.3", "1e3", "-1", "inf", "1,5"}) {
        EXPECT_FALSE(parse_ratio(text, value)) << text;
    }
    EXPECT_DOUBLE_EQ(value, 2);
}

TEST(OptionList, sets_all_or_says_which_item_it_did_not_understand) {
    PoolOptions options;
    EXPECT_EQ(set_options(options, "purge=0  populate_bytes=4096 "), "");
    EXPECT_FALSE(options.purge);
    EXPECT_EQ(options.populate_bytes, 4096U);
    for (const char* const bad : {"purge", "=", "purge=", "colour=red", "purge=2"}) {
        options.purge = false;
        EXPECT_EQ(set_options(options, std::string("populate_bytes=8192 ") + bad), bad);
        EXPECT_TRUE(options.purge) << "the defaults again";
        EXPECT_EQ(options.populate_bytes, 65536U);
    }
    EXPECT_EQ(set_options(options, ""), "");
}

TEST(Null, gives_nothing_and_owns_nothing) {
    Null null;
    EXPECT_EQ(null.allocate(1, 1), nullptr);
    null.deallocate(nullptr, 1, 1);
    EXPECT_FALSE(null.owns(&null));
    EXPECT_EQ(null.stats().reserved_bytes, 0U);
    EXPECT_FALSE(Null::Options{}.set("anything", "1"));
    EXPECT_FALSE(Resizable<Null> || Measurable<Null>) << "what it cannot do is absent";
}

} // namespace
} // namespace alloclab
