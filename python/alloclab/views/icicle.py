# SPDX-License-Identifier: MIT
"""Weights by call stack as an icicle: the outermost call on top, below each call what it called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from alloclab.errors import NotMeasured, UsageError
from alloclab.views.figure import new_figure
from alloclab.views.flame import (
    NO_STACK,
    FrameLike,
    Place,
    Stacks,
    check_weight,
    frame_name,
    place_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by every kind of eyesight, in the order of their lightness
# under black writing; the rest are grey.
_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2")
_OTHER_COLOUR, _TOTAL_COLOUR, _SMALL_COLOUR = "#b4b4b4", "#dcdcdc", "#eeeeee"
_PALER, _PALEST = 0.35, 0.7  # how much white is mixed in: into all, and where code is inlined

_ROW_INCHES, _WIDTH_INCHES = 0.23, 11.0
_FONT_POINTS = 8.0
_LEAST_LETTERS = 4  # of a name cut short; fewer say nothing
# Narrower boxes could not be told apart: those of one caller are drawn as one, in grey.
_NARROWEST_RATIO = 1 / 300


@dataclass
class _Box:
    """A call path: its weight is its own and that of all it called."""

    names: tuple[str, ...] = ()  # from the one that says most to the shortest
    module: str = ""
    is_inlined: bool = False
    is_small: bool = False
    weight: float = 0
    callees: dict[tuple[Place, str], _Box] = field(default_factory=dict)


def plot_icicle(
    stacks: Stacks,
    *,
    unit: str = "bytes",
    by: str = "function",
    title: str = "",
    depth: int = 40,
    axes: Axes | None = None,
) -> Figure:
    """Draws a box for each call path, as wide as its weight, below the box of its caller.

    The heaviest are on the left. Colours are modules; a paler box is inlined into the box above it.

    Args:
        stacks: stacks and weights.
        unit: "bytes", or "none" for counts.
        by: "function" to tell frames apart by their function, "line" by their line, too.
        title: stands above.
        depth: how many calls are drawn from the outermost on.
        axes: where to draw; a figure of its own by default.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        NotMeasured: no stack has any weight.
        UsageError: an unknown unit or `by`; a weight below zero.
    """
    if unit not in ("bytes", "none"):
        raise UsageError(f"unknown unit {unit!r}: known are bytes, none")
    root = _tree(stacks, by, depth)
    if root.weight <= 0:
        raise NotMeasured("no stack has any weight")
    boxes = list(_laid_out(root))
    rows = max(row for row, _, _ in boxes) + 1
    figure = new_figure((_WIDTH_INCHES, 1.3 + _ROW_INCHES * rows)) if axes is None else axes.figure
    axes = figure.add_subplot() if axes is None else axes
    scale, unit_text = _scale(root.weight, unit)
    root.names = (f"{root.weight / scale:,.4g} {unit_text}",)
    _draw(axes, boxes, scale, rows)
    axes.set_xlabel(unit_text)
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    return cast("Figure", figure)


def _tree(stacks: Stacks, by: str, depth: int) -> _Box:
    place = place_of(by)
    root = _Box()
    for frames, weight in stacks:
        check_weight(weight)
        box = root
        box.weight += weight
        outermost: Sequence[FrameLike | None] = [*reversed(frames)][:depth]
        for frame in outermost or [None]:
            key = ((NO_STACK, "", 0), "") if frame is None else (place(frame), frame.module)
            if key not in box.callees:
                box.callees[key] = _box_of(frame, by)
            box = box.callees[key]
            box.weight += weight
    return root


def _box_of(frame: FrameLike | None, by: str) -> _Box:
    if frame is None:
        return _Box((NO_STACK,))
    name = short_name(frame.function) if frame.function else frame_name(frame)
    parts = name.split("::")
    names = ["::".join(parts[-count:]) for count in range(len(parts), 0, -1)]
    if by == "line" and frame.file:
        names = [f"{each}  {PurePosixPath(frame.file).name}:{frame.line}" for each in names] + names
    return _Box(tuple(names), frame.module, frame.is_inlined)


def _laid_out(root: _Box) -> Iterator[tuple[int, float, _Box]]:
    """Yields (row, begin, box) of each box to be drawn, callers before what they called."""
    narrowest = root.weight * _NARROWEST_RATIO
    waiting = [(0, 0.0, root)]
    while waiting:
        row, begin, box = waiting.pop()
        yield row, begin, box
        small = 0.0
        for callee in sorted(box.callees.values(), key=lambda each: -each.weight):
            if callee.weight < narrowest:
                small += callee.weight
            else:
                waiting.append((row + 1, begin, callee))
                begin += callee.weight
        if small >= narrowest:
            yield row + 1, begin, _Box(("(small)",), is_small=True, weight=small)


def _scale(weight: float, unit: str) -> tuple[float, str]:
    if unit == "none":
        return 1.0, "count"
    for scale, text in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if weight >= scale:
            return scale, text
    return 1.0, "bytes"


def _draw(axes: Axes, boxes: list[tuple[int, float, _Box]], scale: float, rows: int) -> None:
    from matplotlib.collections import PolyCollection

    colours = _module_colours([box for _, _, box in boxes])
    corners, faces = [], []
    for row, begin, box in boxes:
        left, right = begin / scale, (begin + box.weight) / scale
        corners.append([(left, row), (right, row), (right, row + 1), (left, row + 1)])
        faces.append(_face(box, colours))
    axes.add_collection(
        PolyCollection(corners, facecolors=faces, edgecolors="white", linewidths=0.6)
    )
    total = boxes[0][2].weight / scale
    axes.set_xlim(0, total)
    axes.set_ylim(rows, 0)
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    _explain(axes, colours, [box for _, _, box in boxes])
    _label(axes, boxes, scale, _width_points(axes) / total)


def _width_points(axes: Axes) -> float:
    """Returns how wide the axes will be: their layout is settled while the figure is drawn."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    return float(axes.get_window_extent().width) * 72 / figure.dpi


