"""What is found in a torch model, from shapes alone."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, weight_norm  # noqa: E402

from codegen.models import ModelError, Report, analyse  # noqa: E402
from tests.models.made import Net  # noqa: E402


def verdicts(report: Report) -> dict[str, tuple[str, bool]]:
    return {layer.name: (layer.kind, layer.swapped) for layer in report.layers}


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_every_layer_is_found(device: str) -> None:
    report = analyse(Net().to(device), torch.zeros(1, 3, 8, 8))
    assert verdicts(report) == {
        "first": ("Conv2d", True),
        "conv": ("Upsample + ReflectionPad2d + Conv2d", True),
        "block.conv": ("interpolate + Conv2d", True),
        "back": ("ConvTranspose2d", True),
        "shared": ("Conv2d", True),
        "pad_2": ("pad", False),
        "conv2d_5": ("conv2d", False),
        "idle": ("Conv1d", False),
    }
    layers = {layer.name: layer for layer in report.layers}
    assert layers["shared"].sizes.count(",") == 1
    assert layers["back"].checkerboard == "ratio 4"
    assert layers["idle"].reason == "no call of it was seen"
    assert layers["first"].macs == layers["first"].naive_macs == 8 * 3 * 9 * 64
    assert layers["block.conv"].macs < layers["block.conv"].naive_macs / 2


def test_nothing_is_changed() -> None:
    model, x = Net(), torch.randn(1, 3, 8, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    analyse(model, x)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def hooked() -> Any:
    conv = nn.Conv1d(1, 1, 3)
    conv.register_forward_hook(lambda *_: None)
    return conv


def old_weight_norm() -> Any:
    with pytest.warns(FutureWarning):
        return weight_norm(nn.Conv1d(1, 1, 3))


class Own(nn.Conv1d):
    """Somebody's subclass."""


def replaced() -> Any:
    conv = nn.Conv1d(1, 1, 3)
    conv.forward = lambda x: x * 2 + nn.functional.conv1d(x, conv.weight, padding=1)
    return conv


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (hooked, "it has hooks"),
        (replaced, "its forward was replaced"),
        (old_weight_norm, "it has hooks"),
        (lambda: parametrizations.weight_norm(nn.Conv1d(1, 1, 3)), "its weight is parametrized"),
        (lambda: Own(1, 1, 3), "a subclass, Own"),
        (lambda: nn.Conv1d(1, 1, 3, dtype=torch.complex64), "dtype torch.complex64"),
        (lambda: nn.Conv1d(1, 1, 3, dtype=torch.bfloat16), "dtype torch.bfloat16"),
        (lambda: nn.LazyConv1d(1, 3), "lazy"),
    ],
)
def test_what_is_more_than_torchs_class_is_kept(make: Any, reason: str) -> None:
    conv = make()
    dtype = getattr(conv.weight, "dtype", torch.float32)
    (layer,) = analyse(nn.Sequential(conv), torch.ones(1, 1, 8, dtype=dtype)).layers
    assert not layer.swapped
    assert reason in layer.reason
    assert layer.sizes.startswith("1x8 -> 1x") or "lazy" in reason


class ByData(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 1)

    def forward(self, x: Any) -> Any:
        return self.conv(x) if x.sum().item() > 0 else self.conv(x[..., x[0, 0] > 0])


def test_a_model_that_follows_its_data_is_looked_at_in_parts() -> None:
    report = analyse(ByData(), torch.ones(1, 1, 8))
    assert verdicts(report) == {"conv": ("Conv1d", True)}
    assert report.notes[0].startswith("torch.export cannot follow the model: ")
    failed = analyse(ByData(), torch.ones(1, 3, 8))
    assert verdicts(failed) == {"conv": ("Conv1d", False)}
    assert failed.notes[1] == "the model fails with RuntimeError"


class Within(nn.Module):
    """Convolutions where the graph of torch.export has a graph of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(1, 1, 1), nn.Sequential(nn.Upsample(8), nn.Conv1d(1, 1, 1))

    def forward(self, x: Any) -> Any:
        with torch.autocast("cpu"):
            x = self.a(x).float()
        with torch.no_grad():
            return self.b(x)


def test_graphs_within_the_graph_are_looked_at() -> None:
    a, b = analyse(Within(), torch.ones(1, 1, 4)).layers
    assert (a.name, a.swapped, b.name, b.kind) == ("a", False, "b.1", "Upsample + Conv1d")
    assert a.reason == "it is called under autocast, which changes its dtype"


@pytest.mark.parametrize("example", [None, 3, (1, 2), {"x": 1}])
def test_an_example_without_a_tensor_is_refused(example: Any) -> None:
    with pytest.raises(ModelError, match="allowed is a tensor"):
        analyse(nn.Conv1d(1, 1, 1), example)
    with pytest.raises(ModelError, match=r"allowed is a torch.nn.Module"):
        analyse(torch.ones(1), torch.ones(1))  # type: ignore[arg-type]
