"""What people do to a convolution besides calling it: each gives what is compared.

``f`` is torch.nn or codegen.torch_ops; everything is integers in float64 unless it says so.
"""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest

from tests.torch_ops.families import Family, Statement, filled, trained
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
nn = torch.nn
utils = nn.utils
X = integral((2, 1, 4, 5))
STATEMENTS: dict[str, Statement] = {}


def statement(call: Statement) -> Statement:
    """Have a function run with both families."""
    STATEMENTS[call.__name__] = call
    return call


def conv(f: Family, **words: Any) -> Any:
    """The module most statements are about."""
    return filled(f.Conv2d(1, 2, 3, **words))


def up(f: Family, **words: Any) -> Any:
    """And its transposed one."""
    return filled(f.ConvTranspose2d(1, 2, 3, **{"stride": 2, **words}))


# --- construction -----------------------------------------------------------------------------


@statement
def is_shown_with_the_same_words(f: Family) -> Any:
    words = {"stride": 2, "dilation": 2, "groups": 2, "bias": False, "padding_mode": "circular"}
    made = [f.Conv1d(1, 2, 3), f.Conv2d(2, 4, (3, 2), **words), f.Conv1d(1, 1, 4, padding="same")]
    made += [f.ConvTranspose3d(2, 2, 3, stride=2, output_padding=1, groups=2, bias=False)]
    return [*map(repr, made), repr(nn.ModuleList([made[0]] * 2)), repr(nn.Sequential(made[1]))]


@statement
def keeps_the_attributes_that_torch_keeps(f: Family) -> Any:
    made = [f.Conv1d(1, 2, 3, padding=1), f.Conv2d(1, 1, [3, 2], padding=[1, 1], stride=[2, 1])]
    made += [f.Conv2d(2, 4, 4, padding="same", padding_mode="reflect"), up(f, output_padding=1)]
    names = [*nn.Conv2d.__constants__, "transposed", "training"]
    return [[getattr(m, n) for n in names] + [m._reversed_padding_repeated_twice] for m in made]


@statement
def takes_what_counts_as_true_and_as_an_integer(f: Family) -> Any:
    import numpy as np

    biases = [f.Conv2d(1, 1, 3, bias=bias).bias is None for bias in (0, None, 1, np.True_)]
    made = f.Conv2d(np.int64(1), torch.tensor(2), np.int64(3), stride=(np.int32(1), 2))
    return biases, trained(filled(made), X)


@statement
def starts_from_the_same_random_weights(f: Family) -> Any:
    torch.manual_seed(5)
    made = [f.Conv2d(3, 4, 3), f.ConvTranspose2d(3, 4, 3), f.Conv1d(2, 2, 3, groups=2)]
    made[0].reset_parameters()
    nn.init.kaiming_normal_(made[1].weight)
    nn.init.dirac_(made[2].weight)
    return [p.detach() for m in made for p in m.parameters()]


@statement
def is_made_on_a_device_and_of_a_dtype(f: Family) -> Any:
    with torch.device("meta"):
        made = [f.Conv2d(1, 2, 3), f.Conv3d(1, 2, 3, device="cpu", dtype=torch.bfloat16)]
    skipped = utils.skip_init(f.Conv2d, 1, 2, 3, padding=1, dtype=torch.float64)
    kinds = [(p.dtype, p.device) for m in made for p in m.parameters()]
    return kinds, trained(filled(skipped), X), repr(skipped)


@statement
def is_what_isinstance_looks_for(f: Family) -> Any:
    made = nn.Sequential(f.Conv2d(1, 2, 3), nn.Sequential(f.ConvTranspose2d(2, 1, 1, bias=False)))

    def ones(m: Any) -> None:
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.constant_(m.weight, 2)

    made = filled(made).apply(ones)
    names = [n for n, _ in made.named_parameters()], [n for n, _ in made.named_modules()]
    return isinstance(made[0], nn.modules.conv._ConvNd), names, list(made.state_dict()), made(X)


