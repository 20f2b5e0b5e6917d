// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alloclab {

struct AllocatorChild;

// An allocator as a tree of names and settings: what a spec in Python becomes when it is handed to
// the core.
struct AllocatorSpec {
    std::string name;
    std::vector<std::pair<std::string, std::string>> options;
    std::vector<AllocatorChild> children;
};

// An allocator within another, by the name it has there.
struct AllocatorChild {
    std::string name;
    AllocatorSpec spec;
};

// Deeper trees are refused: whoever writes one by hand has made a mistake.
inline constexpr std::size_t allocator_spec_max_depth = 64;

// Reads {"allocator": NAME, "options": {NAME: TEXT, ...}, "children": {NAME: SPEC, ...}}, where the
// last two may be missing. Whether the names are known is `build_allocator`'s to say.
// Throws: Error naming the place in the tree and what stands there.
AllocatorSpec parse_allocator_spec(std::string_view json);

} // namespace alloclab
