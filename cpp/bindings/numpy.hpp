// SPDX-License-Identifier: MIT
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <utility>
#include <vector>

namespace alloclab::bindings {

// Hands a vector over to NumPy without a copy: the array owns it. `width` columns a row, or a flat
// array for 1.
template <class T> pybind11::array_t<T> to_numpy(std::vector<T>&& values, std::size_t width = 1) {
    auto owned = std::make_unique<std::vector<T>>(std::move(values));
    T* const start = owned->data();
    const std::size_t rows = owned->size() / width;
    pybind11::capsule owner(owned.release(),
                            [](void* vector) { delete static_cast<std::vector<T>*>(vector); });
    if (width == 1) {
        return pybind11::array_t<T>(rows, start, owner);
    }
    return pybind11::array_t<T>({rows, width}, start, owner);
}

} // namespace alloclab::bindings
