// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/buddy.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_buddy_kernel(const KernelConfig& config) {
    return make_own_kernel<Buddy<>>(config);
}

} // namespace alloclab
