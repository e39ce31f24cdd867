"""What is measured: three decoders, and the convolutions of ResNet-50 as a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from examples.networks import NETWORKS, inputs

BLOCKS = {64: 3, 128: 4, 256: 6, 512: 3}  # of ResNet-50, by their width (He et al. 2016, table 1)
IMAGE, EXPANSION = 224, 4
Made = tuple[nn.Module, tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Network:
    """A name, and what makes the network with its inputs for a batch."""

    name: str
    make: Callable[[int], Made]


class Layers(nn.Module):
    """Layers side by side, each with an input of its own: what a list of layers costs."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, *xs: Tensor) -> tuple[Tensor, ...]:
        """One input for each layer."""
        return tuple(layer(x) for layer, x in zip(self.layers, xs, strict=True))


def resnet50() -> Iterator[tuple[nn.Conv2d, int]]:
    """The 53 convolutions of ResNet-50 in order, each with the size of its input.

    The stride is that of the 3x3 layer, as in torchvision.
    """
    yield nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), IMAGE
    channels, size = 64, IMAGE // 4  # after a pooling
    for width, blocks in BLOCKS.items():
        for block in range(blocks):
            stride = 2 if block == 0 and width != 64 else 1
            after = EXPANSION * width
            yield nn.Conv2d(channels, width, 1, bias=False), size
            yield nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False), size
            yield nn.Conv2d(width, after, 1, bias=False), size // stride
            if block == 0:
                yield nn.Conv2d(channels, after, 1, stride=stride, bias=False), size
            channels, size = after, size // stride


def _resnet50(batch: int) -> Made:
    layers, sizes = zip(*resnet50(), strict=True)
    draw = torch.Generator().manual_seed(0)
    xs = (
        torch.randn(batch, layer.in_channels, size, size, generator=draw)
        for layer, size in zip(layers, sizes, strict=True)
    )
    return Layers(list(layers)), tuple(xs)


def _example(name: str) -> Network:
    return Network(name, lambda batch: (NETWORKS[name](), inputs(name, batch)))


MEASURED = (*map(_example, NETWORKS), Network("ResNet-50's layers", _resnet50))
