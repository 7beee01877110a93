"""The pictures of the figures: lines, points and grids by matplotlib, without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.reproduce.figure9 import ScalePoints
    from mm_model.reproduce.figure16 import ShownUse

_COLOURS = {"with CAN": "#1f77b4", "without CAN": "#d62728"}


def convergence(curves: Sequence[Document], base: Mapping[str, float], said: Document) -> Figure:
    """Errors over steps: faces, hair, and how far a stranger's photograph is told from one's own.

    A thin line is a seed, the thick one their mean.
    """
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    figure.suptitle("Figure 8 again: CAN against no CAN, same start and same batches, three seeds")
    left, middle, right = figure.subplots(1, 3)
    for axes, region in ((left, "face"), (middle, "hair")):
        for curve in curves:
            colour = _COLOURS[curve["variant"]]
            axes.plot(curve["step"], curve[region], color=colour, lw=0.7, alpha=0.5)
        for variant, colour in _COLOURS.items():
            mean = said["means"][variant][region]
            axes.plot(said["steps"], mean, color=colour, lw=2.4, label=f"{variant} (mean)")
        axes.axhline(base[region], color="#666666", ls="--", lw=1.2, label="base, no adapter")
        axes.set_title(f"Held-out people: error on the {region}")
        axes.set_ylabel("mean |v̂ − v|² per latent number")
    for curve in curves:
        told = np.array(curve["stranger"]) - np.array(curve["face"])
        right.plot(curve["step"], told, color=_COLOURS[curve["variant"]], lw=0.7, alpha=0.5)
    for variant, colour in _COLOURS.items():
        mean = said["means"][variant]["told apart"]
        right.plot(said["steps"], mean, color=colour, lw=2.4, label=f"{variant} (mean)")
    right.axhline(0, color="#666666", ls="--", lw=1.2, label="photograph makes no difference")
    right.set_title("Held-out people: told from a stranger")
    right.set_ylabel("error on the face, stranger − own")
    for axes in (left, middle, right):
        axes.set_xlabel("training steps")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


_MARKS = {
    "face": ("o", "#2ca02c"),
    "text": ("s", "#9467bd"),
    "video": ("^", "#ff7f0e"),
    "text with CAN": ("x", "#c5b0d5"),
    "video with CAN": ("+", "#ffbb78"),
}


def scales(found: ScalePoints, placed: np.ndarray, said: Document) -> Figure:
    """The same points three times: by modality, by layer, by timestep."""
    figure = Figure(figsize=(15, 5.6), layout="constrained")
    figure.suptitle(
        "Figure 9 again: scales of the modulation by t-SNE, a point a layer and timestep"
        f" (adapter of {said['adapter']['from']})"
    )
    left, middle, right = figure.subplots(1, 3)
    for name, (mark, colour) in _MARKS.items():
        rows = found.modality == name
        left.scatter(
            placed[rows, 0],
            placed[rows, 1],
            s=16,
            marker=mark,
            c=colour,
            label=name,
            linewidths=0.9,
        )
    left.set_title("by modality")
    left.legend(fontsize=8)
    _coloured(figure, middle, placed, found, "layer")
    middle.set_title(f"by layer: {_silhouette_words(said, 'layer')}")
    _coloured(figure, right, placed, found, "timestep")
    right.set_title(f"by timestep: {_silhouette_words(said, 'timestep')}")
    for axes in (left, middle, right):
        axes.set_xlabel("t-SNE 1 (no unit)")
        axes.set_ylabel("t-SNE 2 (no unit)")
    return figure


def _coloured(
    figure: Figure,
    axes: Axes,
    placed: np.ndarray,
    found: ScalePoints,
    by: str,
) -> None:
    """Points in the colour of their layer or timestep, in the shape of their modality."""
    values = getattr(found, by)
    colours, low, high = "viridis", values.min(), values.max()
    if by == "layer":
        colours, low, high = "tab10", -0.5, 9.5
    for name, (mark, _) in _MARKS.items():
        rows = found.modality == name
        drawn = axes.scatter(
            placed[rows, 0],
            placed[rows, 1],
            s=16,
            c=values[rows],
            marker=mark,
            cmap=colours,
            vmin=low,
            vmax=high,
            linewidths=0.9,
        )
    bar = figure.colorbar(drawn, ax=axes, label=by)
    if by == "layer":
        bar.ax.set_ylim(-0.5, values.max() + 0.5)


def _silhouette_words(said: Document, sort: str) -> str:
    known = [(name, said["silhouettes"][name][sort]) for name in ("video", "text", "face")]
    return ", ".join(f"{name} {value:+.2f}" for name, value in known if value is not None)


_PLACES = {
    "base": ("o", "#666666"),
    "modulation, day": ("^", "#ff7f0e"),
    "modulation, dusk": ("v", "#1f77b4"),
    "all, dusk": ("s", "#9467bd"),
}


def distributions(
    clips: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray], said: Document
) -> Figure:
    """A row of pictures a variant, from equal noise, and where each lies between the worlds."""
    figure = Figure(figsize=(14, 7.2), layout="constrained")
    figure.suptitle(
        "Figure 14 again: one fresh adapter, only its modulation trained, on two sets of data"
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
    rows = {f"drawn, {name}": one for name, one in true.items()} | dict(clips)
    middle = next(iter(clips.values())).shape[1] // 2
    sheet = [np.concatenate(list(one[:, middle]), axis=1) for one in rows.values()]
    left.imshow(np.concatenate(sheet), interpolation="nearest")
    side = sheet[0].shape[0]
    left.set_yticks([side * (n + 0.5) for n in range(len(rows))], list(rows))
    left.set_xticks([side * (n + 0.5) for n in range(len(clips["base"]))])
    left.set_xticklabels([str(n + 1) for n in range(len(clips["base"]))])
    left.set_xlabel("held-out person (middle frame of a clip; a column has one noise)")
    left.set_title("Generated, below the two sets as drawn")
    measures = list(next(iter(said["place"].values())))
    for n, (name, (mark, colour)) in enumerate(_PLACES.items()):
        heights = [k + 0.12 * (1.5 - n) for k in range(len(measures))]
        places = [said["place"][name][what] for what in measures]
        right.scatter(places, heights, marker=mark, c=colour, s=60, label=name, zorder=3)
    for place, colour in ((0, "#ff7f0e"), (1, "#1f77b4")):
        right.axvline(place, color=colour, lw=1.2, ls="--", zorder=1)
    right.set_yticks(range(len(measures)), measures)
    right.invert_yaxis()
    right.set_xlabel("place between the sets as drawn (0: day, 1: dusk)")
    right.set_title("Where the generated clips lie")
    right.grid(axis="x", alpha=0.3)
    right.legend(fontsize=8, loc="best")
    return figure


_FRAMES = 6
"""Frames of a clip that a row shows."""


def uses(rows: Sequence[ShownUse], side: int) -> Figure:
    """A row a use: the photographs that were shown, and frames of `side` pixels made of them."""
    strips = [_strip(row, side) for row in rows]
    gap = np.full((side // 8, strips[0].shape[1], 3), 255, np.uint8)
    sheet = np.concatenate([part for strip in strips for part in (strip, gap)][:-1])
    figure = Figure(figsize=(10, 8))
    figure.suptitle("Figures 16 and 17 again: a held-out person (left: the photographs shown)")
    axes = figure.add_axes((0.16, 0.01, 0.83, 0.93))
    axes.imshow(sheet, interpolation="nearest")
    step = side + len(gap)
    axes.set_yticks([side / 2 + step * n for n in range(len(rows))], [row.name for row in rows])
    axes.set_xticks([])
    for edge in axes.spines.values():
        edge.set_visible(False)
    return figure


def _row_of_pictures(axes: Axes, strip: np.ndarray, name: str) -> None:
    axes.imshow(strip, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([len(strip) / 2], [name])
    for edge in axes.spines.values():
        edge.set_visible(False)


def subjects(parts: Sequence[Document]) -> Figure:
    """A row a subject: photographs, then pairs of frames without and with its tokens."""
    from mm_model.reproduce.subjects import strip_of

    strips = [strip_of(part) for part in parts]
    figure = Figure(figsize=(9, 0.95 * len(strips) + 0.5))
    figure.suptitle("Three of eight photographs | pairs of frames: the plain base, with the tokens")
    room = {"left": 0.09, "right": 0.99, "bottom": 0.01, "top": 0.95, "hspace": 0.08}
    rows = np.atleast_1d(figure.subplots(len(strips), 1, gridspec_kw=room))
    for axes, strip, part in zip(rows, strips, parts, strict=True):
        _row_of_pictures(axes, strip, part["name"])
    return figure


def masked(parts: Sequence[Document]) -> Figure:
    """A row a person: photographs, then frames of the base, with masks and without."""
    from mm_model.reproduce.subjects import strip_of

    strips = [strip_of(part) for part in parts]
    figure = Figure(figsize=(11, 1.05 * len(strips) + 0.7))
    figure.suptitle(
        "Three of eight photographs | triples of frames: the plain base, learned with true masks,"
        " learned without"
    )
    room = {"left": 0.14, "right": 0.99, "bottom": 0.01, "top": 0.93, "hspace": 0.08}
    rows = np.atleast_1d(figure.subplots(len(strips), 1, gridspec_kw=room))
    for axes, strip, part in zip(rows, strips, parts, strict=True):
        _row_of_pictures(axes, strip, f"{part['name']}\n{part['places']}")
    return figure


def protocol(parts: Sequence[Document], variants: Sequence[str]) -> Figure:
    """A row a subject: photographs, then frames of the variants of three sentences."""
    from mm_model.reproduce.subjects import strip_of

    strips = [strip_of(part) for part in parts]
    wide = strips[0].shape[1] / strips[0].shape[0]
    figure = Figure(figsize=(1.0 + 0.85 * wide, 0.9 * len(strips) + 0.6))
    figure.suptitle("Three of eight photographs | frames: " + ", ".join(variants), fontsize=9)
    room = {"left": 0.1, "right": 0.99, "bottom": 0.01, "top": 1 - 0.5 / (len(strips) + 0.6)}
    rows = np.atleast_1d(figure.subplots(len(strips), 1, gridspec_kw={**room, "hspace": 0.08}))
    for axes, strip, part in zip(rows, strips, parts, strict=True):
        _row_of_pictures(axes, strip, part["name"])
    return figure


def methods(parts: Sequence[Document]) -> Figure:
    """A row a person: two photographs, then a frame of each method's first clip."""
    from mm_model.reproduce.subjects import strip_of

    names = list(parts[0]["methods"])
    figure = Figure(figsize=(1.6 * (len(names) + 2), 1.6 * len(parts) + 0.7))
    figure.suptitle("Two photographs | " + " | ".join(names), fontsize=8)
    room = {"left": 0.08, "right": 0.99, "bottom": 0.01, "top": 0.94, "hspace": 0.04}
    rows = np.atleast_1d(figure.subplots(len(parts), 1, gridspec_kw=room))
    for axes, part in zip(rows, parts, strict=True):
        _row_of_pictures(axes, strip_of(part), part["name"])
    return figure


