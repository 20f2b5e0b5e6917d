// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace alloclab::bindings {

// One copy of the text that lives as long as the process: an allocation may keep it.
const char* interned(std::string_view text);

// The tag, and if `has_line` the line of Python that is running, outside the lab's own modules.
AllocationSite call_site(const std::optional<std::string>& tag, bool has_line);

} // namespace alloclab::bindings
