# SPDX-License-Identifier: MIT
"""Combinators: what it costs to be behind a table, and what each layer adds to its child."""

from __future__ import annotations

from benchmark_rows import Row, loop_times

# The layer, and what stands under it.
LAYERS = {
    "Deterministic<Freelist<>>": "Freelist<>",
    "Quantizer<Freelist<>>": "Freelist<>",
    "SmallFirst": "Freelist<>",
    "Lists": "Freelist<>",
    "GeometricLists": "Freelist<>",
    "ListOrNothing": "Freelist<>",
    "Stats<Freelist<>>": "Freelist<>",
    "FullStats<Freelist<>>": "Freelist<>",
    "Limit<Freelist<>>": "Freelist<>",
    "Callback<Freelist<>>": "Freelist<>",
    "Told": "Freelist<>",
    "Locked<Freelist<>>": "Freelist<>",
    "Affix<Pool<>, Header>": "Pool<>",
    "ThreadLocal<Pool<>>": "Pool<>",
    "ComposedStats": "ComposedPool",
}
NAMES = {
    "SmallFirst": "Segregator of Freelist and Pool",
    "Lists": "Bucketizer of Freelist",
    "GeometricLists": "Bucketizer of Freelist, geometric",
    "ListOrNothing": "Fallback of Freelist",
    "FullStats<Freelist<>>": "Stats with slack and histogram over Freelist",
    "Told": "Callback with a listener over Freelist",
    "Affix<Pool<>, Header>": "Affix of 8 bytes over Pool",
    "ComposedStats": "Stats over Pool, through a spec",
}
BATCH_BLOCKS = 1000  # pairs in one round of a loop


def combine(repeats: int) -> list[Row]:
    """The path through a spec, and each layer over the allocator it stands on."""
    times = {
        name.removeprefix("bulk<").removesuffix(">"): value / BATCH_BLOCKS
        for name, value in loop_times(_pattern(), repeats).items()
    }
    rows = []
    for subject, sizes in (
        ("Arena", "EqualSizes"),
        ("Freelist", "EqualSizes"),
        ("Pool", "EqualSizes"),
        ("Pool", "MixedSizes"),
    ):
        found, bump = times[f"Composed{subject}, {sizes}"], times[f"InlineBump, {sizes}"]
        rows.append(
            Row(
                f"{subject} through a spec, sized free, bulk, {sizes}",
                "<= 4.0x an inline bump",
                f"{found / bump:.2f}x ({found:.2f} ns)",
                found <= 4.0 * bump,
            )
        )
    for layer, child in LAYERS.items():
        found, under = times[f"{layer}, EqualSizes"], times[f"{child}, EqualSizes"]
        name = NAMES.get(layer, layer.replace("<Freelist<>>", " over Freelist"))
        rows.append(
            Row(
                f"{name.replace('<Pool<>>', ' over Pool')}, a pair, bulk",
                "",
                f"{found - under:+.2f} ns over {under:.2f}",
                None,
            )
        )
    return rows


def _pattern() -> str:
    subjects = {"InlineBump", "ComposedArena", "ComposedFreelist", *LAYERS, *LAYERS.values()}
    return f"^bulk<({'|'.join(sorted(subjects))}), (Equal|Mixed)Sizes>$"
