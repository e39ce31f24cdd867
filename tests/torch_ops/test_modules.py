"""Our modules are torch's to whoever uses them: numbers, weights, words, copies."""

from __future__ import annotations

import copy
import pickle
from itertools import product
from typing import Any

import pytest

import derive
from codegen import Kernel, LayoutError
from tests.codegen.libraries import needs_compiler
from tests.torch_ops.pairs import CASES, integral, pair

torch = pytest.importorskip("torch")
ours = pytest.importorskip("codegen.torch_ops")
nn = torch.nn
pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore:Using padding='same'")]


@pytest.mark.parametrize("name", CASES)
def test_numbers_and_gradients_are_torchs(name: str) -> None:
    theirs, mine, x = pair(name)
    x = x.requires_grad_()
    expected, got = theirs(x), mine(x)
    assert torch.equal(expected, got)
    grad = integral(expected.shape)
    wanted = torch.autograd.grad(expected, (x, *theirs.parameters()), grad)
    for by, found in zip(
        wanted, torch.autograd.grad(got, (x, *mine.parameters()), grad), strict=True
    ):
        assert torch.equal(by, found)


@pytest.mark.parametrize("name", CASES)
def test_weights_load_both_ways_and_words_are_torchs(name: str) -> None:
    theirs, mine, x = pair(name)
    assert repr(mine) == repr(theirs)
    assert {k: v.shape for k, v in mine.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }
    for parameter in mine.parameters():
        parameter.data.add_(1)
    theirs.load_state_dict(mine.state_dict())
    assert torch.equal(theirs(x), mine(x))
    for parameter in theirs.parameters():
        parameter.data.mul_(-2)
    mine.load_state_dict(theirs.state_dict())
    assert torch.equal(theirs(x), mine(x))


