# SPDX-License-Identifier: MIT
"""Shared arenas: one process writes and publishes, others map and read (row R76)."""

from __future__ import annotations

import copy
import fcntl
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import alloclab as al

READER = """
import sys
import numpy as np
import alloclab as al

with al.SharedArenaView(int(sys.argv[1])) as view:
    points = view.array(view.root, (1000, 3), "f4")
    print(points.sum(), points.flags.writeable)
    del points
"""


def points_of_a_test() -> np.ndarray:
    return np.arange(3000, dtype="f4").reshape(1000, 3)


def test_another_process_reads_what_was_written() -> None:  # R76
    with al.SharedArena("64 MiB") as arena:
        points = arena.array((1000, 3), "f4")
        points[:] = points_of_a_test()
        root = arena.offset_of(points)
        del points
        arena.publish(root)
        child = subprocess.run(
            [sys.executable, "-c", READER, str(arena.fileno())],
            pass_fds=[arena.fileno()],
            capture_output=True,
            text=True,
        )
    assert (child.stderr, child.returncode) == ("", 0)
    assert child.stdout.split() == [str(points_of_a_test().sum()), "False"]


def test_a_reader_of_another_process_can_be_the_writers_own_too() -> None:
    with al.SharedArena("1 MiB") as arena:
        number = arena.store(np.arange(5))
        block = arena.allocate(24)
        with memoryview(block) as view:
            view[:] = struct.pack("3Q", number, 5, 7)
        arena.publish(block)
        view = al.SharedArenaView(arena)
    head = view.array(view.root, 3, "u8")
    assert view.array(head[0], int(head[1]), "i8").tolist() == [0, 1, 2, 3, 4]
    assert head[2] == 7


def test_what_is_published_cannot_change() -> None:
    with al.SharedArena("1 MiB") as arena:
        block = arena.allocate(64)
        assert not arena.is_published
        arena.publish(block)
        assert arena.is_published
        assert not block.is_live
        with pytest.raises(al.BlockEnded):
            memoryview(block)
        with pytest.raises(MemoryError):
            arena.allocate(1)
        with pytest.raises(MemoryError):
            arena.store([1, 2, 3])
        with pytest.raises(al.SharedArenaError, match="published already"):
            arena.publish()
        for change in (
            lambda: os.pwrite(arena.fileno(), b"x", 64),
            lambda: os.ftruncate(arena.fileno(), 0),
        ):
            with pytest.raises(PermissionError):
                change()
        with al.SharedArenaView(arena) as view:
            assert view.root == 64
            bytes_there = view.array(64, 64, "u1")
            with pytest.raises(ValueError, match="read-only"):
                bytes_there[0] = 1
            with pytest.raises(ValueError, match="WRITEABLE"):
                bytes_there.flags.writeable = True
            del bytes_there


def test_publishing_waits_for_whoever_could_still_write() -> None:
    with al.SharedArena("1 MiB", "index") as arena:
        values = arena.array(10, "i4", tag="keys")
        part = values[3:]
        root = arena.offset_of(values)
        del values
        with pytest.raises(
            al.ArenaEscapeError, match=r"'index' cannot publish .* 40 B \[keys\].*delete or copy"
        ):
            arena.publish(part)
        part[:] = 5
        assert not arena.is_published
        del part
        arena.publish(root)
        with al.SharedArenaView(arena) as view:
            assert view.array(root, 10, "i4")[3:].tolist() == [5] * 7


def test_publishing_waits_for_a_child_that_could_write() -> None:
    ends = os.pipe()
    with al.SharedArena("1 MiB") as arena:
        block = arena.allocate(8)
        child = os.fork()
        if child == 0:  # has the mapping as long as it lives
            os.close(ends[1])
            os.read(ends[0], 1)
            os._exit(0)
        with pytest.raises(al.SharedArenaError, match="another process may write to it"):
            arena.publish(block)
        with memoryview(block) as view:
            view[:] = b"as it was"[:8]
        for end in ends:
            os.close(end)
        os.waitpid(child, 0)
        arena.publish(block)


