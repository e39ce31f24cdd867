"""Decoders that everybody knows, with random weights: what upsamples in generative networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def dcgan(layers: Any = nn, width: int = 64) -> nn.Sequential:
    """The generator of DCGAN (Radford et al. 2015): (batch, 100, 1, 1) -> (batch, 3, 64, 64).

    ``layers`` has the convolutions: ``torch.nn`` or ``codegen.torch_ops``.
    """
    channels = [8 * width, 4 * width, 2 * width, width]
    parts: list[nn.Module] = [layers.ConvTranspose2d(100, channels[0], 4, bias=False)]
    for before, after in pairwise(channels):
        parts += [nn.BatchNorm2d(before), nn.ReLU()]
        parts += [layers.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)]
    parts += [nn.BatchNorm2d(width), nn.ReLU()]
    parts += [layers.ConvTranspose2d(width, 3, 4, stride=2, padding=1, bias=False), nn.Tanh()]
    return nn.Sequential(*parts)


class UNetDecoder(nn.Module):
    """The right half of U-Net (Ronneberger et al. 2015), with padding: three steps up.

    (batch, 8 * width, n, n) and three skips, (batch, width * 2**i, 8n / 2**i, 8n / 2**i) for
    i = 2, 1, 0, -> (batch, 2, 8n, 8n).
    """

    def __init__(self, layers: Any = nn, width: int = 32) -> None:
        super().__init__()
        channels = [8 * width, 4 * width, 2 * width, width]
        self.up = nn.ModuleList(
            layers.ConvTranspose2d(before, after, 2, stride=2)
            for before, after in pairwise(channels)
        )
        self.both = nn.ModuleList(
            nn.Sequential(
                layers.Conv2d(before, after, 3, padding=1),
                nn.ReLU(),
                layers.Conv2d(after, after, 3, padding=1),
                nn.ReLU(),
            )
            for before, after in pairwise(channels)
        )
        self.last = layers.Conv2d(width, 2, 1)

    def forward(self, x: Tensor, *skips: Tensor) -> Tensor:
        """The deepest features, then the skips from the coarsest."""
        for up, both, skip in zip(self.up, self.both, skips, strict=True):
            x = both(torch.cat([skip, up(x)], dim=1))
        result: Tensor = self.last(x)
        return result


class Residual(nn.Module):
    """Two 3x3 convolutions around the identity, as in the decoder of Stable Diffusion's VAE."""

    def __init__(self, before: int, after: int, layers: Any = nn) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.GroupNorm(8, before),
            nn.SiLU(),
            layers.Conv2d(before, after, 3, padding=1),
            nn.GroupNorm(8, after),
            nn.SiLU(),
            layers.Conv2d(after, after, 3, padding=1),
        )
        self.beside = nn.Identity() if before == after else layers.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, before, h, w) -> (batch, after, h, w)."""
        result: Tensor = self.beside(x) + self.inside(x)
        return result


class Upsample(nn.Module):
    """Nearest neighbours by a call, then a convolution: how diffusers and many others write it."""

    def __init__(self, channels: int, layers: Any = nn) -> None:
        super().__init__()
        self.conv = layers.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, h, w) -> (batch, channels, 2h, 2w)."""
        result: Tensor = self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return result


def vae_decoder(layers: Any = nn, width: int = 32) -> nn.Sequential:
    """A decoder like that of Stable Diffusion's VAE: (batch, 4, n, n) -> (batch, 3, 8n, 8n)."""
    channels = [4 * width, 4 * width, 2 * width, width]
    parts: list[nn.Module] = [layers.Conv2d(4, channels[0], 3, padding=1)]
    for before, after in pairwise(channels):
        parts += [Residual(before, after, layers), Residual(after, after, layers)]
        parts += [Upsample(after, layers)]
    parts += [Residual(width, width, layers), nn.GroupNorm(8, width), nn.SiLU()]
    return nn.Sequential(*parts, layers.Conv2d(width, 3, 3, padding=1))


def inputs(name: str, batch: int, size: int = 16) -> tuple[Tensor, ...]:
    """Random inputs of one of the NETWORKS."""
    draw = torch.Generator().manual_seed(0)
    shapes = {
        "DCGAN generator": [(100, 1, 1)],
        "U-Net decoder": [
            (256, size, size),
            *((32 * 2**i, 8 * size // 2**i, 8 * size // 2**i) for i in (2, 1, 0)),
        ],
        "VAE decoder": [(4, size, size)],
    }
    return tuple(torch.randn(batch, *shape, generator=draw) for shape in shapes[name])


NETWORKS = {"DCGAN generator": dcgan, "U-Net decoder": UNetDecoder, "VAE decoder": vae_decoder}