@pytest.mark.parametrize("made", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_compute_the_same_with_weights_of_their_own(made: Any) -> None:
    _, mine, x = pair("reflect")
    before = mine(x)
    other = made(mine)
    assert torch.equal(other(x), before)
    with torch.no_grad():
        other.weight.mul_(2)
    assert torch.equal(mine(x), before)
    assert not torch.equal(other(x), before)


@pytest.mark.parametrize("name", CASES)
def test_modules_become_the_operators_that_torchs_become(name: str) -> None:
    theirs, mine, x = pair(name)
    size = tuple(x.shape[2:])
    assert derive.from_torch(mine, size) == derive.from_torch(theirs, size)


def test_a_subclass_with_a_computation_of_its_own_is_none_of_torchs() -> None:
    class Halved(ours.Conv1d):
        def _conv_forward(self, input: Any, weight: Any, bias: Any) -> Any:
            return super()._conv_forward(input, weight / 2, bias)

    for module in (Halved(1, 1, 3), ours.UpsampleConv2d(1, 1, 3)):
        with pytest.raises(derive.GeometryError, match="allowed are"):
            derive.from_torch(module, 8)
    layer, x = Halved(1, 1, 3, bias=False), torch.ones(1, 1, 5)
    assert torch.equal(layer(x), nn.functional.conv1d(x, layer.weight / 2))


@pytest.mark.parametrize("name", CASES)
def test_one_takes_the_place_of_torchs_with_its_parameters(name: str) -> None:
    theirs, _, x = pair(name)
    theirs.eval()
    mine = ours.drop_in(theirs, algorithm="exact")
    assert isinstance(mine, type(theirs))
    assert all(a is b for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    assert not mine.training
    assert torch.equal(mine(x), theirs(x))
    with pytest.raises(derive.GeometryError, match="module = Linear: allowed are Conv1d"):
        ours.drop_in(nn.Linear(1, 1))


@pytest.mark.parametrize("name", ["1d", "transposed", "circular"])
def test_inputs_of_every_kind(name: str) -> None:
    theirs, mine, x = pair(name)
    assert torch.equal(mine(x[0]), theirs(x[0]))  # one sample without a batch
    assert mine(x[:0]).shape == theirs(x[:0]).shape
    strided = torch.stack((x, x + 1), -1)[..., 0]
    assert not strided.is_contiguous()
    assert torch.equal(mine(strided), theirs(x))
    with torch.no_grad():
        assert not mine(x).requires_grad
    with torch.inference_mode():
        assert torch.equal(mine(x + 0), theirs(x + 0))
    for leaf in (x[:0].clone(), strided.detach()):
        grads = []
        for module in (theirs, mine):
            leaf = leaf.detach().requires_grad_()
            y = module(leaf)
            got = torch.autograd.grad(y, (leaf, *module.parameters()), integral(y.shape))
            grads.append(got)
        assert all(map(torch.equal, *grads))


@pytest.mark.parametrize("name", ["groups", "transposed"])
def test_only_gradients_that_are_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every choice of frozen arguments; through sum(), whose gradient lies in one number."""
    theirs, mine, x = pair(name)
    needed: list[tuple[bool, ...]] = []
    ready = Kernel.gradients

    def gradients(*given: Any) -> Any:
        needed.append(given[4])
        assert [each is None for each in given[1:3]] == [not given[4][1], not given[4][0]]
        assert given[3].is_contiguous()
        return ready(*given)

    monkeypatch.setattr(Kernel, "gradients", gradients)
    for choice in list(product((True, False), repeat=3))[:-1]:
        found = []
        for module in (theirs, mine):
            leaves = x.clone(), module.weight, module.bias
            for leaf, wanted in zip(leaves, choice, strict=True):
                leaf.grad = None
                leaf.requires_grad_(wanted)
            module(leaves[0]).sum().backward()
            found.append([leaf.grad for leaf in leaves])
        assert [each is not None for each in found[1]] == list(choice)
        assert all(a is b or torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert needed == list(product((True, False), repeat=3))[:-1]


def test_channels_last_goes_in_and_contiguous_comes_out() -> None:
    theirs, mine, x = pair("groups")
    last = x.to(memory_format=torch.channels_last)
    for module in (mine, copy.deepcopy(mine).to(memory_format=torch.channels_last)):
        y = module(last)
        assert torch.equal(y, theirs(x))
        assert y.is_contiguous()


def test_words_follow_the_attributes() -> None:
    theirs, mine, x = pair("1d")
    for module in (theirs, mine):
        module.stride, module.padding, module.dilation = (1,), (2,), (2,)
        module.bias = None
    assert torch.equal(mine(x), theirs(x))
    mine.algorithm = "fast"
    assert '"algorithm":"fast"' in mine.words


def test_output_size_is_torchs() -> None:
    theirs, mine, x = pair("transposed 1d")
    for size in ((10,), (11,), (2, 6, 10), (2, 6, 11)):
        assert torch.equal(mine(x, output_size=size), theirs(x, output_size=size))
    assert torch.equal(mine(x[0], output_size=(6, 11)), theirs(x[0], output_size=(6, 11)))
    with pytest.raises(derive.GeometryError, match=r"output_size.0. = 12: allowed is 10 to 11"):
        mine(x, output_size=(12,))


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: ours.Conv2d(2, 2, 3, stride=0), derive.GeometryError, "stride = 0: allowed"),
    (lambda: ours.Conv2d(2, 3, 3, groups=2), derive.GeometryError, "groups = 2: allowed"),
    (lambda: ours.Conv1d(1, 1, 3, padding_mode="mirror"), derive.GeometryError, "padding_mode"),
    (lambda: ours.ConvTranspose1d(1, 1, 3, padding="same"), derive.GeometryError, "padding = "),
    (lambda: ours.ConvTranspose1d(1, 1, 3, output_padding=1), derive.GeometryError, "output_pad"),
    (lambda: ours.Conv3d(1, 1, 3, algorithm="quick"), derive.GeometryError, "algorithm = 'quick'"),
    (lambda: ours.UpsampleConv2d(1, 1, 3, mode="linear"), derive.GeometryError, "input_size|mode"),
    (lambda: ours.UpsampleConv2d(1, 1, 3, 2, size=4), derive.GeometryError, "size and scale_fac"),
    (lambda: ours.Conv1d(2, 1, 3)(torch.ones(1, 3, 9)), LayoutError, r"x has shape \(1, 3, 9\)"),
    (lambda: ours.Conv1d(2, 1, 3)(torch.ones(9)), LayoutError, r"x has shape \(9,\); allowed"),
    (lambda: ours.Conv1d(2, 1, 3)(torch.ones(1, 1, 2, 9)), LayoutError, "x has shape"),
    (lambda: ours.Conv1d(2, 1, 3)(torch.ones(1, 2, 2)), derive.GeometryError, "input_size.0. = 2"),
    (lambda: ours.Conv1d(2, 1, 3).half()(torch.ones(1, 2, 9).half()), LayoutError, "float16"),
    (lambda: ours.Conv1d(2, 1, 3)(torch.ones(1, 2, 9).double()), LayoutError, "weight has dtype"),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals_are_in_our_words(case: int) -> None:
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call()
