// SPDX-License-Identifier: MIT
#include <alloclab/peers/shared_library.hpp>

#include <alloclab/base/error.hpp>

#include <cstring>
#include <dlfcn.h>

namespace alloclab {
namespace {

// What the loader says when a library was linked for being there from the start: its thread storage
// must fit into what the process set aside.
std::string advice_for(const std::string& reason) {
    if (reason.find("static TLS") == std::string::npos) {
        return {};
    }
    return "; start the process with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=2048";
}

} // namespace

bool LibraryPath::set(std::string_view path) noexcept {
    if (path.empty() || path.size() >= max_bytes) {
        return false;
    }
    std::memcpy(text, path.data(), path.size());
    text[path.size()] = 0;
    return true;
}

SharedLibrary::SharedLibrary(const char* product, const LibraryPath& path,
                             std::span<const char* const> names)
    : product_(product) {
    const char* const only[] = {path.text};
    const std::span<const char* const> tried = path.is_set() ? std::span(only) : names;
    std::string failures;
    for (const char* const name : tried) {
        handle_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (handle_ != nullptr) {
            path_ = name;
            return;
        }
        const std::string reason = ::dlerror();
        failures += (failures.empty() ? "" : "; ") + reason + advice_for(reason);
    }
    throw Error(std::string(product) + ": no library can be loaded: " + failures);
}

void* SharedLibrary::find_address(const char* name) const {
    void* const address = ::dlsym(handle_, name);
    if (address == nullptr) {
        throw Error(std::string(product_) + ": " + path_ + " has no function " + name);
    }
    return address;
}

} // namespace alloclab
