"""A torch model -> the same with our kernels where they are right and faster, and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from derive.arguments import boolean, choice

from .analysis import call_arguments, grouped, traced_chains, untouched
from .candidates import Candidate, Options, Workshop
from .chains import Chain
from .copies import copied
from .errors import KeptError, ModelError
from .fused import Moved
from .layer import LayerReport, Times
from .measure import medians, model_call, tensors
from .report import Report
from .rewrite import put_chain

Bar = Callable[[Iterable[Any], int, str], list[Any]]


def convert(
    model: nn.Module,
    example_input: Any,
    *,
    keep: str = "faster",
    algorithm: str = "exact",
    train: bool = False,
    measure: bool = True,
    bar: Bar = lambda items, length, label: list(items),
) -> tuple[nn.Module, Report]:
    """A copy of a model with layers swapped for kernels of ours, and what became of each.

    ``example_input`` is a tensor, a tuple of arguments or a dict of keyword arguments. Plain
    convolutions become our modules; with resizes and pads before them that nobody else reads,
    one module. Each is compared with torch on integers of its sizes first, gradients too. With
    ``keep`` "faster" a layer is swapped where it was faster on the example, forward, or forward
    and backward with ``train``; with "all", or without ``measure``, wherever it is right.
    ``algorithm`` is as for ``codegen.build``. Names, parameters and state_dict stay as they are.
    ModelError for what is no model.

    >>> model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3, padding=1))
    >>> made, report = convert(model, torch.ones(1, 4, 6, 6), keep="all", measure=False)
    >>> made[0], [(layer.name, layer.checked) for layer in report.layers]
    (Identity(), [('1', 'integers ==')])
    """
    choice("keep", keep, ("faster", "all"))
    choice("algorithm", algorithm, ("exact", "fast", "auto"))
    options = Options(
        keep=keep,
        algorithm=algorithm,
        train=boolean("train", train),
        measure=boolean("measure", measure),
    )
    found, notes = traced_chains(model, example_input)
    args, kwargs = call_arguments(model, example_input)
    on_meta = any(p.device.type == "meta" for p in model.parameters())
    if on_meta and measure:
        raise ModelError("measure = True: allowed is False for a model whose weights are on meta")
    made = copied(model)
    groups, seen = grouped(found), Counter(c.name for chain in found for c in chain.calls)
    shop = Workshop(made, options, on_meta)
    best = bar(map(shop.best, groups), len(groups), "compare")
    taken = _in_place(model, best, seen, args, kwargs)
    for each in taken:
        if each.module is not None and not each.chain.last.name:
            made = each.module  # the model is one layer
        elif each.module is not None:
            put_chain(made, each.chain, each.module)
    layers = [_layer(group, each) for group, each in zip(groups, taken, strict=True)]
    rest = untouched(model, {layer.name for layer in layers})
    report = Report(
        source=type(model).__name__,
        layers=(*layers, *rest),
        swapped="swapped",
        measured=("forward and backward" if train else "forward") if measure else "",
        times=_model_times(model, made, args, kwargs, train=train) if measure else None,
        notes=notes,
    )
    return made, report


def _in_place(
    model: nn.Module, best: Sequence[Candidate], seen: Counter[str], args: Any, kwargs: Any
) -> list[Candidate]:
    """The candidates, those of chains only where nobody looks at what is between its calls.

    torch's own calls are put where the fused module would stand: every output of the model must
    then be the same, bit for bit.
    """
    best = _whole(best, seen)
    fused = [each for each in best if each.fused]
    if not fused:
        return best
    expected = _outputs(copied(model), args, kwargs)
    if not _obstacle(model, fused, expected, args, kwargs):
        return best
    found = []
    for each in best:
        together = [other for other in fused if each.moving & other.moving]
        reason = _obstacle(model, together, expected, args, kwargs) if each.fused else ""
        found.append(_apart(each, reason) if reason else each)
    return found


def _whole(best: Sequence[Candidate], seen: Counter[str]) -> list[Candidate]:
    """The candidates; of those with a resize or pad that is called again, all calls or none."""
    found = list(best)
    while True:
        taken = Counter(name for each in found if each.fused for name in each.moving)
        again = {name for name, count in taken.items() if count != seen[name]}
        if not again:
            return found
        for place, each in enumerate(found):
            if each.fused and (names := sorted(each.moving & again)):
                found[place] = _apart(each, f"{names[0]} is called again elsewhere")


def _apart(each: Candidate, reason: str) -> Candidate:
    """The second of a chain that cannot be put in place."""
    while each.fused:
        second = each.second or replace(each, module=None, reason="")
        words = [second.reason, f"not with what is before it: {reason}"]
        each = replace(second, reason="; ".join(filter(None, words)))
    return each


def _obstacle(
    model: nn.Module,
    fused: Sequence[Candidate],
    expected: Sequence[torch.Tensor],
    args: Any,
    kwargs: Any,
) -> str:
    """Why these chains cannot be moved to where their convolutions are, or nothing."""
    moved = copied(model)
    try:
        for each in fused:
            nodes = [node for call in each.chain.calls[:-1] for node in call.token.nodes]
            conv = moved.get_submodule(each.chain.last.name)
            put_chain(moved, each.chain, Moved(nodes, conv))
        given = _outputs(moved, args, kwargs)
    except KeptError as error:
        return str(error)
    except Exception as error:  # whatever the model raises where a size is not what it was
        return f"the model then fails: {type(error).__name__}"
    if not expected:
        return "the model gives no tensor to tell by"
    same = len(given) == len(expected) and all(map(_same, given, expected))
    return "" if same else "the model then gives something else"


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def _outputs(model: nn.Module, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """What a model gives in eval mode, from the same random numbers each time."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        return tensors(model.eval()(*args, **kwargs))


def _model_times(
    model: nn.Module, made: nn.Module, args: Any, kwargs: Any, *, train: bool
) -> Times:
    """Both as they are when used: in eval mode unless one trains; on copies of the buffers."""
    copies = [copied(each).train(train) for each in (model, made)]
    return Times(*medians([model_call(each, args, kwargs, train=train) for each in copies]))


def _layer(group: Sequence[Chain], taken: Candidate) -> LayerReport:
    """The report of the calls of one module."""
    chains = [taken.chain] if taken.module is not None and taken.fused else group
    if taken.module is not None and not taken.fused:
        chains = [Chain((chain.last,), chain.last.layer) for chain in group]
    return LayerReport(
        name=group[0].last.name,
        kind=", ".join(dict.fromkeys(chain.kind for chain in chains)),
        ops=tuple(chain.op for chain in chains if chain.op is not None),
        swapped=taken.module is not None,
        reason=taken.reason,
        checked=taken.checked,
        times=taken.times,
    )
