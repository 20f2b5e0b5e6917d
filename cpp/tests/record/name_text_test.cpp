// SPDX-License-Identifier: MIT
#include <alloclab/record/name_text.hpp>

#include <gtest/gtest.h>

#include <string>

namespace alloclab::record {
namespace {

std::string utf8(const std::u32string& characters) {
    NameText text;
    for (const char32_t c : characters)
        text.put(c);
    return {text.bytes(), text.used()};
}

TEST(NameText, is_utf8) {
    EXPECT_EQ(utf8(U"a\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff"),
              "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

TEST(NameText, has_a_replacement_for_a_lone_surrogate) {
    EXPECT_EQ(utf8({0xd800, U'b', 0xdfff}), "\xef\xbf\xbd"
                                            "b\xef\xbf\xbd");
}

TEST(NameText, is_cut_between_characters) {
    const std::string text = utf8(std::u32string(name_most_bytes, U'\u20ac'));
    EXPECT_LE(text.size(), name_most_bytes);
    EXPECT_GT(text.size(), name_most_bytes - 4);
    EXPECT_EQ(text.size() % 3, 0u);
}

} // namespace
} // namespace alloclab::record
