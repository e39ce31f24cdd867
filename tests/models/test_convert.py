"""Models whose layers are swapped: the same numbers, gradients, names; and reasons where not."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from codegen import convert  # noqa: E402
from codegen.__main__ import main  # noqa: E402
from codegen.models import ModelError, Report, candidates, verify  # noqa: E402
from tests.codegen.libraries import needs_compiler  # noqa: E402
from tests.models.made import Net  # noqa: E402

pytestmark = needs_compiler


def swapped(model: Any, x: Any, **options: Any) -> tuple[Any, Report]:
    return convert(model, x, keep="all", measure=False, **options)


def with_integers(model: Any) -> Any:
    """The model with small integers for weights, so that sums are exact."""
    torch.manual_seed(3)
    for parameter in model.parameters():
        parameter.data.copy_(torch.randint(-1, 2, parameter.shape))
    return model


def kinds(report: Report) -> dict[str, str]:
    return {layer.name: layer.kind for layer in report.layers if layer.swapped}


def test_a_whole_model_gives_the_same_integers_and_gradients() -> None:
    model = with_integers(Net().double())  # which holds all the sums
    x = 256 * torch.randint(-1, 2, (2, 3, 8, 8)).double()
    made, report = swapped(model, x)
    assert kinds(report) == {
        "first": "Conv2d",
        "conv": "Upsample + ReflectionPad2d + Conv2d",
        "block.conv": "interpolate + Conv2d",
        "back": "ConvTranspose2d",
        "shared": "Conv2d",
    }
    assert all(layer.checked == "integers ==" for layer in report.taken)
    assert [type(made.get_submodule(name)).__name__ for name in ("up.0", "up.1", "conv")] == [
        "Identity",
        "Identity",
        "Fused",
    ]
    for theirs, ours in zip(model(x), made(x), strict=True):
        assert torch.equal(theirs, ours)
    for each in (model, made):
        sum(y.sum() for y in each(x)).backward()
    assert model.state_dict().keys() == made.state_dict().keys()
    for name, parameter in model.named_parameters():
        grad = made.get_parameter(name).grad
        assert (grad is None) == (parameter.grad is None)
        assert grad is None or torch.equal(grad, parameter.grad), name
    made.load_state_dict(model.state_dict())
    model.load_state_dict(made.state_dict())
    assert made(x[:, :, :6, :7])[1].shape == model(x[:, :, :6, :7])[1].shape  # another size


def test_the_model_itself_is_left_alone() -> None:
    model, x = Net().train(), torch.randn(1, 3, 8, 8)
    before, words = copy.deepcopy(model.state_dict()), repr(model)
    made, _ = swapped(model, x)
    assert repr(model) == words
    assert model.training
    assert made.training
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert not {p.data_ptr() for p in model.parameters()} & {
        p.data_ptr() for p in made.parameters()
    }


class Between(nn.Module):
    """A resize and a convolution, and ``look`` at what is between."""

    def __init__(self, look: Callable[[Any, Any], Any], p: float = 0.0) -> None:
        super().__init__()
        self.up, self.conv = nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1)
        self.look, self.p = look, p

    def forward(self, x: Any) -> Any:
        u = self.up(x)
        return self.look(u, self.conv(u))


class ByTraining(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Any) -> Any:
        y = self.conv(F.interpolate(x, scale_factor=2))
        return F.dropout(y, 0.5, self.training)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.conv = nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Any) -> Any:
        return self.conv(self.up(self.conv(self.up(x))))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Between(lambda u, y: y[..., : u.shape[-1] - 1]), "the model then gives something else"),
        (Between(lambda u, y: y + u), "what it gives is read elsewhere too"),
        (ByTraining(), "does something else while training"),
        (Twice(), "it is called 2 times"),
    ],
)
def test_only_the_convolution_is_swapped_where_more_would_be_seen(model: Any, reason: str) -> None:
    model, x = with_integers(model), torch.randint(-2, 3, (1, 2, 4, 4)).float()
    made, report = swapped(model, x)
    layer = next(layer for layer in report.layers if layer.name == "conv")
    assert layer.swapped
    assert layer.kind == "Conv2d"
    assert reason in layer.reason
    assert torch.equal(made.eval()(x), model.eval()(x))


def test_shared_modules_and_weights_stay_shared() -> None:
    conv, other = nn.Conv1d(2, 2, 3, padding=1), nn.Conv1d(2, 2, 3, padding=1)
    other.weight = conv.weight
    made, report = swapped(nn.Sequential(conv, nn.ReLU(), conv, other), torch.ones(1, 2, 8))
    assert len(report.taken) == 2
    assert made[0] is made[2]
    assert made[0].weight is made[3].weight
    assert type(made[0]).__module__.startswith("codegen.")


@pytest.mark.parametrize("seed", range(10))
def test_random_chains_are_verified_and_equal(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)

    def pick(*values: Any) -> Any:
        return values[int(torch.randint(len(values), (1,), generator=g))]

    resize = pick(
        nn.Upsample(scale_factor=pick(2, 3)),
        nn.Upsample(size=(pick(5, 9), 7)),
        nn.Upsample(scale_factor=2, mode="nearest-exact"),
        nn.Upsample(scale_factor=pick(2, 4), mode="bilinear"),
        nn.Identity(),
    )
    pads = (nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d, nn.ZeroPad2d)
    model = nn.Sequential(
        resize, pick(*pads)((1, 2, 0, 1)), nn.Conv2d(4, 2, pick(2, 3), pick(1, 2))
    )
    x = 64 * torch.randint(-2, 3, (2, 4, 5, 4), generator=g).float()
    made, report = swapped(with_integers(model), x)
    (layer,) = report.layers
    assert layer.swapped
    assert layer.kind.count("+") == (1 if isinstance(resize, nn.Identity) else 2)
    assert layer.checked == "integers =="
    assert torch.equal(made(x), model(x))


def test_pixels_are_picked_as_torch_picks_them() -> None:
    """2 -> 82 by nearest is one of the sizes where float32 picks another pixel."""
    model = with_integers(nn.Sequential(nn.Upsample(size=82), nn.Conv1d(1, 1, 1)))
    x = torch.tensor([[[1.0, 3.0]]])
    made, report = swapped(model, x)
    assert report.layers[0].kind == "Upsample + Conv1d"
    assert torch.equal(made(x), model(x))
    assert "float32" in repr(made)


def test_bicubic_and_fast_are_within_their_bounds() -> None:
    up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bicubic"), nn.Conv2d(4, 4, 3))
    (layer,) = swapped(up, torch.ones(1, 4, 6, 6))[1].layers
    assert layer.kind == "Upsample + Conv2d"
    assert layer.checked.startswith("within the error bound: forward (")
    conv = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1))
    (layer,) = swapped(conv, torch.ones(1, 32, 24, 24), algorithm="fast")[1].layers
    assert layer.swapped
    most = r"\(\de-0\d of the largest\)"
    how = f"integers ==; within the error bound: forward {most}, input_gradient {most}"
    assert re.fullmatch(how, layer.checked)


def test_what_differs_on_integers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    right = verify.convolve
    monkeypatch.setattr(verify, "convolve", lambda *a: right(*a) + 0 * a[2].sum() + 1)
    model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3))
    made, report = swapped(model, torch.ones(1, 2, 4, 4))
    assert [type(each) for each in made] == [nn.Upsample, nn.Conv2d]
    assert "differs from torch (integers ==): forward" in report.layers[-1].reason


@pytest.mark.parametrize(
    ("seconds", "kind", "reason"),
    [
        ([2.0, 1.0, 1.5], "Upsample + Conv2d", "codegen.models.Fused"),
        ([2.0, 1.5, 1.0], "Conv2d", "alone it is faster than with what is before it"),
        ([1.0, 2.0, 3.0], "Upsample + Conv2d", "torch is faster"),
    ],
)
def test_the_fastest_is_kept(
    seconds: list[float], kind: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "medians", lambda calls: seconds[: len(calls)])
    model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3))
    made, report = convert(model, torch.ones(1, 2, 4, 4))
    layer = report.layers[-1]
    assert layer.swapped is (reason != "torch is faster")
    assert type(made[1]).__module__.startswith("codegen.") is layer.swapped
    assert reason in layer.reason
    assert layer.times is not None
    assert (layer.times.before, layer.times.after) == (seconds[0], min(seconds[1:]))
    assert layer.kind == kind or not layer.swapped
    assert report.times is not None
    assert "of the model" in str(report)


def test_weights_on_meta() -> None:
    model = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3)).to("meta")
    with pytest.raises(ModelError, match="allowed is False for a model whose weights are on meta"):
        convert(model, torch.ones(1, 2, 4, 4))
    made, report = swapped(model, torch.ones(1, 2, 4, 4))
    assert report.taken[0].kind == "Conv2d"
    assert made[1].weight.device.type == "meta"


@pytest.mark.parametrize("options", [{"keep": "some"}, {"algorithm": "best"}, {"train": 1}])
def test_options_are_checked(options: Any) -> None:
    with pytest.raises(ValueError, match="allowed is"):
        convert(nn.Conv1d(1, 1, 1), torch.ones(1, 1, 3), **options)


def test_the_command_measures() -> None:
    done = CliRunner().invoke(main, ["model", "tests.models.made:decoder", "--measure", "--train"])
    assert done.exit_code == 0, done.output
    assert "forward and backward of the model" in done.output
    assert "before" in done.output
