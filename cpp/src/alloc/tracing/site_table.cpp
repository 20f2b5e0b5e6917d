// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tracing/site_table.hpp>

namespace alloclab::tracing {
namespace {

// Fowler, Noll and Vo's hash, with a separator between the parts.
std::uint64_t mix(std::uint64_t hash, const char* text) noexcept {
    for (; text != nullptr && *text != '\0'; ++text) {
        hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001B3U;
    }
    return (hash ^ 0x100U) * 0x100000001B3U;
}
std::uint64_t hash_of(const AllocationSite& site) noexcept {
    return mix(mix(0xCBF29CE484222325U + site.line, site.tag), site.file);
}
bool is_same_text(const char* one, const char* other) noexcept {
    return one == other || (one != nullptr && other != nullptr && std::strcmp(one, other) == 0);
}

} // namespace

AllocationSite SiteTable::site_of(std::uint64_t number) const noexcept {
    if ((number & code_bit) != 0) {
        return {nullptr, nullptr, 0, reinterpret_cast<const void*>(number & ~code_bit)};
    }
    return number == 0 ? AllocationSite{} : sites_[number - 1].site;
}

std::uint64_t SiteTable::add_texts(const PageCalls& pages, const AllocationSite& site) noexcept {
    const std::uint64_t hash = hash_of(site);
    for (std::size_t slot = hash; index_slots_ != 0; ++slot) {
        const std::uint32_t number = index_[slot & (index_slots_ - 1)];
        if (number == 0) {
            break;
        }
        const Site& known = sites_[number - 1];
        if (known.hash == hash && known.site.line == site.line &&
            is_same_text(known.site.tag, site.tag) && is_same_text(known.site.file, site.file)) {
            return number;
        }
    }
    Site added{{nullptr, nullptr, site.line, nullptr}, hash, no_tag};
    if ((site.tag != nullptr && !add_tag(pages, site, added.tag_idx)) ||
        !sites_.reserve(pages, 1) || !grow_index(pages)) {
        return 0;
    }
    if (site.file != nullptr && (added.site.file = copy(pages, site.file)) == nullptr) {
        return 0;
    }
    added.site.tag = added.tag_idx == no_tag ? nullptr : tags_[added.tag_idx].tag;
    sites_.push(pages, added);
    const auto number = static_cast<std::uint32_t>(sites_.size());
    put_in_index(number, hash);
    return number;
}

// A tag is kept as the site that is nothing else, so that it is found like any other.
bool SiteTable::add_tag(const PageCalls& pages, const AllocationSite& site,
                        std::uint32_t& tag_idx) noexcept {
    if (site.file != nullptr || site.line != 0) {
        const std::uint64_t number = add_texts(pages, {site.tag, nullptr, 0, nullptr});
        tag_idx = number != 0 ? sites_[number - 1].tag_idx : no_tag;
        return number != 0;
    }
    TagTotals totals;
    totals.tag = copy(pages, site.tag);
    if (totals.tag == nullptr || !tags_.push(pages, totals)) {
        return false;
    }
    tag_idx = static_cast<std::uint32_t>(tags_.size() - 1);
    return true;
}

const char* SiteTable::copy(const PageCalls& pages, std::string_view text) noexcept {
    const std::size_t bytes = text.size() + 1;
    TextPage* last = texts_.size() != 0 ? &texts_[texts_.size() - 1] : nullptr;
    if (last == nullptr || last->mapped_bytes - last->used_bytes < bytes) {
        const std::size_t mapped_bytes = align_up(bytes, 4 * page_bytes);
        if (!texts_.reserve(pages, 1)) {
            return nullptr;
        }
        void* const memory = pages.map(pages.source, mapped_bytes);
        if (memory == nullptr) {
            return nullptr;
        }
        texts_.push(pages, {memory, mapped_bytes, 0});
        last = &texts_[texts_.size() - 1];
    }
    char* const copied = static_cast<char*>(last->memory) + last->used_bytes;
    std::memcpy(copied, text.data(), text.size());
    copied[text.size()] = '\0';
    last->used_bytes += bytes;
    return copied;
}

bool SiteTable::grow_index(const PageCalls& pages) noexcept {
    if ((sites_.size() + 1) * 2 <= index_slots_) {
        return true;
    }
    const std::size_t slots = index_slots_ == 0 ? page_bytes / sizeof *index_ : 2 * index_slots_;
    void* const memory = pages.map(pages.source, slots * sizeof *index_);
    if (memory == nullptr) {
        return false;
    }
    std::memset(memory, 0, slots * sizeof *index_);
    if (index_ != nullptr) {
        pages.unmap(pages.source, index_, index_slots_ * sizeof *index_);
    }
    index_ = static_cast<std::uint32_t*>(memory);
    index_slots_ = slots;
    for (std::size_t idx = 0; idx < sites_.size(); ++idx) {
        put_in_index(static_cast<std::uint32_t>(idx + 1), sites_[idx].hash);
    }
    return true;
}

void SiteTable::put_in_index(std::uint32_t number, std::uint64_t hash) noexcept {
    std::size_t slot = hash;
    while (index_[slot & (index_slots_ - 1)] != 0) {
        ++slot;
    }
    index_[slot & (index_slots_ - 1)] = number;
}

std::size_t SiteTable::mapped_bytes() const noexcept {
    std::size_t bytes = sites_.mapped_bytes() + tags_.mapped_bytes() + texts_.mapped_bytes() +
                        index_slots_ * sizeof *index_;
    for (const TextPage& page : texts_) {
        bytes += page.mapped_bytes;
    }
    return bytes;
}

void SiteTable::close(const PageCalls& pages) noexcept {
    for (const TextPage& page : texts_) {
        pages.unmap(pages.source, page.memory, page.mapped_bytes);
    }
    if (index_ != nullptr) {
        pages.unmap(pages.source, index_, index_slots_ * sizeof *index_);
        index_ = nullptr;
        index_slots_ = 0;
    }
    sites_.close(pages);
    tags_.close(pages);
    texts_.close(pages);
}

} // namespace alloclab::tracing
