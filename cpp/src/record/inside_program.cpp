// SPDX-License-Identifier: MIT

// What is known of the program's malloc by a recorder that does not stand in front of it.

#include <alloclab/record/real_calls.hpp>

#include <cstring>
#include <dlfcn.h>

namespace alloclab::record {

namespace {

RealCalls calls;

} // namespace

void resolve_real_calls() {
    void* const found = dlsym(RTLD_DEFAULT, "malloc");
    Dl_info object{};
    if (found == nullptr || dladdr(found, &object) == 0 || object.dli_fname == nullptr)
        return;
    const std::size_t length = std::strlen(object.dli_fname);
    if (length < sizeof calls.allocator_path)
        std::memcpy(calls.allocator_path, object.dli_fname, length + 1);
}

const RealCalls& real_calls() {
    resolve_real_calls();
    return calls;
}

void* next_function(const char* name) {
    return dlsym(RTLD_NEXT, name);
}

} // namespace alloclab::record
