// SPDX-License-Identifier: MIT
#include <alloclab/alloc/option_text.hpp>
#include <alloclab/alloc/quarantine_options.hpp>
#include <alloclab/alloc/tracing/trace_options.hpp>

namespace alloclab {
namespace {

bool set_within(std::string_view value, std::size_t most, std::size_t& out) noexcept {
    std::size_t parsed = 0;
    if (!parse_bytes(value, parsed) || parsed > most) {
        return false;
    }
    out = parsed;
    return true;
}

constexpr std::size_t most_blocks = std::size_t{1} << 24;

} // namespace

bool QuarantineOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "quarantine_blocks") {
        return set_within(value, most_blocks, blocks);
    }
    return name == "quarantine_bytes" && set_within(value, std::size_t{1} << 40, bytes);
}

bool TraceOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "past_blocks") {
        return set_within(value, most_blocks, past_blocks);
    }
    if (name == "poison") {
        return parse_flag(value, is_poisoning);
    }
    return name == "check_owner" && parse_flag(value, is_owner_checked);
}

} // namespace alloclab
