"""Resize, then convolve: the cure of checkerboards, as one module and one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import derive
from derive.layers import Layer
from derive.layers.interpolate import Factor

from .modules import Conv2d
from .worded import Each
from .words import words_of

OF_RESIZE = (
    "size",
    "scale_factor",
    "mode",
    "align_corners",
    "recompute_scale_factor",
    "antialias",
    "index_arithmetic",
)


class UpsampleConv2d(Conv2d):
    """torch.nn.Upsample, then torch.nn.Conv2d, fused: no image in between, fewer multiply-adds.

    ``scale_factor`` (2 unless ``size`` is given), ``size``, ``mode`` ("nearest", "nearest-exact",
    "bilinear", "bicubic" or "area"), ``align_corners`` and ``antialias`` are those of
    torch.nn.functional.interpolate, the others those of Conv2d, and so are weight and bias:
    state_dicts load from a Conv2d and into one. Results differ from torch's two calls by rounding,
    and for some factors by the pixel that nearest picks; see derive.Interpolate, also for
    ``index_arithmetic``.

    >>> import torch
    >>> UpsampleConv2d(4, 2, 3, padding=1)(torch.ones(1, 4, 5, 6)).shape
    torch.Size([1, 2, 10, 12])
    >>> UpsampleConv2d(4, 2, 3, size=(7, 9), mode="bilinear")(torch.ones(4, 5, 6)).shape
    torch.Size([2, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        scale_factor: Factor | Sequence[Factor] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        padding: str | int | Sequence[Any] = 0,
        padding_mode: str = "zeros",
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        size: Each | None = None,
        antialias: bool = False,
        recompute_scale_factor: bool | None = None,
        stride: Each = 1,
        dilation: Each = 1,
        groups: int = 1,
        index_arithmetic: str = "exact",
        algorithm: str = "exact",
    ) -> None:
        resize = {
            "size": size,
            "scale_factor": 2 if scale_factor is None and size is None else scale_factor,
            "mode": mode,
            "align_corners": align_corners,
            "recompute_scale_factor": recompute_scale_factor,
            "antialias": antialias,
            "index_arithmetic": index_arithmetic,
        }
        words_of(derive.Conv2d(1, 1, 1), _resize(1, resize))  # refuses in our words
        self.__dict__.update(resize)  # before torch's constructor, which makes the words
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            algorithm=algorithm,
        )

    _conv_forward = Conv2d._conv_forward  # its own: derive.from_torch does not take it for Conv2d's

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in OF_RESIZE and "words" in self.__dict__:
            self.__dict__["words"] = self._words()

    def _layers(self) -> tuple[Layer, ...]:
        resize = _resize(self.in_channels, {name: getattr(self, name) for name in OF_RESIZE})
        return (resize, *super()._layers())

    def extra_repr(self) -> str:
        """The words of Conv2d and those of the resize."""
        resize = _resize(self.in_channels, {name: getattr(self, name) for name in OF_RESIZE})
        given = {n: v for n, v in resize.parameters.items() if n in OF_RESIZE and v is not None}
        shown = ("size", "scale_factor", "mode")
        more = [f"{n}={v!r}" for n, v in given.items() if n in shown or v not in (False, "exact")]
        return ", ".join([super().extra_repr(), *more])


def _resize(channels: int, words: dict[str, Any]) -> derive.Interpolate:
    return derive.Interpolate(channels, (None, None), **words)
