"""What torch makes of a layer: forward and the three gradients, in float64.

On integers this is exact while sums stay below 2**53, so results compare with ``==``. A layer in
torch's own words is given to torch as it is. Pairs of padding and input dilation, which torch
does not have, are added around it: before a convolution by picking positions of the input,
behind a transposed one by picking positions of the output.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from derive.layers import Interpolate, Layer, Pad
from derive.layers.transposed import TransposedConvolution
from tests.definition import NOTHING, padded, spread

torch = pytest.importorskip("torch")
FAMILY = torch.nn  # whose layers are called; the fixture ``family`` puts ours here
torch.set_num_threads(1)  # tiny tensors, and tests that already share the cores

Array = NDArray[Any]
Tensor = Any


def forward(layer: Layer, x: Array, w: Array, b: Array | None = None) -> Array:
    """The output of ``layer``; ``x`` is batched or not, as torch takes it."""
    with torch.no_grad():
        return _back(_call(layer, _tensor(x), _tensor(w), None if b is None else _tensor(b)), x)


def gradients(layer: Layer, x: Array, w: Array, grad: Array) -> tuple[Array, Array, Array]:
    """The gradients of sum(grad * output) by x, by w and by a bias of the layer."""
    _, *found = forward_and_gradients(layer, x, w, None, grad)
    return tuple(found)


def forward_and_gradients(
    layer: Layer, x: Array, w: Array, b: Array | None, grad: Array, device: str = "cpu"
) -> tuple[Array, Array, Array, Array]:
    """The output, and the gradients of sum(grad * output) by x, by w and by a bias."""
    if b is None:
        b = np.zeros(layer.groups * layer.channels_out)
    leaves = [_tensor(array, device).requires_grad_() for array in (x, w, b)]
    y = _call(layer, *leaves)
    by_x, by_w, by_b = torch.autograd.grad(y, leaves, _tensor(grad, device))
    return _back(y, x), _back(by_x, x), _back(by_w, x), _back(by_b, x)


def chain_and_gradients(
    layers: Sequence[Layer], x: Array, w: Array | None, b: Array | None, grad: Array
) -> tuple[Array, Array, Array | None, Array | None]:
    """Layers one after the other, outermost first, at most one learned: output and gradients.

    By x, and by w and b where they are given. In float64, x batched.
    """
    given = [None if array is None else _tensor(array).requires_grad_() for array in (x, w, b)]
    y, weight, bias = given
    for layer in reversed(layers):
        if isinstance(layer, Interpolate):
            y = _interpolated(layer, y)
        elif isinstance(layer, Pad):
            y = _padded(layer, y)
        else:
            y = _call(layer, y, weight, bias)
    leaves = [leaf for leaf in given if leaf is not None]
    found = iter(torch.autograd.grad(y, leaves, _tensor(grad)))
    by_x, by_w, by_b = (None if leaf is None else next(found).numpy() for leaf in given)
    return y.detach().numpy(), by_x, by_w, by_b


def _interpolated(layer: Interpolate, x: Tensor) -> Tensor:
    beyond = ("channels", "input_size", "index_arithmetic")
    words = {name: v for name, v in layer.parameters.items() if name not in beyond}
    if words["scale_factor"] is not None:
        factors = [float(rule.factor) for rule in layer.rules]
        words["scale_factor"] = factors
    return torch.nn.functional.interpolate(x, **words)


def _padded(layer: Pad, x: Tensor) -> Tensor:
    for axis, rule in enumerate(layer.rules, start=-len(layer.rules)):
        whole = np.arange(x.shape[axis])
        x = _picked(x, axis, padded(whole, rule.before, rule.after, rule.mode))
    return x


def share(items: Sequence[Any], every: int) -> Sequence[Any]:
    """All of them with torch's layers; one in so many with ours, whose kernels are made anew."""
    return items if FAMILY is torch.nn else items[::every]


def in_torchs_words(layer: Layer) -> bool:
    """Whether torch has every parameter of the layer."""
    padding = layer.parameters["padding"]
    pairs = not isinstance(padding, (int, str)) and any(not isinstance(p, int) for p in padding)
    return not pairs and all(getattr(rule, "up", 1) == 1 for rule in layer.rules)


def module(layer: Layer, **changes: Any) -> Any:
    """torch's module, or ours, of the same name and parameters; its weights are not looked at."""
    beyond = ("input_size", "output_size", "input_dilation")
    parameters = {k: v for k, v in layer.parameters.items() if k not in beyond}
    parameters |= {"bias": False, "dtype": torch.float64, "device": "meta"} | changes
    for name, value in parameters.items():
        parameters[name] = tuple(value) if isinstance(value, list) else value
    name = type(layer).__name__
    if FAMILY is torch.nn:
        return _of_torch(name, tuple(parameters.items()))
    return getattr(FAMILY, name)(**parameters)


@lru_cache(maxsize=1024)  # layers that differ in their sizes alone have the same
def _of_torch(name: str, parameters: tuple[tuple[str, Any], ...]) -> Any:
    return getattr(torch.nn, name)(**dict(parameters))


def _call(layer: Layer, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    if isinstance(layer, TransposedConvolution):
        return _transposed(layer, x, w, b)
    return _convolution(layer, x, w, b)


def _convolution(layer: Layer, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    if in_torchs_words(layer):
        return _run(module(layer), x, w, b)
    for axis, rule in enumerate(layer.rules, start=-layer.dimensions):
        positions = spread(x.shape[axis], rule.up)
        x = _picked(x, axis, padded(positions, rule.before, rule.after, rule.mode))
    return _run(module(layer, padding=0, padding_mode="zeros"), x, w, b)


def _transposed(layer: Layer, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    sizes = layer.parameters["output_size"]
    if in_torchs_words(layer):
        if sizes is None:
            return _run(module(layer), x, w, b)
        sizes = [sizes] * layer.dimensions if isinstance(sizes, int) else list(sizes)
        return _run(module(layer), x, w, b, output_size=sizes)
    y = _run(module(layer, padding=0, output_padding=0), x, w, None)
    for axis, rule in enumerate(layer.rules, start=-layer.dimensions):
        after = rule.after - rule.output_padding
        whole = np.arange(y.shape[axis])
        y = _picked(y, axis, padded(whole, -rule.before, -after, "zeros"))
    return y if b is None else y + b.reshape(-1, *(1,) * layer.dimensions)


def _picked(x: Tensor, axis: int, positions: Sequence[int] | Array) -> Tensor:
    """``x`` at these positions of an axis, a zero where there is none."""
    zero = torch.zeros_like(x.narrow(axis, 0, 1))
    index = torch.as_tensor(np.where(np.equal(positions, NOTHING), x.shape[axis], positions))
    return torch.cat((x, zero), axis).index_select(axis, index.to(x.device))


def _run(module: Any, x: Tensor, w: Tensor, b: Tensor | None, **arguments: Any) -> Tensor:
    weights = {"weight": w} if b is None else {"weight": w, "bias": b}
    with warnings.catch_warnings():  # an even kernel with "same" makes torch copy, and say so
        warnings.filterwarnings("ignore", message="Using padding='same'")
        return torch.func.functional_call(module, weights, (x,), arguments)


def _tensor(array: Array, device: str = "cpu") -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64)).to(device)


def _back(y: Tensor, like: Array) -> Array:
    result: Array = y.detach().cpu().numpy()
    return result.astype(np.result_type(like, np.int64)) if like.dtype.kind in "iu" else result
