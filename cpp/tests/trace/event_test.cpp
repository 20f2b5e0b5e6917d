// SPDX-License-Identifier: MIT
#include <alloclab/trace/event.hpp>
#include <alloclab/trace/summary_fields.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace alloclab {

TEST(Event, every_known_code_has_a_name_of_its_own) {
    std::set<EventKind> kinds;
    std::set<std::string_view> names;
    for (unsigned code = 0; code < 256; ++code) {
        if (operands_of(static_cast<std::uint8_t>(code)).is_known) {
            kinds.insert(kind_of(static_cast<std::uint8_t>(code)));
            names.insert(event_kind_name(kind_of(static_cast<std::uint8_t>(code))));
        }
    }
    EXPECT_EQ(kinds.size(), names.size());
    EXPECT_EQ(names.count("unknown"), 0u);
}

TEST(Event, an_allocation_keeps_the_call_it_came_from) {
    EXPECT_EQ(kind_of(0x05), EventKind::allocate);
    EXPECT_TRUE(operands_of(0x05).alignment);  // aligned_alloc
    EXPECT_FALSE(operands_of(0x01).alignment); // calloc
    EXPECT_FALSE(operands_of(0x09).is_known);  // there are nine calls
}

TEST(Event, a_failed_allocation_creates_no_object) {
    EXPECT_TRUE(operands_of(0x00).creates_object);
    EXPECT_FALSE(operands_of(0x10).creates_object);
}

TEST(Event, every_summary_field_has_a_name) {
    std::set<std::string> names(summary_field_names.begin(), summary_field_names.end());
    EXPECT_EQ(names.size(), summary_field_count);
}

} // namespace alloclab
