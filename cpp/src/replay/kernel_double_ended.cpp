// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/double_ended.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_double_ended_kernel(const KernelConfig& config) {
    return make_own_kernel<DoubleEnded<>>(config);
}

} // namespace alloclab
