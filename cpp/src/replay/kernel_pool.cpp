// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/pool.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_pool_kernel(const KernelConfig& config) {
    return make_own_kernel<Pool<>>(config);
}

} // namespace alloclab
