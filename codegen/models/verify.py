"""Is a swap what the model computes? Integers of the layer's own sizes, all functions, ==."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import Any

import torch
from torch import Tensor

from codegen.torch_ops import convolve
from codegen.torch_ops.kernels import kernel_of
from derive import Operator

from .chains import Chain

HELD = {torch.float32: 2**24, torch.float64: 2**53}  # floats hold all integers up to here
FUNCTIONS = ("forward", "input_gradient", "weight_gradient", "bias_gradient")
LARGEST = 2**26  # multiply-adds of a sample up to which two samples are compared


@dataclass(frozen=True, slots=True)
class Data:
    """Integers in float64: input, weight, bias, gradient of the output."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    grad: Tensor

    def absolute(self) -> Data:
        bias = None if self.bias is None else self.bias.abs()
        return Data(self.x.abs(), self.weight.abs(), bias, self.grad.abs())


def compared(chain: Chain, words: str, dtype: torch.dtype) -> tuple[str, list[str]]:
    """How our kernels were compared with torch's own calls, and the functions that differ.

    Integers with ==, where the class is exact and ``dtype`` holds every sum; else each may be off
    by the bound that is derived from the data, torch's float64 by no more; the words give it as a
    share of the largest number of the result.
    """
    op = chain.op
    assert op is not None
    data, exact = _data(chain, op, dtype)
    theirs = _functions(lambda *a: _torchs(chain, dtype, *a), data)
    ours = _functions(lambda *a: convolve(words, *a), _cast(data, dtype))
    kernel = kernel_of(words, op.input_shape[1:], dtype, "cpu").kernel
    wrong, bounded = [], []
    for name in ours:
        off = (ours[name].double() - theirs[name]).abs()
        if exact and name not in kernel.fast:
            right = bool((off == 0).all())
        else:
            bound = _bound(kernel, name, _cast(data, dtype))
            share = float(bound.max() / theirs[name].abs().max().clamp(min=1))
            bounded.append(f"{name} ({share:.0e} of the largest)")
            right = bool((off <= 2 * bound).all())
        if not right:
            wrong.append(name)
    how = "integers ==" if len(bounded) < len(ours) else ""
    if bounded:
        how += f"{'; ' if how else ''}within the error bound: {', '.join(bounded)}"
    return how, wrong


def _data(chain: Chain, op: Operator, dtype: torch.dtype) -> tuple[Data, bool]:
    """Integers, and whether every sum of any function is an integer that ``dtype`` holds."""
    generator = torch.Generator().manual_seed(0)
    coefficients = [s.coefficient for axis in op.axes for s in axis.strands]
    unit = prod(lcm(*(s.coefficient.denominator for s in axis.strands)) for axis in op.axes)
    dyadic = unit & (unit - 1) == 0 and min(coefficients) >= 0
    unit = unit if dyadic else 1
    batch = 2 if op.macs <= LARGEST else 1

    def integers(shape: Sequence[int], most: int, scale: int = 1) -> Tensor:
        return scale * torch.randint(-most, most + 1, shape, generator=generator).double()

    assert op.weight_shape is not None
    data = Data(
        integers((batch, *op.input_shape), 3, unit),
        integers(op.weight_shape, 2),
        None if op.bias_shape is None else integers(op.bias_shape, 9),
        integers((batch, *op.output_shape), 2, unit),
    )
    for _ in range(8):
        absolute = data.absolute()
        sums = _functions(lambda *a: _torchs(chain, dtype, *a), absolute)
        largest = {name: float(value.max()) for name, value in sums.items()}
        if max(largest.values()) < HELD[dtype]:
            return data, dyadic
        if largest["forward"] >= HELD[dtype]:
            break
        keep = torch.rand(data.grad.shape, generator=generator) < 0.25  # fewer terms in a sum
        data = Data(data.x, data.weight, data.bias, data.grad * keep)
    return data, False


def _torchs(
    chain: Chain, dtype: torch.dtype, x: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """torch's own calls in float64; which pixel is picked, as ``dtype`` picks it."""
    assert chain.op is not None
    *moving, last = [node for call in chain.calls for node in call.token.nodes]
    picks = all(call.layer is not None and _picks(call.layer) for call in chain.calls)
    x = x.to(dtype) if picks else x
    for node in moving:
        x = node.target(x, *node.args[1:], **node.kwargs)
    y: Tensor = last.target(x.double(), weight, bias, *last.args[3:], **last.kwargs)
    return y


def _picks(layer: Any) -> bool:
    """Whether a layer only moves numbers, or is the learned one."""
    return layer.learned or all(s.coefficient == 1 for axis in layer.axes for s in axis.strands)


def _functions(forward: Any, data: Data) -> dict[str, Tensor]:
    """The output and the gradients by input, weight and bias."""
    leaves = [
        None if each is None else each.detach().clone().requires_grad_()
        for each in (data.x, data.weight, data.bias)
    ]
    with torch.enable_grad():
        y = forward(*leaves)
        wanted = [leaf for leaf in leaves if leaf is not None]
        found = torch.autograd.grad(y, wanted, data.grad.to(y.dtype))
    return dict(zip(FUNCTIONS, (y.detach(), *found), strict=False))


def _cast(data: Data, dtype: torch.dtype) -> Data:
    bias = None if data.bias is None else data.bias.to(dtype)
    return Data(data.x.to(dtype), data.weight.to(dtype), bias, data.grad.to(dtype))


def _bound(kernel: Any, name: str, data: Data) -> Tensor:
    """The most by which each number of a function's result may be off."""
    given: dict[str, tuple[Any, ...]] = {
        "forward": (data.x, data.weight, data.bias),
        "input_gradient": (data.grad, data.weight),
        "weight_gradient": (data.x, data.grad),
        "bias_gradient": (data.grad,),
    }
    return torch.from_numpy(kernel.error_bound(*given[name], direction=name))
