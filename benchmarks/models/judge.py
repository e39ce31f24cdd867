"""How wrong many tensors are, each in its own scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from torch import Tensor


class Judge:
    """Knows what is right, in float64."""

    def __init__(self, expected: Sequence[Tensor]) -> None:
        self._expected = [tensor.detach().double() for tensor in expected]

    def error(self, found: Sequence[Tensor]) -> float:
        """The norm of the difference over the norm of what is right, of the worst tensor.

        A norm, since a rounding switches a ReLU near zero and then one number is another.
        """
        if [tensor.shape for tensor in found] != [tensor.shape for tensor in self._expected]:
            return inf
        pairs = zip(found, self._expected, strict=True)
        return max(_relative(tensor.detach().double(), right) for tensor, right in pairs)


def _relative(found: Tensor, right: Tensor) -> float:
    size = float(right.norm())
    error = float((found - right).norm())
    return error / size if size else error
