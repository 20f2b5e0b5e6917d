// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/capture_format.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace alloclab {

// Makes a capture file of a short input. A capture's head is 64 KiB of mostly zeros, so the input
// holds only its busy places, each as long as said here, and then the windows.
inline std::vector<std::byte> capture_image(std::span<const std::byte> input) {
    struct Place {
        std::size_t offset;
        std::size_t bytes;
    };
    constexpr Place places[]{{0, 256}, // the header
                             {capture::text_offset, 256},
                             {capture::images_offset, 2 * sizeof(capture::Image)}};
    std::vector<std::byte> file(capture::head_bytes);
    for (const Place& place : places) {
        const auto part = input.first(std::min(place.bytes, input.size()));
        std::copy(part.begin(), part.end(),
                  file.begin() + static_cast<std::ptrdiff_t>(place.offset));
        input = input.subspan(part.size());
    }
    file.insert(file.end(), input.begin(), input.end());
    return file;
}

} // namespace alloclab
