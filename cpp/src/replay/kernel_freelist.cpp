// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/freelist.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_freelist_kernel(const KernelConfig& config) {
    return make_own_kernel<Freelist<>>(config);
}

} // namespace alloclab
