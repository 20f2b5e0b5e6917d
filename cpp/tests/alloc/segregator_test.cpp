// SPDX-License-Identifier: MIT
#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/null.hpp>
#include <alloclab/alloc/pool.hpp>
#include <alloclab/alloc/segregator.hpp>
#include <alloclab/alloc/stats.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace alloclab {
namespace {

using Hybrid = Segregator<Freelist<>, Pool<>>; // row S10: a free list, and a general one behind it

Hybrid::Options hybrid_options() {
    Hybrid::Options options;
    options.threshold_bytes = 64;
    options.small.block_bytes = 64;
    return options;
}

TEST(segregator, routes_by_size_up_to_the_threshold) {
    Hybrid hybrid(hybrid_options());
    void* const small = hybrid.allocate(64, 16);
    void* const large = hybrid.allocate(65, 16);
    EXPECT_TRUE(hybrid.small().owns(small));
    EXPECT_TRUE(hybrid.large().owns(large));
    EXPECT_TRUE(hybrid.owns(small) && hybrid.owns(large));
    hybrid.deallocate(small, 64, 16);
    hybrid.deallocate(large, 65, 16);
    EXPECT_EQ(hybrid.allocate(10, 16), small) << "the free went back where it came from";
}

TEST(segregator, sends_what_is_strongly_aligned_to_the_large_one) {
    Hybrid hybrid(hybrid_options());
    void* const block = hybrid.allocate(32, 256);
    EXPECT_TRUE(hybrid.large().owns(block));
    hybrid.deallocate(block, 32, 256);
    Hybrid::Options options = hybrid_options();
    ASSERT_TRUE(options.set("small_alignment_bytes", "64"));
    Hybrid tolerant(options);
    EXPECT_TRUE(tolerant.small().owns(tolerant.allocate(32, 64)));
}

TEST(segregator, resizes_within_a_side_and_never_across) {
    Hybrid hybrid(hybrid_options());
    void* const small = hybrid.allocate(20, 16);
    EXPECT_TRUE(hybrid.resize(small, 20, 64, 16));
    EXPECT_FALSE(hybrid.resize(small, 64, 65, 16));
    void* const large = hybrid.allocate(1000, 16);
    EXPECT_FALSE(hybrid.resize(large, 1000, 64, 16));
    EXPECT_TRUE(hybrid.resize(large, 1000, 1001, 16));
}

TEST(segregator, asks_the_side_of_a_block_to_reallocate_it_and_moves_it_across) {
    using Counted = Segregator<Stats<Freelist<>>, Stats<Pool<>>>;
    static_assert(Reallocating<Counted> && !Reallocating<Hybrid>);
    Counted::Options options;
    options.threshold_bytes = 64;
    options.small.upstream.block_bytes = 64;
    Counted counted(options);
    void* const small = counted.allocate(20, 16);
    EXPECT_EQ(reallocate(counted, small, 20, 60, 16), small);
    EXPECT_EQ(counted.small().stats().reallocate_in_place_ops, 1U);
    std::memset(small, 7, 60);
    auto* const large = static_cast<char*>(reallocate(counted, small, 60, 100, 16));
    EXPECT_EQ(large[59], 7);
    EXPECT_EQ(counted.small().stats().used_bytes, 0U);
    EXPECT_EQ(counted.large().stats().used_bytes, 100U);
    EXPECT_EQ(counted.large().stats().reallocate_ops, 0U) << "to it the block is a new one";
    EXPECT_EQ(reallocate(counted, large, 100, std::size_t{1} << 60, 16), nullptr);
    EXPECT_EQ(counted.large().stats().used_bytes, 100U) << "the old one lives on";
}

TEST(segregator, finds_the_side_of_a_free_without_a_size) {
    Hybrid hybrid(hybrid_options());
    void* const small = hybrid.allocate(20, 16);
    void* const large = hybrid.allocate(500, 16);
    EXPECT_EQ(hybrid.usable_size(small), 64U);
    EXPECT_GE(hybrid.usable_size(large), 500U);
    hybrid.deallocate(small);
    hybrid.deallocate(large);
    EXPECT_EQ(hybrid.allocate(64, 16), small);
    EXPECT_EQ(hybrid.allocate(500, 16), large);
}

TEST(segregator, passes_a_capability_on_only_when_it_is_really_there) {
    static_assert(Owning<Segregator<Freelist<>, Pool<>>>);
    static_assert(Measurable<Segregator<Freelist<>, Pool<>>>);
    static_assert(!Measurable<Segregator<Freelist<>, Arena<>>>); // an arena knows no sizes
    static_assert(!UnsizedDeallocating<Segregator<Freelist<>, Arena<>>>);
    static_assert(!Zeroing<Segregator<Freelist<>, Pool<>>>); // a freelist cannot
    static_assert(Zeroing<Segregator<Arena<>, Pool<>>>);
    static_assert(Resizable<Segregator<Null, Pool<>>> && !Resizable<Segregator<Null, Null>>);
    static_assert(!Noting<Hybrid> && !Marking<Hybrid>);
    Segregator<Null, Pool<>> half;
    EXPECT_EQ(half.allocate(10, 16), nullptr);
    EXPECT_FALSE(half.resize(nullptr, 10, 12, 16)) << "the small side cannot";
}

TEST(segregator, stands_on_references_too) {
    Pool<> shared;
    Segregator<Pool<>&, Pool<>&> both(from_children, {.threshold_bytes = 100}, shared, shared);
    void* const block = both.allocate(50, 16);
    EXPECT_TRUE(shared.owns(block));
    both.deallocate(block, 50, 16);
}

TEST(segregator, takes_options_by_their_path) {
    Hybrid::Options options;
    EXPECT_TRUE(options.set("threshold_bytes", "1 KiB"));
    EXPECT_TRUE(options.set("small.block_bytes", "48"));
    EXPECT_TRUE(options.set("large.purge", "off"));
    EXPECT_EQ(options.threshold_bytes, 1024U);
    EXPECT_EQ(options.small.block_bytes, 48U);
    for (const char* name : {"block_bytes", "small", "small.", "smaller.block_bytes", "large.x"}) {
        EXPECT_FALSE(options.set(name, "64")) << name;
    }
    EXPECT_FALSE(options.set("small_alignment_bytes", "48"));
    EXPECT_FALSE(options.set("threshold_bytes", "many"));
}

} // namespace
} // namespace alloclab
