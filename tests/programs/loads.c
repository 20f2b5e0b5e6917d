// SPDX-License-Identifier: MIT

// loads LIBRARY: loads and unloads a library again and again, allocating between.

#include <dlfcn.h>
#include <stdlib.h>

static void *volatile block;

int main(int argc, char **argv) {
    for (int round = 0; round < 20; ++round) {
        void *library = dlopen(argc > 1 ? argv[1] : "libm.so.6", RTLD_NOW);
        if (library == NULL)
            return 1;
        block = malloc(321);
        free(block);
        dlclose(library);
    }
    return 0;
}
