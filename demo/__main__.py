"""``make demo``: a photograph, convolved and transposed-convolved, in one labelled picture.

The weights are the same smooth ones in both: what the transposed convolution adds is its
checkerboard, the pattern of how many taps reach each output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray
from PIL import Image

import codegen
from codegen.catalogue import read_catalogue
from derive.layers import Layer

mpl.use("agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
OUT = ROOT / "out" / "demo.png"
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
ZOOM = slice(150, 190), slice(215, 255)  # an eye, in the pixels of the photograph


def photograph() -> NDArray[np.float32]:
    """The portrait of Grace Hopper that matplotlib ships: (3, height, width) in 0..1."""
    with get_sample_data("grace_hopper.jpg") as file:
        pixels = np.asarray(Image.open(file).convert("RGB"), dtype=np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) / 255)


def luminance_weight(shape: tuple[int, ...], total: float) -> NDArray[np.float32]:
    """A weight whose taps all have the colour's share of luminance and add up to ``total``."""
    taps = np.full(shape[2:], total / np.prod(shape[2:]))
    share = np.reshape(LUMINANCE, (1, 3) if shape[1] == 3 else (3, 1))
    return np.multiply.outer(share, taps).astype(np.float32)


def run(layer: Layer, picture: NDArray[np.float32], total: float) -> NDArray[np.float32]:
    """The kernel of a layer, at the size of the picture, on the picture."""
    op = layer.at(picture.shape[1:])
    try:
        kernel = codegen.build(op, "c")
    except codegen.CompileError as error:
        print(f"{error}\nusing the NumPy kernel")
        kernel = codegen.build(op, "numpy")
    weight = luminance_weight(op.weight_shape, total)
    result: NDArray[np.float32] = kernel(picture, weight, np.zeros(1, np.float32))
    return result[0]


def main() -> None:
    """Draw the picture."""
    layers = {entry.name: entry.op for entry in read_catalogue(ROOT / "operators.toml")}
    picture = photograph()
    smooth = run(layers["conv2d_rgb_k3"], picture, 1)
    up = layers["conv_transpose2d_rgb_k3s2"]
    larger = run(up, picture, 4)  # four outputs an input
    twice = tuple(slice(2 * s.start, 2 * s.stop) for s in ZOOM)
    overlap = up.at(8).overlap()
    panels: list[tuple[str, NDArray[Any]]] = [
        (f"photograph {picture.shape[2]} x {picture.shape[1]}", picture.transpose(1, 2, 0)),
        (f"Conv2d(3, 1, 3): {smooth.shape[1]} x {smooth.shape[0]}", smooth),
        (f"ConvTranspose2d(3, 1, 3, stride=2): {larger.shape[1]} x {larger.shape[0]}", larger),
        ("the eye, convolved", smooth[ZOOM]),
        ("the eye, transposed: a checkerboard", larger[twice]),
        ("taps that reach each output: 1, 2 or 4", overlap),
    ]
    figure, axes = plt.subplots(2, 3, figsize=(13, 10), layout="constrained")
    for axis, (title, image) in zip(axes.flat, panels, strict=True):
        axis.imshow(image, cmap="gray", interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    for (y, x), count in np.ndenumerate(overlap):
        colour = "black" if count == 4 else "white"
        axes.flat[-1].text(x, y, count, ha="center", va="center", color=colour, fontsize=8)
    OUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUT, dpi=110)
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
