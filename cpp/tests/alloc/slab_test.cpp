// SPDX-License-Identifier: MIT
#include <alloclab/alloc/slab.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/counting_source.hpp>

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using Ref = SourceRef<Counting>;

// Row S49: one size only.
TEST(Slab, refuses_larger_objects_and_higher_alignments_than_its_own) {
    Slab<> slab({.object_bytes = 48});
    EXPECT_EQ(slab.geometry().alignment, 16U);
    EXPECT_NE(slab.allocate(48, 16), nullptr);
    EXPECT_EQ(slab.allocate(49, 16), nullptr);
    EXPECT_EQ(slab.allocate(48, 32), nullptr);
}

TEST(Slab, objects_of_every_size_have_an_index_of_their_own) {
    for (std::size_t object_bytes = 8; object_bytes <= 128_KiB;
         object_bytes += 8 + object_bytes / 9) {
        const SlabGeometry geometry{SlabOptions{.object_bytes = object_bytes, .slab_bytes = 4096}};
        ASSERT_GE(geometry.object_count, 8U) << object_bytes;
        ASSERT_LE(geometry.first_offset + geometry.object_count * geometry.object_bytes,
                  geometry.slab_bytes);
        for (std::uint32_t object_idx = 0; object_idx < geometry.object_count; ++object_idx) {
            ASSERT_EQ(geometry.index_at(object_idx * geometry.object_bytes), object_idx);
            ASSERT_EQ(geometry.index_at((object_idx + 1) * geometry.object_bytes - 1), object_idx);
        }
    }
}

TEST(Slab, gives_the_lowest_free_address_of_the_serving_slab) {
    Slab<> slab({.object_bytes = 64, .slab_bytes = 16384});
    std::vector<void*> objects;
    for (int object_idx = 0; object_idx < 200; ++object_idx) {
        objects.push_back(slab.allocate(64, 16));
        ASSERT_TRUE(object_idx == 0 || objects[object_idx] > objects[object_idx - 1]);
    }
    for (const int freed : {150, 3, 77}) {
        slab.deallocate(objects[static_cast<std::size_t>(freed)]);
    }
    for (const int expected : {3, 77, 150}) {
        EXPECT_EQ(slab.allocate(64, 16), objects[static_cast<std::size_t>(expected)]);
    }
}

TEST(Slab, a_second_free_is_counted_and_ignored) {
    Slab<> slab;
    void* const object = slab.allocate(64, 16);
    void* const other = slab.allocate(64, 16);
    slab.deallocate(object);
    slab.deallocate(object);
    EXPECT_EQ(slab.stats().rejected_frees, 1U);
    EXPECT_EQ(slab.stats().live_count, 1U);
    EXPECT_EQ((std::set<void*>{slab.allocate(64, 16), slab.allocate(64, 16), other}.size()), 3U);
}

TEST(Slab, empty_slabs_go_back_but_for_what_is_retained) {
    Counting source;
    Slab<Ref> slab({.object_bytes = 512, .slab_bytes = 8192, .retained_slabs = 2}, Ref(source));
    std::vector<void*> objects;
    for (int object_idx = 0; object_idx < 150; ++object_idx) {
        objects.push_back(slab.allocate(512, 16));
    }
    EXPECT_EQ(slab.stats().slab_count, 10U) << "15 objects and a head in each";
    EXPECT_TRUE(slab.check_invariants());
    for (void* const object : objects) {
        slab.deallocate(object);
    }
    EXPECT_EQ(source.mapped_bytes(), 2U * 8192);
    EXPECT_EQ(slab.stats().empty_slab_count, 2U);
    const std::size_t map_count = source.map_count();
    for (int round = 0; round < 100; ++round) {
        slab.deallocate(slab.allocate(512, 16));
    }
    EXPECT_EQ(source.map_count(), map_count) << "no mapping back and forth";
    EXPECT_TRUE(slab.check_invariants());
}

TEST(Slab, successive_slabs_begin_at_different_colours) {
    for (const bool is_coloured : {true, false}) {
        Slab<> slab({.object_bytes = 1000, .slab_bytes = 16384, .is_coloured = is_coloured});
        ASSERT_GT(slab.geometry().slab_bytes, 16U * 1000);
        std::set<std::uintptr_t> offsets;
        for (int object_idx = 0; object_idx < 160; ++object_idx) {
            const auto address = reinterpret_cast<std::uintptr_t>(slab.allocate(1000, 8));
            offsets.insert(address % 16384 % 1000);
        }
        EXPECT_EQ(offsets.size() > 1, is_coloured);
    }
}

TEST(Slab, what_it_holds_adds_up_through_a_random_life) {
    Slab<> slab({.object_bytes = 24, .slab_bytes = 4096, .retained_slabs = 3});
    Rng rng(2);
    std::vector<void*> live;
    for (int step = 0; step < 50000; ++step) {
        const bool is_growing = step / 5000 % 2 == 0;
        if (live.empty() || rng.below(10) < (is_growing ? 7U : 3U)) {
            live.push_back(slab.allocate(24, 8));
        } else {
            std::swap(live.back(), live[rng.below(live.size())]);
            slab.deallocate(live.back());
            live.pop_back();
        }
        if (step % 500 == 0) {
            ASSERT_EQ(slab.stats().live_count, live.size());
            ASSERT_TRUE(slab.check_invariants());
        }
    }
}

TEST(SlabOptions, take_what_they_understand_and_nothing_else) {
    SlabOptions options;
    EXPECT_TRUE(options.set("object_bytes", "128"));
    EXPECT_TRUE(options.set("slab_bytes", "4 KiB"));
    EXPECT_TRUE(options.set("retained_slabs", "0"));
    EXPECT_TRUE(options.set("colour", "off"));
    EXPECT_FALSE(options.set("object_bytes", "7"));
    EXPECT_FALSE(options.set("slab_bytes", "5000"));
    EXPECT_FALSE(options.set("slab_bytes", "2 MiB"));
    EXPECT_FALSE(options.set("slabs", "2"));
    EXPECT_EQ(options.object_bytes, 128U);
    EXPECT_EQ(options.slab_bytes, 4096U);
    EXPECT_EQ(options.retained_slabs, 0U);
    EXPECT_FALSE(options.is_coloured);
}

} // namespace
} // namespace alloclab
