# SPDX-License-Identifier: MIT
"""Allocator specs: values that print, compare and read back; libraries found or explained."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alloclab import allocators as al
from alloclab.allocators import elf, find
from alloclab.allocators.spec import allocator_option, size_option
from alloclab.errors import NotInstalled, NotMeasured, UsageError

SPECS: list[al.Allocator] = [
    al.Glibc(),
    al.Glibc(arenas=1, mmap_threshold="128 KiB", tcache_count=0),
    al.Jemalloc(narenas=1, dirty_decay_ms=-1, background_thread=False),
    al.Mimalloc(large_os_pages=True, reset_delay=0),
    al.Tcmalloc(max_total_thread_cache="32 MiB", release_rate=5),
    al.Pool(),
    al.Pool(purge=False, huge_pages_from="24 MiB"),
    al.Pool(decay_ms=250),
    al.Pool(classes_per_doubling=4),
    al.Pool(decay_ms=250, background=True),
    al.Pool(background=False),
    al.Arena(),
    al.Arena(initial="1 MiB", growth=1.5),
    al.FrameArena(preset="page_chain", reset="free_all"),
    al.DoubleEnded(region="64 MiB"),
    al.Freelist(block=256),
    al.Null(),
    al.Tlsf(initial="1 MiB", retain=0),
    al.Buddy(min_block=64, region="16 MiB"),
    al.Slab(object=48, slab="4 KiB", retained_slabs=2, colour=False),
    al.PageAllocator(),
    al.Platform(),
    al.JemallocArena(cache=False, library="/opt/lib/libjemalloc.so.2"),
    al.MimallocHeap(),
    al.Plugin("mine.cpp", options={"limit": 3}),
    al.Segregator(128, small=al.Freelist(), large=al.Fallback(al.Arena(), al.Pool())),
    al.Fallback(al.Slab(), al.Null()),
    al.Bucketizer(al.Freelist(), min=17, max="4 KiB", step=32, steps_per_doubling=4),
    al.Affix(al.Pool(), prefix=8, suffix=24),
    al.Quantizer(al.Pool(), quantum=64, steps_per_doubling=1),
    al.Stats(al.Pool(), slack=True, histogram=True),
    al.FailAfter(al.Pool(), 10, failed=1),
    al.Limit(al.Locked(al.Pool(), lock="mutex"), "16 MiB"),
    al.Locked(al.Pool()),
    al.ThreadLocal(al.Deterministic(al.Pool()), on_exit="drain"),
    al.Callback(al.Pool()),
    al.Deterministic(al.Pool()),
    al.Traced(al.Guard(al.Quarantine(al.Pool(), blocks=8, limit="64 KiB")), past_blocks=0),
    al.Guard(al.Arena()),
    al.Quarantine(al.Pool()),
    al.Debug(check_calls=False),
    al.Preload("/opt/lib/libmine.so", environment={"B": "2", "A": "1"}),
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_spec_reads_back_from_json(spec: al.Allocator) -> None:
    again = al.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert hash(again) == hash(spec)


@pytest.mark.parametrize("spec", SPECS[:-1], ids=str)
def test_a_spec_reads_back_from_its_text(spec: al.Allocator) -> None:
    assert al.parse(str(spec)) == spec


def test_every_known_allocator_is_among_the_specs_tested() -> None:
    assert {type(spec) for spec in SPECS} == set(al.KNOWN.values())


@given(st.integers(0, 1 << 40), st.floats(1.01, 16, allow_nan=False))
def test_any_arena_reads_back_both_ways(initial: int, growth: float) -> None:
    spec = al.Arena(initial=initial, growth=growth)
    assert al.parse(str(spec)) == spec
    assert al.from_json(spec.to_json()) == spec


def test_sizes_are_normalised_so_that_equal_specs_are_equal() -> None:
    assert al.Arena(initial="64 KiB") == al.Arena(initial=65536) == al.Arena()
    assert str(al.Arena(initial="1 MiB")) == "arena:initial=1MiB"
    assert len({al.Arena(), al.Arena(initial="64 KiB")}) == 1


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        al.Arena().initial = 1  # type: ignore[misc]


def test_an_unknown_allocator_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown allocator .dlmalloc.: known are glibc, "):
        al.parse("dlmalloc")
    with pytest.raises(UsageError, match="unknown allocator None"):
        al.from_json({})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jemalloc:arenas=1", "jemalloc has no setting 'arenas': it knows narenas"),
        ("null:size=1", "null has no setting 'size': it has no settings"),
        ("arena:initial", r"arena: not a setting: 'initial' \(write name=value\)"),
        ("arena:initial=big", "arena: initial: not a size: 'big'"),
        ("arena:growth=-1", "arena: growth: not a positive number"),
        ("jemalloc:narenas=one", "jemalloc: narenas: not a whole number: 'one'"),
        ("pool:purge=maybe", "pool: purge: neither true nor false: 'maybe'"),
        ("preload:", "preload: path: no path given"),
    ],
)
def test_a_wrong_setting_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        al.parse(text)


def test_settings_reach_the_environment_each_allocator_reads() -> None:
    assert al.Glibc(arenas=1, mmap_threshold="1 MiB").launch().environment == {
        "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=1048576"
    }
    assert al.Jemalloc(narenas=1, tcache=False).environment() == {
        "MALLOC_CONF": "narenas:1,tcache:false"
    }
    assert al.Mimalloc(page_reset=True).environment() == {"MIMALLOC_PAGE_RESET": "true"}
    assert al.Tcmalloc(release_rate=3).environment() == {"TCMALLOC_RELEASE_RATE": "3"}
    assert al.Glibc().launch().environment == {}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (al.Pool(), False),
        (al.Pool(huge_pages_from=0), False),
        (al.Pool(huge_pages_from="24 MiB"), True),
        (al.Mimalloc(large_os_pages=True), True),
        (al.Mimalloc(large_os_pages=False), False),
        (al.Glibc(hugetlb=1), True),
    ],
    ids=str,
)
def test_huge_pages_are_on_only_where_the_spec_asks(spec: al.Allocator, wanted: bool) -> None:
    assert spec.wants_huge_pages() is wanted


def test_an_allocator_without_a_malloc_face_says_so() -> None:
    with pytest.raises(NotMeasured, match="freelist cannot serve malloc"):
        al.Freelist().launch()


def test_a_missing_peer_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOCLAB_JEMALLOC_LIBRARY", raising=False)
    monkeypatch.setattr(find, "_loader_cache", dict)
    monkeypatch.setattr(find, "_folders", list)
    with pytest.raises(NotInstalled, match="jemalloc is not installed: apt-get install libjemall"):
        al.Jemalloc().launch()


def test_an_override_names_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = tmp_path / "libjemalloc.so.2"
    library.write_bytes(b"")
    monkeypatch.setenv("ALLOCLAB_JEMALLOC_LIBRARY", str(library))
    assert al.Jemalloc.library() == library
    monkeypatch.setenv("ALLOCLAB_JEMALLOC_LIBRARY", str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="ALLOCLAB_JEMALLOC_LIBRARY names no file"):
        al.Jemalloc.library()


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.so"
    text.write_text("not a library")
    with pytest.raises(UsageError, match=r"notes.so: not a 64-bit shared library: no ELF header"):
        al.Preload(text).launch()
    with pytest.raises(UsageError, match=r"absent.so: no such file"):
        al.Preload(tmp_path / "absent.so").launch()


def test_a_truncated_library_is_refused(tmp_path: Path) -> None:
    header = bytes(elf._HEADER.pack(b"\x7fELF\x02\x01", 3, 62, 1, 0, 0, 64, 0, 0, 0, 0, 64, 9, 0))
    broken = tmp_path / "broken.so"
    broken.write_bytes(header)
    with pytest.raises(UsageError, match=r"broken.so: not a 64-bit shared library"):
        al.Preload(broken).launch()


def test_a_path_the_loader_would_split_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "my lib.so"
    library.write_bytes(b"")
    with pytest.raises(UsageError, match="no path with a space"):
        al.Preload(library).launch()


@pytest.fixture
def build_library(tmp_path: Path) -> Any:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")

    def build(source: str, *flags: str) -> Path:
        unit = tmp_path / "unit.c"
        unit.write_text(source)
        library = tmp_path / "libunit.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-fno-builtin", "-o", library, unit, *flags], check=True
        )
        return library

    return build


def test_a_library_without_malloc_is_refused(build_library: Any) -> None:
    library = build_library("int answer(void) { return 42; }")
    with pytest.raises(UsageError, match=r"exports no malloc and no free: not an allocator"):
        al.Preload(library).launch()


def test_a_library_the_loader_cannot_resolve_is_refused(build_library: Any) -> None:
    source = "void absent(void); void* malloc(unsigned long n) { absent(); return 0; }"
    library = build_library(source + " void free(void* p) { (void)p; }", "-Wl,-z,now")
    with pytest.raises(UsageError, match="a program that preloads it ends with"):
        al.Preload(library).launch()


def test_a_library_with_malloc_is_accepted(build_library: Any) -> None:
    source = "static char room[65536]; static unsigned long used;"
    source += "void* malloc(unsigned long n) { used += (n + 15) & ~15ul; return room + used - n; }"
    library = build_library(source + " void free(void* p) { (void)p; }")
    launch = al.Preload(library, environment={"A": "1"}).launch()
    assert launch.preload == (library,)
    assert launch.environment == {"A": "1"}


@dataclass(frozen=True)
class Around(al.Composed):
    """A stack to test with: what a combinator's spec looks like."""

    name = "around"
    upstream: al.Allocator = allocator_option()
    least: int | str = size_option("least_bytes", 16)


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> type[Around]:
    monkeypatch.setitem(al.KNOWN, "around", Around)
    return Around


