# SPDX-License-Identifier: MIT
"""The replay child itself, on shipped recordings: what it declines, and peaks over many batches."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import alloclab as al
from alloclab import _native

WITHOUT_USABLE_SIZE = """
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* Powers of two from one reservation, each freed block kept in a list of its size. */
struct block { size_t power; struct block *next; };
static struct block *kept[64];
static char *fresh, *end;

void *malloc(size_t size) {
    size_t power = 5;
    while (((size_t)1 << power) < size + 16) ++power;
    struct block *block = kept[power];
    if (block != NULL) {
        kept[power] = block->next;
        return (char *)block + 16;
    }
    if (fresh == NULL) {
        size_t reserved = (size_t)4 << 30;
        fresh = mmap(NULL, reserved, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        end = fresh + reserved;
    }
    if (((size_t)1 << power) > (size_t)(end - fresh)) return NULL;
    block = (struct block *)fresh;
    fresh += (size_t)1 << power;
    block->power = power;
    return (char *)block + 16;
}
void free(void *pointer) {
    if (pointer == NULL) return;
    struct block *block = (struct block *)((char *)pointer - 16);
    block->next = kept[block->power];
    kept[block->power] = block;
}
void *calloc(size_t count, size_t size) {
    void *block = malloc(count * size);
    return block == NULL ? NULL : memset(block, 0, count * size);
}
void *realloc(void *block, size_t size) {
    char *moved = malloc(size);
    if (moved != NULL && block != NULL) {
        size_t held = ((size_t)1 << ((struct block *)((char *)block - 16))->power) - 16;
        memcpy(moved, block, held < size ? held : size);
        free(block);
    }
    return moved;
}
"""


@pytest.fixture
def without_usable_size(tmp_path: Path) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = tmp_path / "bare.c", tmp_path / "libbare.so"
    source.write_text(WITHOUT_USABLE_SIZE)
    words = [compiler, "-O1", "-fno-builtin", "-fPIC", "-shared", "-o", library, source]
    subprocess.run(words, check=True)
    return library


def shipped(workloads: Path, name: str) -> Path:
    path = workloads / f"{name}.alloctrace"
    if not path.exists():
        pytest.skip("without the shipped recordings")
    return path


def test_a_malloc_that_tells_no_usable_size_keeps_its_other_figures(
    workloads: Path, without_usable_size: Path
) -> None:
    trace = al.open_trace(shipped(workloads, "freeciv"))
    spec = al.Preload(str(without_usable_size))
    comparison = al.compare(trace, [al.Glibc(), spec], repeats=1, progress=False)
    row = comparison[spec]
    assert row.problem is None
    reason = al.NotMeasured("the library that provides malloc has no malloc_usable_size")
    assert row.figures["internal_fragmentation_ratio"] == reason
    assert row.figures["external_fragmentation_ratio"] == reason
    assert row["ns_per_event"] > 0
    assert row["peak_footprint_bytes"] > comparison[al.Glibc()]["peak_footprint_bytes"]
    assert row["realized_fragmentation_ratio"] > 0
    assert reason.reason in comparison.table()


def test_a_trace_of_many_batches_has_the_peak_of_one(workloads: Path) -> None:
    def answer(*words: str) -> dict[str, Any]:
        child, trace = str(_native.replay_executable()), str(shipped(workloads, "clang"))
        command = [child, "--trace", trace, "--heap", "malloc", "--measure", "time", *words]
        told = subprocess.run(command, check=True, capture_output=True, env={"LC_ALL": "C"})
        return dict(json.loads(told.stdout))

    whole, parts = answer(), answer("--batch-events", "300000")
    assert parts["anonymous_peak_bytes"] == pytest.approx(whole["anonymous_peak_bytes"], rel=0.01)
    assert parts["page_faults"] == pytest.approx(whole["page_faults"], rel=0.01)
