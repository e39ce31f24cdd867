"""What the modules share: the text of their layer, and torch's constructors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from derive.layers import Layer

from .functions import convolve, with_bias
from .output_size import words_at
from .words import words_of

Each = int | tuple[int, ...]
torch.fx.wrap("convolve")  # torch.fx's symbolic traces hold them as one call
torch.fx.wrap("with_bias")
torch.fx.wrap("words_at")


class Worded(nn.Module):
    """A module whose ``words`` name its layer; they follow the attributes that they are made of."""

    layer_type: ClassVar[type[Layer]]
    of_words: ClassVar[tuple[str, ...]]  # the attributes, in the layer's words
    algorithm: str
    words: str
    biased: bool  # whether the words have a bias
    weight: Tensor
    bias: Tensor | None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if "words" in self.__dict__ and name in ("algorithm", "bias", *self.of_words):
            self.__dict__["words"] = self._words()
            self.__dict__["biased"] = self.bias is not None

    def _begin(self, given: dict[str, Any], algorithm: str, device: Any, dtype: Any) -> None:
        """torch's constructor, after the layer has had a look; GeometryError in its words."""
        words_of(self.layer_type(**given), algorithm=algorithm)
        super().__init__(**given, device=device, dtype=dtype)
        self.algorithm = algorithm
        self.words = self._words()
        self.biased = self.bias is not None

    def _words(self) -> str:
        return words_of(*self._layers(), algorithm=self.algorithm)

    def _layers(self) -> tuple[Layer, ...]:
        """The layers, the one that is applied first leading."""
        words = {name: plain(getattr(self, name)) for name in self.of_words}
        return (self.layer_type(**words, bias=self.bias is not None),)

    def extra_repr(self) -> str:
        """torch's words, and the algorithm where it is not the exact one."""
        words = super().extra_repr()
        return words if self.algorithm == "exact" else f"{words}, algorithm={self.algorithm!r}"


class Convolving(Worded):
    """What Conv1d to Conv3d share: torch's constructor and ``algorithm``."""

    of_words = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: str | int | Sequence[Any] = 0,
        dilation: Each = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        algorithm: str = "exact",
    ) -> None:
        given = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "bias": bool(bias),
            "padding_mode": padding_mode,
        }
        self._begin(given, algorithm, device, dtype)

    computes_as_torch = True  # derive.from_torch takes it for torch's

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if bias is None or self.biased:
            return convolve(self.words, input, weight, bias)
        return with_bias(convolve(self.words, input, weight, None), bias, weight.dim() - 2)


class Transposing(Worded):
    """What ConvTranspose1d to ConvTranspose3d share: torch's constructor and ``algorithm``."""

    of_words = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "output_padding",
        "groups",
        "dilation",
        "padding_mode",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: int | Sequence[Any] = 0,
        output_padding: Each = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Each = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        algorithm: str = "exact",
    ) -> None:
        given = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "groups": groups,
            "bias": bool(bias),
            "dilation": dilation,
            "padding_mode": padding_mode,
        }
        self._begin(given, algorithm, device, dtype)

    computes_as_torch = True

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """torch's; ``output_size`` picks one of the sizes that a convolution maps to that of x."""
        words = self.words
        if output_size is not None:
            words = words_at(words, input, output_size)
        weight, bias = self.weight, self.bias
        if bias is None or self.biased:
            return convolve(words, input, weight, bias)
        return with_bias(convolve(words, input, weight, None), bias, weight.dim() - 2)


def plain(value: Any) -> Any:
    """One int for a tuple of equal ones, so that a layer has one text however it was written."""
    if isinstance(value, tuple) and len(set(value)) == 1 and isinstance(value[0], int):
        return value[0]
    return value
