// SPDX-License-Identifier: MIT
// What is read of a plugin's table, and that plugin.h never moves by accident.
#include <alloclab/base/error.hpp>
#include <alloclab/compose/plugin_table.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace alloclab {
namespace {

// Version 1, field by field, where pointers have eight bytes. A change here breaks every plugin
// there is: append instead.
#define ALLOCLAB_AT(field, offset) static_assert(offsetof(alloclab_allocator, field) == (offset))
static_assert(ALLOCLAB_ABI_VERSION == 1 && sizeof(void*) == 8);
ALLOCLAB_AT(abi_version, 0);
ALLOCLAB_AT(table_bytes, 4);
ALLOCLAB_AT(name, 8);
ALLOCLAB_AT(flags, 16);
ALLOCLAB_AT(reserved, 20);
ALLOCLAB_AT(create, 24);
ALLOCLAB_AT(destroy, 32);
ALLOCLAB_AT(allocate, 40);
ALLOCLAB_AT(deallocate, 48);
ALLOCLAB_AT(resize, 56);
ALLOCLAB_AT(allocate_zeroed, 64);
ALLOCLAB_AT(allocate_at, 72);
ALLOCLAB_AT(reset, 80);
ALLOCLAB_AT(owns, 88);
ALLOCLAB_AT(usable_size, 96);
ALLOCLAB_AT(mark, 104);
ALLOCLAB_AT(rewind, 112);
ALLOCLAB_AT(visit_stats, 120);
ALLOCLAB_AT(reallocate, 128);
#undef ALLOCLAB_AT
static_assert(sizeof(alloclab_allocator) == 136 && ALLOCLAB_THREAD_SAFE == 1);
static_assert(sizeof(alloclab_option) == 16 && offsetof(alloclab_option, value) == 8);
static_assert(sizeof(alloclab_site) == 24 && offsetof(alloclab_site, file) == 8 &&
              offsetof(alloclab_site, line) == 16);
static_assert(sizeof(alloclab_mark) == 32);
static_assert(sizeof(alloclab_stat_visitor) == 16 && offsetof(alloclab_stat_visitor, context) == 8);

alloclab_allocator complete_table() {
    alloclab_allocator table{};
    table.abi_version = ALLOCLAB_ABI_VERSION;
    table.table_bytes = sizeof table;
    table.name = "complete";
    table.create = [](const alloclab_option*, std::size_t, char*, std::size_t) -> void* {
        return nullptr;
    };
    table.destroy = [](void*) {};
    table.allocate = [](void*, std::size_t, std::size_t) -> void* { return nullptr; };
    table.deallocate = [](void*, void*, std::size_t, std::size_t) {};
    table.reset = [](void*) {};
    table.owns = [](const void*, const void*) { return 0; };
    return table;
}

std::string refusal(const void* table, std::size_t readable_bytes) {
    try {
        read_plugin_table(table, readable_bytes);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

template <class Change> std::string refusal_after(Change change) {
    alloclab_allocator table = complete_table();
    change(table);
    return refusal(&table, sizeof table);
}

TEST(read_plugin_table, copies_a_complete_table) {
    const alloclab_allocator table = complete_table();
    const alloclab_allocator read = read_plugin_table(&table, sizeof table);
    EXPECT_EQ(std::memcmp(&read, &table, sizeof table), 0);
}

TEST(read_plugin_table, fills_a_shorter_one_up_with_nothing) {
    alloclab_allocator table = complete_table();
    table.table_bytes = offsetof(alloclab_allocator, owns);
    const alloclab_allocator read = read_plugin_table(&table, table.table_bytes);
    EXPECT_EQ(read.reset, table.reset);
    EXPECT_EQ(read.owns, nullptr);
    EXPECT_EQ(read.table_bytes, sizeof read);
}

TEST(read_plugin_table, takes_one_from_before_reallocate) {
    alloclab_allocator table = complete_table();
    table.table_bytes = offsetof(alloclab_allocator, reallocate);
    EXPECT_EQ(read_plugin_table(&table, table.table_bytes).reallocate, nullptr);
}

TEST(read_plugin_table, takes_one_with_nothing_optional) {
    alloclab_allocator table = complete_table();
    table.table_bytes = offsetof(alloclab_allocator, resize);
    EXPECT_EQ(read_plugin_table(&table, table.table_bytes).reset, nullptr);
}

TEST(read_plugin_table, reads_of_a_longer_one_what_it_knows) {
    struct Newer {
        alloclab_allocator table = complete_table();
        void* unknown[4] = {this, this, this, this};
    } newer;
    newer.table.table_bytes = sizeof newer;
    EXPECT_EQ(read_plugin_table(&newer, sizeof newer).table_bytes, sizeof(alloclab_allocator));
}

TEST(read_plugin_table, refuses_another_version) {
    EXPECT_EQ(refusal_after([](auto& table) { table.abi_version = 2; }),
              "its table is of version 2 of plugin.h, and version 1 is understood");
}

TEST(read_plugin_table, refuses_a_size_that_cannot_be) {
    for (const std::uint32_t bytes : {0u, 8u, 48u, 57u, 127u, 4104u, 0xffffffffu}) {
        const std::string said = refusal_after([&](auto& table) { table.table_bytes = bytes; });
        EXPECT_EQ(said, "its table cannot be of " + std::to_string(bytes) +
                            " bytes (sizeof(alloclab_allocator) is 136)");
    }
}

TEST(read_plugin_table, refuses_a_table_cut_short) {
    const alloclab_allocator table = complete_table();
    EXPECT_EQ(refusal(&table, 4), "its table has no head");
    EXPECT_EQ(refusal(&table, 64), "its table ends before the 136 bytes it claims");
    EXPECT_EQ(refusal(nullptr, 0), "alloclab_plugin() returned null");
}

TEST(read_plugin_table, names_the_function_that_is_missing) {
    EXPECT_EQ(refusal_after([](auto& t) { t.create = nullptr; }), "its table has no create");
    EXPECT_EQ(refusal_after([](auto& t) { t.destroy = nullptr; }), "its table has no destroy");
    EXPECT_EQ(refusal_after([](auto& t) { t.allocate = nullptr; }), "its table has no allocate");
    EXPECT_EQ(refusal_after([](auto& t) { t.deallocate = nullptr; }),
              "its table has no deallocate");
    EXPECT_EQ(refusal_after([](auto& t) { t.mark = [](const void*) { return alloclab_mark{}; }; }),
              "its table has mark and no rewind");
}

TEST(read_plugin_table, refuses_a_name_that_cannot_be_shown) {
    const std::string long_name(plugin_name_max_length + 1, 'a');
    for (const char* name : {"", "two\nlines", "\x1b[2J", long_name.c_str()}) {
        EXPECT_EQ(refusal_after([&](auto& table) { table.name = name; }),
                  "the name in its table is not 1 to 64 printable characters");
    }
    EXPECT_EQ(refusal_after([](auto& table) { table.name = nullptr; }), "its table has no name");
}

TEST(read_plugin_table, refuses_a_reserved_field_that_is_used) {
    EXPECT_EQ(refusal_after([](auto& table) { table.reserved = 1; }),
              "the reserved field of its table is not 0");
}

} // namespace
} // namespace alloclab
