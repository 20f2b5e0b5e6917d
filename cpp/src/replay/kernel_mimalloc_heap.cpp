// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/peers/mimalloc_heap.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_mimalloc_heap_kernel(const KernelConfig& config) {
    return make_own_kernel<MimallocHeap>(config);
}

} // namespace alloclab