def test_an_arena_is_as_long_as_it_was_said_to_be() -> None:
    with al.SharedArena(8192) as arena:
        assert (arena.capacity_bytes, arena.used_bytes) == (8192, 64)
        arena.allocate(8192 - 64)
        with pytest.raises(MemoryError, match="shared_arena: no room for 1 bytes"):
            arena.allocate(1)
        arena.publish()
        with al.SharedArenaView(arena) as view:
            assert (view.root, view.used_bytes) == (None, 8192)


@pytest.mark.parametrize(
    ("capacity", "error", "problem"),
    [
        (0, al.SharedArenaError, "too_small"),
        ("63 B", al.SharedArenaError, "too_small"),
        ("4096 TiB", al.SharedArenaError, "refused_by_system"),
        (-1, al.UsageError, "not negative"),
        ("large", al.UsageError, "not a size"),
    ],
)
def test_a_capacity_that_cannot_be_is_refused(
    capacity: int | str, error: type[al.Error], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        al.SharedArena(capacity)


def test_what_is_elsewhere_has_no_offset() -> None:
    with al.SharedArena("1 MiB") as arena, al.SharedArena("1 MiB") as other:
        block = other.allocate(8)
        for what in (block, np.zeros(3)):
            with pytest.raises(al.UsageError, match="is not in"):
                arena.offset_of(what)
        with pytest.raises(al.UsageError, match="is not in"):
            arena.publish(block)
        for offset in (8, 64, 1 << 40):
            with pytest.raises(al.SharedArenaError, match="publish: refused_by_system: Invalid"):
                arena.publish(offset)
        with pytest.raises(al.UsageError, match="does not hold bytes"):
            arena.store([None])
        arena.publish()


def test_closing_closes_the_file_when_the_last_array_is_gone() -> None:
    arena = al.SharedArena("1 MiB")
    values = arena.array(10)
    descriptor = arena.fileno()
    with pytest.raises(al.ArenaEscapeError, match="80 B"):
        arena.close()
    values[:] = 1.0
    assert values.sum() == 10.0
    os.fstat(descriptor)
    del values
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
    for use in (arena.fileno, arena.publish, lambda: arena.allocate(8), lambda: arena.used_bytes):
        with pytest.raises(al.ScopeClosed):
            use()


def test_an_array_of_a_view_holds_the_memory_beyond_its_end() -> None:
    with al.SharedArena("1 MiB") as arena:
        root = arena.store([1, 2, 3])
        arena.publish(root)
        view = al.SharedArenaView(arena)
    values = view.array(root, 3, "i8")
    with pytest.raises(al.ArenaEscapeError, match="shared arena"):
        view.close()
    assert view.is_closed
    view.close()
    assert values.tolist() == [1, 2, 3]
    for use in (lambda: view.root, lambda: view.used_bytes, lambda: view.array(root, 3, "i8")):
        with pytest.raises(al.ScopeClosed):
            use()
    del values
    assert view._reader.export_count == 0


def test_the_first_error_is_the_one_told() -> None:
    with al.SharedArena("1 MiB") as arena:
        root = arena.store([1, 2, 3])
        arena.publish(root)
        with (
            pytest.raises(KeyError, match="first") as told,
            al.SharedArenaView(arena) as view,
        ):
            values = view.array(root, 3, "i8")
            raise KeyError("first")
        assert "shared arena" in told.value.__notes__[0]
        assert values.tolist() == [1, 2, 3]


def test_its_spec_says_what_it_is_and_builds_nothing() -> None:
    with al.SharedArena("1 MiB") as arena:
        assert str(arena.spec) == "shared_arena:capacity=1MiB"
        assert repr(arena) == "<LiveAllocator 'shared arena' shared_arena:capacity=1MiB: 0 blocks>"
        with pytest.raises(al.UsageError, match=r"made by al\.SharedArena"):
            al.live(arena.spec)
        with pytest.raises(al.NotMeasured, match="nothing is replayed into it"):
            arena.spec.launch()
        arena.publish()


def test_arenas_and_views_are_not_copied() -> None:
    with al.SharedArena("1 MiB") as arena:
        arena.publish()
        view = al.SharedArenaView(arena)
        for one, make_another in [
            (one, make)
            for one in (arena, view)
            for make in (copy.copy, copy.deepcopy, pickle.dumps)
        ]:
            with pytest.raises(TypeError, match="cannot be"):
                make_another(one)
        with pytest.raises(TypeError, match="not made or copied"):
            type(view._reader).__new__(type(view._reader))


# Files that are no arenas

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@contextmanager
def file_of(content: bytes, seals: int = SEALS) -> Iterator[int]:
    descriptor = os.memfd_create("hostile", os.MFD_ALLOW_SEALING)
    try:
        os.pwrite(descriptor, content, 0)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        yield descriptor
    finally:
        os.close(descriptor)


def image(
    magic: int = 0x41536C41, version: int = 1, header: int = 64, used: int = 128, root: int = 64
) -> bytes:
    return struct.pack("<IIQQQ", magic, version, header, used, root).ljust(128, b"\0")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "too_small"),
        (image()[:63], "too_small"),
        (image(magic=7), "no_arena"),
        (image(version=2), "other_version"),
        (image(header=0), "bad_header"),
        (image(used=129), "bad_header"),
        (image(used=2**64 - 1), "bad_header"),
        (image(used=63), "bad_header"),
        (image(root=8), "bad_header"),
        (image(root=128), "bad_header"),
    ],
)
def test_a_file_that_is_no_arena_is_refused_by_name(content: bytes, problem: str) -> None:
    with (
        file_of(content) as descriptor,
        pytest.raises(al.SharedArenaError, match=rf"file descriptor {descriptor}: {problem}: \w"),
    ):
        al.SharedArenaView(descriptor)


