// SPDX-License-Identifier: MIT
#include <alloclab/alloc/double_ended.hpp>

#include <alloclab/alloc/option_text.hpp>

namespace alloclab {

bool DoubleEndedOptions::set(std::string_view name, std::string_view value) noexcept {
    std::size_t bytes = 0;
    if (name != "region_bytes" || !parse_bytes(value, bytes) || bytes < page_bytes ||
        bytes > (std::size_t{1} << 40)) {
        return false;
    }
    region_bytes = bytes;
    return true;
}

} // namespace alloclab
