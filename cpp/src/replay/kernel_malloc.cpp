// SPDX-License-Identifier: MIT
#include "kernel_registry.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/replay/heaps.hpp>
#include <alloclab/replay/kernel_of.hpp>

#include <dlfcn.h>

namespace alloclab {

namespace {

// A library that replaces malloc but not malloc_usable_size would have the C library measure
// blocks that are not its own.
bool has_usable_size_of_its_own() {
    Dl_info allocating{};
    Dl_info measuring{};
    return ::dladdr(reinterpret_cast<void*>(&std::malloc), &allocating) != 0 &&
           ::dladdr(reinterpret_cast<void*>(&::malloc_usable_size), &measuring) != 0 &&
           allocating.dli_fbase == measuring.dli_fbase;
}

} // namespace

std::unique_ptr<Kernel> make_malloc_kernel(const KernelConfig& config) {
    if (!config.options.empty()) {
        throw Error("heap malloc: it has no option \"" + std::string(config.options[0].name) +
                    "\"; a malloc takes its settings from the environment");
    }
    const bool needs_sizes =
        config.measure == Measure::blocks || config.measure == Measure::placement;
    if (needs_sizes && !has_usable_size_of_its_own()) {
        throw NotMeasuredError("the library that provides malloc has no malloc_usable_size");
    }
    return make_kernel_of<MallocHeap>(config);
}

std::unique_ptr<Kernel> make_null_replay_kernel(const KernelConfig& config) {
    if (!config.options.empty()) {
        throw Error("heap null_replay: it has no options");
    }
    return make_kernel_of<NullReplayHeap>(config);
}

} // namespace alloclab
