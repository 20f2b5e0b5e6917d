// SPDX-License-Identifier: MIT
// Any text as the JSON of a spec: refused with a reason, or a tree no deeper than is allowed.
#include <alloclab/base/error.hpp>
#include <alloclab/compose/allocator_spec.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

std::size_t depth_of(const alloclab::AllocatorSpec& spec) {
    std::size_t deepest = 0;
    for (const auto& child : spec.children) {
        const std::size_t depth = depth_of(child.spec);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const alloclab::AllocatorSpec spec =
            alloclab::parse_allocator_spec({reinterpret_cast<const char*>(data), size});
        if (depth_of(spec) > alloclab::allocator_spec_max_depth) {
            std::abort();
        }
    } catch (const alloclab::Error&) {
        // Refused, as most texts must be.
    }
    return 0;
}
