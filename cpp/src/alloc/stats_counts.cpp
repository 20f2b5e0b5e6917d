// SPDX-License-Identifier: MIT
#include <alloclab/alloc/stats_counts.hpp>

namespace alloclab {

void StatsCounts::visit(StatVisitor visitor) const noexcept {
    visitor("stats_owns_ops", owns_ops);
    visitor("stats_allocate_ops", allocate_ops);
    visitor("stats_allocate_ok_ops", allocate_ok_ops);
    visitor("stats_aligned_allocate_ops", aligned_allocate_ops);
    visitor("stats_aligned_allocate_ok_ops", aligned_allocate_ok_ops);
    visitor("stats_resize_ops", resize_ops);
    visitor("stats_resize_ok_ops", resize_ok_ops);
    visitor("stats_expand_ops", expand_ops);
    visitor("stats_expand_ok_ops", expand_ok_ops);
    visitor("stats_reallocate_ops", reallocate_ops);
    visitor("stats_reallocate_ok_ops", reallocate_ok_ops);
    visitor("stats_reallocate_in_place_ops", reallocate_in_place_ops);
    visitor("stats_deallocate_ops", deallocate_ops);
    visitor("stats_reset_ops", reset_ops);
    visitor("stats_used_bytes", used_bytes);
    visitor("stats_high_tide_bytes", high_tide_bytes);
    visitor("stats_allocated_bytes", allocated_bytes);
    visitor("stats_deallocated_bytes", deallocated_bytes);
    visitor("stats_expanded_bytes", expanded_bytes);
    visitor("stats_contracted_bytes", contracted_bytes);
    visitor("stats_moved_bytes", moved_bytes);
    visitor("stats_not_moved_bytes", not_moved_bytes);
    visitor("stats_slack_bytes", slack_bytes);
}

namespace {

// "stats_size_up_to_<bytes>_ops", zero terminated.
struct ClassName {
    char text[48] = "stats_size_up_to_";

    explicit ClassName(std::size_t class_idx) noexcept {
        const std::uint64_t largest =
            class_idx >= 64 ? UINT64_MAX : (std::uint64_t{1} << class_idx) - 1;
        char digits[20];
        std::size_t digit_count = 0;
        std::uint64_t rest = largest;
        do {
            digits[digit_count++] = static_cast<char>('0' + rest % 10);
            rest /= 10;
        } while (rest != 0);
        std::size_t length = std::string_view(text).size();
        while (digit_count != 0) {
            text[length++] = digits[--digit_count];
        }
        for (const char letter : std::string_view("_ops")) {
            text[length++] = letter;
        }
    }
};

} // namespace

void SizeHistogram::visit(StatVisitor visitor) const noexcept {
    for (std::size_t class_idx = 0; class_idx < class_count; ++class_idx) {
        if (counts_[class_idx] != 0) {
            visitor(ClassName(class_idx).text, counts_[class_idx]);
        }
    }
}

} // namespace alloclab
