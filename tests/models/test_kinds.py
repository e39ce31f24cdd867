"""Kinds of models that people have: their layers are found, and compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch.nn.utils import prune, weight_norm  # noqa: E402

from codegen import convert  # noqa: E402
from codegen.models.measure import tensors  # noqa: E402
from tests.codegen.libraries import needs_compiler  # noqa: E402

pytestmark = needs_compiler


class Made(nn.Module):
    """A forward with modules of its own."""

    def __init__(self, forward: Callable[[Any, Any], Any], **modules: Any) -> None:
        super().__init__()
        self.does = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        return self.does(self, x)


@dataclass
class Given:
    y: Any


def conv() -> Any:
    return nn.Conv2d(1, 1, 3, padding=1)


def normed() -> Any:
    with pytest.warns(FutureWarning):
        return weight_norm(conv())


def scaled() -> Any:
    made: Any = conv()
    made.scale = 3
    return made


def pruned() -> Any:
    return prune.remove(prune.random_unstructured(conv(), "weight", 0.5), "weight")


def blocks() -> Any:
    return nn.ModuleList([conv(), nn.Sequential(conv(), nn.ReLU())])


def growing(self: Any, x: Any) -> Any:
    for each in self.blocks:
        x = each(F.interpolate(x, scale_factor=2.0))
    return x


def by_data(self: Any, x: Any) -> Any:
    return self.conv(x) if x.sum().item() > 0 else self.conv(-x)


def by_keyword(self: Any, x: Any) -> Any:
    return self.conv(input=F.interpolate(input=x, scale_factor=2.0))


def in_dataclass(self: Any, x: Any) -> Any:
    return Given(self.down(self.conv(self.up(x))))


def asking(self: Any, x: Any) -> Any:
    if x.shape[0] >= 64:
        x = x.contiguous()
    return self.conv(F.interpolate(x, scale_factor=2.0))


def minding(self: Any, x: Any) -> Any:
    if x.shape[0] >= 64:
        x = F.relu(x)
    return self.conv(F.interpolate(x, scale_factor=2.0))


def shrinking(self: Any, x: Any) -> Any:
    """By sevenths at the borders and by eighths within."""
    return self.conv(F.interpolate(x, size=(4, 3), mode="bilinear", antialias=True))


UP = nn.Upsample(scale_factor=2)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (conv(), {"": "Conv2d"}),
        (nn.Sequential(normed(), conv()), {"1": "Conv2d"}),
        (nn.Sequential(pruned()), {"0": "Conv2d"}),
        (
            Made(lambda s, x: s.conv(s.up(x)) * s.conv.scale, conv=scaled(), up=UP),
            {"conv": "Upsample + Conv2d"},
        ),
        (
            Made(growing, blocks=blocks()),
            {"blocks.0": "interpolate + Conv2d", "blocks.1.0": "interpolate + Conv2d"},
        ),
        (Made(by_data, conv=conv()), {"conv": "Conv2d"}),
        (Made(by_keyword, conv=conv()), {"conv": "interpolate + Conv2d"}),
        (
            Made(in_dataclass, up=UP, conv=conv(), down=nn.Sequential(nn.Upsample(8), conv())),
            {"conv": "Conv2d", "down.1": "Upsample + Conv2d"},
        ),
        (
            Made(lambda s, x: s.b(s.up(s.a(s.up(x)))), up=UP, a=conv(), b=conv()),
            {"a": "Upsample + Conv2d", "b": "Upsample + Conv2d"},
        ),
        (
            Made(lambda s, x: s.b(s.up(s.a(s.up(x)).relu()).relu()), up=UP, a=conv(), b=conv()),
            {"a": "Conv2d", "b": "Conv2d"},
        ),
        (Made(asking, conv=conv()), {"conv": "interpolate + Conv2d"}),
        (Made(minding, conv=conv()), {"conv": "Conv2d"}),
        (Made(shrinking, conv=conv()), {"conv": "interpolate + Conv2d"}),
    ],
)
def test_layers_are_found_and_compute_the_same(model: Any, found: dict[str, str]) -> None:
    x = torch.randn(2, 1, 4, 6)
    made, report = convert(model, x, keep="all", measure=False)
    assert {layer.name: layer.kind for layer in report.taken} == found
    assert list(made.state_dict()) == list(model.state_dict())
    for theirs, ours in zip(tensors(model(x)), tensors(made(x)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_rewritten_forward_is_saved_whole(tmp_path: Any) -> None:
    made, _ = convert(
        Made(growing, blocks=blocks()), torch.ones(1, 1, 3, 3), keep="all", measure=False
    )
    torch.save(made, tmp_path / "model.pt")
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    x = torch.randn(1, 1, 4, 3)
    assert isinstance(loaded, Made)
    assert loaded(x).shape == (1, 1, 16, 12)
    assert torch.equal(loaded(x), made(x))
    assert type(loaded.blocks[1][0]).__name__ == "Fused"


def test_converted_twice_and_nested_examples() -> None:
    model = Made(lambda s, x: s.conv(x[0]["x"]), conv=conv())
    example = ([{"x": torch.randn(1, 1, 4, 4)}],)
    made, report = convert(model, example, keep="all", measure=False)
    again, second = convert(made, example, keep="all", measure=False)
    assert len(report.taken) == 1
    assert [layer.reason for layer in second.layers] == ["it is ours already"]
    assert torch.equal(again(*example), made(*example))
