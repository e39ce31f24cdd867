"""Resize, then convolve, as one module: torch's two calls."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from tests.cases import generator
from tests.codegen.libraries import needs_compiler
from tests.torch_ops.families import by_numpy, filled, same, trained
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
ours = pytest.importorskip("codegen.torch_ops")
nn = torch.nn
pytestmark = needs_compiler
by_numpy = pytest.fixture(by_numpy)

UPSAMPLED: list[dict[str, Any]] = [
    {},
    {"mode": "nearest-exact", "padding": 1, "scale_factor": 3},
    {"mode": "bilinear", "padding": "same"},
    {"mode": "bilinear", "size": (7, 9), "align_corners": True, "padding": 1},
    {"mode": "bicubic", "stride": 2},
    {"size": (7, 9), "padding": 1, "padding_mode": "reflect"},
    {"scale_factor": (4, 2), "mode": "bilinear", "groups": 2, "bias": False},
    {"mode": "area", "scale_factor": 0.5, "dilation": 2, "padding": 2},
]


@pytest.mark.parametrize("words", UPSAMPLED, ids=str)
def test_resized_then_convolved(words: dict[str, Any]) -> None:
    mine = ours.UpsampleConv2d(4, 6, 3, **words, dtype=torch.float64)
    # all weights have a power of two below: float64 is exact
    of_resize = ("mode", "align_corners", "scale_factor", "size")
    resize = {k: v for k, v in words.items() if k in of_resize}
    if "size" not in resize:
        resize.setdefault("scale_factor", 2)
    theirs = nn.Conv2d(4, 6, 3, **{k: v for k, v in words.items() if k not in of_resize}).double()
    for i, parameter in enumerate(theirs.parameters()):
        parameter.data.copy_(integral(parameter.shape, i))
    mine.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(mine.state_dict())
    x = integral((2, 4, 4, 5) if words.get("mode") != "area" else (2, 4, 4, 6)).requires_grad_()
    y, wanted = mine(x), theirs(nn.functional.interpolate(x, **resize))
    grad = integral(y.shape)
    ends = [
        (each, *torch.autograd.grad(each, (x, *module.parameters()), grad))
        for each, module in ((y, mine), (wanted, theirs))
    ]
    for got, expected in zip(*ends, strict=True):
        assert torch.equal(got, expected)
    assert "mode=" in repr(mine)
    assert pickle.loads(pickle.dumps(mine)).words == copy.deepcopy(mine).words == mine.words


def test_words_follow_the_attributes() -> None:
    mine = ours.UpsampleConv2d(1, 1, 3)
    mine.scale_factor, mine.mode = 3, "bilinear"
    assert mine(torch.ones(1, 1, 2, 2)).shape == (1, 1, 4, 4)
    assert '"mode":"bilinear","scale_factor":3' in mine.words


@pytest.mark.usefixtures("by_numpy")
@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("seed", range(20))
def test_random_ones(seed: int) -> None:
    """Beside torch's two modules, on integers; scales are powers of two: float64 is exact."""
    rng = generator(121, seed)

    def pick(*among: Any) -> Any:
        return among[rng.integers(len(among))]

    mode = pick("nearest", "nearest-exact", "bilinear")
    resize = {"scale_factor": pick(1, 2, 4, (2, 4), (4, 1)), "mode": mode}
    words: dict[str, Any] = {
        "stride": pick(1, 2, (1, 3)),
        "padding": pick(0, 1, (2, 0), "valid"),
        "dilation": pick(1, 2),
        "groups": pick(1, 2),
        "bias": pick(True, False),
        "padding_mode": pick("zeros", "zeros", "reflect", "replicate", "circular"),
    }
    if words["stride"] == 1 and rng.random() < 0.5:
        words["padding"] = "same"
    kernel = pick(1, 2, 3, (3, 2))
    mine = filled(ours.UpsampleConv2d(2, 4, kernel, **resize, **words))
    conv = filled(nn.Conv2d(2, 4, kernel, **words))
    x = integral((pick(0, 1, 3), 2, 5, 6), seed)
    assert same(trained(nn.Sequential(nn.Upsample(**resize), conv), x), trained(mine, x))
    assert same(conv(nn.Upsample(**resize)(x + 1)), mine(x + 1))
