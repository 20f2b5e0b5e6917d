// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

namespace alloclab {

// Sets options from "name=value name=value ...". Returns the first item that was not understood,
// the options then being the defaults again, or an empty text when all were set.
template <OptionSet Options>
std::string_view set_options(Options& options, std::string_view text) noexcept {
    const auto rest_from = [](std::string_view whole, std::size_t position) {
        return std::string_view(whole.data() + position, whole.size() - position);
    };
    while (!text.empty()) {
        if (text.front() == ' ') {
            text.remove_prefix(1);
            continue;
        }
        const std::size_t space = text.find(' ');
        const std::size_t length = space == std::string_view::npos ? text.size() : space;
        const std::string_view item(text.data(), length);
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos ||
            !options.set({item.data(), equals}, rest_from(item, equals + 1))) {
            options = Options{};
            return item;
        }
        text.remove_prefix(length);
    }
    return {};
}

} // namespace alloclab
