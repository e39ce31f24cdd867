"""Padding and cropping on their own, in the words of torch's pad modules."""

from __future__ import annotations

from collections.abc import Sequence

from derive.arguments import Each, Pair, choice, pairs_per_axis, per_axis, refuse
from derive.core.padding import OUTSIDE
from derive.core.rules import ConvolutionRule

from .base import Channelwise
from .convolution import check_border


class Pad(Channelwise):
    """Pads each axis by (before, after), a negative amount cropping after the other has grown.

    ``padding`` has one entry per axis, an int >= 0 or a pair; ``mode`` is zeros, reflect,
    replicate or circular. It learns nothing.

    >>> Pad(1, ((1, -2),), input_size=5).apply([[1, 2, 3, 4, 5]])
    array([[0, 1, 2, 3]])
    """

    def __init__(
        self,
        channels: int,
        padding: Sequence[int | Pair],
        mode: str = "zeros",
        *,
        input_size: Each | None = None,
    ) -> None:
        parameters = locals().copy()
        if not isinstance(padding, Sequence) or isinstance(padding, str) or not padding:
            refuse("padding", padding, "a tuple with an int or a pair (before, after) per axis")
        pairs = pairs_per_axis("padding", padding, len(padding))
        choice("mode", mode, OUTSIDE)
        rules = [
            ConvolutionRule(kernel=1, before=before, after=after, mode=mode)
            for before, after in pairs
        ]
        sizes = None if input_size is None else per_axis("input_size", input_size, len(pairs), 1)
        if sizes is not None:
            check_border(rules, sizes)
        super().__init__(parameters, rules, channels=channels, sizes=sizes)
