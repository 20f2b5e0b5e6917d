// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/residence.hpp>

#include <cstddef>

namespace alloclab::record {

// Records how much of a large block or a region is resident, at its birth or its death.
void append_residence(capture::Code code, const void* p, const Residence& residence);

// The same, having asked the kernel.
void append_touched(capture::Code code, const void* p, std::size_t size);

} // namespace alloclab::record
