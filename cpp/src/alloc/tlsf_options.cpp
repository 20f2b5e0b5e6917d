// SPDX-License-Identifier: MIT
#include <alloclab/alloc/tlsf_options.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/base/units.hpp>

namespace alloclab {
namespace {

bool parse_chunk_bytes(std::string_view text, std::size_t& out) {
    std::size_t value = 0;
    if (!parse_bytes(text, value) || value < page_bytes || value > (std::size_t{1} << 38)) {
        return false;
    }
    out = value;
    return true;
}

} // namespace

bool TlsfOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "initial_bytes") {
        return parse_chunk_bytes(value, initial_bytes);
    }
    if (name == "max_chunk_bytes") {
        return parse_chunk_bytes(value, max_chunk_bytes);
    }
    if (name == "retain_bytes") {
        return parse_bytes(value, retain_bytes);
    }
    return false;
}

} // namespace alloclab
