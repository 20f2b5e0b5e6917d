// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/frame_arena.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_frame_arena_kernel(const KernelConfig& config) {
    return make_own_kernel<FrameArena<>>(config);
}

} // namespace alloclab