@pytest.mark.parametrize("missing", [fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE])
def test_a_file_that_could_change_is_refused(missing: int) -> None:
    with (
        file_of(image(), SEALS & ~missing) as descriptor,
        pytest.raises(al.SharedArenaError, match="not_sealed: it is not published"),
    ):
        al.SharedArenaView(descriptor)


def test_what_is_not_published_or_no_file_is_refused() -> None:
    with al.SharedArena("1 MiB") as arena:
        arena.store([1.0])
        with pytest.raises(al.SharedArenaError, match="not_sealed"):
            al.SharedArenaView(arena)
    with pytest.raises(al.SharedArenaError, match="refused_by_system: Bad file descriptor"):
        al.SharedArenaView(-1)


def test_no_offset_leads_out_of_the_arena() -> None:
    with file_of(image()) as descriptor, al.SharedArenaView(descriptor) as view:
        assert view.array(64, 16, "f4").shape == (16,)
        assert view.array(128, 0, "f4").shape == (0,)
        for offset, count in [
            (0, 1),
            (63, 1),
            (64, 17),
            (124, 2),
            (128, 1),
            (-4, 1),
            (64, 1 << 62),
            (1 << 70, 1),
            (64, -1),
        ]:
            with pytest.raises(al.SharedArenaError, match="not wholly in the arena"):
                view.array(offset, count, "f4")
        with pytest.raises(al.SharedArenaError, match="not aligned"):
            view.array(66, 1, "f4")
        with pytest.raises(al.UsageError, match="does not hold bytes"):
            view.array(64, 1, "O")
    with (
        file_of(image(root=0)) as descriptor,
        al.SharedArenaView(descriptor) as view,
        pytest.raises(al.SharedArenaError, match="without a root"),
    ):
        view.array(view.root, 1)