_WAYS = ("#7f7f7f", "#1f77b4", "#d62728")
"""A colour for each way to redraw, in their order."""


def face_size(rows: Sequence[Document], parts: Sequence[Document], hows: Sequence[str]) -> Figure:
    """Gains against the face's size, a panel a judge and kind of clip; then three people's faces.

    hows: the ways to redraw, in the order in which the faces stand in a part's picture.
    """
    from mm_model.reproduce.facesize import shown_of

    sources = list(dict.fromkeys(row["clips"] for row in rows))
    looks = dict(zip(hows, _WAYS, strict=False))
    judges = [name for name in rows[0]["judges"] if name != "colour"]
    figure = Figure(figsize=(13, 9), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1, 1.4))
    above, below = halves
    above.suptitle("Face VCD: cosine with photographs, gain over the clip as it was")
    panels = np.atleast_1d(above.subplots(1, len(sources) * len(judges), sharey=True))
    chosen = [(judge, source) for judge in judges for source in sources]
    for axes, (judge, source) in zip(panels, chosen, strict=True):
        own = [row for row in rows if row["clips"] == source]
        for how in hows:
            found = [row["judges"][judge]["gain"][how] for row in own]
            sizes = [row["size"] for row in own]
            low, high, mean = (
                np.array([one[k] for one in found], float) for k in ("low", "high", "value")
            )
            colour = looks[how]
            axes.fill_between(sizes, low, high, alpha=0.12, color=colour, lw=0)
            axes.plot(sizes, mean, "o-", color=colour, label=how, ms=4)
        axes.axhline(0, color="#666666", lw=1)
        axes.set_title(f"{source} clips, judge {judge}", fontsize=9)
        axes.set_xlabel("shorter side of the face, pixels")
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    people = list(dict.fromkeys(part["person"] for part in parts))[:3]
    for axes, who in zip(np.atleast_1d(below.subplots(1, len(people))), people, strict=True):
        own = [part for part in parts if part["person"] == who]
        shown = shown_of(own)
        cell = shown.shape[1] / len(own)
        middles = [cell * (k + 0.5) for k in range(max(len(own), 1 + len(hows)))]
        axes.imshow(shown)
        axes.set_title(f"person {who}, drawn clips, enlarged", fontsize=9)
        axes.set_xticks(middles[: len(own)], [f"{part['size']} px" for part in own])
        names = ["before", *hows] if who == people[0] else [""] * (1 + len(hows))
        axes.set_yticks(middles[: 1 + len(hows)], names, fontsize=8)
    return figure


