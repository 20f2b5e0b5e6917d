// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/kernel.hpp>

#include <memory>

namespace alloclab {

// One function a heap; kernel_registry.cpp names them all.
std::unique_ptr<Kernel> make_null_replay_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_malloc_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_arena_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_frame_arena_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_double_ended_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_freelist_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_null_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_pool_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_composed_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_tlsf_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_buddy_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_slab_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_page_allocator_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_platform_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_jemalloc_arena_kernel(const KernelConfig& config);
std::unique_ptr<Kernel> make_mimalloc_heap_kernel(const KernelConfig& config);

} // namespace alloclab