def test_a_stack_reads_back_both_ways(around: type[Around]) -> None:
    spec = around(around(al.Arena(growth=1.5), least=32))
    text = "around:upstream=(around:upstream=(arena:growth=1.5),least=32B)"
    assert str(spec) == text
    assert al.parse(text) == spec
    assert al.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert hash(al.parse(text)) == hash(spec)


def test_a_stack_reaches_the_child_as_one_spec(around: type[Around]) -> None:
    launch = around(al.Freelist(block=32, blocks_per_chunk=8)).kernel()
    assert launch.heap == "composed" and launch.spec is not None
    options = {"block_bytes": "32", "blocks_per_chunk": "8"}
    assert json.loads(launch.spec) == {
        "allocator": "around",
        "options": {"least_bytes": "16"},
        "children": {"upstream": {"allocator": "freelist", "options": options}},
    }
    with pytest.raises(NotMeasured, match="around cannot serve malloc"):
        around(al.Arena()).launch()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("around:upstream=(pool", "around: parentheses do not match"),
        ("around:upstream=pool)", "around: parentheses do not match"),
        ("around:least=3", "around needs 'upstream'"),
        ("around:upstream=pool", "around: upstream: not an allocator: 'pool'"),
        ("around:upstream=(glibc)", "upstream: glibc is a whole process's malloc and cannot be"),
        ("around:upstream=" + "(around:upstream=" * 80, "parentheses do not match"),
    ],
)
def test_a_stack_that_cannot_be_is_refused(around: type[Around], text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        al.parse(text)
