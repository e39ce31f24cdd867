"""A convolution with the resizes and pads before it: as one module, and in torch's own calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codegen.torch_ops import convolve, words_of
from codegen.torch_ops.words import chain_of
from derive.layers import Layer


class Fused(nn.Module):
    """Layers one after the other, the last one learned, as one kernel; any size of input.

    It takes over the parameters of the convolution that was the last one, under their names.

    >>> import derive, torch
    >>> layers = (derive.Interpolate(4, None, scale_factor=2), derive.Conv1d(4, 2, 3, padding=1))
    >>> Fused(nn.Conv1d(4, 2, 3, padding=1), layers)(torch.ones(1, 4, 5)).shape
    torch.Size([1, 2, 10])
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, convolution: nn.Module, layers: Sequence[Layer], algorithm: str = "exact"
    ) -> None:
        super().__init__()
        self.words = words_of(*layers, algorithm=algorithm)
        self.register_parameter("weight", convolution.get_parameter("weight"))
        self.register_parameter("bias", convolution._parameters["bias"])
        self.train(convolution.training)

    def forward(self, input: Tensor) -> Tensor:
        """(batch, channels, sizes) or one sample, as the convolution took it."""
        return convolve(self.words, input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The layers, the first one leading."""
        chain = chain_of(self.words)
        words = " -> ".join(map(repr, chain.layers))
        return words if chain.algorithm == "exact" else f"{words}, algorithm={chain.algorithm!r}"


class Moved(nn.Module):
    """torch's own calls of resizes and pads, then a convolution: what ``Fused`` replaces."""

    def __init__(self, nodes: Sequence[Any], convolution: nn.Module) -> None:
        super().__init__()
        self.calls = [(node.target, tuple(node.args[1:]), dict(node.kwargs)) for node in nodes]
        self.convolution = convolution

    def __getattr__(self, name: str) -> Any:
        own = vars(self)["_modules"]
        return super().__getattr__(name) if name in own else getattr(own["convolution"], name)

    def forward(self, input: Tensor, *more: Any, **others: Any) -> Tensor:
        """What the model computed in these calls, operation by operation."""
        for target, args, kwargs in self.calls:
            input = target(input, *args, **kwargs)
        y: Tensor = self.convolution(input, *more, **others)
        return y
