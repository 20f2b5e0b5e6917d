// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/allocation_site.hpp>
#include <alloclab/alloc/debug_pages.hpp>

#include <string_view>

namespace alloclab::tracing {

// What the blocks of one tag come to.
struct TagTotals {
    const char* tag = nullptr; // null: blocks without a tag
    std::size_t live_count = 0;
    std::size_t current_bytes = 0;
    std::size_t peak_bytes = 0;
    std::size_t allocation_count = 0;
};

// Sites and tags, each kept once, their texts copied. A site is a number: 0 is the unknown one;
// with the highest bit set it is no index but an address of code, which needs no table.
class SiteTable {
public:
    static constexpr std::uint64_t code_bit = std::uint64_t{1} << 63;

    // The number of an address of code, and of the unknown site for null.
    static std::uint64_t number_of(const void* code) noexcept {
        return code == nullptr ? 0 : reinterpret_cast<std::uint64_t>(code) | code_bit;
    }
    // The number of a site. The unknown site's when there is no memory: a block is worth more than
    // the name of who asked for it.
    std::uint64_t find_or_add(const PageCalls& pages, const AllocationSite& site) noexcept {
        if (site.tag == nullptr && site.file == nullptr) [[likely]] {
            return number_of(site.code);
        }
        return add_texts(pages, site);
    }
    // The texts live as long as the table.
    AllocationSite site_of(std::uint64_t number) const noexcept;

    // Counts a block in and out of its tag. Returns nothing for sites that are code: they have no
    // tags.
    void count_in(std::uint64_t number, std::size_t size) noexcept {
        if ((number & code_bit) == 0) {
            TagTotals& tag = totals_of(number);
            ++tag.live_count;
            ++tag.allocation_count;
            tag.current_bytes += size;
            tag.peak_bytes =
                tag.peak_bytes < tag.current_bytes ? tag.current_bytes : tag.peak_bytes;
        }
    }
    void count_out(std::uint64_t number, std::size_t size) noexcept {
        if ((number & code_bit) == 0) {
            TagTotals& tag = totals_of(number);
            --tag.live_count;
            tag.current_bytes -= size;
        }
    }

    // For a block that was counted in again because its size changed.
    void uncount_allocation(std::uint64_t number) noexcept {
        if ((number & code_bit) == 0) {
            --totals_of(number).allocation_count;
        }
    }

    // Tags in the order they came; untagged blocks last, where there were any.
    template <class Visit> void for_each_tag(Visit&& visit) const noexcept {
        for (const TagTotals& tag : tags_) {
            visit(tag);
        }
        if (untagged_.allocation_count != 0) {
            visit(untagged_);
        }
    }
    // What came before anything was counted here.
    void set_untagged(const TagTotals& totals) noexcept { untagged_ = totals; }
    std::size_t site_count() const noexcept { return sites_.size(); }
    std::size_t mapped_bytes() const noexcept;
    void close(const PageCalls& pages) noexcept;

private:
    struct Site {
        AllocationSite site;
        std::uint64_t hash;
        std::uint32_t tag_idx; // or no_tag
    };
    struct TextPage {
        void* memory;
        std::size_t mapped_bytes;
        std::size_t used_bytes;
    };
    static constexpr std::uint32_t no_tag = UINT32_MAX;

    TagTotals& totals_of(std::uint64_t number) noexcept {
        const std::uint32_t tag_idx = number == 0 ? no_tag : sites_[number - 1].tag_idx;
        return tag_idx == no_tag ? untagged_ : tags_[tag_idx];
    }
    std::uint64_t add_texts(const PageCalls& pages, const AllocationSite& site) noexcept;
    bool add_tag(const PageCalls& pages, const AllocationSite& site,
                 std::uint32_t& tag_idx) noexcept;
    const char* copy(const PageCalls& pages, std::string_view text) noexcept;
    bool grow_index(const PageCalls& pages) noexcept;
    void put_in_index(std::uint32_t number, std::uint64_t hash) noexcept;

    PageArray<Site> sites_;
    PageArray<TagTotals> tags_;
    PageArray<TextPage> texts_;
    std::uint32_t* index_ = nullptr; // numbers of sites by hash, 0 for none
    std::size_t index_slots_ = 0;    // a power of two, at most half of them taken
    TagTotals untagged_;
};

} // namespace alloclab::tracing