def _label(
    axes: Axes, boxes: list[tuple[int, float, _Box]], scale: float, points_each: float
) -> None:
    """Writes into each box as much of its name as fits, and nothing where that says nothing."""
    letters = _Letters()
    for row, begin, box in boxes:
        room = box.weight / scale * points_each - 5
        text = letters.fit(box.names, room)
        if text:
            axes.text(
                begin / scale + 2.5 / points_each,
                row + 0.52,
                text,
                fontsize=_FONT_POINTS,
                va="center",
                ha="left",
                color="#555555" if box.is_small else "black",
                clip_on=True,
                parse_math=False,
            )


class _Letters:
    """How wide names are in the font of the labels."""

    def __init__(self) -> None:
        self._widths: dict[str, float] = {}

    def fit(self, names: Sequence[str], room: float) -> str:
        """Returns the first name that fits, or the begin of the last and an ellipsis, or ""."""
        for name in names:
            if self._width(name) <= room:
                return name
        name = names[-1]
        room -= self._width("…")
        for count, letter in enumerate(name):
            room -= self._width(letter)
            if room < 0:
                return f"{name[:count].rstrip()}…" if count >= _LEAST_LETTERS else ""
        return name

    def _width(self, text: str) -> float:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        for letter in text:
            if letter not in self._widths:
                size = FontProperties(size=_FONT_POINTS)
                width, _, _ = text_to_path.get_text_width_height_descent(letter, size, False)
                self._widths[letter] = float(width)
        return sum(self._widths[letter] for letter in text)


def _module_colours(boxes: list[_Box]) -> dict[str, str]:
    """Gives colours to the modules that fill most of the picture."""
    areas: dict[str, float] = {}
    for box in boxes[1:]:
        if box.module:
            areas[box.module] = areas.get(box.module, 0) + box.weight
    return dict(zip(sorted(areas, key=lambda each: (-areas[each], each)), _COLOURS, strict=False))


def _face(box: _Box, colours: dict[str, str]) -> tuple[float, float, float]:
    if box.is_small:
        return _mixed(_SMALL_COLOUR, 0)
    if not box.module:
        return _mixed(_TOTAL_COLOUR, 0)
    return _mixed(colours.get(box.module, _OTHER_COLOUR), _PALEST if box.is_inlined else _PALER)


def _mixed(colour: str, white: float) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return tuple(part + (1 - part) * white for part in (red, green, blue))  # type: ignore[return-value]


def _explain(axes: Axes, colours: dict[str, str], boxes: list[_Box]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(color=_mixed(colour, _PALER), label=PurePosixPath(module).name or module)
        for module, colour in colours.items()
    ]
    if any(box.module and box.module not in colours for box in boxes):
        patches.append(Patch(color=_mixed(_OTHER_COLOUR, _PALER), label="other modules"))
    if any(box.is_inlined for box in boxes):
        patches.append(Patch(color=_mixed(_OTHER_COLOUR, _PALEST), label="paler: inlined"))
    if patches:
        axes.legend(
            handles=patches,
            fontsize=8,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(patches),
            frameon=False,
            handlelength=1.0,
            columnspacing=1.2,
            borderaxespad=0.2,
        )


_OPERATOR = re.compile(r"(?<!\w)operator\s*(\(\)|\[\]|<=>|->\*?|<<=?|>>=?|[<>]=?|[^\w\s(<]+)")
_OPERATOR_NAME = re.compile(r"(?<!\w)operator\b.*$")
_QUALIFIERS = re.compile(r"(\s+(const|volatile|noexcept|&&?))*\s*$")


def short_name(function: str) -> str:
    """Returns a C++ function without template arguments, parameters, return type and clone's mark.

    Any other name stays as it is.
    """
    kept: list[str] = []
    text = function.replace("(anonymous namespace)::", "").split(" [clone ")[0]
    depth, at = 0, 0
    while at < len(text):
        operator = _OPERATOR.match(text, at)
        letter = text[at]
        if operator is not None and depth == 0:
            kept.append(operator.group().replace(" ", ""))
            at = operator.end()
            continue
        if letter in "<({[":
            depth += 1
        elif letter in ">)}]":
            if depth == 0:
                return function  # not C++, or cut short
            depth -= 1
            if letter == "}" and depth == 0:
                kept.append("{lambda}" if "lambda" in text[:at].rsplit("{", 1)[-1] else "{}")
        elif depth == 0:
            kept.append(letter)
        at += 1
    if depth != 0:
        return function
    name = _QUALIFIERS.sub("", "".join(kept))
    place = _OPERATOR_NAME.search(name)
    head, tail = (name[: place.start()], place.group()) if place else (name, "")
    return head.split(" ")[-1] + tail or function
