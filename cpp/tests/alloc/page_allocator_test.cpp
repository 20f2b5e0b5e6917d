// SPDX-License-Identifier: MIT
#include <alloclab/alloc/page_allocator.hpp>
#include <alloclab/base/rng.hpp>
#include <alloclab/vm/counting_source.hpp>
#include <alloclab/vm/limited_source.hpp>

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace alloclab {
namespace {

using Counting = CountingSource<OsPageSource>;
using Ref = SourceRef<Counting>;

// Row R27: a mapping a block, and 4096 - (n mod 4096) bytes of it lost.
TEST(PageAllocator, rounds_every_block_up_to_pages) {
    Counting source;
    PageAllocator<Ref> pages({}, Ref(source));
    pages.deallocate(pages.allocate(1, 1), 1, 1); // the table has its page now
    const std::size_t table_bytes = pages.stats().table_bytes;
    for (const std::size_t size : {1U, 100U, 4095U, 4097U, 10000U}) {
        const std::size_t map_count = source.map_count();
        void* const block = pages.allocate(size, 16);
        EXPECT_EQ(source.map_count(), map_count + 1);
        EXPECT_EQ(pages.stats().rounding_waste_bytes, 4096 - size % 4096) << size;
        EXPECT_EQ(source.mapped_bytes(), size + 4096 - size % 4096 + table_bytes);
        pages.deallocate(block, size, 16);
        EXPECT_EQ(source.unmap_count(), map_count) << "the block's, as many as before it";
    }
    void* const exact = pages.allocate(8192, 16);
    EXPECT_EQ(pages.stats().rounding_waste_bytes, 0U);
    EXPECT_EQ(pages.usable_size(exact), 8192U);
}

TEST(PageAllocator, counts_and_ignores_frees_of_what_it_did_not_give) {
    PageAllocator<> pages;
    void* const block = pages.allocate(100, 16);
    int foreign = 0;
    pages.deallocate(&foreign, 4, 4);
    pages.deallocate(block, 100, 16);
    pages.deallocate(block, 100, 16);
    EXPECT_EQ(pages.stats().rejected_frees, 2U);
    EXPECT_EQ(pages.stats().live_count, 0U);
    EXPECT_EQ(pages.stats().requested_live_bytes, 0U);
}

TEST(PageAllocator, resizes_within_the_pages_it_has) {
    PageAllocator<> pages;
    void* const block = pages.allocate(100, 16);
    EXPECT_TRUE(pages.resize(block, 100, 4096, 16));
    EXPECT_FALSE(pages.resize(block, 4096, 4097, 16));
    EXPECT_EQ(pages.stats().requested_live_bytes, 4096U);
}

TEST(PageAllocator, a_block_the_table_has_no_room_for_is_not_given) {
    Counting counting;
    LimitedSource<Ref> limited(2 * page_bytes, Ref(counting));
    PageAllocator<SourceRef<LimitedSource<Ref>>> pages({}, SourceRef(limited));
    EXPECT_EQ(pages.allocate(2 * page_bytes, 16), nullptr) << "nothing left for the table";
    EXPECT_NE(pages.allocate(page_bytes, 16), nullptr);
    pages.reset();
    EXPECT_EQ(counting.mapped_bytes(), 0U);
}

TEST(MappingTable, agrees_with_an_ordered_map_through_a_random_life) {
    OsPageSource source;
    MappingTable table;
    std::map<std::uintptr_t, std::size_t> model;
    Rng rng(4);
    for (int step = 0; step < 100000; ++step) {
        // Few addresses, so that chains in the table are long and gaps in them many.
        const std::uintptr_t address = (1 + rng.below(3000)) * page_bytes;
        auto* const memory = reinterpret_cast<void*>(address);
        if (rng.below(2) == 0) {
            if (model.count(address) == 0) {
                ASSERT_TRUE(table.insert(memory, address + 1, source));
                model[address] = address + 1;
            }
        } else {
            ASSERT_EQ(table.erase(memory), model.count(address) != 0 ? model[address] : 0);
            model.erase(address);
        }
        ASSERT_EQ(table.count(), model.size());
    }
    for (std::uintptr_t page = 1; page <= 3000; ++page) {
        const auto found = model.find(page * page_bytes);
        ASSERT_EQ(table.find(reinterpret_cast<void*>(page * page_bytes)),
                  found == model.end() ? 0 : found->second);
    }
    std::size_t visited = 0;
    table.for_each([&](void*, std::size_t) { ++visited; });
    EXPECT_EQ(visited, model.size());
    table.clear(source);
    EXPECT_EQ(table.table_bytes(), 0U);
}

TEST(PageAllocator, resizes_no_block_it_does_not_know) {
    PageAllocator<> pages;
    char other = 0;
    EXPECT_FALSE(pages.resize(&other, 1, SIZE_MAX, 16));
    EXPECT_FALSE(pages.resize(&other, 1, 100, 16));
}

} // namespace
} // namespace alloclab
