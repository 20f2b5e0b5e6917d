// SPDX-License-Identifier: MIT

// The recorder's entry point in front of dlclose: what was known of an object's addresses ends with
// it. dlopen has none: the loader looks at who called it for the paths to search, and an object is
// found when its first address comes up.

#include <alloclab/record/modules.hpp>
#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/sites.hpp>

using namespace alloclab::record;

extern "C" __attribute__((visibility("default"))) int dlclose(void* handle) {
    static int (*real)(void*);
    if (real == nullptr)
        real = reinterpret_cast<int (*)(void*)>(next_function("dlclose"));
    if (!has_sites())
        return real(handle);
    expect_module_gone();
    const int result = real(handle);
    forget_gone_modules();
    return result;
}
