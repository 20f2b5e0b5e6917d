// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/slab.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_slab_kernel(const KernelConfig& config) {
    return make_own_kernel<Slab<>>(config);
}

} // namespace alloclab