def noise_prior(rows: Sequence[Document]) -> Figure:
    """Motion and identity against gamma, each with its interval over people."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle("The noise prior: the same people, sentences and noise at each gamma")
    gammas = [row["gamma"] for row in rows]
    words = {
        "motion": "change of a pixel from frame to frame (of 255)",
        "identity": "cosine with the person's photographs",
    }
    for axes, (name, what) in zip(figure.subplots(1, 2), words.items(), strict=True):
        means, low, high = (
            np.array([row[name][part] for row in rows], float) for part in ("value", "low", "high")
        )
        axes.fill_between(gammas, low, high, alpha=0.2, color="#1f77b4", lw=0)
        axes.plot(gammas, means, "o-", color="#1f77b4")
        axes.set_title(name)
        axes.set_xlabel("gamma, between neighbouring latent frames")
        axes.set_ylabel(what)
        axes.set_ylim(bottom=min(0.0, float(np.nanmin([*low, *means]))))
        axes.grid(alpha=0.3)
    return figure


def _strip(row: ShownUse, side: int) -> np.ndarray:
    """One row `[side, width, 3]`: photographs in one cell, a gap, then the frames."""
    import cv2

    across = 1 if len(row.photographs) == 1 else 2
    cell = np.full((side, side, 3), 255, np.uint8)
    for number, picture in enumerate(row.photographs):
        y, x = (part * (side // across) for part in divmod(number, across))
        size = (side // across, side // across)
        cell[y : y + size[0], x : x + size[1]] = cv2.resize(picture, size, interpolation=3)
    chosen = np.linspace(0, len(row.frames) - 1, min(_FRAMES, len(row.frames))).round().astype(int)
    blank = np.full((side, side * (_FRAMES - len(chosen)), 3), 255, np.uint8)
    gap = np.full((side, side // 4, 3), 255, np.uint8)
    return np.concatenate([cell, gap, *row.frames[chosen], blank], axis=1)
