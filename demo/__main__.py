"""``make demo``: a photograph doubled in five ways, in one labelled picture.

A transposed convolution whose kernel its stride does not divide makes a checkerboard, the pattern
of how many taps reach each output. The same kernel projected makes none, nor does resizing before
a convolution, which is one kernel here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import get_sample_data
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from .layers import Array, Panel, panels, phase_means

ROOT = Path(__file__).parent.parent
OUT = ROOT / "out" / "demo.png"
EYE = slice(176, 216), slice(212, 252)  # in the pixels of the photograph
SHOWN = 9  # outputs of the overlap along an axis
GREY = 0.4
FONT = 16  # pt, 7 where the picture is as wide as a page
PATCH = 24  # outputs of plain grey along an axis


def photograph() -> Array:
    """The portrait of Grace Hopper that matplotlib ships: (3, height, width) in 0..1."""
    with get_sample_data("grace_hopper.jpg") as file:
        pixels = np.asarray(Image.open(file).convert("RGB"), dtype=np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) / 255)


def draw(picture: Array, detail: tuple[slice, slice] = EYE, target: str = "c") -> Figure:
    """The picture, convolved, and doubled in five ways: in detail, and what plain grey becomes."""
    size = picture.shape[1:]
    convolution, *doublings = panels((size[0], size[1]))
    results = [panel(picture, target) for panel in doublings]
    plain = [panel(np.full_like(picture, GREY), target) for panel in doublings]
    zoom = tuple(slice(2 * s.start, 2 * s.stop) for s in detail)

    figure = Figure(figsize=(15, 12.5), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(9, 14))
    tops = upper.subplots(1, 3)
    show(tops[0], f"photograph, {size[1]} x {size[0]}", picture.transpose(1, 2, 0))
    rows, columns = detail
    corner, extent = (
        (columns.start, rows.start),
        (columns.stop - columns.start, rows.stop - rows.start),
    )
    tops[0].add_patch(Rectangle(corner, *extent, fill=False, edgecolor="white", linewidth=2))
    show(tops[1], "Conv2d, 3 x 3", convolution(picture, target))
    counts(tops[2], doublings[0])
    below = lower.subplots(2, len(doublings))
    for axes, panel, result, grey in zip(below.T, doublings, results, plain, strict=True):
        show(axes[0], panel.title, result[zoom])
        means = phase_means(grey)
        words = f"plain grey {GREY} becomes\n{means.min():.3f} to {means.max():.3f}"
        show(axes[1], words, grey[zoom][:PATCH, :PATCH])
    return figure


def show(axes: Axes, title: str, image: Any) -> None:
    """An image, black is 0 and white is 1; smoothed only where it is shown smaller than it is."""
    axes.imshow(image, cmap="gray", interpolation="auto", vmin=0, vmax=1)
    axes.set_title(title, fontsize=FONT)
    axes.set_axis_off()


def counts(axes: Axes, panel: Panel) -> None:
    """How many taps reach each of the first outputs."""
    overlap = panel.op.overlap()[:SHOWN, :SHOWN]
    axes.imshow(overlap, cmap="cividis", vmin=0)
    axes.set_title("taps that reach each output\nof the ConvTranspose2d", fontsize=FONT)
    axes.set_axis_off()
    for (y, x), count in np.ndenumerate(overlap):
        colour = "black" if 2 * count > overlap.max() else "white"
        axes.text(x, y, str(count), ha="center", va="center", color=colour, fontsize=FONT)


def main() -> None:
    """Draw the picture."""
    OUT.parent.mkdir(exist_ok=True)
    draw(photograph()).savefig(OUT, dpi=100)
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
