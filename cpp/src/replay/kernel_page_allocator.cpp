// SPDX-License-Identifier: MIT
#include "kernel_own.hpp"

#include <alloclab/alloc/page_allocator.hpp>

namespace alloclab {

std::unique_ptr<Kernel> make_page_allocator_kernel(const KernelConfig& config) {
    return make_own_kernel<PageAllocator<>>(config);
}

} // namespace alloclab
