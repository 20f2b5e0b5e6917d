# SPDX-License-Identifier: MIT
"""Programs one below the other: how large their blocks are, how long they live, whose they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from alloclab.concurrency import Concurrency
from alloclab.distributions import STEPS, Distribution
from alloclab.errors import UsageError
from alloclab.profiles import Profile
from alloclab.units import exact_bytes, format_bytes, format_count, format_ratio
from alloclab.views.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by every kind of eyesight.
_BLOCKS_COLOUR, _BYTES_COLOUR, _ELSEWHERE_COLOUR = "#0072B2", "#D55E00", "#E69F00"
_THREAD_COLOURS = ("#0072B2", "#56B4E9")  # in turn, so that neighbours are told apart
_OTHERS_COLOUR, _EMPTY_COLOUR, _BAND_COLOUR = "#9a9a9a", "#e6e6e6", "#f6f6f6"

_BAND_INCHES, _FRAME_INCHES, _WIDTH_INCHES = 0.72, 1.1, 14.0
_HIGH = 0.8  # of a band, which 100 % are
_FONT_POINTS = 8.0
_SMALLEST_SHARE = 0.01  # of calls; threads with less are drawn together
_GAP_FACTOR = 1.35  # how far words stand from what they name, on an axis of powers
_WORDS_RATIO = 0.13  # how long they are, of the axis


def plot_profiles(profiles: Iterable[Profile]) -> Figure:
    """Draws a band for each program: sizes, lifetimes and threads, on axes that all share.

    Sizes are two curves that go up to 100 %: of blocks no larger, and of bytes in blocks no larger.
    Lifetimes are the share of all blocks freed within so many bytes of allocation; what is left to
    the dotted line was never freed. Dots and words are medians. On the right each thread's share of
    the calls, and below it the share of frees that another thread made than allocated the block.

    Args:
        profiles: of any number of programs, drawn in their order from the top.

    Raises:
        NotInstalled: matplotlib is missing; says how to get it.
        UsageError: there are no profiles.
    """
    shown = list(profiles)
    if not shown:
        raise UsageError("no profiles to draw")
    figure = new_figure((_WIDTH_INCHES, _FRAME_INCHES + _BAND_INCHES * len(shown)))
    sizes, lives, threads = cast("Any", figure.subplots(1, 3, sharey=True))
    for axes in (sizes, lives, threads):
        _draw_bands(axes, shown)
    _draw_sizes(sizes, shown)
    _draw_lifetimes(lives, shown)
    _draw_threads(threads, shown)
    return figure


def _draw_bands(axes: Axes, shown: Sequence[Profile]) -> None:
    for row in range(len(shown)):
        base = _base(shown, row)
        if row % 2:
            axes.axhspan(base - 0.1, base + 0.9, color=_BAND_COLOUR, linewidth=0, zorder=0)
    axes.set_ylim(-0.1, len(shown) - 0.1)
    names = [f"{each.name}\n{_blocks(each.row.objects)}" for each in shown]
    places = [_base(shown, row) + _HIGH / 2 for row in range(len(shown))]
    axes.set_yticks(places, names, parse_math=False)  # a name may have dollars in it
    axes.tick_params(axis="y", length=0, labelsize=_FONT_POINTS + 1)
    axes.tick_params(axis="x", labelsize=_FONT_POINTS)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _blocks(count: int) -> str:
    return f"{format_count(count)} block{'' if count == 1 else 's'}"


def _base(shown: Sequence[Profile], row: int) -> float:
    """Returns where 0 % of a band is; the first stands on top."""
    return float(len(shown) - 1 - row)


def _draw_sizes(axes: Axes, shown: Sequence[Profile]) -> None:
    largest = max(each.sizes.quantile(1.0) for each in shown)
    _label_bytes(axes, largest, "size asked for")
    for row, each in enumerate(shown):
        base = _base(shown, row)
        _draw_curve(axes, each.sizes, base, _BLOCKS_COLOUR, is_filled=True)
        medians = [(each.sizes.median, _BLOCKS_COLOUR)]
        if isinstance(each.sizes_by_bytes, Distribution):
            _draw_curve(axes, each.sizes_by_bytes, base, _BYTES_COLOUR)
            medians.append((each.sizes_by_bytes.median, _BYTES_COLOUR))
        _draw_medians(axes, medians, base)
    _head(axes, [("share of blocks", _BLOCKS_COLOUR), ("share of bytes", _BYTES_COLOUR)])


def _draw_lifetimes(axes: Axes, shown: Sequence[Profile]) -> None:
    lived = [each.lifetimes for each in shown]
    known = [each.quantile(1.0) for each in lived if isinstance(each, Distribution)]
    _label_bytes(axes, max(known, default=1), "lifetime in bytes allocated meanwhile")
    for row, each in enumerate(shown):
        base, freed = _base(shown, row), 1 - each.never_freed_ratio
        axes.axhline(base + _HIGH, color="#808080", linewidth=0.6, linestyle=":", zorder=1)
        if isinstance(each.lifetimes, Distribution):
            _draw_curve(axes, each.lifetimes, base, _BLOCKS_COLOUR, freed, is_filled=True)
            _draw_medians(axes, [(each.lifetimes.median, _BLOCKS_COLOUR)], base, freed)
        if each.never_freed_ratio >= 0.001:
            _write(axes, 0.995, base, f"{format_ratio(each.never_freed_ratio)} never freed")
    _head(axes, [("share of blocks freed by then", _BLOCKS_COLOUR)])


def _draw_curve(
    axes: Axes,
    spread: Distribution,
    base: float,
    colour: str,
    share: float = 1.0,
    *,
    is_filled: bool = False,
) -> None:
    """Draws the quantiles from left to right, and on at the height of the greatest."""
    right = axes.get_xlim()[1]
    x = np.maximum([*spread.quantiles, int(right)], 1)
    y = base + _HIGH * share * np.array([*range(STEPS + 1), STEPS]) / STEPS
    axes.plot(x, y, color=colour, linewidth=1.4, drawstyle="steps-post", zorder=3)
    if is_filled:
        axes.fill_between(x, base, y, color=colour, alpha=0.18, linewidth=0, step="post", zorder=2)


def _draw_medians(
    axes: Axes, medians: Sequence[tuple[int, str]], base: float, share: float = 1.0
) -> None:
    """Marks each median on its curve, the first one's words before it and the second's behind.

    Before a median its curve is lower, behind it is higher, so that words meet no curve there.
    """
    right = axes.get_xlim()[1]
    middle = base + _HIGH * share / 2
    for place, (value, colour) in enumerate(medians):
        at = max(value, 1)
        axes.plot([at], [middle], "o", color=colour, markersize=3.5, zorder=4)
        across = math.log(at) / math.log(right)
        is_before = across > _WORDS_RATIO if place == 0 else across > 1 - _WORDS_RATIO
        text = axes.text(
            at / _GAP_FACTOR if is_before else at * _GAP_FACTOR,
            middle + (0.06 if is_before else -0.12),
            format_bytes(value),
            color=colour,
            fontsize=_FONT_POINTS,
            horizontalalignment="right" if is_before else "left",
            verticalalignment="center",
            zorder=5,
        )
        _outline(text)


def _draw_threads(axes: Axes, shown: Sequence[Profile]) -> None:
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("share of calls, and of frees", fontsize=_FONT_POINTS + 1)
    for row, each in enumerate(shown):
        base, left = _base(shown, row), 0.0
        for share, colour in _shares(each.concurrency):
            axes.barh(
                base + 0.62, share, 0.26, left, color=colour, edgecolor="white", linewidth=0.4
            )
            left += share
        if each.concurrency.threads > 1:
            elsewhere = each.concurrency.freed_elsewhere_ratio
            axes.barh(base + 0.37, 1.0, 0.12, color=_EMPTY_COLOUR)
            axes.barh(base + 0.37, elsewhere, 0.12, color=_ELSEWHERE_COLOUR)
        axes.text(0, base + 0.12, _words(each.concurrency), fontsize=_FONT_POINTS, va="center")
    colours = [("calls by thread", _BLOCKS_COLOUR), ("freed by another", _ELSEWHERE_COLOUR)]
    _head(axes, colours)


def _shares(spread: Concurrency) -> list[tuple[float, str]]:
    """Returns the share of each thread, most first; those that are hardly seen as one, in grey."""
    total = sum(spread.calls)
    shares = [calls / total for calls in spread.calls]
    shown = [share for share in shares if share >= _SMALLEST_SHARE]
    bars = [(share, _THREAD_COLOURS[at % 2]) for at, share in enumerate(shown)]
    return [*bars, (sum(shares) - sum(shown), _OTHERS_COLOUR)]


def _words(spread: Concurrency) -> str:
    if spread.threads <= 1:
        return "one thread"
    elsewhere = format_ratio(spread.freed_elsewhere_ratio)
    return f"{spread.threads} threads, {spread.most_alive} at once; {elsewhere} freed by another"


def _label_bytes(axes: Axes, largest: int, what: str) -> None:
    """Makes the axis one of bytes by powers of two, up to what holds the largest."""
    powers = max(int(largest - 1).bit_length(), 4)
    axes.set_xscale("log", base=2)
    axes.set_xlim(1, 2.0**powers * 1.5)
    step = -(-powers // 8)
    ticks = [1 << power for power in range(0, powers + 1, step)]
    axes.set_xticks(ticks, ["\u2264 1 B", *(exact_bytes(tick) for tick in ticks[1:])])
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.25)
    axes.set_xlabel(what, fontsize=_FONT_POINTS + 1)


def _head(axes: Axes, parts: Sequence[tuple[str, str]]) -> None:
    """Writes what is drawn above the axes, each in its colour."""
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=colour, label=label) for label, colour in parts],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(parts),
        frameon=False,
        fontsize=_FONT_POINTS + 1,
        borderaxespad=0.2,
    )


def _write(axes: Axes, x: float, base: float, words: str) -> None:
    """Writes at a share of the width, low in a band."""
    text = axes.text(
        x,
        base + 0.1,
        words,
        fontsize=_FONT_POINTS,
        horizontalalignment="right",
        verticalalignment="center",
        transform=axes.get_yaxis_transform(),
        zorder=5,
    )
    _outline(text)


def _outline(text: Any) -> None:
    from matplotlib.patheffects import withStroke

    text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
