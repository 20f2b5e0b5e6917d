// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/compose/plugin_table.hpp>

#include <array>
#include <cstdint>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <vector>

namespace alloclab {

namespace {

constexpr const char* entry_point = "alloclab_plugin";

// What a plugin is given: the library's path is ours, the other options are its own.
struct PluginOptions {
    std::string library;
    std::vector<std::pair<std::string, std::string>> own;

    bool set(std::string_view name, std::string_view value) noexcept {
        if (name == "library") {
            library = value;
        } else {
            own.emplace_back(name, value);
        }
        return true;
    }
};

std::string loader_error() {
    const char* const reason = ::dlerror();
    return reason == nullptr ? "the loader does not say why" : reason;
}

// Throws: Error.
alloclab_allocator open_library(const std::string& path) {
    // Our own symbols are not offered to it, nor its symbols to the next plugin.
    void* const handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        throw Error("cannot be loaded: " + loader_error());
    }
    const auto get_table = reinterpret_cast<alloclab_plugin_function>(::dlsym(handle, entry_point));
    if (get_table == nullptr) {
        throw Error(std::string("exports no ") + entry_point);
    }
    return read_plugin_table(get_table(), SIZE_MAX);
}

// The table of the library at `path`, opened once and never closed: its code may be on a stack, in
// an exit handler or in a thread's destructor to the end of the process.
// Throws: Error.
const alloclab_allocator& table_of_library(const std::string& path) {
    static std::mutex mutex;
    static auto& tables = *new std::map<std::string, alloclab_allocator>;
    const std::lock_guard lock(mutex);
    const auto known = tables.find(path);
    return known != tables.end() ? known->second
                                 : tables.emplace(path, open_library(path)).first->second;
}

// Throws: Error with the plugin's own words.
void* create(const alloclab_allocator& table, const PluginOptions& options) {
    std::vector<alloclab_option> plain;
    for (const auto& [name, value] : options.own) {
        plain.push_back({name.c_str(), value.c_str()});
    }
    std::array<char, 512> said{};
    void* self = nullptr;
    try {
        self = table.create(plain.data(), plain.size(), said.data(), said.size());
    } catch (const std::exception& error) {
        throw Error(std::string("create threw: ") + error.what());
    } catch (...) {
        throw Error("create threw");
    }
    said.back() = '\0';
    if (self == nullptr) {
        throw Error(said.front() == '\0' ? "create failed without saying why" : said.data());
    }
    return self;
}

AnyAllocator build_plugin(const char*, SpecReader& reader) {
    const PluginOptions options = reader.options<PluginOptions>();
    if (options.library.empty() || options.library.front() != '/') {
        reader.refuse("needs the absolute path of a \"library\", not \"" + options.library + "\"");
    }
    try {
        const alloclab_allocator& table = table_of_library(options.library);
        return {table, create(table, options)};
    } catch (const Error& error) {
        reader.refuse(options.library + ": " + error.what());
    }
}

constexpr std::array recipes{Recipe{"plugin", build_plugin}};

} // namespace

std::span<const Recipe> plugin_recipes() {
    return recipes;
}

} // namespace alloclab
