// SPDX-License-Identifier: MIT
#pragma once

// The suite every allocator passes, against a reference model. Include it in one file of a test
// program, after `alloclab::Cases`, a ::testing::Types of the cases it is to run on. A case without
// a page source says `is_sourceless`; what is about pages is then left out.

#include <support/conformance_fixture.hpp>

#include <alloclab/vm/failing_source.hpp>
#include <alloclab/vm/fixed_region_source.hpp>
#include <alloclab/vm/limited_source.hpp>

#include <type_traits>
#include <vector>

namespace alloclab {
namespace {

template <class Case>
concept Sourceless = requires {
    Case::is_sourceless;
};

// What is asked for again and again until nothing is left.
template <class Case> constexpr std::size_t exhausting_bytes() {
    if constexpr (requires { Case::exhausting_bytes; }) {
        return Case::exhausting_bytes;
    } else {
        return 96;
    }
}

#define SKIP_WITHOUT_PAGES()                                                                       \
    if constexpr (Sourceless<TypeParam>) {                                                         \
        GTEST_SKIP() << "takes no pages from a source";                                            \
    }

TYPED_TEST_SUITE(ConformanceTest, Cases);

// One step of a random life: allocate, free or resize, checked against the model.
template <class A>
std::string random_step(A& allocator, LiveBlocks& model, Rng& rng, std::size_t size,
                        std::size_t alignment) {
    const std::uint64_t action = rng.below(10);
    if (action < 6 || model.blocks().empty()) {
        void* const block = allocator.allocate(size, alignment);
        return block != nullptr ? model.add(block, size, alignment) : std::string{};
    }
    // A block near a random address: the order of frees is unlike the order of births.
    const auto& blocks = model.blocks();
    const std::uintptr_t low = blocks.begin()->first;
    const std::uintptr_t span = blocks.rbegin()->first - low + 1;
    auto chosen = blocks.lower_bound(low + rng.below(span));
    auto* const memory = reinterpret_cast<void*>(chosen->first);
    const LiveBlocks::Block block = chosen->second;
    if constexpr (Resizable<A>) {
        if (action == 9 && allocator.resize(memory, block.size, size, block.alignment)) {
            const std::size_t kept = std::min(block.size, size);
            const std::string problem = LiveBlocks::check(memory, kept, block.fill);
            model.forget(memory); // what was cut off may not be looked at any more
            return problem + model.add(memory, size, block.alignment);
        }
    }
    std::string problem = model.remove(memory);
    allocator.deallocate(memory, block.size, block.alignment);
    return problem;
}

TYPED_TEST(ConformanceTest, blocks_are_aligned_disjoint_and_keep_their_bytes) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
        LiveBlocks model;
        Rng rng(seed);
        for (int step = 0; step < 4000 && model.live_bytes() < (64U << 20); ++step) {
            const std::string problem =
                random_step(allocator, model, rng, this->any_size(rng), this->any_alignment(rng));
            ASSERT_EQ(problem, "") << "seed " << seed << ", step " << step;
        }
        ASSERT_FALSE(model.blocks().empty());
    }
}

TYPED_TEST(ConformanceTest, zero_bytes_are_a_block_of_their_own) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    LiveBlocks model;
    for (int block_idx = 0; block_idx < 100; ++block_idx) {
        void* const block = allocator.allocate(0, default_alignment);
        ASSERT_NE(block, nullptr);
        ASSERT_EQ(model.add(block, 0, default_alignment), "");
    }
    for (const auto& [address, block] : model.blocks()) {
        allocator.deallocate(reinterpret_cast<void*>(address), 0, default_alignment);
    }
}

TYPED_TEST(ConformanceTest, sizes_nothing_could_hold_return_null) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    ASSERT_NE(allocator.allocate(1, 1), nullptr); // with something live, cursors are not zero
    for (const std::size_t size :
         {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4096, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 4}) {
        EXPECT_EQ(allocator.allocate(size, default_alignment), nullptr) << size;
        EXPECT_EQ(allocator.allocate(size, 4096), nullptr) << size;
    }
    EXPECT_EQ(allocator.allocate(8, std::size_t{1} << 63), nullptr);
    EXPECT_NE(allocator.allocate(8, 8), nullptr) << "stays usable";
}

