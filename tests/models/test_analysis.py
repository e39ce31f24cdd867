"""What is found in a torch model, from shapes alone."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch.nn.utils import parametrizations, weight_norm  # noqa: E402

from codegen.models import ModelError, Report, analyse  # noqa: E402


class Up(nn.Module):
    """A resize within a forward, as the decoders of diffusion models have it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.channels = channels

    def forward(self, x: Any) -> Any:
        assert x.shape[1] == self.channels
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1))
        self.conv = nn.Conv2d(8, 8, 3)
        self.block = Up(8)
        self.back = nn.ConvTranspose2d(8, 8, 3, 2)
        self.shared = nn.Conv2d(8, 8, 3, padding="same")
        self.own = nn.Parameter(torch.ones(4, 8, 1, 1))
        self.idle = nn.Conv1d(1, 1, 1)

    def forward(self, x: Any) -> Any:
        x = self.back(self.block(self.conv(self.up(self.first(x)))))
        x, y = self.shared(x), self.shared(x[:, :, ::2])
        return F.conv2d(F.pad(x, (1, 1, 1, 1)), self.own), y


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


class ByData(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 1)

    def forward(self, x: Any) -> Any:
        return self.conv(x) if x.sum().item() > 0 else self.conv(x[..., x[0, 0] > 0])


def test_a_model_that_follows_its_data_is_kept() -> None:
    report = analyse(ByData(), torch.ones(1, 1, 8))
    assert [layer.swapped for layer in report.layers] == [False]
    assert report.notes[0].startswith("torch.export cannot follow the model: ")


@pytest.mark.parametrize("example", [None, 3, (1, 2), {"x": 1}])
def test_an_example_without_a_tensor_is_refused(example: Any) -> None:
    with pytest.raises(ModelError, match="allowed is a tensor"):
        analyse(nn.Conv1d(1, 1, 1), example)
    with pytest.raises(ModelError, match=r"allowed is a torch.nn.Module"):
        analyse(torch.ones(1), torch.ones(1))  # type: ignore[arg-type]
