// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/capture_format.hpp>

namespace alloclab::record {

// Writes what identifies the image into the head of its capture: the paths of the image and of the
// object that provides malloc, the recorder's version and the arguments. No environment.
// Requires: the header begins a mapping of head_bytes.
void fill_head_text(capture::FileHeader& header);

} // namespace alloclab::record
