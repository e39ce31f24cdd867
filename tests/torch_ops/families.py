"""One statement about a module, run with torch's layers and with ours in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codegen.builder import build_sized
from derive import Operator
from tests import torch_reference
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
ours = pytest.importorskip("codegen.torch_ops")
kernels = pytest.importorskip("codegen.torch_ops.kernels")

nn, OURS = torch.nn, pytest.importorskip("codegen.torch_ops.modules").OURS

Family = Any  # a module with the layers: torch.nn, or codegen.torch_ops
Statement = Callable[[Family], Any]


def numpy_kernel(op: Operator, target: str, dtype: str, *, algorithm: str) -> Any:
    """In the place of codegen.build: what NumPy computes, which needs no compiler and no time."""
    assert (target, algorithm) == ("c", "exact")
    return build_sized(op, "numpy", dtype)


def by_numpy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Our modules compute by NumPy kernels, made anew and forgotten afterwards."""
    kernels.kernel_of.cache_clear()
    monkeypatch.setattr(kernels, "build", numpy_kernel)
    yield
    kernels.kernel_of.cache_clear()


def in_place(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """The family of a name, also where tests.torch_reference calls a layer."""
    if name == nn.__name__:
        yield nn
        return
    monkeypatch.setattr(torch_reference, "FAMILY", ours)
    for _ in by_numpy(monkeypatch):
        yield ours


def placed(module: Any, family: Family) -> Any:
    """A model with its convolutions of that family."""
    if family is nn:
        return module
    for name, child in module.named_children():
        setattr(module, name, placed(child, family))
    return ours.drop_in(module) if type(module) in OURS else module


def filled(module: Any, dtype: Any = torch.float64) -> Any:
    """The module in float64 unless told, all its parameters integers."""
    module = module.to(dtype)
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.copy_(integral(parameter.shape, i))
    return module


def trained(module: Any, *inputs: Any, **words: Any) -> list[Any]:
    """What a module gives, and the gradients by its floating inputs and its parameters."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    y = module(*leaves, **words)
    grad = integral(y.shape, 7).to(y.dtype).to(y.device)
    return [y, *torch.autograd.grad(y, (*leaves, *module.parameters()), grad)]


def same(a: Any, b: Any) -> bool:
    """Whether two outcomes agree: tensors bit for bit, in shape, dtype and device."""
    if isinstance(a, torch.Tensor):
        kind = isinstance(b, torch.Tensor) and (a.dtype, a.shape, a.device, a.requires_grad)
        if kind != (b.dtype, b.shape, b.device, b.requires_grad):
            return False
        return a.is_meta or torch.equal(a, b)
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    return type(a) is type(b) and bool(a == b)
