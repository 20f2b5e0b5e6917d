// SPDX-License-Identifier: MIT
#include <alloclab/record/prologue.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace alloclab::record {
namespace {

// A function and the place its beginning goes to, near each other.
struct Moved {
    explicit Moved(std::vector<unsigned char> bytes, std::size_t size = 0) {
        std::memcpy(memory, bytes.data(), bytes.size());
        prologue = move_prologue(memory, size == 0 ? bytes.size() : size, out());
    }
    unsigned char* out() { return memory + 256; }
    std::int32_t distance_at(std::size_t place) {
        std::int32_t distance = 0;
        std::memcpy(&distance, out() + place, sizeof distance);
        return distance;
    }
    alignas(16) unsigned char memory[512] = {};
    MovedPrologue prologue{};
};

TEST(Prologue, of_a_frame_is_copied_as_it_is) {
    // endbr64; push rbp; mov rbp, rsp
    Moved moved({0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0xc3});
    EXPECT_EQ(moved.prologue.taken, 5u);
    EXPECT_EQ(moved.prologue.bytes, 5u);
    EXPECT_EQ(std::memcmp(moved.out(), moved.memory, 5), 0);
}

TEST(Prologue, keeps_what_is_relative_pointing_where_it_did) {
    // lea rax, [rip + 16]
    Moved moved({0x48, 0x8d, 0x05, 16, 0, 0, 0, 0xc3});
    EXPECT_EQ(moved.prologue.taken, 7u);
    EXPECT_EQ(moved.distance_at(3), 16 - 256);
}

TEST(Prologue, turns_a_short_condition_into_a_near_one) {
    // test edi, edi; je +32; nop
    Moved moved({0x85, 0xff, 0x74, 32, 0x90, 0xc3});
    EXPECT_EQ(moved.prologue.taken, 5u);
    EXPECT_EQ(moved.prologue.bytes, 9u);
    EXPECT_EQ(moved.out()[2], 0x0f);
    EXPECT_EQ(moved.out()[3], 0x84);
    EXPECT_EQ(moved.distance_at(4), 36 - (256 + 8));
}

TEST(Prologue, makes_a_call_return_into_the_function) {
    // push rbx; call +64
    Moved moved({0x53, 0xe8, 64, 0, 0, 0, 0x5b, 0xc3});
    EXPECT_EQ(moved.prologue.taken, 6u);
    const auto back = reinterpret_cast<std::uintptr_t>(moved.memory + 6);
    EXPECT_EQ(moved.out()[1], 0x68);
    EXPECT_EQ(static_cast<std::uint32_t>(moved.distance_at(2)), static_cast<std::uint32_t>(back));
    EXPECT_EQ(static_cast<std::uint32_t>(moved.distance_at(10)),
              static_cast<std::uint32_t>(back >> 32));
    EXPECT_EQ(moved.out()[14], 0xe9);
    EXPECT_EQ(moved.distance_at(15), 6 + 64 - (256 + 19));
}

TEST(Prologue, of_a_short_function_takes_its_padding) {
    Moved moved({0x89, 0xf8, 0xc3, 0x66, 0x90, 0x90, 0x90, 0x90}, 3);
    EXPECT_EQ(moved.prologue.taken, 3u);
}

struct Refused {
    std::vector<unsigned char> bytes;
    const char* because;
};
class RefusedPrologue : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedPrologue, says_why) {
    Moved moved(GetParam().bytes);
    EXPECT_EQ(moved.prologue.taken, 0u);
    ASSERT_NE(moved.prologue.refusal, nullptr);
    EXPECT_NE(std::strstr(moved.prologue.refusal, GetParam().because), nullptr)
        << moved.prologue.refusal;
}

INSTANTIATE_TEST_SUITE_P(
    Of, RefusedPrologue,
    ::testing::Values(Refused{{0xc5, 0xf8, 0x77, 0x90, 0x90, 0xc3}, "not known"}, // vzeroupper
                      Refused{{0x0f, 0x05, 0x90, 0x90, 0x90, 0xc3}, "not known"}, // syscall
                      Refused{{0x89, 0xf8, 0xc3}, "shorter"},
                      // dec edi (3 bytes of nop before); jne back behind the first
                      Refused{{0x90, 0x90, 0x90, 0x31, 0xc0, 0x75, 0xfa, 0xc3}, "jump back"},
                      Refused{{0x90, 0x90, 0x90, 0x31, 0xc0, 0xc5, 0xf8, 0x77, 0xeb, 0xf8, 0xc3},
                              "jump back"}));

} // namespace
} // namespace alloclab::record
