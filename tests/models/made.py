"""Models to analyse and to convert, some of them found by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


def decoder() -> Any:
    """(model, example input)."""
    layers = (nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())
    return nn.Sequential(*layers, nn.ConvTranspose2d(2, 1, 3, 2)), torch.zeros(1, 2, 4, 4)


def no_pair() -> Any:
    return nn.Conv2d(1, 1, 1)


def failing() -> Any:
    raise RuntimeError("out of luck")


class Up(nn.Module):
    """A resize within a forward, as the decoders of diffusion models have it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.channels = channels

    def forward(self, x: Any) -> Any:
        assert x.shape[1] == self.channels
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1))
        self.conv = nn.Conv2d(8, 8, 3)
        self.block = Up(8)
        self.back = nn.ConvTranspose2d(8, 8, 3, 2)
        self.shared = nn.Conv2d(8, 8, 3, padding="same")
        self.own = nn.Parameter(torch.ones(4, 8, 1, 1))
        self.idle = nn.Conv1d(1, 1, 1)

    def forward(self, x: Any) -> Any:
        x = self.back(self.block(self.conv(self.up(self.first(x)))))
        x, y = self.shared(x), self.shared(x[:, :, ::2])
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.own), y
