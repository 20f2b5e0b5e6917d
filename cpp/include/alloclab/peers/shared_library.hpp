// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace alloclab {

// Which library a heap of an existing malloc comes from: a path, or empty for the usual names. Kept
// in place, so that options need no heap.
struct LibraryPath {
    static constexpr std::size_t max_bytes = 1024;
    char text[max_bytes] = {};

    // Returns false, and changes nothing, for an empty path or one that is too long.
    bool set(std::string_view path) noexcept;
    bool is_set() const noexcept { return text[0] != 0; }
};

// A shared library opened beside the process's own malloc: its names stay its own, so that nobody's
// malloc changes. Never closed, because what it registered for thread and process exit stays.
class SharedLibrary {
public:
    // Opens `path`, or the first of `names` the loader finds.
    // Throws: Error that names what was tried and what the loader said.
    SharedLibrary(const char* product, const LibraryPath& path, std::span<const char* const> names);

    // Fills one entry of a function table.
    // Throws: Error naming the library and the function it lacks.
    template <class Function> void find(const char* name, Function*& function) const {
        function = reinterpret_cast<Function*>(find_address(name));
    }
    const std::string& path() const { return path_; }

private:
    void* find_address(const char* name) const;

    const char* product_;
    std::string path_;
    void* handle_ = nullptr;
};

} // namespace alloclab
