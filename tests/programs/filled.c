// SPDX-License-Identifier: MIT
// Fills a large block after it was asked for, and asks for nothing more before it is freed.
#include <stdlib.h>

int main(void) {
    const size_t size = 8u << 20;
    volatile char* block = malloc(size);
    if (block == NULL)
        return 1;
    for (size_t at = 0; at < size; ++at)
        block[at] = 1;
    const int last = block[size - 1];
    free((void*)block);
    return last != 1;
}
