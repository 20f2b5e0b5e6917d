// SPDX-License-Identifier: MIT
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/failing_source.hpp>
#include <alloclab/vm/fixed_region_source.hpp>
#include <alloclab/vm/limited_source.hpp>
#include <alloclab/vm/os_page_source.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

namespace alloclab {
namespace {

bool is_zero(const void* memory, std::size_t bytes) {
    const auto* const first = static_cast<const char*>(memory);
    return first[0] == 0 && std::memcmp(first, first + 1, bytes - 1) == 0;
}

TEST(OsPageSource, maps_zeroed_memory_at_any_alignment) {
    OsPageSource source;
    for (const std::size_t alignment : {std::size_t{1}, page_bytes, 64_KiB, 2_MiB}) {
        void* const memory = source.map(3 * page_bytes, alignment);
        ASSERT_NE(memory, nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % std::max(alignment, page_bytes), 0U);
        EXPECT_TRUE(is_zero(memory, 3 * page_bytes));
        std::memset(memory, 1, 3 * page_bytes);
        source.unmap(memory, 3 * page_bytes);
    }
}

TEST(OsPageSource, refuses_what_no_address_space_holds) {
    OsPageSource source;
    EXPECT_EQ(source.map(std::size_t{1} << 62, page_bytes), nullptr);
    EXPECT_EQ(source.map(SIZE_MAX - page_bytes + 1, std::size_t{1} << 63), nullptr);
}

TEST(OsPageSource, purged_pages_read_as_zero_and_errno_is_kept) {
    OsPageSource source;
    void* const memory = source.reserve(16 * page_bytes, page_bytes);
    ASSERT_NE(memory, nullptr);
    errno = 77;
    source.populate(memory, 16 * page_bytes);
    std::memset(memory, 1, 16 * page_bytes);
    source.purge(memory, 16 * page_bytes);
    EXPECT_TRUE(is_zero(memory, 16 * page_bytes));
    source.unmap(memory, 16 * page_bytes);
    EXPECT_EQ(errno, 77);
}

TEST(OsPageSource, moves_pages_and_leaves_zero_behind) {
    OsPageSource source;
    void* const from = source.map(4 * page_bytes, page_bytes);
    void* const to = source.map(4 * page_bytes, page_bytes);
    std::memset(from, 7, 4 * page_bytes);
    if (!source.move(from, to, 4 * page_bytes)) {
        GTEST_SKIP() << "this kernel does not leave a moved mapping in place";
    }
    EXPECT_EQ(static_cast<char*>(to)[4 * page_bytes - 1], 7);
    EXPECT_TRUE(is_zero(from, 4 * page_bytes));
    source.unmap(from, 4 * page_bytes);
    source.unmap(to, 4 * page_bytes);
}

TEST(CountingSource, knows_what_is_mapped_now_and_at_most) {
    CountingSource<OsPageSource> source;
    void* const first = source.map(page_bytes, page_bytes);
    void* const second = source.reserve(3 * page_bytes, page_bytes);
    EXPECT_EQ(source.mapped_bytes(), 4 * page_bytes);
    source.unmap(first, page_bytes);
    source.purge(second, page_bytes);
    EXPECT_EQ(source.mapped_bytes(), 3 * page_bytes);
    EXPECT_EQ(source.purged_bytes(), page_bytes);
    source.unmap(second, 3 * page_bytes);
    EXPECT_EQ(source.mapped_bytes(), 0U);
    EXPECT_EQ(source.peak_mapped_bytes(), 4 * page_bytes);
    EXPECT_EQ(source.map_count(), 2U);
    EXPECT_EQ(source.unmap_count(), 2U);
    EXPECT_EQ(source.map(std::size_t{1} << 62, page_bytes), nullptr);
    EXPECT_EQ(source.refused_count(), 1U);
}

TEST(LimitedSource, refuses_what_passes_the_limit_and_takes_back_room) {
    LimitedSource<OsPageSource> source(2 * page_bytes);
    EXPECT_EQ(source.map(3 * page_bytes, page_bytes), nullptr);
    void* const memory = source.map(2 * page_bytes, page_bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(source.reserve(page_bytes, page_bytes), nullptr);
    source.unmap(memory, 2 * page_bytes);
    void* const again = source.map(page_bytes, page_bytes);
    EXPECT_NE(again, nullptr);
    source.unmap(again, page_bytes);
}

TEST(FailingSource, fails_exactly_the_requests_it_was_told_to) {
    CountingSource<OsPageSource> counting;
    FailingSource<SourceRef<CountingSource<OsPageSource>>> source(1, 2, SourceRef(counting));
    std::vector<void*> got;
    for (int request = 0; request < 4; ++request) {
        got.push_back(source.map(page_bytes, page_bytes));
    }
    EXPECT_NE(got[0], nullptr);
    EXPECT_EQ(got[1], nullptr);
    EXPECT_EQ(got[2], nullptr);
    EXPECT_NE(got[3], nullptr);
    EXPECT_EQ(source.request_count(), 4U);
    source.unmap(got[0], page_bytes);
    source.unmap(got[3], page_bytes);
    EXPECT_EQ(counting.mapped_bytes(), 0U);
}

TEST(FixedRegionSource, gives_whole_pages_of_its_region_and_no_more) {
    std::vector<std::byte> region(10 * page_bytes);
    FixedRegionSource source(region);
    const std::size_t pages = source.free_bytes() / page_bytes;
    EXPECT_GE(pages, 9U);
    void* const memory = source.map(pages * page_bytes, page_bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_GE(memory, static_cast<void*>(region.data()));
    EXPECT_EQ(source.map(page_bytes, page_bytes), nullptr);
    EXPECT_EQ(source.map(page_bytes, std::size_t{1} << 40), nullptr);
    source.unmap(memory, pages * page_bytes);
    EXPECT_EQ(source.free_bytes(), pages * page_bytes);
}

TEST(FixedRegionSource, the_newest_range_comes_back_at_once_the_rest_when_all_is_unmapped) {
    std::vector<std::byte> region(10 * page_bytes);
    FixedRegionSource source(region);
    const std::size_t all_bytes = source.free_bytes();
    void* const first = source.map(page_bytes, page_bytes);
    void* const second = source.map(page_bytes, page_bytes);
    void* const third = source.map(page_bytes, page_bytes);
    source.unmap(third, page_bytes);
    EXPECT_EQ(source.map(page_bytes, page_bytes), third);
    source.unmap(first, page_bytes);
    EXPECT_EQ(source.free_bytes(), all_bytes - 3 * page_bytes);
    source.unmap(second, page_bytes);
    source.unmap(third, page_bytes);
    EXPECT_EQ(source.free_bytes(), all_bytes);
}

TEST(FixedRegionSource, only_the_newest_range_grows_and_only_into_the_region) {
    std::vector<std::byte> region(10 * page_bytes);
    FixedRegionSource source(region);
    const std::size_t all_bytes = source.free_bytes();
    void* const first = source.map(page_bytes, page_bytes);
    void* const second = source.map(page_bytes, page_bytes);
    EXPECT_FALSE(source.extend(first, page_bytes, 2 * page_bytes));
    EXPECT_FALSE(source.extend(second, page_bytes, all_bytes));
    EXPECT_TRUE(source.extend(second, page_bytes, all_bytes - page_bytes));
    EXPECT_EQ(source.free_bytes(), 0U);
    source.unmap(second, all_bytes - page_bytes);
    EXPECT_EQ(source.free_bytes(), all_bytes - page_bytes);
}

TEST(OsPageSource, extends_into_free_address_space_and_never_over_a_mapping) {
    CountingSource<OsPageSource> source;
    auto* const whole = static_cast<std::byte*>(source.map(4 * page_bytes, page_bytes));
    source.unmap(whole + 2 * page_bytes, page_bytes); // a hole of one page, then a page
    EXPECT_FALSE(source.extend(whole, 2 * page_bytes, 4 * page_bytes));
    ASSERT_TRUE(source.extend(whole, 2 * page_bytes, 3 * page_bytes));
    whole[3 * page_bytes - 1] = std::byte{1};
    EXPECT_EQ(source.extend_count(), 1U);
    source.unmap(whole, 4 * page_bytes);
    EXPECT_EQ(source.mapped_bytes(), 0U);
}

TEST(OsPageSource, protected_pages_keep_their_bytes) {
    OsPageSource source;
    auto* const memory = static_cast<char*>(source.map(page_bytes, page_bytes));
    memory[0] = 7;
    source.protect(memory, page_bytes);
    EXPECT_DEATH(memory[0] = 8, "");
    source.unprotect(memory, page_bytes);
    EXPECT_EQ(memory[0], 7);
    source.unmap(memory, page_bytes);
}

TEST(FixedRegionSource, a_region_smaller_than_a_page_gives_nothing) {
    std::byte region[64];
    FixedRegionSource source(region);
    EXPECT_EQ(source.map(page_bytes, page_bytes), nullptr);
}

TEST(ForwardingSource, passes_capabilities_through_and_invents_none) {
    EXPECT_TRUE(PurgingSource<LimitedSource<CountingSource<OsPageSource>>>);
    EXPECT_TRUE(MovingSource<SourceRef<OsPageSource>>);
    EXPECT_TRUE(ProtectingSource<CountingSource<SourceRef<OsPageSource>>>);
    EXPECT_TRUE(ExtendingSource<FailingSource<LimitedSource<FixedRegionSource>>>);
    EXPECT_FALSE(ProtectingSource<FixedRegionSource>);
    EXPECT_TRUE(PageSource<CountingSource<FixedRegionSource>>);
    EXPECT_FALSE(PurgingSource<CountingSource<SourceRef<FixedRegionSource>>>);
    EXPECT_FALSE(ReservingSource<FailingSource<SourceRef<FixedRegionSource>>>);
    EXPECT_FALSE(SourceRef<FixedRegionSource>::maps_zeroed);
}

} // namespace
} // namespace alloclab
