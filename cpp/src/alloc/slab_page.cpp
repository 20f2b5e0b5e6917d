// SPDX-License-Identifier: MIT
#include <alloclab/alloc/slab_page.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>

namespace alloclab {
namespace {

constexpr std::size_t min_object_bytes = 8;
constexpr std::size_t max_object_bytes = std::size_t{1} << 17;
constexpr std::size_t max_slab_bytes = std::size_t{1} << 20;
constexpr std::size_t min_objects = 8; // so that at most an eighth of a slab is lost at its end
constexpr unsigned reciprocal_shift = 44;

std::size_t head_bytes_for(std::size_t object_count) {
    return offsetof(SlabHead, free_bits) + (object_count + 63) / 64 * sizeof(std::uint64_t);
}

} // namespace

bool SlabOptions::set(std::string_view name, std::string_view value) noexcept {
    std::size_t bytes = 0;
    if (name == "colour") {
        return parse_flag(value, is_coloured);
    }
    if (!parse_bytes(value, bytes)) {
        return false;
    }
    if (name == "object_bytes" && bytes >= min_object_bytes && bytes <= max_object_bytes) {
        object_bytes = bytes;
        return true;
    }
    if (name == "slab_bytes" && is_power_of_two(bytes) && bytes >= page_bytes &&
        bytes <= max_slab_bytes) {
        slab_bytes = bytes;
        return true;
    }
    if (name == "retained_slabs") {
        retained_slabs = bytes;
        return true;
    }
    return false;
}

SlabGeometry::SlabGeometry(const SlabOptions& options) noexcept {
    object_bytes = align_up(std::clamp(options.object_bytes, min_object_bytes, max_object_bytes),
                            min_object_bytes);
    alignment = std::min(std::size_t{1} << std::countr_zero(object_bytes), page_bytes);
    slab_bytes = std::clamp(std::bit_ceil(options.slab_bytes), page_bytes, max_slab_bytes);
    // The head, its bits and the first object's alignment take their place too.
    for (;; slab_bytes *= 2) {
        std::size_t count = slab_bytes / object_bytes;
        while (count > 0 &&
               align_up(head_bytes_for(count), alignment) + count * object_bytes > slab_bytes) {
            --count;
        }
        object_count = static_cast<std::uint32_t>(count);
        if (count >= min_objects || slab_bytes == 2 * max_slab_bytes) {
            break;
        }
    }
    word_count = (object_count + 63) / 64;
    first_offset = static_cast<std::uint32_t>(align_up(head_bytes_for(object_count), alignment));
    const std::size_t spare_bytes = slab_bytes - first_offset - object_count * object_bytes;
    colour_count =
        options.is_coloured ? static_cast<std::uint32_t>(spare_bytes / alignment) + 1 : 1;
    reciprocal = ((std::uint64_t{1} << reciprocal_shift) + object_bytes - 1) / object_bytes;
}

SlabHead* SlabGeometry::create_slab(void* memory, std::size_t serial) const noexcept {
    auto* const slab = static_cast<SlabHead*>(memory);
    slab->next = nullptr;
    slab->previous = nullptr;
    slab->free_count = object_count;
    slab->first_word = 0;
    slab->first_offset =
        first_offset + static_cast<std::uint32_t>(serial % colour_count * alignment);
    slab->is_in_partial = 0;
    for (std::uint32_t word_idx = 0; word_idx < word_count; ++word_idx) {
        const std::uint32_t left = object_count - word_idx * 64;
        slab->free_bits[word_idx] = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
    }
    return slab;
}

bool SlabGeometry::is_consistent(const SlabHead& slab) const noexcept {
    std::size_t free_count = 0;
    for (std::uint32_t word_idx = 0; word_idx < word_count; ++word_idx) {
        const std::uint64_t word = slab.free_bits[word_idx];
        free_count += static_cast<std::size_t>(std::popcount(word));
        if (word_idx < slab.first_word && word != 0) {
            return false;
        }
    }
    return free_count == slab.free_count &&
           slab.first_offset + object_count * object_bytes <= slab_bytes;
}

} // namespace alloclab
