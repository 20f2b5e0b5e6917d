# SPDX-License-Identifier: MIT
"""The error classes: what they say, and the exit code each is mapped to."""

from __future__ import annotations

import pickle

import pytest

from alloclab import errors


def test_every_error_of_the_lab_has_the_one_base_class() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(classes) == 16
    assert all(issubclass(each, errors.Error) for each in classes)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("unknown verb"), 2),
        (errors.NotInstalled("jemalloc", "apt-get install libjemalloc2"), 2),
        (errors.NotMeasured("a Debug build"), 3),
        (errors.NotComparable("other trace"), 3),
        (errors.TraceError("big.alloctrace: offset 12: bad magic"), 1),
        (errors.ChildFailed("SIGSEGV"), 1),
        (errors.SimulationError("not aligned", event=3), 1),
        (errors.ArenaEscapeError("'frame' ends", [(8, None)]), 1),
        (errors.BlockEnded("freed"), 1),
        (errors.MemoryDefect("double free"), 1),
        (errors.ScopeClosed("closed"), 1),
        (errors.ScopeOrderError("not the innermost"), 1),
        (errors.WrongThread("another thread's"), 1),
        (errors.Error("disk full"), 1),
    ],
)
def test_an_error_has_its_exit_code(error: errors.Error, code: int) -> None:
    assert errors.exit_code(error) == code


def test_child_failed_names_signal_last_event_and_last_words() -> None:
    error = errors.ChildFailed(
        "killed by SIGSEGV", signal_number=11, last_event=41, stderr="first\nlast words\n"
    )
    assert error.signal_name == "SIGSEGV"
    assert str(error) == "killed by SIGSEGV after event 41: last words"


def test_child_failed_without_a_signal_has_no_signal_name() -> None:
    assert errors.ChildFailed("gave no answer").signal_name is None
    assert errors.ChildFailed("odd", signal_number=250).signal_name == "signal 250"


def test_not_measured_compares_by_its_reason() -> None:
    assert errors.NotMeasured("a") == errors.NotMeasured("a")
    assert len({errors.NotMeasured("a"), errors.NotMeasured("a"), errors.NotMeasured("b")}) == 2
    assert repr(errors.NotMeasured("a")) == "NotMeasured('a')"


def test_not_installed_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(errors.NotInstalled("mimalloc", "apt-get install it")))
    assert str(error) == "mimalloc is not installed: apt-get install it"
