// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/platform.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_platform_kernel(const KernelConfig& config) {
    return make_own_kernel<Platform>(config);
}

} // namespace alloclab