@statement
def is_subclassed(f: Family) -> Any:
    class Standardised(f.Conv2d):
        def __init__(self, channels: int) -> None:
            super().__init__(1, channels, 3, padding=1)

        def forward(self, x: Any) -> Any:
            weight = self.weight - self.weight.sum((1, 2, 3), keepdim=True)
            return self._conv_forward(x, weight, self.bias)

    class Functional(f.Conv2d):
        def forward(self, x: Any) -> Any:
            words = self.stride, self.padding, self.dilation, self.groups
            return nn.functional.conv2d(x, self.weight, self.bias, *words)

    made = filled(Standardised(2))
    return trained(made, X), copy.deepcopy(made)(X), trained(filled(Functional(1, 2, 3)), X)


# --- weights ----------------------------------------------------------------------------------


@statement
def is_cast_and_moved(f: Family) -> Any:
    made, kinds, found = conv(f), [], []
    for cast in ("half", "bfloat16", "float", "double"):
        made = getattr(made, cast)()
        kinds.append((made.weight.dtype, made.bias.dtype))
        if cast in ("float", "double"):
            found.append(made(X.to(made.weight.dtype)))
    made = made.to("meta").to_empty(device="cpu").type(torch.float32)
    return kinds, found, filled(made, torch.float32)(X.float())


@statement
def loads_and_saves_its_state(f: Family) -> Any:
    made, other, bare = conv(f), f.Conv2d(1, 2, 3).double(), f.Conv2d(1, 2, 3, device="meta")
    saved = io.BytesIO()
    torch.save(made.state_dict(prefix="a."), saved)
    saved.seek(0)
    state = {n[2:]: v for n, v in torch.load(saved, weights_only=True).items()}
    other.load_state_dict(state)
    bare.load_state_dict(state, assign=True)
    theirs = nn.Conv2d(1, 2, 3).double()
    theirs.load_state_dict(other.state_dict())
    return [m(X) for m in (other, bare, theirs)], made.state_dict(keep_vars=True)


@statement
def refuses_another_state(f: Family) -> Any:
    said = []
    other = [f.Conv2d(1, 2, 2).state_dict(), {}, {**conv(f).state_dict(), "more": X}]
    for state in other:
        with pytest.raises(RuntimeError) as error:
            f.Conv2d(1, 2, 3).load_state_dict(state)
        said.append(str(error.value))
    return said


@statement
def is_copied_and_pickled(f: Family) -> Any:
    made = up(f, padding=1)
    saved = io.BytesIO()
    torch.save(made, saved)
    saved.seek(0)
    others = [copy.deepcopy(made), torch.load(saved, weights_only=False), copy.copy(made)]
    others[0].weight.data.mul_(2)
    return [trained(m, X) for m in (made, *others)], [repr(m) for m in others]


@statement
def takes_other_weights(f: Family) -> Any:
    made, found = conv(f), []
    made.weight = nn.Parameter(made.weight * 2)
    found.append(made(X))
    made.weight.data = integral((2, 1, 3, 3), 9)
    found.append(made(X))
    made.bias = None
    found.append(made(X))
    weight = made.weight.detach() * 3
    del made.weight
    made.weight = weight
    found.append(made(X))
    del made.weight
    made.register_buffer("weight", weight + 1)
    return found, made(X), list(made.state_dict()), repr(made)


@statement
def is_frozen(f: Family) -> Any:
    made, half = conv(f).requires_grad_(False), conv(f)
    half.weight.requires_grad_(False)
    y, x = made(X), X.clone().requires_grad_()
    for module in (made, half):
        module(x).sum().backward()
    return y, x.grad, made.weight.grad, half.weight.grad, half.bias.grad


@statement
def is_optimised(f: Family) -> Any:
    made, found = conv(f), []
    step = torch.optim.SGD(made.parameters(), 0.5, momentum=0.5)
    average = torch.optim.swa_utils.AveragedModel(made)
    for _ in range(3):
        made.zero_grad()
        y = made(X)
        y.sum().backward()
        step.step()
        average.update_parameters(made)
        found.append(y)
    vector = utils.parameters_to_vector(made.parameters())
    utils.vector_to_parameters(vector * 2, made.parameters())
    return found, made(X), average(X)
