// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace alloclab {

// Reads the value of a variable, named with its "=", into `buffer`, without allocating, and before
// the C library has set up its environment if need be. Returns the value, empty when there is none;
// at most what fits.
std::string_view read_environment(std::string_view variable, char* buffer,
                                  std::size_t buffer_bytes) noexcept;
// The same of ALLOCLAB_MALLOC_OPTIONS.
std::string_view read_malloc_options(char* buffer, std::size_t buffer_bytes) noexcept;

// Writes one line to stderr: the item of the options that was not understood.
void report_bad_option(std::string_view library, std::string_view item) noexcept;
// The same for a value of ALLOCLAB_MALLOC.
void report_bad_choice(std::string_view choice) noexcept;

} // namespace alloclab
