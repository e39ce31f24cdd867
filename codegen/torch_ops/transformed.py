"""The functions of the form under torch.func's transformations and forward mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from .contraction import Gradients, by_bias, contract, gradients
from .form import Sizes, computed

Axis = int | None


class Transformed(Function):
    """``contract`` with rules for vmap and jvp besides backward."""

    @staticmethod
    def forward(
        words: str, size: Sizes, want: str, first: Tensor, second: Tensor, bias: Tensor | None
    ) -> Tensor:
        return computed(words, size, want, first, second, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        words, size, want, first, second, _ = inputs
        ctx.save_for_backward(first, second)
        ctx.save_for_forward(first, second)
        ctx.of = words, size, want
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> Gradients:
        if grad is None:
            return (None,) * 6
        needed = ctx.needs_input_grad
        words, size, want = ctx.of
        first, second = ctx.saved_tensors
        found = gradients(words, size, want, first, second, grad, needed[3:5])
        return None, None, None, *found, by_bias(grad) if needed[5] else None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor | None:
        """The function is linear in each argument: one with each tangent in its place, added."""
        by_first, by_second, of_bias = tangents[3:]
        words, size, want = ctx.of
        first, second = ctx.saved_tensors
        terms: list[Tensor] = []
        if by_first is not None:
            terms.append(contract(words, size, want, by_first, second))
        if by_second is not None:
            terms.append(contract(words, size, want, first, by_second))
        if of_bias is not None:
            column = of_bias.reshape(-1, *(1,) * len(size))
            like = terms[0] if terms else contract(words, size, want, first, second)
            terms.append(column.expand_as(like))
        return reduce(torch.add, terms) if terms else None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[Axis, ...],
        words: str,
        size: Sizes,
        want: str,
        first: Tensor,
        second: Tensor,
        bias: Tensor | None,
    ) -> tuple[Tensor, int]:
        axes = in_dims[3:]
        return batched(info.batch_size, axes, words, size, want, first, second, bias), 0


def batched(
    count: int,
    axes: tuple[Axis, ...],
    words: str,
    size: Sizes,
    want: str,
    first: Tensor,
    second: Tensor,
    bias: Tensor | None,
    *,
    call: Callable[..., Tensor] = contract,
) -> Tensor:
    """One function for ``count`` samples along ``axes`` of its arguments, which become axis 0.

    Where all share the weight, the samples are folded into the batch, which is one call. Else it
    is a call for each.
    """
    if want != "weight" and axes[0] is not None and axes[1:] == (None, None):
        samples = first.movedim(axes[0], 0)
        folded = samples.reshape(-1, *samples.shape[2:])
        made = call(words, size, want, folded, second, bias)
        return made.reshape(*samples.shape[:2], *made.shape[1:])
    given = [
        [each] * count if each is None or axis is None else each.unbind(axis)
        for each, axis in zip((first, second, bias), axes, strict=True)
    ]
    return torch.stack([call(words, size, want, *each) for each in zip(*given, strict=True)])
