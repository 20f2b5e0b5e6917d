// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/peers/jemalloc_arena.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_jemalloc_arena_kernel(const KernelConfig& config) {
    return make_own_kernel<JemallocArena>(config);
}

} // namespace alloclab
