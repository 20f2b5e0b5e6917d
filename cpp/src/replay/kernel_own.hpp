// SPDX-License-Identifier: MIT
#pragma once

#include "kernel_registry.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/heaps.hpp>
#include <alloclab/replay/kernel_of.hpp>

namespace alloclab {

// The kernel of one of the lab's allocators, its options read from text.
// Throws: Error naming the option that is unknown or out of range.
template <class A> std::unique_ptr<Kernel> make_own_kernel(const KernelConfig& config) {
    typename A::Options options;
    for (const HeapOption& option : config.options) {
        if (!options.set(option.name, option.value)) {
            throw Error("heap " + std::string(config.heap) + ": option \"" +
                        std::string(option.name) + "\" is unknown or cannot be \"" +
                        std::string(option.value) + "\"");
        }
    }
    return make_kernel_of<OwnHeap<A>>(config, options);
}

} // namespace alloclab
