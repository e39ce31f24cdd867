"""One row: a network, a batch, forward or forward and backward; everybody takes turns."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch._inductor.config as inductor
from torch import Tensor, nn

from benchmarks.contestant import Contestant, UnsupportedError
from benchmarks.measure import PEAK, Field
from benchmarks.peak import multiply_adds
from benchmarks.row import OURS, Row
from benchmarks.timing import interleaved
from codegen.models import Report, analyse, convert
from codegen.models.measure import tensors

from .judge import Judge
from .networks import Network

EAGER, COMPILED, ALSO = "torch", "torch.compile", ", compiled"
WORK = {"forward": 1, "forward and backward": 3}  # sums of a layer: y; the gradients of x and w
# of a norm: one switched ReLU is less in a plane of 16 x 16, and a wrong border more in any
WRONG = 2.0**-6
Inputs = tuple[Tensor, ...]
Step = Callable[[], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Task:
    """What everybody does once: a call, or a step of training without the optimiser's part."""

    network: Network
    batch: int
    train: bool

    @property
    def what(self) -> str:
        return list(WORK)[self.train]

    @property
    def name(self) -> str:
        return f"{self.network.name}, batch {self.batch}, {self.what}"


def measured(
    task: Task, algorithms: Sequence[str], rounds: int, threads: int
) -> tuple[Row, dict[str, Report]]:
    """The row of a task, and what ``convert`` did for each algorithm."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch._dynamo.reset()
    inductor.compile_threads = 1
    model, xs = task.network.make(task.batch)
    model.train(task.train)
    double = copy.deepcopy(model).double()
    judge = Judge(step(double, tuple(x.double() for x in xs), train=task.train)())
    models: dict[str, nn.Module] = {EAGER: model}
    reports: dict[str, Report] = {}
    for algorithm in algorithms:
        made, report = convert(model, xs, algorithm=algorithm, train=task.train)
        models[OURS + algorithm], reports[algorithm] = made, report
    entered = Field()
    for name, each in models.items():
        for who, enter in ((name, _plain), (_compiled_name(name), _compiled)):
            entered.admit(who, partial(enter, copy.deepcopy(each), xs, task), judge.error, WRONG)
    loop, flops = multiply_adds("float32")
    runs = {name: each.run for name, each in entered.running.items()} | {PEAK: loop}
    seconds = interleaved(runs, rounds, time.process_time if threads == 1 else time.perf_counter)
    peak = threads * flops / seconds.pop(PEAK)[0]
    work = 2 * analyse(model, xs).macs * task.batch * WORK[task.what]
    row = Row(task.name, task.what, work, peak, seconds, entered.errors, entered.left_out)
    return row, reports


def step(model: nn.Module, xs: Inputs, *, train: bool) -> Step:
    """What is done once: outputs, or the gradients of parameters and inputs.

    The gradients of the outputs are drawn once.
    """
    if not train:
        return lambda: _outputs(model, xs)
    leaves = [*model.parameters(), *(x.requires_grad_() for x in map(Tensor.clone, xs))]
    inputs = leaves[-len(xs) :]
    draw = torch.Generator().manual_seed(1)
    grads = [torch.randn(y.shape, generator=draw).to(y) for y in _outputs(model, xs)]

    def run() -> list[Tensor]:
        return list(torch.autograd.grad(tensors(model(*inputs)), leaves, grads))

    return run


def _outputs(model: nn.Module, xs: Inputs) -> list[Tensor]:
    with torch.no_grad():
        return tensors(model(*xs))


def _plain(model: nn.Module, xs: Inputs, task: Task) -> Contestant:
    return Contestant(step(model, xs, train=task.train), list)


def _compiled(model: nn.Module, xs: Inputs, task: Task) -> Contestant:
    """Compiled; for inference weights are frozen, so that they may be packed beforehand."""
    try:
        made = torch.compile(model, options={"freezing": not task.train})
        run = step(made, xs, train=task.train)
        run()
    except Exception as error:  # a compiler fails in many ways
        raise UnsupportedError(f"does not compile: {str(error).splitlines()[0][:80]}") from None
    return Contestant(run, list)


def _compiled_name(name: str) -> str:
    return COMPILED if name == EAGER else name + ALSO