TYPED_TEST(ConformanceTest, a_null_free_is_ignored) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    allocator.deallocate(nullptr, 0, default_alignment);
    allocator.deallocate(nullptr, 32, default_alignment);
    void* const block = allocator.allocate(32, default_alignment);
    allocator.deallocate(nullptr, 32, default_alignment);
    EXPECT_NE(block, nullptr);
}

TYPED_TEST(ConformanceTest, nothing_is_mapped_before_the_first_allocation) {
    SKIP_WITHOUT_PAGES();
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    EXPECT_EQ(this->source_.map_count(), 0U);
    EXPECT_EQ(allocator.stats().reserved_bytes, 0U);
}

TYPED_TEST(ConformanceTest, reserved_bytes_are_what_the_source_gave) {
    SKIP_WITHOUT_PAGES();
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    Rng rng(7);
    for (int step = 0; step < 500; ++step) {
        allocator.allocate(this->any_size(rng), default_alignment);
    }
    EXPECT_EQ(allocator.stats().reserved_bytes, this->source_.mapped_bytes());
    EXPECT_LE(allocator.stats().committed_bytes, allocator.stats().reserved_bytes);
    EXPECT_GT(allocator.stats().committed_bytes, 0U);
}

TYPED_TEST(ConformanceTest, a_reset_ends_every_block_and_leaves_it_usable) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    for (int round = 0; round < 3; ++round) {
        LiveBlocks model; // of this round only: a stale block of the last would overlap
        Rng rng(11);
        for (int step = 0; step < 300; ++step) {
            const std::size_t size = this->any_size(rng);
            void* const block = allocator.allocate(size, default_alignment);
            ASSERT_NE(block, nullptr);
            ASSERT_EQ(model.add(block, size, default_alignment), "");
        }
        allocator.reset();
    }
}

// Row R26: running out is null, never an abort, and what lives goes on living.
// Row R43: a failure is explicit, and what lived before lives on.
TYPED_TEST(ConformanceTest, running_out_returns_null_and_spares_the_living) {
    SKIP_WITHOUT_PAGES();
    LimitedSource<CountingRef> limited(std::size_t{2} << 20, CountingRef(this->source_));
    using Ref = SourceRef<LimitedSource<CountingRef>>;
    typename TypeParam::template Of<Ref> allocator(TypeParam::options(), Ref(limited));
    constexpr std::size_t size = exhausting_bytes<TypeParam>();
    LiveBlocks model;
    void* block = nullptr;
    while ((block = allocator.allocate(size, default_alignment)) != nullptr) {
        ASSERT_EQ(model.add(block, size, default_alignment), "");
        ASSERT_LT(model.live_bytes(), std::size_t{2} << 20);
    }
    EXPECT_GT(model.live_bytes(), std::size_t{1} << 19) << "gave up too early";
    while (!model.blocks().empty()) {
        auto* const last = reinterpret_cast<void*>(model.blocks().rbegin()->first);
        ASSERT_EQ(model.remove(last), "");
        allocator.deallocate(last, size, default_alignment);
    }
    EXPECT_NE(allocator.allocate(size, default_alignment), nullptr) << "the last block was freed";
}

// Row R44: fail at the k-th request, for every k.
TYPED_TEST(ConformanceTest, survives_a_fault_at_every_request) {
    SKIP_WITHOUT_PAGES();
    for (std::size_t failing = 0;; ++failing) {
        FailingSource<CountingRef> faulty(failing, 1, CountingRef(this->source_));
        {
            using Ref = SourceRef<FailingSource<CountingRef>>;
            typename TypeParam::template Of<Ref> allocator(TypeParam::options(), Ref(faulty));
            LiveBlocks model;
            Rng rng(5);
            for (int step = 0; step < 400; ++step) {
                const std::string problem =
                    random_step(allocator, model, rng, this->any_size(rng), default_alignment);
                ASSERT_EQ(problem, "") << "request " << failing << ", step " << step;
            }
            EXPECT_FALSE(model.blocks().empty());
        }
        ASSERT_EQ(this->source_.mapped_bytes(), 0U) << "request " << failing;
        if (faulty.request_count() <= failing) {
            break; // no request was left to fail
        }
        ASSERT_LT(failing, 2000U);
    }
}

