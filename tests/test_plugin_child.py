# SPDX-License-Identifier: MIT
"""Plugins at work: replayed in the child and composed; each way to go wrong costs one run."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import alloclab as al
from alloclab import _native
from alloclab.errors import ChildFailed, UsageError
from alloclab.replay.child import Order, run_child

# A bump allocator whose every function the tests can replace.
SOURCE = """\
#include <alloclab/plugin.hpp>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

class Bump {
public:
    struct Options {
        std::size_t region_bytes = std::size_t{1} << 36;
        bool set(std::string_view name, std::string_view value) noexcept {
            if (name != "region_bytes" || value.empty()) return false;
            region_bytes = std::strtoull(value.data(), nullptr, 10);
            return region_bytes >= 4096;
        }
    };
    explicit Bump(Options options) : bytes_(options.region_bytes) {
        base_ = static_cast<char*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        /*create*/
    }
    ~Bump() { ::munmap(base_, bytes_); }
    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        ++calls_;
        /*allocate*/
        const std::size_t first = (used_ + alignment - 1) & ~(alignment - 1);
        if (size > bytes_ - first) return nullptr;
        used_ = first + size;
        return base_ + first;
    }
    void deallocate(void*, std::size_t, std::size_t) noexcept { /*deallocate*/ }
    struct Stats { std::size_t reserved_bytes, committed_bytes; };
    Stats stats() const noexcept { return {bytes_, used_}; }

