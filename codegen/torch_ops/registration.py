"""The operators ``torch.ops.exactconv``: what graphs of torch.compile and torch.export hold.

Each takes the canonical text of its layer first; see ``codegen.torch_ops.words_of``. All tensors
have a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from . import form, shapes
from .contraction import by_bias, gradients, operator
from .form import ARGUMENTS
from .transformed import batched

library: Any = torch.library
LIBRARY = library.Library("exactconv", "FRAGMENT")  # torch forgets them when it goes
Sizes = Sequence[int]


def forward(layer: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (batch, channels, sizes) -> y."""
    shapes.output_shape(layer, x, weight, bias)
    return form.forward(layer, tuple(x.shape[2:]), x, weight, bias)


def input_gradient(layer: str, grad_output: Tensor, weight: Tensor, input_size: Sizes) -> Tensor:
    """grad_output -> x."""
    shapes.input_shape(layer, grad_output, weight, input_size)
    return form.input_gradient(layer, tuple(input_size), grad_output, weight)


def weight_gradient(layer: str, x: Tensor, grad_output: Tensor) -> Tensor:
    """x and grad_output of one batch -> weight."""
    shapes.weight_shape(layer, x, grad_output)
    return form.weight_gradient(layer, tuple(x.shape[2:]), x, grad_output)


def fake_forward(layer: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """An empty y of the right shape, which may be symbolic."""
    return x.new_empty(shapes.output_shape(layer, x, weight, bias))


def fake_input_gradient(
    layer: str, grad_output: Tensor, weight: Tensor, input_size: Sizes
) -> Tensor:
    """An empty x."""
    return grad_output.new_empty(shapes.input_shape(layer, grad_output, weight, input_size))


def fake_weight_gradient(layer: str, x: Tensor, grad_output: Tensor) -> Tensor:
    """An empty weight."""
    return x.new_empty(shapes.weight_shape(layer, x, grad_output))


def _checked(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Refuse forward mode first."""

    @wraps(function)
    def call(*given: Any) -> Tensor:
        shapes.check_forward_mode()
        return function(*given)

    return call


def _register(
    name: str, arguments: str, want: str, real: Callable[..., Tensor], fake: Callable[..., Tensor]
) -> None:
    """Define an operator of the form, with all that torch asks of one."""
    full = f"exactconv::{name}"
    LIBRARY.define(f"{name}(str layer, {arguments}) -> Tensor", tags=(torch.Tag.pt2_compliant_tag,))
    for device in ("CPU", "CUDA"):
        LIBRARY.impl(name, _checked(real), device)
    library.register_fake(full, _checked(fake), lib=LIBRARY)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        layer, first, second, *others = inputs
        x = first if "x" in ARGUMENTS[want] else None
        ctx.of = layer, tuple(others[0]) if x is None else x.shape[2:], want
        needed = ctx.needs_input_grad
        ctx.save_for_backward(first if needed[2] else None, second if needed[1] else None)

    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        needed = ctx.needs_input_grad
        layer, size, place = ctx.of
        first, second = ctx.saved_tensors
        found = gradients(layer, size, place, first, second, grad, needed[1:3])
        last: list[Tensor | None] = [None] * (len(needed) - 3)  # none for a bias left out
        if want == "y" and last and needed[3]:
            last[0] = by_bias(grad)
        return (None, *found, *last)

    library.register_autograd(full, backward, setup_context=setup_context, lib=LIBRARY)
    if hasattr(library, "register_vmap"):  # from torch 2.5 on

        def vmap(
            info: Any, in_dims: tuple[Any, ...], layer: str, *given: Any
        ) -> tuple[Tensor, int]:
            first, second, *others = given
            bias = others[0] if want == "y" and others else None
            x = given[0]
            size = others[0] if want == "x" else _moved(x, in_dims[1]).shape[2:]
            axes = (*in_dims[1:3], in_dims[3] if bias is not None else None)
            made = batched(
                info.batch_size, axes, layer, tuple(size), want, first, second, bias, call=operator
            )
            return made, 0

        library.register_vmap(full, vmap, lib=LIBRARY)


def _moved(x: Tensor, axis: int | None) -> Tensor:
    """One sample of those along an axis."""
    return x if axis is None else x.select(axis, 0)


_register("forward", "Tensor x, Tensor weight, Tensor? bias=None", "y", forward, fake_forward)
_register(
    "input_gradient",
    "Tensor grad_output, Tensor weight, SymInt[] input_size",
    "x",
    input_gradient,
    fake_input_gradient,
)
_register(
    "weight_gradient",
    "Tensor x, Tensor grad_output",
    "weight",
    weight_gradient,
    fake_weight_gradient,
)
