"""Fast algorithms as kernels: the text over Z_p is the operator, whatever the blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codegen._runtime.machine import ARM, X86, Machine
from codegen.prime_field import identities
from codegen.targets.c import emit
from codegen.transforms import choice
from codegen.transforms.axis_tiles import axis_tiles
from derive import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Interpolate,
    Operator,
)
from tests.cases import generator, random_layer
from tests.codegen.test_identity import needs_cxx

TINY = 1 << 13  # bytes of a cache that makes blocks of single rows, and chunks of rows


def resized(mode: str, channels: int, size: tuple[int, int], scale: int = 2) -> Operator:
    inner = Interpolate(channels, size, scale_factor=scale, mode=mode)
    outer = Conv2d(channels, 8, 3, padding=1, input_size=tuple(scale * n for n in size))
    fused = outer @ inner
    assert isinstance(fused, Operator)
    return fused


OPERATORS: dict[str, Operator] = {
    "plain": Conv2d(5, 9, 3, padding=1, input_size=(13, 17)),
    "strided": Conv2d(5, 9, 3, 2, 1, input_size=(13, 17)),
    "dilated": Conv2d(8, 17, 3, padding=2, dilation=2, input_size=(14, 27)),
    "wide dilation": Conv2d(8, 8, 3, padding=4, dilation=4, input_size=(9, 31)),
    "transposed 4x4": ConvTranspose2d(9, 5, 4, 2, 1, input_size=(7, 12)),
    "transposed 3x3": ConvTranspose2d(6, 8, 3, 2, 1, output_padding=1, input_size=(5, 9)),
    "first layer": Conv2d(4, 8, 7, 2, 3, input_size=(17, 20)),
    "nearest": resized("nearest", 8, (7, 9)),
    "nearest x3": resized("nearest", 8, (5, 4), 3),
    "bilinear": resized("bilinear", 8, (7, 9)),
    "groups": Conv2d(16, 16, 3, padding=1, groups=2, input_size=(7, 7)),
    "vocoder": ConvTranspose1d(8, 8, 16, 8, 4, input_size=40),
    "long row": Conv1d(8, 8, 3, padding=1, input_size=301),
    "stride 3": Conv1d(8, 16, 3, stride=3, input_size=100),
    "volume": Conv3d(8, 8, 3, padding=1, input_size=(7, 6, 9)),
    "strided volume": Conv3d(8, 8, 3, 2, 1, input_size=(7, 6, 9)),
    "transposed volume": ConvTranspose3d(8, 8, 4, 2, 1, input_size=(3, 4, 5)),
    "reflect": Conv2d(8, 8, 3, padding=1, padding_mode="reflect", input_size=(14, 15)),
    "circular": Conv2d(8, 8, 3, padding=1, padding_mode="circular", input_size=(14, 15)),
    "replicate": Conv2d(8, 8, 3, padding=2, padding_mode="replicate", input_size=(14, 15)),
    "5x5": Conv2d(8, 8, 5, padding=2, input_size=(12, 13)),
    "one output": Conv2d(8, 8, 3, input_size=(3, 3)),
    "one input": Conv2d(8, 8, 3, padding=1, input_size=(1, 1)),
    "flat": Conv2d(8, 8, (1, 3), padding=(0, 1), input_size=(4, 30)),
    "wide": Conv2d(8, 8, 3, padding=1, input_size=(4, 200)),
    "even": Conv2d(8, 8, 2, padding=1, input_size=(9, 8)),
    "cropped": Conv2d(8, 8, 3, padding=((-1, 2), (0, 1)), input_size=(9, 12)),
}
MACHINES = {
    "avx2": X86[1],
    "avx512": X86[0],
    "neon": ARM[0],
    "tiny": replace(X86[1], l2=TINY),
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast algorithm wherever there is one, also where it does not pay."""
    monkeypatch.setattr(choice, "WORTH", float("inf"))


@needs_cxx
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_each_is_its_operator(machine: Machine) -> None:
    texts = {
        name: emit(op, f"op{i}", machine, "float64", "fast")
        for i, (name, op) in enumerate(OPERATORS.items())
    }
    kernels = [(f"op{i}", op, texts[name]) for i, (name, op) in enumerate(OPERATORS.items())]
    found = identities(kernels)
    wrong = {name: each.differs for name, each in zip(texts, found, strict=True) if not each.holds}
    assert wrong == {}
    assert sum(len(text.fast) for text in texts.values()) > len(OPERATORS)


@needs_cxx
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("machine", [MACHINES["avx2"], MACHINES["tiny"]], ids=["avx2", "tiny"])
def test_random_layers(machine: Machine) -> None:
    rng = generator(71, machine.l2)
    ops: list[Operator] = [random_layer(rng) for _ in range(40)]
    ops += [layer.T for layer in ops[:10]]
    texts = [emit(op, f"op{i}", machine, "float64", "fast") for i, op in enumerate(ops)]
    kernels = [(f"op{i}", op, text) for i, (op, text) in enumerate(zip(ops, texts, strict=True))]
    assert [op for op, each in zip(ops, identities(kernels), strict=True) if not each.holds] == []
    assert sum(len(text.fast) for text in texts) > 10


def test_a_fast_algorithm_only_where_it_pays() -> None:
    machine = X86[0]
    wide = Conv2d(64, 64, 3, padding=1, input_size=56)
    pointwise = Conv2d(64, 64, 1, input_size=56)
    assert set(emit(wide, "k", machine, "float32", "fast").fast) == {"forward", "input_gradient"}
    assert emit(pointwise, "k", machine, "float32", "fast").fast == {}
    assert emit(wide, "k", machine, "float32", "exact").fast == {}


def test_products_per_output() -> None:
    """Nearest x2 then 3x3: 49 products for 36 outputs, where the parts take 324."""
    channels = 64
    op = Conv2d(channels, channels, 3, padding=1, input_size=128) @ Interpolate(
        channels, (64, 64), scale_factor=2
    )
    tiles = [axis_tiles(axis, 6) for axis in op.form.axes]
    assert [each and (each.tile.products, len(each.tile.outputs)) for each in tiles] == [(7, 6)] * 2
    text = emit(op, "k", replace(X86[0], l2=1 << 20, l3=1 << 25), "float32", "fast")
    assert "1.36 products per output and pair of" in text.files["k.c"]


def test_text_does_not_grow_with_the_image() -> None:
    layers = [Conv2d(64, 64, 3, padding=1, input_size=n) for n in (48, 480)]
    small, large = (len(emit(op, "k", X86[0], "float32", "fast").files["k.c"]) for op in layers)
    assert large < 1.2 * small
