// SPDX-License-Identifier: MIT
// Functions that stop at a label each: what a debugger would say of the labels is known.
#include <cstdlib>
#include <vector>

#define PLACE(name) asm volatile(".globl place_" #name "\nplace_" #name ": nop")

extern "C" __attribute__((noinline, used)) void* plain_c(std::size_t size) {
    PLACE(plain); // line 9
    return std::malloc(size);
}

namespace outer {

__attribute__((always_inline)) inline void* innermost(std::size_t size) {
    PLACE(inlined); // line 16
    return plain_c(size);
}

__attribute__((always_inline)) inline void* middle(std::size_t size) {
    return innermost(size + 1); // line 21
}

__attribute__((noinline)) void* caller(std::size_t size) {
    return middle(size * 2); // line 25
}

template <class T> struct Holder {
    __attribute__((noinline)) T* make(T value) {
        PLACE(of_template); // line 30
        return new T(value);
    }
};

} // namespace outer

namespace {

__attribute__((noinline)) void* hidden(std::size_t size) {
    PLACE(hidden); // line 40
    return std::malloc(size);
}

} // namespace

__attribute__((noinline)) static void* of_local_class(std::size_t size) {
    struct Local {
        __attribute__((noinline)) static void* make(std::size_t bytes) {
            PLACE(of_local_class); // line 49
            return std::malloc(bytes + 1);
        }
    };
    return Local::make(size + 7);
}

int main(int count, char**) {
    const auto size = static_cast<std::size_t>(count);
    outer::Holder<long> holder;
    std::vector<void*> blocks{outer::caller(size), holder.make(count), hidden(size),
                              of_local_class(size)};
    for (void* block : blocks) {
        std::free(block);
    }
    return 0;
}
