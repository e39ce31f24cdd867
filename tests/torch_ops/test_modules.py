"""Our modules are torch's to whoever uses them: numbers, weights, words, copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

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
