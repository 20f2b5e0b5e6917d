// SPDX-License-Identifier: MIT

// The recorder's entry point in front of dlclose: what was known of an object's addresses ends with
// it. dlopen has none: the loader looks at who called it for the paths to search, and an object is
// found when its first address comes up.

#include "preload_entry.hpp"

#include <alloclab/record/modules.hpp>
#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/sites.hpp>

using namespace alloclab::record;

ALLOCLAB_ENTRY int dlclose(void* handle) {
    static int (*real)(void*);
    next(real, "dlclose");
    if (!has_sites())
        return real(handle);
    expect_module_gone();
    const int result = real(handle);
    forget_gone_modules();
    return result;
}
