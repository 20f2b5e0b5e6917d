// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/arena.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_arena_kernel(const KernelConfig& config) {
    return make_own_kernel<Arena<>>(config);
}

} // namespace alloclab
