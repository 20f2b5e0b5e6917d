# SPDX-License-Identifier: MIT
"""Whether a second core is really there, asked of a program that hammers malloc.

What a virtual machine calls a core may be shared with its neighbours, and come and go within
seconds. What two threads gain over one is measured only while two bare threads gain as much.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

# Each thread keeps sixteen blocks and replaces one a round; the clock runs while all of them do.
HAMMER = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static long rounds;
static pthread_barrier_t start;
static void *hammer(void *nothing) {
    void *blocks[16] = {0};
    (void)nothing;
    pthread_barrier_wait(&start);
    for (long round = 0; round < rounds; ++round) {
        free(blocks[round % 16]);
        blocks[round % 16] = malloc(16 + (unsigned long)(round * 7 % 31) * 8);
    }
    return NULL;
}
int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1;
    pthread_t threads[8];
    struct timespec before, after;
    rounds = argc > 2 ? atol(argv[2]) : 1000000;
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int n = 0; n < count; ++n)
        pthread_create(&threads[n], NULL, hammer, NULL);
    pthread_barrier_wait(&start);
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int n = 0; n < count; ++n)
        pthread_join(threads[n], NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    double ns = (after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec);
    printf("%f\n", 2.0 * count * rounds / ns * 1e3);
    return 0;
}
"""
LEAST_GAIN = 1.8  # of two bare threads over one, where a second core is free


class Hammer:
    """The program, built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "hammer"
        source = folder / "hammer.c"
        source.write_text(HAMMER, encoding="utf-8")
        flags = ["-O2", "-pthread", "-fno-builtin"]
        subprocess.run(["cc", *flags, "-o", self.program, source], check=True)

    def rate(self, threads: int, rounds: int, library: Path | None = None) -> float:
        """Millions of events a second that so many threads get through, recorded or bare."""
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        with tempfile.TemporaryDirectory(dir=self.folder) as captures:
            if library is not None:
                environment |= {"LD_PRELOAD": str(library), "ALLOCLAB_RECORD_DIR": captures}
            answer = subprocess.run(
                [self.program, str(threads), str(rounds)],
                check=True,
                env=environment,
                capture_output=True,
                text=True,
            )
        return float(answer.stdout)

    def finds_free_core(self) -> bool:
        """Whether two bare threads get through nearly twice as much as one: some 0.2 s."""
        rounds = 2_000_000
        one = self.rate(1, rounds)
        return self.rate(2, rounds) >= LEAST_GAIN * one
