// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

// Reads ALLOCLAB_MALLOC_OPTIONS into `buffer`, without allocating, and before the C library has set
// up its environment if need be. Returns the value, empty when there is none; at most what fits.
std::string_view read_malloc_options(char* buffer, std::size_t buffer_bytes) noexcept;

// Writes one line to stderr: the item of the options that was not understood.
void report_bad_option(std::string_view library, std::string_view item) noexcept;

} // namespace alloclab
