# SPDX-License-Identifier: MIT
"""Everyone else's mallocs, measured as drop-ins in a child that preloads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from alloclab.allocators.elf import check_preloadable
from alloclab.allocators.find import find_library
from alloclab.allocators.spec import Allocator, Json, Launch, count_option, flag_option, size_option
from alloclab.errors import UsageError


@dataclass(frozen=True)
class Glibc(Allocator):
    """The C library's own malloc, set through GLIBC_TUNABLES.

    Args:
        arenas: the most arenas it makes.
        mmap_threshold: from this size on, a block is a mapping of its own.
        trim_threshold: the free top of the heap that is given back at once.
        top_pad: what is asked for beyond each need.
        tcache_count: blocks a thread keeps of each size; 0 turns its cache off.
        tcache_max: the largest block a thread keeps.
        hugetlb: 1 asks for transparent huge pages.
    """

    name = "glibc"
    arenas: int | None = count_option("arena_max")
    mmap_threshold: int | str | None = size_option("mmap_threshold")
    trim_threshold: int | str | None = size_option("trim_threshold")
    top_pad: int | str | None = size_option("top_pad")
    tcache_count: int | None = count_option("tcache_count")
    tcache_max: int | str | None = size_option("tcache_max")
    hugetlb: int | None = count_option("hugetlb", huge_pages=True)

    def launch(self) -> Launch:
        tunables = ":".join(f"glibc.malloc.{key}={text}" for key, text in self.settings().items())
        environment = {"GLIBC_TUNABLES": tunables} if tunables else {}
        return Launch("malloc", {}, environment, huge_pages=self.wants_huge_pages())


@dataclass(frozen=True)
class Peer(Allocator):
    """A malloc in a library of its own, which a package of the distribution installs."""

    library_names: ClassVar[tuple[str, ...]] = ()
    package: ClassVar[str] = ""

    @classmethod
    def library(cls) -> Path:
        """Returns the path of its library; raises NotInstalled with the command that installs."""
        return find_library(cls.name, cls.library_names, f"apt-get install {cls.package}")

    def launch(self) -> Launch:
        library = self.library()
        check_preloadable(library)
        return Launch(
            "malloc",
            {},
            self.environment(),
            (library,),
            library,
            huge_pages=self.wants_huge_pages(),
        )

    def environment(self) -> dict[str, str]:
        """Returns its settings as the environment variables it reads."""
        return self.settings()


@dataclass(frozen=True)
class Jemalloc(Peer):
    """jemalloc, set through MALLOC_CONF.

    Args:
        narenas: how many arenas threads are spread over.
        dirty_decay_ms: how long a free page stays resident; -1 for ever.
        muzzy_decay_ms: the same for pages already offered to the system.
        background_thread: purge from a thread of its own.
        tcache: keep a cache per thread.
        lg_tcache_max: the logarithm of the largest block a thread keeps.
    """

    name = "jemalloc"
    library_names = ("libjemalloc.so.2",)
    package = "libjemalloc2"
    narenas: int | None = count_option("narenas")
    dirty_decay_ms: int | None = count_option("dirty_decay_ms")
    muzzy_decay_ms: int | None = count_option("muzzy_decay_ms")
    background_thread: bool | None = flag_option("background_thread")
    tcache: bool | None = flag_option("tcache")
    lg_tcache_max: int | None = count_option("lg_tcache_max")

    def environment(self) -> dict[str, str]:
        text = ",".join(f"{key}:{value}" for key, value in self.settings().items())
        return {"MALLOC_CONF": text} if text else {}


@dataclass(frozen=True)
class Mimalloc(Peer):
    """mimalloc, set through its MIMALLOC_ variables.

    Args:
        eager_commit: commit a whole segment at once.
        eager_commit_delay: how many segments a thread makes before it does.
        large_os_pages: ask for pages of 2 MiB.
        page_reset: give free pages back at once.
        reset_delay: milliseconds before free memory is given back (up to 2.0).
        purge_delay: the same, by its name from 2.1 on.
    """

    name = "mimalloc"
    library_names = ("libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so.3", "libmimalloc.so")
    package = "libmimalloc2.0"
    eager_commit: bool | None = flag_option("MIMALLOC_EAGER_COMMIT")
    eager_commit_delay: int | None = count_option("MIMALLOC_EAGER_COMMIT_DELAY")
    large_os_pages: bool | None = flag_option("MIMALLOC_LARGE_OS_PAGES", huge_pages=True)
    page_reset: bool | None = flag_option("MIMALLOC_PAGE_RESET")
    reset_delay: int | None = count_option("MIMALLOC_RESET_DELAY")
    purge_delay: int | None = count_option("MIMALLOC_PURGE_DELAY")


@dataclass(frozen=True)
class Tcmalloc(Peer):
    """tcmalloc of gperftools, set through its TCMALLOC_ variables.

    Args:
        max_total_thread_cache: what all thread caches together may hold.
        release_rate: how eagerly free pages are given back, 0 never to 10.
        aggressive_decommit: give back every free page at once.
        heap_limit_mb: refuse to grow beyond.
    """

    name = "tcmalloc"
    library_names = ("libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so.4")
    package = "libtcmalloc-minimal4"
    max_total_thread_cache: int | str | None = size_option("TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES")
    release_rate: int | None = count_option("TCMALLOC_RELEASE_RATE")
    aggressive_decommit: bool | None = flag_option("TCMALLOC_AGGRESSIVE_DECOMMIT")
    heap_limit_mb: int | None = count_option("TCMALLOC_HEAP_LIMIT_MB")


def _read_path(value: Any) -> str:
    text = str(value)
    if not text:
        raise UsageError("no path given")
    return text


def _read_environment(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = value.items() if isinstance(value, dict) else value
    try:
        return tuple(sorted((str(name), str(text)) for name, text in pairs))
    except (TypeError, ValueError):
        raise UsageError(f"not a mapping of names to values: {value!r}") from None


@dataclass(frozen=True)
class Preload(Allocator):
    """Any malloc in a shared library.

    Args:
        path: the library.
        environment: variables it reads, as a mapping or as pairs.
    """

    name = "preload"
    path: str | Path = field(default="", metadata={"read": _read_path})
    environment: Any = field(default=(), metadata={"read": _read_environment})

    def __str__(self) -> str:
        variables = "".join(f" {name}={text}" for name, text in self.environment)
        return f"{self.path}{variables}"

    def to_json(self) -> Json:
        return {"allocator": self.name, "path": self.path, "environment": dict(self.environment)}

    def launch(self) -> Launch:
        library = Path(self.path).absolute()
        check_preloadable(library)
        return Launch("malloc", {}, dict(self.environment), (library,), library)
