"""Goals: the fastest peer's time over ours, for each family of layers and for all of them."""

from __future__ import annotations

GOALS = {
    "3x3": 1.15,
    "3x3 s2": 1.4,
    "3x3 dilated": 2.5,
    "7x7 s2": 1.5,  # of 3 channels
    "3x3, 3 channels": 1.1,
    "1x1": 1.05,
    "5x5": 1.0,
    "depthwise s1": 1.4,
    "depthwise s2": 1.4,
    "grouped by 4": 2.2,
    "transposed k2 s2": 1.0,
    "transposed k3 s2": 1.0,
    "transposed k4 s2": 1.5,
    "transposed k4 s2 to 3 channels": 1.5,
    "transposed k9 s4": 1.5,  # to 1 channel
    "transposed 1-D k16 s8": 1.5,
    "nearest x2, 3x3, 64 channels": 2.5,
    "nearest x2, 3x3, 128 channels": 2.0,
    "nearest x2, 3x3, 256 channels": 1.7,
    "bilinear x2, 3x3": 1.6,
    "3-D 3x3x3": 2.5,
    "float64": 1.6,
    "input gradient": 1.2,
    "weight gradient": 1.0,
}
APART = ("float64", "input gradient", "weight gradient")  # peers: torch alone
LEAST = 1.0  # of any layer
MEAN = 1.6  # geometric, of all float32 layers forward
