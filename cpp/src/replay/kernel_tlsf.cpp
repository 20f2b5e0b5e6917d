// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/tlsf.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_tlsf_kernel(const KernelConfig& config) {
    return make_own_kernel<Tlsf<>>(config);
}

} // namespace alloclab
