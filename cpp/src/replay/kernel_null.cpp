// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/null.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_null_kernel(const KernelConfig& config) {
    return make_own_kernel<Null>(config);
}

} // namespace alloclab
