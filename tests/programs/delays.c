/* SPDX-License-Identifier: MIT */
/* delays LIBRARY: loads a library for itself alone, and waits by a function it looks up there. */

#include <dlfcn.h>

int main(int argc, char** argv) {
    void* library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
    if (library == 0)
        return 1;
    void (*delay)(unsigned);
    *(void**)&delay = dlsym(library, "SDL_Delay");
    for (int round = 0; round < 3; ++round)
        delay(1);
    return 0;
}
