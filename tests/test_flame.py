# SPDX-License-Identifier: MIT
"""Weights by call stack: what viewers are given, and what is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from alloclab.errors import NotMeasured, UsageError
from alloclab.views import folded, plot_icicle, speedscope
from alloclab.views.icicle import short_name


class Frame(NamedTuple):
    function: str
    file: str = ""
    line: int = 0
    module: str = "/usr/bin/program"
    offset: int = 0
    is_inlined: bool = False


MAIN = Frame("main", "main.c", 9)
PARSE = Frame("parse", "parse.c", 20)
PARSE_LATER = Frame("parse", "parse.c", 30)
MALLOC = Frame("malloc", module="/usr/lib/libc.so.6")
UNKNOWN = Frame("", module="/usr/lib/libx.so.1", offset=0x1A0)
STACKS = [
    ([MALLOC, PARSE, MAIN], 600),
    ([MALLOC, PARSE_LATER, MAIN], 200),
    ([UNKNOWN, MAIN], 150),
    ([], 50),
    ([MALLOC, MAIN], 0),
]


def names_of(document: dict, profile: int = 0) -> list[list[str]]:  # type: ignore[type-arg]
    frames = document["shared"]["frames"]
    return [
        [frames[index]["name"] for index in sample]
        for sample in document["profiles"][profile]["samples"]
    ]


def test_speedscope_gets_what_its_schema_requires() -> None:
    # Required by https://www.speedscope.app/file-format-schema.json of a file and of its profiles.
    document = json.loads(json.dumps(speedscope({"peak": STACKS})))
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    (profile,) = document["profiles"]
    required = {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
    assert required == profile.keys()
    assert (profile["type"], profile["name"], profile["unit"]) == ("sampled", "peak", "bytes")
    assert len(profile["samples"]) == len(profile["weights"])
    assert (profile["startValue"], profile["endValue"]) == (0, 600 + 200 + 150 + 50)
    frames = document["shared"]["frames"]
    assert all(set(frame) <= {"name", "file", "line", "col"} and frame["name"] for frame in frames)
    assert {index for sample in profile["samples"] for index in sample} == set(range(len(frames)))


def test_stacks_go_outermost_first_and_equal_ones_are_added_up() -> None:
    document = speedscope({"peak": STACKS})
    assert names_of(document) == [
        ["main", "parse", "malloc"],
        ["main", "libx.so.1+0x1a0"],
        ["(no stack)"],
    ]
    assert document["profiles"][0]["weights"] == [600 + 200, 150, 50]


def test_lines_tell_frames_apart_when_asked_to() -> None:
    document = speedscope({"peak": STACKS}, by="line", unit="none")
    assert document["profiles"][0]["weights"] == [600, 200, 150, 50]
    assert {"name": "parse", "file": "parse.c", "line": 30} in document["shared"]["frames"]


def test_profiles_of_one_document_share_their_frames() -> None:
    document = speedscope({"peak": STACKS, "end": STACKS[:1]}, name="both")
    assert names_of(document, 1) == [["main", "parse", "malloc"]]
    assert len(document["shared"]["frames"]) == 5
    assert document["name"] == "both"


def test_folded_stacks_are_a_line_each() -> None:
    assert folded(STACKS) == ("(no stack) 50\nmain;libx.so.1+0x1a0 150\nmain;parse;malloc 800\n")
    assert "main (main.c:9);parse (parse.c:30);malloc 200\n" in folded(STACKS, by="line")


def test_what_folded_stacks_use_as_separators_is_cleaned_from_names() -> None:
    assert folded([([Frame("a;b\nc  d"), MAIN], 1)]) == "main;a:b c d 1\n"


@pytest.mark.parametrize("show", [folded, plot_icicle, lambda stacks: speedscope({"a": stacks})])
@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_a_weight_below_zero_is_refused(show, weight: float) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match="weights are zero or more"):
        show([([MAIN], weight)])


def test_an_unknown_unit_or_key_is_refused() -> None:
    with pytest.raises(UsageError, match="known are bytes, none"):
        speedscope({"a": STACKS}, unit="seconds")
    with pytest.raises(UsageError, match="known are function, line"):
        folded(STACKS, by="file")


def test_nothing_that_weighs_is_nothing_to_show() -> None:
    with pytest.raises(NotMeasured, match="no stack has any weight"):
        speedscope({"a": [([MAIN], 0)]})
    with pytest.raises(NotMeasured, match="no stack has any weight"):
        plot_icicle([])


def boxes_of(axes) -> list[tuple[float, float, float]]:  # type: ignore[no-untyped-def]
    """Returns (row, begin, end) of each box."""
    (collection,) = axes.collections
    return [
        (*path.vertices.min(axis=0)[::-1], path.vertices.max(axis=0)[0])
        for path in collection.get_paths()
    ]


def test_boxes_are_as_wide_as_their_weight_and_below_their_caller() -> None:
    pytest.importorskip("matplotlib")
    axes = plot_icicle([*STACKS, ([MALLOC, MAIN], 1000)]).axes[0]
    assert sorted(boxes_of(axes)) == [
        (0, 0.0, 2.0),  # all 2,000 bytes, in kB
        (1, 0.0, 1.95),  # main
        (1, 1.95, 2.0),  # no stack
        (2, 0.0, 1.0),  # main, malloc
        (2, 1.0, 1.8),  # main, parse
        (2, pytest.approx(1.8), pytest.approx(1.95)),
        (3, 1.0, 1.8),
    ]
    assert axes.get_xlabel() == "kB"


def test_labels_stand_where_they_fit_only() -> None:
    pytest.importorskip("matplotlib")
    stacks = [([Frame("wide"), MAIN], 950), ([Frame("outer::a_name_too_long_for_it"), MAIN], 50)]
    axes = plot_icicle(stacks, title="live").axes[0]
    texts = [text.get_text() for text in axes.texts]
    (cut,) = [text for text in texts if text.startswith("a_")]
    assert cut.endswith("…")
    assert sorted(texts) == sorted(["1 kB", "main", "wide", cut])
    assert axes.get_title(loc="left") == "live"


def test_boxes_too_narrow_to_see_are_one_grey_box() -> None:
    pytest.importorskip("matplotlib")
    narrow = [([Frame(f"f{number}"), MAIN], 1) for number in range(100)]
    axes = plot_icicle([([MALLOC, MAIN], 900), *narrow]).axes[0]
    assert sorted(boxes_of(axes))[-2:] == [
        (2, 0.0, pytest.approx(0.9)),
        (2, pytest.approx(0.9), pytest.approx(1.0)),
    ]


def test_modules_have_colours_and_inlined_code_is_paler() -> None:
    pytest.importorskip("matplotlib")
    inlined = Frame("inner", is_inlined=True)
    axes = plot_icicle([([MALLOC, inlined, MAIN], 10)]).axes[0]
    _, main, inner, malloc = (tuple(face[:3]) for face in axes.collections[0].get_facecolors())
    assert len({main, inner, malloc}) == 3
    assert all(pale >= full for pale, full in zip(inner, main, strict=True))
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == ["program", "libc.so.6", "paler: inlined"]


def test_an_icicle_is_drawn_as_deep_as_asked_and_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    deep = [([Frame(f"f$_{number}") for number in range(3000)], 5)]
    figure = plot_icicle(deep, depth=12, by="line", unit="none")
    assert len(boxes_of(figure.axes[0])) == 1 + 12
    figure.savefig(tmp_path / "deep.png")
    assert (tmp_path / "deep.png").stat().st_size > 1000


def test_an_icicle_goes_where_it_is_told() -> None:
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure()
    axes = figure.add_subplot()
    assert plot_icicle(STACKS, axes=axes) is figure
    assert axes.collections


@pytest.mark.parametrize(
    ("function", "short"),
    [
        ("plain_c", "plain_c"),
        ("foo(int) [clone .cold]", "foo"),
        ("void ns::foo<std::pair<int, int> >(int (*)(char))", "ns::foo"),
        ("std::vector<int, std::allocator<int> >::size() const", "std::vector::size"),
        ("handle::inc_ref() const &", "handle::inc_ref"),
        ("bool operator< <int>(A<int> const&, A<int> const&)", "operator<"),
        ("std::ostream& std::operator<<(std::ostream&, char)", "std::operator<<"),
        ("Map::operator[](int)", "Map::operator[]"),
        ("bool Less::operator()<int>(int, int) const", "Less::operator()"),
        ("operator new(unsigned long)", "operator new"),
        ("Box<int>::operator bool() const", "Box::operator bool"),
        (
            "(anonymous namespace)::run(int)::{lambda(int)#1}::operator()(int) const",
            "run::{lambda}::operator()",
        ),
        ("my_operator<int>(int)", "my_operator"),
        ("<lambda> in module", "module"),
        ("a > b", "a > b"),
    ],
)
def test_names_are_short_enough_for_boxes(function: str, short: str) -> None:
    assert short_name(function) == short
