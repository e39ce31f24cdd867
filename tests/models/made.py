"""Models that the command line is asked for by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def decoder() -> Any:
    """(model, example input)."""
    layers = (nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())
    return nn.Sequential(*layers, nn.ConvTranspose2d(2, 1, 3, 2)), torch.zeros(1, 2, 4, 4)


def no_pair() -> Any:
    return nn.Conv2d(1, 1, 1)


def failing() -> Any:
    raise RuntimeError("out of luck")