private:
    char* base_;
    std::size_t bytes_;
    std::size_t used_ = 0;
    std::size_t calls_ = 0;
};
ALLOCLAB_PLUGIN(Bump);
"""
SOME_EVENTS = 300_000


@pytest.fixture(autouse=True)
def compiler_and_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("no C++ compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "plugin-cache"))
    monkeypatch.delenv("CXX", raising=False)


@pytest.fixture
def trace(workloads: Path) -> Path:
    path = workloads / "freeciv.alloctrace"
    if not path.exists():
        pytest.skip("without the shipped recordings")
    return path


def bump(**places: str) -> al.Plugin:
    """The plugin with code put in at /*name*/; it must compile."""
    source = SOURCE
    for name, code in places.items():
        assert f"/*{name}*/" in source
        source = source.replace(f"/*{name}*/", code)
    return al.compile(source)


def failure(trace: Path, spec: al.Allocator, timeout: float = 60) -> ChildFailed:
    with pytest.raises(ChildFailed) as caught:
        al.replay(trace, spec, measure="blocks", stop_after=SOME_EVENTS, timeout=timeout)
    return caught.value


def checked(trace: Path, spec: al.Allocator) -> al.Run:
    return al.replay(trace, spec, measure="check", stop_after=SOME_EVENTS)


def test_a_plugin_is_replayed_on_the_type_erased_path(trace: Path) -> None:
    spec = bump()
    run = al.replay(trace, spec, stop_after=SOME_EVENTS)
    assert run["type_erased_ns_per_event"] > 0
    assert run["peak_footprint_bytes"] > 1 << 20
    assert run["reserved_bytes"] == 1 << 36
    with pytest.raises(al.NotMeasured, match="cannot serve malloc"):
        run["ns_per_event"]
    assert al.Run.from_json(run.to_json()).allocator == spec


def test_a_plugin_allocates_what_the_built_in_one_does(trace: Path) -> None:
    own = checked(trace, bump())
    built_in = checked(trace, al.Arena())
    assert own["checked_blocks"] == built_in["checked_blocks"] > 10_000
    assert own["damaged_blocks"] == own["misaligned_blocks"] == own["failed_allocations"] == 0


def test_a_plugin_that_reallocates_its_own_way_is_asked_to(trace: Path) -> None:
    counted = SOURCE.replace(
        "    struct Stats {",
        """    void* reallocate(void* block, std::size_t old_size, std::size_t new_size,
                     std::size_t alignment) noexcept {
        ++reallocations_;
        if (new_size <= old_size) return block;
        void* moved = allocate(new_size, alignment);
        return moved == nullptr ? moved : std::memcpy(moved, block, old_size);
    }
    void visit_stats(alloclab::StatVisitor visitor) const noexcept {
        visitor("reallocations", reallocations_);
    }
    std::size_t reallocations_ = 0;
    struct Stats {""",
    )
    launch = al.compile(counted).kernel()
    assert launch is not None
    found = run_child(Order(trace, launch, "check", stop_after=SOME_EVENTS))
    assert found["stats"]["reallocations"] > 0
    assert found["damaged_blocks"] == found["failed_allocations"] == 0


def test_options_reach_the_plugin_and_a_full_region_is_counted(trace: Path) -> None:
    small = al.Plugin(source=SOURCE, options={"region_bytes": 1 << 20})
    assert checked(trace, small)["failed_allocations"] > 0
    refused = al.Plugin(source=SOURCE, options={"region_bytes": 16})
    with pytest.raises(UsageError, match=r'option "region_bytes" is unknown or cannot be "16"'):
        checked(trace, refused)
    with pytest.raises(UsageError, match=r'option "colour" is unknown or cannot be "blue"'):
        checked(trace, al.Plugin(source=SOURCE, options={"colour": "blue"}))


def test_a_crash_names_its_signal_and_the_last_event(trace: Path) -> None:
    spec = bump(allocate="if (calls_ > 50000) *reinterpret_cast<volatile int*>(8) = 1;")
    error = failure(trace, spec)
    assert error.signal_number == signal.SIGSEGV
    assert error.last_event is not None and error.last_event > 10_000
    assert "killed by SIGSEGV after event" in str(error)


def test_a_crash_costs_one_row_and_the_comparison_goes_on(trace: Path) -> None:
    crashing = bump(allocate="if (calls_ > 1000) std::abort();")
    comparison = al.compare(trace, [al.Glibc(), crashing, al.Pool()], repeats=1, progress=False)
    assert "SIGABRT" in str(comparison[crashing].problem)
    assert comparison["pool"].problem is None
    assert comparison["glibc"]["ns_per_event"] > 0


def test_an_exception_out_of_allocate_is_told_in_its_own_words(trace: Path) -> None:
    error = failure(trace, bump(allocate='if (calls_ > 9) throw std::logic_error("no more");'))
    assert error.signal_number == signal.SIGABRT
    assert "no more" in error.stderr


def test_an_exception_out_of_the_constructor_is_a_refusal(trace: Path) -> None:
    with pytest.raises(UsageError, match="create threw: not today"):
        checked(trace, bump(create='throw std::runtime_error("not today");'))


def test_a_defect_found_in_a_replay_is_a_line_and_a_failed_run(trace: Path) -> None:
    error = failure(trace, al.Guard(bump(allocate="return base_;")))
    assert error.signal_number == signal.SIGABRT
    assert "alloclab: write" in error.stderr


def test_a_plugin_that_exits_or_hangs_is_a_failed_run(trace: Path) -> None:
    error = failure(trace, bump(allocate="if (calls_ > 9) ::_exit(0);"))
    assert "ended with 0 and no answer" in str(error)
    error = failure(trace, bump(allocate="if (calls_ > 9) for (;;) ::pause();"), timeout=2)
    assert "did not end within 2 s" in str(error)
    error = failure(trace, bump(create="::exit(7);"))
    assert "ended with 7 and no answer" in str(error)


def test_overlapping_blocks_are_found(trace: Path) -> None:
    run = checked(trace, bump(allocate="if (used_ >= 64) used_ -= 16;"))
    assert run["damaged_blocks"] > 0


def test_misaligned_blocks_are_found(trace: Path) -> None:
    run = checked(trace, bump(allocate="alignment = 8; used_ += 8;"))
    assert run["misaligned_blocks"] > 0
    assert run["damaged_blocks"] == 0


def test_a_block_of_no_bytes_that_is_shared_does_no_harm(trace: Path) -> None:
    assert checked(trace, bump(allocate="if (size == 0) return base_;"))["damaged_blocks"] == 0


def test_what_a_plugin_prints_is_a_warning_and_not_the_answer(trace: Path) -> None:
    run = checked(trace, bump(create='std::puts("hello from the plugin");'))
    assert run["damaged_blocks"] == 0
    assert "hello from the plugin" in run.warnings


def test_a_table_that_lies_is_refused_with_the_reason(tmp_path: Path, trace: Path) -> None:
    cases = {
        "return nullptr;": "returned null",
        "table.abi_version = 7; return &table;": "is of version 7 of plugin.h",
        "table.table_bytes = 12; return &table;": "cannot be of 12 bytes",
        "table.allocate = nullptr; return &table;": "has no allocate",
        'table.name = "\\n"; return &table;': "printable",
        "table.create = [](const alloclab_option*, size_t, char*, size_t) -> void* "
        "{ return nullptr; }; return &table;": "create failed without saying why",
    }
    for code, reason in cases.items():
        source = SOURCE.replace("ALLOCLAB_PLUGIN(Bump);", "")
        source += (
            "ALLOCLAB_EXPORT const alloclab_allocator* alloclab_plugin() {\n"
            '    static auto table = *alloclab::plugin_table<Bump>("bump");\n'
            f"    {code}\n}}\n"
        )
        with pytest.raises(UsageError, match=reason):
            checked(trace, al.compile(source))


def test_a_library_that_cannot_be_loaded_is_a_refusal(tmp_path: Path, trace: Path) -> None:
    whole = bump().library().read_bytes()
    cut = tmp_path / "cut.so"
    cut.write_bytes(whole)
    spec = al.Plugin(cut)
    assert checked(trace, spec)["damaged_blocks"] == 0
    loaded = whole.replace(b"libstdc++.so.6", b"libstdx++.so.6")
    assert loaded != whole
    cut.write_bytes(loaded)
    with pytest.raises(UsageError, match=r"cut\.so: cannot be loaded: .*libstdx"):
        checked(trace, spec)


def test_two_plugins_of_one_name_do_not_meet(trace: Path, tmp_path: Path) -> None:
    """Their classes are both called Bump; in one process each keeps its own code."""
    shifted = bump(allocate="used_ += 64;")
    both = al.Segregator(64, small=bump(), large=shifted)
    run = checked(trace, both)
    assert run["damaged_blocks"] == run["failed_allocations"] == 0
    assert run["reserved_bytes"] == 2 << 36


def test_a_plugin_is_a_part_like_any_other(trace: Path) -> None:
    spec = al.Segregator(256, small=bump(), large=al.Pool())
    run = al.replay(trace, spec, measure=("time", "check"), stop_after=SOME_EVENTS)
    assert run["damaged_blocks"] == run["failed_allocations"] == 0
    assert al.allocators.from_json(spec.to_json()) == spec


# How each example of docs/plugins is made; a language that is not installed is skipped.
LANGUAGES = {
    "c": "gcc -std=c99 -pedantic -Wall -Wextra -Werror -O2 -fPIC -shared -I INCLUDE SOURCE -o OUT",
    "rs": "rustc --edition 2021 -O -C panic=abort --crate-type cdylib SOURCE -o OUT",
    "zig": "zig build-lib -dynamic -O ReleaseFast -lc -I INCLUDE -femit-bin=OUT SOURCE",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_in_each_language_is_replayed(
    language: str, tmp_path: Path, trace: Path, checkout: Path
) -> None:
    library = tmp_path / "bump.so"
    places = {
        "INCLUDE": str(_native.include_dir()),
        "SOURCE": str(checkout / "docs" / "plugins" / f"bump.{language}"),
        "OUT": str(library),
    }
    words = [places.get(word, word) for word in LANGUAGES[language].split()]
    words = [word.replace("=OUT", f"={library}") for word in words]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    subprocess.run(words, check=True, cwd=tmp_path)
    run = checked(trace, al.Plugin(library))
    assert run["damaged_blocks"] == run["misaligned_blocks"] == run["failed_allocations"] == 0
    assert run["checked_blocks"] > 10_000


def test_the_example_in_cpp_is_replayed_from_its_source(trace: Path, checkout: Path) -> None:
    spec = al.Plugin(checkout / "docs" / "plugins" / "bump.cpp", options={"region_bytes": "16 GiB"})
    run = checked(trace, spec)
    assert run["damaged_blocks"] == run["misaligned_blocks"] == run["failed_allocations"] == 0
    assert run["reserved_bytes"] == 16 << 30


def test_live_use_is_refused() -> None:
    with pytest.raises(UsageError, match="runs in the replay child only"):
        al.live(al.Segregator(64, small=bump(), large=al.Pool()))
