"""torch.compile: inductor's C++, weights frozen so that it may pack them beforehand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch._inductor.config as inductor

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant, UnsupportedError

from .torch_peer import Tensor, Tensors, forward


class _Frozen(torch.nn.Module):
    """The layer with its weights."""

    def __init__(self, case: Case, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.call = forward(case)
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.bias = torch.nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x, self.weight, self.bias)


def compiled(case: Case, data: Data, threads: int) -> Contestant:
    """The compiled layer; whatever stops the compiler is a reason."""
    torch.set_num_threads(threads)
    tensors = Tensors(*map(torch.from_numpy, (data.x, data.weight, data.bias, data.grad)))
    return Contestant(frozen(case, tensors), lambda result: result.contiguous().numpy())


def frozen(case: Case, tensors: Tensors) -> Callable[[], Tensor]:
    """What computes a case once, compiled."""
    if case.direction != "forward":
        raise UnsupportedError("gradients are eager torch's here")
    inductor.freezing, inductor.compile_threads = True, 1
    torch._dynamo.reset()
    layer = _Frozen(case, tensors.weight, tensors.bias).eval()
    run = torch.no_grad()(torch.compile(layer))  # else it does not freeze
    try:
        run(tensors.x)
    except Exception as error:  # a compiler fails in many ways
        raise UnsupportedError(f"does not compile: {str(error).splitlines()[0][:80]}") from None
    return partial(run, tensors.x)
