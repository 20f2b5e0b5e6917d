// SPDX-License-Identifier: MIT
#include <alloclab/record/options.hpp>
#include <alloclab/record/python_frames.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace alloclab::record {
namespace {

// As CPython 3.11 has it.
const std::vector<unsigned> real = {0x30b, 56, 8,  32, 48, 56, 69, 1, 255, 168, 72, 112, 128, 136,
                                    184,   0,  16, 24, 32, 48, 72, 2, 5,   6,   32, 184, 80};

std::string line_of(const std::vector<unsigned>& numbers) {
    std::string line;
    for (const unsigned number : numbers)
        line += (line.empty() ? "" : ",") + std::to_string(number);
    return line;
}

std::string with(std::size_t place, unsigned number) {
    std::vector<unsigned> numbers = real;
    numbers.at(place) = number;
    return line_of(numbers);
}

TEST(PythonLayout, is_taken_from_its_numbers) {
    Options options;
    std::string text = "python-layout=" + line_of(real) + "\nsites=stack\n";
    EXPECT_EQ(parse_options(text.data(), options), nullptr);
    EXPECT_EQ(options.python.version, 0x30b);
    EXPECT_EQ(options.python.frame_owner, 69);
    EXPECT_EQ(options.python.text_type_bytes, 80);
    EXPECT_EQ(options.sites, Sites::stack);
}

TEST(PythonLayout, is_not_taken_when_a_number_cannot_be) {
    const std::string wrong[] = {
        "",                                                // none
        line_of(real) + ",1",                              // one too many
        line_of(real) + ",",                               // or its beginning
        line_of(real).substr(0, line_of(real).rfind(',')), // one too few
        "," + line_of(real),
        "-" + line_of(real),
        " " + line_of(real),
        with(0, 0x30a), // before Py_Version
        with(0, 0x400),
        with(1, 57),    // no place for an address
        with(2, 4096),  // beyond any structure
        with(6, 65536), // no number of sixteen bits
        with(7, 256),   // no owner
        with(21, 29),   // bits beyond the word
        with(22, 32),
    };
    for (const std::string& text : wrong) {
        alloclab_python_layout layout{};
        EXPECT_FALSE(parse_python_layout(text.c_str(), layout)) << text;
        EXPECT_EQ(layout.version, 0) << text;
    }
}

} // namespace
} // namespace alloclab::record
