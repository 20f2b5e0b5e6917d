// SPDX-License-Identifier: MIT

// Makes and destroys a known number of objects by every form of operator new, and sees bad_alloc
// pass through whatever stands in front of it.

#include <cstddef>
#include <cstdint>
#include <new>

struct alignas(64) Wide {
    char bytes[128];
};

static void* volatile kept;

template <class T> static void keep(T* p) { kept = p; }

int main() {
    for (int round = 0; round < 100; ++round) {
        int* one = new int(1);
        keep(one);
        delete one;
        char* many = new char[100];
        keep(many);
        delete[] many;
        Wide* wide = new Wide;
        keep(wide);
        delete wide;
        int* quiet = new (std::nothrow) int(2);
        keep(quiet);
        delete quiet;
    }
    try {
        volatile std::size_t size = PTRDIFF_MAX / 2;
        keep(new char[size]);
    } catch (const std::bad_alloc&) {
        return 0;
    }
    return 1;
}
