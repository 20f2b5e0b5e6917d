/* SPDX-License-Identifier: MIT */
/* A library that loads and exports something, but no plugin. */
#include <alloclab/plugin.h>

ALLOCLAB_EXPORT const char* alloclab_something_else(void);

const char* alloclab_something_else(void) {
    return "no plugin";
}
