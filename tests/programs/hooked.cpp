// SPDX-License-Identifier: MIT

// Functions for scope-on and frame-on to find: static ones, with every kind of argument, left by
// return, by exceptions and by longjmp, and a loop that waits for its next frame.

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>

#ifdef __clang__
#define OUT_OF_LINE extern "C" __attribute__((noinline))
#else
#define OUT_OF_LINE extern "C" __attribute__((noinline, noipa))
#endif

static std::jmp_buf back;

struct Wide {
    long words[5];
};

OUT_OF_LINE double many(int a, long b, double c, float d, Wide e, const char* f, long g, long h,
                        long i, double j) {
    return a + static_cast<double>(b) + c + static_cast<double>(d) +
           static_cast<double>(e.words[0] + e.words[4]) + f[0] +
           static_cast<double>(g + h + i) + j;
}

OUT_OF_LINE Wide returns_wide(long first) {
    return Wide{{first, 0, 0, 0, first * 2}};
}

OUT_OF_LINE int recurse(int depth) {
    return depth == 0 ? 0 : 1 + recurse(depth - 1);
}

OUT_OF_LINE void throws(int depth) {
    if (depth == 0)
        throw std::runtime_error("x");
    throws(depth - 1);
    std::puts("never");
}

OUT_OF_LINE int catches(int depth) {
    try {
        throws(depth);
    } catch (const std::runtime_error&) {
        return depth;
    }
    return -1;
}

OUT_OF_LINE void jumps(int depth) {
    if (depth == 0)
        std::longjmp(back, 1);
    jumps(depth - 1);
    std::puts("never");
}

OUT_OF_LINE long double extended(long double x) {
    return x * 2;
}

OUT_OF_LINE void* in_thread(void* argument) {
    if (argument != nullptr)
        pthread_exit(argument);
    return nullptr;
}

OUT_OF_LINE int step(int round) {
    usleep(1);
    return round;
}

OUT_OF_LINE void never_called() {
    std::puts("never");
}

int main(int argc, char**) {
    const Wide wide{{1, 0, 0, 0, 5}};
    if (many(1, 2, 3.5, 4.5F, wide, "A", 1, 2, 3, 0.25) != 1 + 2 + 3.5 + 4.5 + 6 + 65 + 6 + 0.25)
        return 1;
    if (returns_wide(4).words[4] != 8 || recurse(20) != 20 || extended(1.5L) != 3)
        return 2;
    for (int round = 0; round < 3; ++round)
        if (catches(round) != round)
            return 3;
    if (setjmp(back) == 0)
        jumps(3);
    if (recurse(1) != 1)
        return 4;
    for (int thread_idx = 0; thread_idx < 2; ++thread_idx) {
        pthread_t thread;
        void* result = nullptr;
        pthread_create(&thread, nullptr, in_thread, thread_idx == 0 ? nullptr : &back);
        pthread_join(thread, &result);
        if ((result != nullptr) != (thread_idx == 1))
            return 5;
    }
    for (int round = 0; round < 3; ++round)
        if (step(round) != round)
            return 6;
    if (argc > 5)
        never_called();
    return 0;
}
