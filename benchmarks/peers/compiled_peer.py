"""torch.compile: inductor's C++, weights frozen so that it may pack them beforehand."""

from __future__ import annotations

import torch
import torch._inductor.config as inductor

from benchmarks.case import Case, Data
from benchmarks.contestant import Contestant, UnsupportedError

from .torch_peer import forward


class _Frozen(torch.nn.Module):
    """The layer with its weights."""

    def __init__(self, case: Case, data: Data) -> None:
        super().__init__()
        self.call = forward(case)
        self.weight = torch.nn.Parameter(torch.from_numpy(data.weight), requires_grad=False)
        self.bias = torch.nn.Parameter(torch.from_numpy(data.bias), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x, self.weight, self.bias)


def compiled(case: Case, data: Data, threads: int) -> Contestant:
    """The compiled layer; whatever stops the compiler is a reason."""
    if case.direction != "forward":
        raise UnsupportedError("gradients are eager torch's here")
    torch.set_num_threads(threads)
    inductor.freezing, inductor.compile_threads = True, 1
    torch._dynamo.reset()
    x = torch.from_numpy(data.x)
    run = torch.no_grad()(torch.compile(_Frozen(case, data).eval()))  # else it does not freeze
    try:
        run(x)
    except Exception as error:  # a compiler fails in many ways
        raise UnsupportedError(f"does not compile: {str(error).splitlines()[0][:80]}") from None
    return Contestant(lambda: run(x), lambda result: result.contiguous().numpy())
