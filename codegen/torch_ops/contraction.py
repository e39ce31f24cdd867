"""Which way a function of the form goes: to its kernel, through autograd, or as an operator.

Plain tensors outside any transformation take the short ways. What is being traced (compile,
export, a dispatch mode, torch.jit) sees the registered operators; the transformations of torch.func
and forward mode see a Function that has rules for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from codegen._runtime import LayoutError

from . import form
from .form import ARGUMENTS, Sizes, computed

Gradients = tuple[Tensor | None, ...]
ORDINARY = (Tensor, torch.nn.Parameter)
is_compiling = torch.compiler.is_compiling
grad_enabled = torch.is_grad_enabled
# without these, which are not public, everything goes as an operator
_none: Callable[[], Any] = lambda: True  # noqa: E731
modes = getattr(torch._C, "_len_torch_dispatch_stack", _none)
transforms = getattr(torch._C, "_are_functorch_transforms_active", _none)
tracing = getattr(torch._C, "_get_tracing_state", _none)


def contract(
    words: str,
    size: Sizes,
    want: str,
    first: Tensor,
    second: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """The derivative of the form of ``words`` by the place ``want``; differentiable itself.

    ``first`` and ``second`` are the arguments that ARGUMENTS names, batched; ``size`` is that of x.
    """
    if (
        is_compiling()
        or type(first) not in ORDINARY
        or type(second) not in ORDINARY
        or modes()
        or tracing()
        or first.is_meta
    ):
        return operator(words, size, want, first, second, bias)
    if transforms() or forward_ad._current_level >= 0:
        from .transformed import Transformed

        apply: Callable[..., Tensor] = Transformed.apply
        return apply(words, size, want, first, second, bias)
    if grad_enabled() and (
        second.requires_grad or first.requires_grad or (bias is not None and bias.requires_grad)
    ):
        return apply_contraction(words, size, want, first, second, bias)
    return computed(words, size, want, first, second, bias)


def operator(
    words: str,
    size: Sequence[int | torch.SymInt],
    want: str,
    first: Tensor,
    second: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """The same by the registered operators, as a graph holds it."""
    ops: Any = torch.ops.exactconv
    if want == "y":
        result: Tensor = ops.forward(words, first, second, bias)
    elif want == "x":
        result = ops.input_gradient(words, first, second, size)
    else:
        result = ops.weight_gradient(words, first, second)
    return result


def gradients(
    words: str,
    size: Sizes,
    want: str,
    first: Tensor,
    second: Tensor,
    grad: Tensor,
    needed: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None]:
    """By both arguments of the function that leaves ``want`` out; ``grad`` takes that place."""
    call: Callable[..., Tensor] = contract
    if not grad_enabled() and _is_plain(grad, first, second):
        call, grad = computed, grad.contiguous()  # once for both
    a, b = ARGUMENTS[want]
    by_first = by_second = None
    if needed[0]:
        given = {want: grad, b: second}
        by_first = call(words, size, a, *(given[each] for each in ARGUMENTS[a]))
    if needed[1]:
        given = {want: grad, a: first}
        by_second = call(words, size, b, *(given[each] for each in ARGUMENTS[b]))
    return by_first, by_second


def _is_plain(grad: Tensor, *saved: Tensor | None) -> bool:
    """Whether gradients that are not differentiated again may go to the kernels at once."""
    for each in (grad, *saved):
        if each is not None and type(each) not in ORDINARY:
            return False
    return not (
        grad.is_meta
        or grad.layout is not torch.strided
        or is_compiling()
        or modes()
        or tracing()
        or transforms()
        or forward_ad._current_level >= 0
    )


def by_bias(grad: Tensor) -> Tensor:
    """The gradient by the bias of y: torch's sum, which differentiates itself."""
    return grad.sum((0, *range(2, grad.ndim)))


class Contraction(Function):
    """The short way through autograd: one node, which calls back into ``contract``."""

    @staticmethod
    def forward(
        ctx: Any,
        words: str,
        size: Sizes,
        want: str,
        first: Tensor,
        second: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        needed = ctx.needs_input_grad
        ctx.save_for_backward(first if needed[4] else None, second if needed[3] else None)
        ctx.of = words, size, want
        ctx.set_materialize_grads(False)
        return computed(words, size, want, first, second, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> Gradients:
        if grad is None:
            return (None,) * 6
        needed = ctx.needs_input_grad
        words, size, want = ctx.of
        first, second = ctx.saved_tensors
        if want == "y" and grad.is_cpu and not grad_enabled() and _is_plain(grad, first, second):
            try:
                found = form.gradients(words, size, first, second, grad, needed[3:])
            except (LayoutError, RuntimeError):
                pass  # of what must be made plain first, or is refused; the long way does
            else:
                return None, None, None, *found
        by_first, by_second = gradients(words, size, want, first, second, grad, needed[3:5])
        return None, None, None, by_first, by_second, by_bias(grad) if needed[5] else None


# what Function.apply calls where none of torch.func's transformations is at work
apply_contraction: Callable[..., Tensor] = super(Function, Contraction).apply
