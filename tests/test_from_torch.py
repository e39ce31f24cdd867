from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import derive
from tests.cases import generator, integers
from tests.torch_ops.families import placed

torch = pytest.importorskip("torch")
nn = torch.nn


def same(module: Any, size: int | tuple[int, ...]) -> derive.LinearMap:
    """The operator of ``module``, after both were applied to integers with the same result."""
    op = derive.from_torch(module, size)
    module = module.double()
    layers = [m for m in module.modules() if hasattr(m, "kernel_size")]
    rng = generator(71, len(layers))
    for parameter in module.parameters():
        values = integers(rng, parameter.shape, "float64")
        parameter.data = torch.from_numpy(values)
    x = integers(rng, (2, *op.input_shape), "float64")
    weights = tuple(layer.weight.detach().numpy() for layer in layers[::-1])
    biases = tuple(None if m.bias is None else m.bias.detach().numpy() for m in layers[::-1])
    if isinstance(op, derive.Operator):
        y = op.apply(x, weights[0], biases[0])
    else:
        y = op.apply(x, weights, biases)
    with torch.no_grad():
        assert np.array_equal(y, module(torch.from_numpy(x)).numpy())
    return op


@pytest.mark.parametrize(
    ("module", "size", "expected"),
    [
        (nn.Conv1d(2, 4, 3, stride=2, groups=2), 9, "Conv1d(2, 4, 3, stride=2, groups=2"),
        (nn.Conv2d(1, 2, (3, 5), padding="same", bias=False), (4, 5), "padding='same', bias=False"),
        (nn.Conv2d(2, 1, 3, padding=(1, 2), padding_mode="reflect"), 5, "padding=(1, 2)"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", dilation=2), 6, "dilation=2"),
        (nn.Conv3d(1, 2, 2, padding="valid"), 3, "Conv3d(1, 2, 2, padding='valid'"),
        (nn.ConvTranspose1d(2, 1, 3, stride=3, output_padding=2), 4, "output_padding=2"),
        (nn.ConvTranspose2d(2, 4, 3, stride=(2, 1), padding=1, groups=2), 3, "stride=(2, 1)"),
        (nn.ConvTranspose3d(1, 1, 2, dilation=2), 2, "ConvTranspose3d(1, 1, 2, dilation=2"),
    ],
)
def test_modules_become_operators(module: Any, size: Any, expected: str, family: Any) -> None:
    module = placed(module, family)
    op = same(module, size)
    assert type(op).__name__ == type(module).__name__
    assert expected in repr(op)
    assert op.weight_shape == tuple(module.weight.shape)


def test_a_sequential_is_a_composition_with_sizes_threaded_through(family: Any) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 2, 3, stride=2, bias=False),
        nn.Sequential(nn.Conv2d(2, 2, 2, padding=1, padding_mode="replicate", groups=2)),
        nn.ConvTranspose2d(2, 1, 3, stride=2),
    )
    op = same(placed(module, family), (7, 8))
    assert isinstance(op, derive.Composite)
    assert [part.input_size for part in op.parts] == [(4, 4), (3, 3), (7, 8)]
    assert isinstance(derive.from_torch(nn.Sequential(family.Conv1d(1, 1, 1)), 2), derive.Conv1d)


def test_subclasses_that_compute_the_same_are_taken(family: Any) -> None:
    class Named(family.Conv1d):  # type: ignore[misc, name-defined]
        """With another constructor."""

        def __init__(self, channels: int) -> None:
            super().__init__(channels, channels, 3)

    assert repr(same(Named(2), 5)) == "Conv1d(2, 2, 3, input_size=5)"
    normed = nn.utils.parametrizations.weight_norm(family.Conv1d(1, 1, 3))
    assert repr(derive.from_torch(normed, 5)) == "Conv1d(1, 1, 3, input_size=5)"


def test_a_size_may_stay_free(family: Any) -> None:
    op = derive.from_torch(family.Conv1d(1, 1, 3), None)
    assert (op.input_size, repr(op)) == (None, "Conv1d(1, 1, 3)")


class Standardised(nn.Conv1d):
    def forward(self, x: Any) -> Any:
        return 2 * super().forward(x)


class Residual(nn.Sequential):
    def forward(self, x: Any) -> Any:
        return x + super().forward(x)


