// SPDX-License-Identifier: MIT
#include <alloclab/alloc/bucketizer.hpp>
#include <alloclab/alloc/freelist.hpp>
#include <alloclab/alloc/pool.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace alloclab {
namespace {

using Buckets = Bucketizer<Freelist<>>;

std::vector<std::size_t> sizes_of(const Buckets& buckets) {
    std::vector<std::size_t> sizes;
    for (std::size_t bucket_idx = 0; bucket_idx < buckets.bucket_count(); ++bucket_idx) {
        sizes.push_back(buckets.bucket_bytes(bucket_idx));
    }
    return sizes;
}

Buckets::Options options_of(std::size_t min, std::size_t max, std::size_t step,
                            std::size_t steps_per_doubling = 0) {
    Buckets::Options options;
    static_cast<BucketizerOptions&>(options) = {min, max, step, steps_per_doubling};
    return options;
}

TEST(bucketizer, has_a_bucket_for_each_step) {
    EXPECT_EQ(sizes_of(Buckets(options_of(1, 64, 16))), (std::vector<std::size_t>{16, 32, 48, 64}));
    EXPECT_EQ(sizes_of(Buckets(options_of(65, 128, 32))), (std::vector<std::size_t>{96, 128}));
    EXPECT_EQ(sizes_of(Buckets(options_of(1, 16, 16))), (std::vector<std::size_t>{16}));
}

TEST(bucketizer, spaces_its_buckets_by_doublings_if_asked) {
    const std::vector<std::size_t> quarters{16,  32,  48,  64,  80,  96,  112, 128,
                                            160, 192, 224, 256, 320, 384, 448, 512};
    EXPECT_EQ(sizes_of(Buckets(options_of(1, 512, 16, 4))), quarters);
    EXPECT_EQ(sizes_of(Buckets(options_of(129, 512, 16, 4))),
              std::vector<std::size_t>(quarters.begin() + 8, quarters.end()));
    EXPECT_EQ(sizes_of(Buckets(options_of(1, 256, 16, 1))),
              (std::vector<std::size_t>{16, 32, 64, 128, 256}));
}

// Every size goes to the first bucket that holds it, for any steps.
TEST(bucketizer, serves_a_size_from_the_smallest_bucket_that_fits) {
    for (const std::size_t steps_per_doubling : {0U, 1U, 2U, 4U, 8U}) {
        const BucketSteps steps({1, 1024, 32, steps_per_doubling}, 64);
        ASSERT_EQ(steps.largest_of(steps.count() - 1), 1024U);
        for (std::size_t size = 1; size <= 1024; ++size) {
            const std::size_t bucket_idx = steps.index_of(size);
            ASSERT_LT(bucket_idx, steps.count());
            ASSERT_LE(size, steps.largest_of(bucket_idx));
            ASSERT_TRUE(bucket_idx == 0 || size > steps.largest_of(bucket_idx - 1)) << size;
        }
    }
}

TEST(bucketizer, gives_each_free_list_the_size_of_its_bucket) {
    Buckets buckets(options_of(1, 64, 16));
    for (const std::size_t size : {0U, 1U, 16U, 17U, 33U, 64U}) {
        void* const block = buckets.allocate(size, 8);
        const std::size_t bucket_idx = size == 0 ? 0 : (size - 1) / 16;
        EXPECT_TRUE(buckets.bucket(bucket_idx).owns(block)) << size;
        EXPECT_EQ(buckets.usable_size(block), (bucket_idx + 1) * 16);
        buckets.deallocate(block, size, 8);
    }
    void* const block = buckets.allocate(60, 16);
    buckets.deallocate(block);
    EXPECT_EQ(buckets.allocate(50, 16), block) << "the bucket was found by its address";
}

TEST(bucketizer, gives_nothing_outside_its_range) {
    Buckets buckets(options_of(65, 128, 32));
    EXPECT_EQ(buckets.allocate(64, 16), nullptr);
    EXPECT_EQ(buckets.allocate(129, 16), nullptr);
    EXPECT_EQ(buckets.allocate(0, 16), nullptr);
    EXPECT_NE(buckets.allocate(65, 16), nullptr);
    EXPECT_NE(buckets.allocate(128, 16), nullptr);
}

TEST(bucketizer, resizes_within_a_bucket_only) {
    Buckets buckets(options_of(1, 64, 16));
    void* const block = buckets.allocate(17, 16);
    EXPECT_TRUE(buckets.resize(block, 17, 32, 16));
    EXPECT_FALSE(buckets.resize(block, 32, 33, 16));
    EXPECT_FALSE(buckets.resize(block, 32, 16, 16));
    EXPECT_FALSE(buckets.resize(block, 32, 65, 16));
}

TEST(bucketizer, serves_no_more_than_it_has_room_for) {
    const BucketSteps clipped({1, 4096, 16, 0}, 8);
    EXPECT_EQ(clipped.count(), 8U);
    EXPECT_TRUE(clipped.holds(128));
    EXPECT_FALSE(clipped.holds(129));
    const BucketSteps none({100, 50, 16, 0}, 8);
    EXPECT_EQ(none.count(), 0U);
    EXPECT_FALSE(none.holds(75));
}

TEST(bucketizer, builds_its_buckets_one_by_one_if_told_how) {
    std::vector<std::size_t> asked;
    std::vector<std::unique_ptr<Pool<>>> pools;
    {
        struct Handle { // as movable as a handle of a composed stack
            Pool<>* pool;
            void* allocate(std::size_t size, std::size_t alignment) noexcept {
                return pool->allocate(size, alignment);
            }
            void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
                pool->deallocate(block, size, alignment);
            }
        };
        Bucketizer<Handle> buckets(from_children, {1, 48, 16, 0}, [&](std::size_t bytes) {
            asked.push_back(bytes);
            return Handle{pools.emplace_back(std::make_unique<Pool<>>()).get()};
        });
        EXPECT_TRUE(pools[1]->owns(buckets.allocate(20, 16)));
    }
    EXPECT_EQ(asked, (std::vector<std::size_t>{16, 32, 48}));
}

TEST(bucketizer, takes_options_by_their_path) {
    Buckets::Options options;
    EXPECT_TRUE(options.set("max_bytes", "4 KiB") && options.set("steps_per_doubling", "4"));
    EXPECT_TRUE(options.set("upstream.blocks_per_chunk", "100"));
    EXPECT_EQ(options.max_bytes, 4096U);
    EXPECT_EQ(options.upstream.blocks_per_chunk, 100U);
    EXPECT_FALSE(options.set("step_bytes", "48")) << "not a power of two";
    EXPECT_FALSE(options.set("step_bytes", "0"));
    EXPECT_FALSE(options.set("min_bytes", "0"));
    EXPECT_FALSE(options.set("steps_per_doubling", "128"));
}

} // namespace
} // namespace alloclab
