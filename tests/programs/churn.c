// SPDX-License-Identifier: MIT

// churn EVENTS [leave] : allocates and frees blocks of mixed sizes; "kill" dies by SIGKILL at the
// end, "_exit" leaves by _exit, "quick_exit" by quick_exit, "sleep" waits for ten seconds.

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *slots[1024];

#ifdef TAKES_ADDRESS_OF_MALLOC // an executable at a fixed place then has a stub of that name
void *(*volatile allocator)(size_t) = malloc;
#endif

int main(int argc, char **argv) {
    long events = argc > 1 ? atol(argv[1]) : 1000;
    const char *leave = argc > 2 ? argv[2] : "";
    uint64_t state = 88172645463325252u;
    for (long done = 0; done < events;) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        void **slot = &slots[state >> 20 & 1023];
        if (*slot != NULL) {
            free(*slot);
            ++done;
        }
        *slot = malloc(state >> 40 & 1023);
        ++done;
    }
    if (strcmp(leave, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(leave, "_exit") == 0)
        _exit(0);
    if (strcmp(leave, "quick_exit") == 0)
        quick_exit(0);
    if (strcmp(leave, "sleep") == 0)
        sleep(10);
    return 0;
}