class Halved(nn.Conv1d):
    def _conv_forward(self, x: Any, weight: Any, bias: Any) -> Any:
        return super()._conv_forward(x, weight / 2, bias)


class Conv1d(nn.Module):
    """Torch's name, and something else."""


def patched() -> Any:
    module = nn.Conv1d(1, 1, 3)
    module.forward = lambda x: x
    return module


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.ReLU(), "module = ReLU"),
        (nn.Linear(3, 3), "module = Linear"),
        (nn.Sequential(nn.Conv1d(1, 1, 1), nn.BatchNorm1d(1)), r"module\[1\] = BatchNorm1d"),
        (nn.Sequential(nn.Sequential(nn.Identity())), r"module\[0\]\[0\] = Identity"),
        (nn.Sequential(), r"module = Sequential\(\)"),
        (Standardised(1, 1, 1), "module = Standardised"),
        (Residual(nn.Conv1d(1, 1, 1)), "module = Residual"),
        (Halved(1, 1, 1), "module = Halved"),
        (Conv1d(), "module = Conv1d"),
        (patched(), "module = Conv1d"),
        (nn.Conv1d, "module = type"),
        (None, "module = NoneType"),
        (nn.LazyConv1d(1, 3), "in_channels = 0"),
    ],
    ids=str,
)
def test_other_modules_are_refused_by_name(module: Any, name: str) -> None:
    with pytest.raises(derive.GeometryError, match=f"^{name}.*allowed"):
        derive.from_torch(module, 8)


def test_what_does_not_fit_is_refused(family: Any) -> None:
    with pytest.raises(derive.GeometryError, match=r"allowed is .*\(2, 3\)"):
        derive.from_torch(nn.Sequential(family.Conv1d(1, 2, 1), family.Conv1d(1, 2, 1)), 3)
    with pytest.raises(derive.GeometryError, match=r"input_size\[0\] = 2"):
        derive.from_torch(nn.Sequential(family.Conv1d(1, 1, 3), family.Conv1d(1, 1, 3)), 4)


def test_torch_is_not_imported() -> None:
    code = (
        "import sys, derive\n"
        "class Conv1d:\n"
        "    __module__ = 'torch.nn.modules.conv'\n"
        "    in_channels, out_channels, groups, bias, padding_mode = 1, 4, 1, None, 'zeros'\n"
        "    kernel_size, stride, padding, dilation = (3,), (2,), (1,), (1,)\n"
        "print(derive.from_torch(Conv1d(), 8).output_shape, 'torch' in sys.modules)\n"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout == "(4, 4) False\n"


def test_every_public_name_is_there() -> None:
    assert sorted(derive._HOMES) == derive.__all__
    for name in derive.__all__:
        assert getattr(derive, name).__name__.rpartition(".")[2] == name
        assert name in dir(derive)
    with pytest.raises(AttributeError, match="no attribute 'Linear'"):
        derive.Linear  # noqa: B018


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [4, (4, 5)])
def test_upsample_takes_the_channels_of_its_neighbour(mode: str, size: Any, family: Any) -> None:
    up = nn.Upsample(scale_factor=2, mode=mode)
    conv = family.Conv2d(3, 2, 3, padding=1).double()
    op = derive.from_torch(nn.Sequential(up, conv), size)
    assert isinstance(op, derive.Operator)
    rng = generator(72)
    x = integers(rng, (2, *op.input_shape), "float64")
    weight, bias = (p.detach().numpy() for p in (conv.weight, conv.bias))
    with torch.no_grad():
        expected = nn.Sequential(up, conv)(torch.from_numpy(x)).numpy()
    terms = 9 * 16 * 3 + 1  # taps, at most 16 inputs each, channels, bias
    bound = terms * np.finfo(float).eps * np.abs(weight).sum() * 4 * 2  # bicubic weights reach 2
    assert np.abs(op.apply(x, weight, bias) - expected).max() <= bound
    after = derive.from_torch(nn.Sequential(conv, nn.Upsample(size=(9, 7), mode=mode)), size)
    assert after.output_shape == (2, 9, 7)


def test_upsample_alone_needs_channels() -> None:
    up = nn.UpsamplingNearest2d(scale_factor=3)
    op = derive.from_torch(up, (2, 3), channels=4)
    assert op == derive.Interpolate(4, (2, 3), scale_factor=3)
    with pytest.raises(derive.GeometryError, match="channels = None"):
        derive.from_torch(up, (2, 3))
