// SPDX-License-Identifier: MIT
// Fills a large block after it was asked for, and asks for nothing more before it is freed.
#include <stdlib.h>
#include <string.h>

int main(void) {
    const size_t size = 8u << 20;
    char* block = malloc(size);
    if (block == NULL)
        return 1;
    memset(block, 1, size);
    const int last = block[size - 1];
    free(block);
    return last != 1;
}