TYPED_TEST(ConformanceTest, survives_a_source_that_always_fails) {
    SKIP_WITHOUT_PAGES();
    using Ref = SourceRef<FailingSource<CountingRef>>;
    FailingSource<CountingRef> faulty(0, SIZE_MAX, CountingRef(this->source_));
    typename TypeParam::template Of<Ref> allocator(TypeParam::options(), Ref(faulty));
    EXPECT_EQ(allocator.allocate(16, 16), nullptr);
    EXPECT_EQ(allocator.allocate(96, 16), nullptr);
    if constexpr (Resettable<decltype(allocator)>) {
        allocator.reset();
    }
    EXPECT_EQ(allocator.stats().reserved_bytes, 0U);
}

TYPED_TEST(ConformanceTest, lives_in_a_fixed_region_of_dirty_memory) {
    SKIP_WITHOUT_PAGES();
    std::vector<std::byte> region(std::size_t{4} << 20, std::byte{0xAA});
    FixedRegionSource fixed(region);
    using Ref = SourceRef<FixedRegionSource>;
    typename TypeParam::template Of<Ref> allocator(TypeParam::options(), Ref(fixed));
    LiveBlocks model;
    Rng rng(13);
    for (int step = 0; step < 2000; ++step) {
        const std::size_t size = this->any_size(rng) % 3000;
        const std::string problem =
            random_step(allocator, model, rng, std::min(size, TypeParam::max_size), 16);
        ASSERT_EQ(problem, "") << "step " << step;
    }
    EXPECT_FALSE(model.blocks().empty());
    for (const auto& [address, block] : model.blocks()) {
        const auto* const memory = reinterpret_cast<std::byte*>(address);
        ASSERT_TRUE(memory >= region.data() && memory < region.data() + region.size());
    }
}

TYPED_TEST(ConformanceTest, owns_its_blocks_and_nothing_else) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    if constexpr (Owning<typename TestFixture::A>) {
        int foreign = 0;
        EXPECT_FALSE(allocator.owns(&foreign));
        EXPECT_FALSE(allocator.owns(nullptr));
        for (int block_idx = 0; block_idx < 500; ++block_idx) {
            EXPECT_TRUE(allocator.owns(allocator.allocate(90, default_alignment)));
        }
        EXPECT_FALSE(allocator.owns(&foreign));
    } else {
        GTEST_SKIP() << "does not know what it owns";
    }
}

TYPED_TEST(ConformanceTest, usable_size_is_at_least_what_was_asked_for_and_all_usable) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    if constexpr (Measurable<typename TestFixture::A>) {
        LiveBlocks model;
        Rng rng(17);
        for (int step = 0; step < 300; ++step) {
            const std::size_t size = this->any_size(rng);
            void* const block = allocator.allocate(size, default_alignment);
            ASSERT_NE(block, nullptr);
            ASSERT_GE(allocator.usable_size(block), size);
            ASSERT_EQ(model.add(block, allocator.usable_size(block), default_alignment), "");
        }
    } else {
        GTEST_SKIP() << "does not know the size of a block";
    }
}

TYPED_TEST(ConformanceTest, zeroed_memory_is_zero_even_where_it_was_used_before) {
    typename TestFixture::A allocator(TypeParam::options(), CountingRef(this->source_));
    if constexpr (Zeroing<typename TestFixture::A>) {
        Rng rng(19);
        for (int step = 0; step < 2000; ++step) {
            const std::size_t size = this->any_size(rng) % 100000;
            void* const block = allocator.allocate_zeroed(size, default_alignment);
            ASSERT_NE(block, nullptr);
            ASSERT_EQ(LiveBlocks::check(block, size, 0), "") << "size " << size;
            std::memset(block, 0xFF, size);
            if (rng.below(4) != 0) {
                allocator.deallocate(block, size, default_alignment);
            }
            if (step % 500 == 499) {
                allocator.reset();
            }
        }
    } else {
        GTEST_SKIP() << "does not know what is zero";
    }
}

TYPED_TEST(ConformanceTest, is_neither_copied_nor_moved) { // row R22
    using A = typename TestFixture::A;
    EXPECT_FALSE(std::is_copy_constructible_v<A> || std::is_move_constructible_v<A>);
    EXPECT_FALSE(std::is_copy_assignable_v<A> || std::is_move_assignable_v<A>);
    EXPECT_TRUE(Allocator<A> && Resettable<A> && Reporting<A>);
    EXPECT_TRUE(OptionSet<typename A::Options>);
}

} // namespace
} // namespace alloclab
