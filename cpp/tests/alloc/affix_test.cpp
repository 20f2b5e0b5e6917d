// SPDX-License-Identifier: MIT
#include <alloclab/alloc/affix.hpp>
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/pool.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace alloclab {
namespace {

struct Counted {
    static inline int live = 0;
    int serial = 7;
    Counted() { ++live; }
    ~Counted() { --live; }
};
struct Tail {
    std::uint32_t word = 0xC0DE;
};

TEST(affix, makes_and_ends_its_objects_with_the_block) {
    Affix<Pool<>, Counted, Tail> allocator;
    void* const block = allocator.allocate(100, 16);
    EXPECT_EQ(Counted::live, 1);
    EXPECT_EQ(allocator.prefix(block).serial, 7);
    EXPECT_EQ(allocator.suffix(block, 100).word, 0xC0DEU);
    std::memset(block, 0xFF, 100);
    EXPECT_EQ(allocator.prefix(block).serial, 7) << "the block ends before its neighbours";
    EXPECT_EQ(allocator.suffix(block, 100).word, 0xC0DEU);
    allocator.deallocate(block, 100, 16);
    EXPECT_EQ(Counted::live, 0);
}

TEST(affix, keeps_every_alignment) {
    Affix<Pool<>, Counted> allocator;
    for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        void* const block = allocator.allocate(33, alignment);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
        EXPECT_EQ(reinterpret_cast<std::byte*>(&allocator.prefix(block)) + sizeof(Counted), block);
        allocator.deallocate(block, 33, alignment);
    }
    EXPECT_EQ(Counted::live, 0);
}

TEST(affix, moves_the_suffix_along_when_a_block_grows) {
    Affix<Arena<>, void, Tail> allocator;
    void* const block = allocator.allocate(10, 16);
    allocator.suffix(block, 10).word = 42;
    ASSERT_TRUE(allocator.resize(block, 10, 100, 16));
    EXPECT_EQ(allocator.suffix(block, 100).word, 42U);
    EXPECT_FALSE(allocator.resize(block, 100, 50, 16)) << "the suffix would be in what is given up";
}

TEST(affix, of_no_bytes_costs_none) {
    Affix<Arena<>, void> allocator;
    auto* const first = static_cast<std::byte*>(allocator.allocate(16, 16));
    auto* const second = static_cast<std::byte*>(allocator.allocate(16, 16));
    EXPECT_EQ(second - first, 16);
    static_assert(sizeof(Affix<Arena<>, void>) <= sizeof(Arena<>) + alignof(Arena<>));
}

TEST(sized_affix, leaves_as_many_bytes_as_it_is_told) {
    SizedAffix<Pool<>>::Options options;
    ASSERT_TRUE(options.set("prefix_bytes", "24") && options.set("suffix_bytes", "5"));
    SizedAffix<Pool<>> allocator(options);
    void* const block = allocator.allocate(50, 16);
    std::memset(allocator.prefix_at(block), 1, 24);
    std::memset(block, 2, 50);
    std::memset(allocator.suffix_at(block, 50), 3, 5);
    EXPECT_EQ(allocator.prefix_at(block)[23], std::byte{1});
    EXPECT_EQ(static_cast<std::byte*>(block)[49], std::byte{2});
    EXPECT_GE(allocator.upstream().usable_size(allocator.prefix_at(block)), 24U + 50U + 5U);
    allocator.deallocate(block, 50, 16);
}

TEST(sized_affix, passes_on_only_what_stays_true) {
    using Plain = SizedAffix<Pool<>>;
    static_assert(Resizable<Plain> && Resettable<Plain> && Zeroing<Plain> && Reporting<Plain>);
    static_assert(!Owning<Plain> && !Measurable<Plain> && !UnsizedDeallocating<Plain>);
    SizedAffix<Pool<>>::Options options;
    EXPECT_FALSE(options.set("prefix_bytes", "2 MiB"));
    EXPECT_FALSE(options.set("bytes", "2"));
}

} // namespace
} // namespace alloclab
