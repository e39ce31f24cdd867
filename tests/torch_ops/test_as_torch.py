"""What holds of torch's modules holds of ours: each statement is run with both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.torch_ops.families import by_numpy, filled, ours, same, trained
from tests.torch_ops.pairs import integral
from tests.torch_ops.tool_statements import STATEMENTS

torch = pytest.importorskip("torch")
nn = torch.nn
by_numpy = pytest.fixture(by_numpy)
WARNED = "User", "Deprecation", "Future"  # by torch itself, of some version
pytestmark = [
    pytest.mark.usefixtures("by_numpy"),
    *map(pytest.mark.filterwarnings, (f"ignore::{kind}Warning" for kind in WARNED)),
]

Words = dict[str, Any]
Row = tuple[str, tuple[Any, ...], Words, tuple[int, ...]]
CASES: dict[str, Row] = {  # kind, (in, out, kernel), words, shape of x
    "1x1": ("Conv2d", (4, 4, 1), {}, (2, 4, 6, 6)),
    "1x1, strided": ("Conv2d", (3, 5, 1), {"stride": 3}, (2, 3, 7, 8)),
    "one position": ("Conv1d", (1, 1, 1), {}, (1, 1, 1)),
    "one row": ("Conv2d", (2, 3, (1, 3)), {"padding": (0, 1)}, (2, 2, 1, 7)),
    "the whole input": ("Conv2d", (2, 3, (4, 5)), {}, (2, 2, 4, 5)),
    "groups, no bias": ("Conv2d", (4, 4, 3), {"groups": 2, "bias": False}, (2, 4, 6, 6)),
    "depthwise": ("Conv2d", (3, 3, 3), {"groups": 3}, (1, 3, 6, 5)),
    "depthwise, several": ("Conv2d", (3, 6, 3), {"groups": 3, "padding": 2}, (2, 3, 5, 4)),
    "depthwise, strided": ("Conv3d", (2, 2, 2), {"groups": 2, "stride": 2}, (1, 2, 5, 4, 4)),
    "step over": ("Conv2d", (1, 2, 2), {"stride": 5, "padding": 1}, (2, 1, 12, 7)),
    "dilated": ("Conv2d", (2, 2, 3), {"dilation": 3, "stride": 2, "padding": 4}, (1, 2, 9, 8)),
    "wide padding": ("Conv1d", (1, 2, 2), {"padding": 7}, (1, 1, 3)),
    "lists": ("Conv2d", (2, 2, [3, 2]), {"stride": [1, 2], "padding": [1, 0]}, (1, 2, 9, 8)),
    "valid": ("Conv2d", (2, 2, 3), {"padding": "valid", "stride": 2}, (1, 2, 6, 7)),
    "same, even": ("Conv1d", (1, 1, 4), {"padding": "same", "dilation": 3}, (1, 1, 9)),
    "same, 3-D": ("Conv3d", (1, 2, (2, 3, 4)), {"padding": "same"}, (1, 1, 3, 4, 3)),
    "same, reflect": (
        "Conv2d",
        (1, 1, 4),
        {"padding": "same", "padding_mode": "reflect"},
        (1, 1, 9, 8),
    ),
    "reflect": ("Conv2d", (2, 2, 3), {"padding": (2, 3), "padding_mode": "reflect"}, (1, 2, 4, 5)),
    "replicate": (
        "Conv3d",
        (1, 1, 2),
        {"padding": 4, "padding_mode": "replicate"},
        (1, 1, 2, 1, 3),
    ),
    "circular": (
        "Conv3d",
        (1, 1, (3, 1, 2)),
        {"padding": (1, 0, 2), "padding_mode": "circular"},
        (1, 1, 3, 4, 3),
    ),
    "no batch": ("Conv3d", (2, 1, 2), {}, (2, 3, 3, 3)),
    "no sample": ("Conv2d", (2, 3, 3), {"stride": 2}, (0, 2, 5, 5)),
    "no sample, grouped": ("Conv1d", (4, 2, 3), {"groups": 2, "padding": 1}, (0, 4, 3)),
    "transposed, no batch": ("ConvTranspose1d", (2, 1, 2), {}, (2, 3)),
    "transposed, no sample": ("ConvTranspose2d", (2, 4, 3), {"groups": 2}, (0, 2, 5, 5)),
    "transposed, groups, no bias": (
        "ConvTranspose2d",
        (4, 2, 3),
        {"groups": 2, "bias": False},
        (2, 4, 3, 4),
    ),
    "transposed, output padding": (
        "ConvTranspose3d",
        (2, 2, 3),
        {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
        (1, 2, 3, 2, 2),
    ),
    "transposed, cropped": ("ConvTranspose1d", (1, 1, 3), {"padding": 3}, (1, 1, 6)),
    "transposed, dead outputs": ("ConvTranspose2d", (1, 2, 1), {"stride": 3}, (1, 1, 2, 3)),
    "transposed, dilated": (
        "ConvTranspose2d",
        (1, 1, 2),
        {"dilation": 3, "output_padding": (2, 1)},
        (1, 1, 3, 2),
    ),
}


def made(family: Any, name: str) -> tuple[Any, Any]:
    """A module of a case, and its input."""
    kind, sizes, words, shape = CASES[name]
    return filled(getattr(family, kind)(*sizes, **words)), integral(shape, 8)


@pytest.mark.parametrize("name", CASES)
def test_numbers_and_gradients(name: str) -> None:
    theirs, mine = (trained(*made(family, name)) for family in (nn, ours))
    assert same(theirs, mine)


@pytest.mark.parametrize("name", CASES)
def test_second_gradients(name: str) -> None:
    """Of a penalty on both gradients, by everything that it depends on."""
    found = []
    for family in (nn, ours):
        module, x = made(family, name)
        leaves = (x.requires_grad_(), module.weight)
        first = torch.autograd.grad((module(x) ** 2).sum(), leaves, create_graph=True)
        penalty = sum(((grad * (grad + 1)).sum() for grad in first), torch.zeros(()))
        leaves = (x, *module.parameters())
        second = torch.autograd.grad(penalty, leaves, materialize_grads=True)
        found.append([grad.detach() for grad in second])
    assert same(*found)


LAID: dict[str, Callable[[Any], Any]] = {  # how numbers may lie in memory
    "strided": lambda t: torch.stack((t, t + 1), -1)[..., 0],
    "transposed": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
    "channels last": lambda t: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t,
    "permuted": lambda t: t.movedim(1, -1).contiguous().movedim(-1, 1) if t.dim() > 1 else t,
    "shifted": lambda t: torch.cat((t.new_ones(1), t.reshape(-1)))[1:].view(t.shape),
    "flipped": lambda t: torch.view_as_real(torch.complex(t, -t).conj().resolve_conj())[..., 1],
    "negative": lambda t: torch.complex(t, -t).conj().imag,
    "expanded": lambda t: t[:1].expand(t.shape),
    "parameter": nn.Parameter,
}


@pytest.mark.parametrize("laid", LAID)
@pytest.mark.parametrize("name", ["lists", "reflect", "transposed, groups, no bias"])
def test_memory_of_every_kind(name: str, laid: str) -> None:
    """Of the input, of weight and bias, and of the gradient that comes back."""
    found = []
    for family in (nn, ours):
        module, x = made(family, name)
        lie = LAID[laid]
        y = module(lie(x))
        for parameter in module.parameters():
            parameter.data = lie(parameter.data)
        x = lie(x).detach().requires_grad_()
        z = module(x)
        grads = torch.autograd.grad(z, (x, *module.parameters()), lie(integral(z.shape, 6)))
        found.append((y, z, *grads))
    assert same(*found)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement(name: str) -> None:
    theirs, mine = (STATEMENTS[name](family) for family in (nn, ours))
    assert same(theirs, mine)


SIZES = [
    (1, {"stride": 3}, (2, 4), [12], [13], [14], [2, 14]),
    (2, {"stride": 2, "padding": 1}, (1, 2, 4, 4), [7, 7], [8, 7], (8, 8), [1, 3, 8, 8]),
    (2, {"stride": (2, 1), "dilation": 2}, (2, 3, 4), torch.Size((9, 8)), (0, 10, 8)),
    (3, {"stride": 2, "output_padding": 1}, (1, 2, 2, 2, 2), (5, 6, 5), [9, 9, 5, 5, 6], None),
]


@pytest.mark.parametrize("row", SIZES, ids=str)
def test_output_size(row: Any) -> None:
    axes, words, shape, *sizes = row
    found = []
    for family in (nn, ours):
        module = filled(getattr(family, f"ConvTranspose{axes}d")(2, 3, 3, **words))
        found.append([trained(module, integral(shape, 8), output_size=size) for size in sizes])
    assert same(*found)
