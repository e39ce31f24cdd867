"""Fast algorithms derived exactly: F(m, r), and tiles of every axis, in fractions."""

from .bilinear import BilinearAlgorithm
from .border import Borders, BorderTile, borders
from .cook_toom import POINTS, cook_toom, direct
from .fast_axis import fast_axis
from .growth import (
    TransformRoundings,
    amplification,
    growth,
    row_roundings,
    transform_roundings,
)
from .interior import Interior
from .tensor_tile import TensorTile, fast_tile, summed
from .tile import Tile

__all__ = [
    "POINTS",
    "BilinearAlgorithm",
    "BorderTile",
    "Borders",
    "Interior",
    "TensorTile",
    "Tile",
    "TransformRoundings",
    "amplification",
    "borders",
    "cook_toom",
    "direct",
    "fast_axis",
    "fast_tile",
    "growth",
    "row_roundings",
    "summed",
    "transform_roundings",
]
