// SPDX-License-Identifier: MIT

// A library whose constructor and destructor allocate: for loads.

#include <stdlib.h>

static void *volatile kept;

__attribute__((constructor)) static void begin(void) {
    kept = malloc(555);
    free(malloc(556));
}

__attribute__((destructor)) static void end(void) { free(kept); }
