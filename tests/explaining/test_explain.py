"""Explanations: every number and every claim in them counted or computed another way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from click.testing import CliRunner

import derive
from derive import GeometryError, explain
from derive.command_line import main
from derive.explaining.elsewhere import keras_valid, tensorflow_same
from derive.explaining.elsewhere_resized import in_double, torch_size
from derive.explaining.meaning import made_layer, transposed_layer
from derive.explaining.reading import border_count
from tests import cases

Conv1d, Conv2d, ConvTranspose1d = derive.Conv1d, derive.Conv2d, derive.ConvTranspose1d
Interpolate = derive.Interpolate
STRIDED = ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2, input_size=4)
NEAREST = Interpolate(1, 4, scale_factor=2)
CHAIN = Conv1d(1, 1, 3, padding=1, input_size=8) @ NEAREST
TABLE: list[Any] = [
    Conv2d(3, 8, 3, stride=2, padding=1, input_size=(8, 8)),
    Conv2d(1, 1, (3, 2), stride=(1, 3), padding=(1, 0), dilation=(2, 1), input_size=(7, 9)),
    Conv1d(1, 1, 4, padding="same", input_size=9),
    Conv1d(1, 1, 3, padding=((2, 0),), input_size=6),
    Conv1d(1, 1, 3, padding=((-1, 2),), input_dilation=2, input_size=5),
    Conv1d(1, 1, 1, stride=2, input_size=7),
    Conv1d(1, 1, 5, padding=2, input_size=3),
    *(Conv1d(1, 1, 3, padding=2, padding_mode=m, input_size=8) for m in cases.MODES),
    STRIDED,
    derive.ConvTranspose2d(8, 3, 3, 2, 1, 1, input_size=(4, 5)),
    ConvTranspose1d(1, 1, 3, stride=2, dilation=2, input_size=6),
    ConvTranspose1d(1, 1, 2, stride=3, output_padding=2, input_size=4),
    ConvTranspose1d(1, 1, 3, dilation=3, output_padding=2, input_size=4),
    ConvTranspose1d(1, 1, 3, padding=3, input_size=6),
    derive.ConvTranspose3d(1, 1, 2, stride=2, input_size=2),
    Conv1d(1, 1, 3, input_size=6).T,
    STRIDED.T,
    Conv1d(1, 1, 3, padding=1, padding_mode="reflect", input_size=6).T,
    NEAREST,
    NEAREST.T,
    Interpolate(2, (5, 5), size=(8, 7)),
    Interpolate(1, (5, 4), size=(8, 1), mode="bicubic", align_corners=True),
    Interpolate(1, (9, 9), size=(4, 4), mode="bilinear", antialias=True),
    Interpolate(1, 6, size=4, mode="area"),
    derive.Pad(1, (1, (2, -1)), input_size=(4, 5)),
    CHAIN,
    Conv1d(1, 1, 3, input_size=8) @ Interpolate(1, 4, scale_factor=2, mode="linear"),
    Conv1d(1, 2, 3, bias=False, input_size=6).T @ Conv1d(1, 2, 3, bias=False, input_size=6),
]
FREE: list[Any] = [
    Conv2d(1, 1, 3, stride=2, padding=1),
    Conv1d(1, 1, 3, padding=1, padding_mode="circular"),
    ConvTranspose1d(1, 1, 3, stride=2, output_padding=1),
    Conv1d(1, 1, 3).T,
    Interpolate(1, None, scale_factor=2),
    Interpolate(1, None, size=4, mode="linear"),
    derive.Pad(1, (1,)),
    Conv1d(1, 1, 3) @ Interpolate(1, None, scale_factor=2),
]
each = pytest.mark.parametrize("op", TABLE, ids=repr)


def sentences(op: derive.LinearMap, title: str) -> str:
    return " ".join(
        s for each in explain(op).sections if each.title == title for s in each.sentences
    )


def numbers(pattern: str, words: str) -> list[int]:
    """The numbers that a pattern finds, none where it does not match."""
    found = re.search(pattern, words)
    return list(map(int, found.groups())) if found else []


@each
def test_the_page(op: derive.LinearMap) -> None:
    page = explain(op)
    assert page.op is op
    titles = [section.title for section in page.sections]
    assert titles[:3] == ["Shapes", "What reads what", "Border"]
    assert len(set(titles)) == len(titles)
    lines = str(page).splitlines()
    assert lines[0] == repr(op)
    assert all(len(line) <= 88 for line in lines[1:])
    joined = re.sub(r"\s+", " ", str(page))
    for section in page.sections:
        for sentence in section.sentences:
            assert re.sub(r"\s+", " ", sentence) in joined
            assert sentence.endswith(".")
            assert "None" not in sentence


@each
def test_shapes_and_work(op: Any) -> None:
    words = sentences(op, "Shapes")
    assert f"{op.input_shape} and gives {op.output_shape}" in words
    parts = op.parts if isinstance(op, derive.Composite) else (op,)
    assert words.count("learns nothing") == sum(part.weight_shape is None for part in parts)
    for part in parts:
        assert part.weight_shape is None or str(part.weight_shape) in words
    macs, naive = sum(p.macs for p in parts), sum(p.naive_macs for p in parts)
    assert f"takes {macs} multiply-adds" in sentences(op, "Work")
    assert f"takes {naive}" in sentences(op, "Work")


@each
def test_what_reads_what(op: derive.LinearMap) -> None:
    words = sentences(op, "What reads what")
    for side, label in ((op, "input"), (op.T, "output")):
        wide = [
            max(len({x for x, _, _ in axis.row(y)}) for y in range(axis.n_out))
            for axis in side.axes
        ]
        many = f"1 {label}" if prod(wide) == 1 else f"{' x '.join(map(str, wide))} {label}s"
        assert many in words
    fields = [op.receptive_field(place) for place in np.ndindex(*op.output_shape[1:])]
    assert max(map(len, fields)) == prod(
        max(len({x for x, _, _ in axis.row(y)}) for y in range(axis.n_out)) for axis in op.axes
    )


def lacking(op: Any) -> Iterator[int]:
    """By the definition: outputs of each axis with a tap that meets a position outside."""
    for axis, n_in in enumerate(op.input_size):
        rule = op.rules[axis]
        count = 0
        for y in range(op.output_size[axis]):
            for t in range(rule.kernel):
                if isinstance(op, derive.layers.TransposedConvolution):
                    x, rest = divmod(y + rule.before - rule.dilation * t, rule.stride)
                else:
                    x, rest = divmod(rule.stride * y + rule.dilation * t - rule.before, rule.up)
                if not rest and not 0 <= x < n_in:
                    count += 1
                    break
        yield count


LAYERS = [
    op for op in TABLE if isinstance(op, derive.layers.Layer) and hasattr(op.rules[0], "kernel")
]


@pytest.mark.parametrize("op", LAYERS, ids=repr)
def test_border(op: Any) -> None:
    total = prod(op.output_size)
    inside = prod(n - count for n, count in zip(op.output_size, lacking(op), strict=True))
    words = sentences(op, "Border")
    expected = [total - inside, total] if inside < total else []
    assert numbers(r"^(\d+) of (\d+) output positions are at the border", words) == expected
    assert ("No output is at the border" in words) == (inside == total)


@pytest.mark.parametrize("chunk", range(2))
def test_border_of_small_layers(chunk: int) -> None:
    """Every small layer without a pad map, against the definition."""
    seen = 0
    for op in cases.exhaustive_1d(chunk, 20):
        rule: Any = op.rules[0]
        if getattr(rule, "mode", "zeros") == "zeros":
            seen += 1
            assert [border_count(op.axes[0], rule)] == list(lacking(op)), op
    assert seen > 200


@each
def test_left_out(op: derive.LinearMap) -> None:
    words = sentences(op, "Left out")
    dead = [int((op.overlap() == 0).sum()), prod(op.output_shape[1:])]
    unread = [int((op.T.overlap() == 0).sum()), prod(op.input_shape[1:])]
    assert numbers(r"(\d+) of (\d+) output positions are dead", words) == (dead if dead[0] else [])
    found = numbers(r"(\d+) of (\d+) input positions are never", words)
    assert found == (unread if unread[0] else [])
    assert ("every input is read" in words) == (dead[0] == unread[0] == 0)


@each
def test_output_padding(op: Any) -> None:
    words = sentences(op, "Output padding")
    added = getattr(op, "parameters", {}).get("output_padding", 0)
    assert bool(words) == bool(added)
    if not added:
        return
    taps = op.overlap()
    older = taps[tuple(slice(0, n - added) for n in taps.shape)]
    count = taps.size - older.size
    reached = int((taps > 0).sum() - (older > 0).sum())
    assert numbers(r"(\d+) outputs? (?:is|are) there because", words) == [count]
    assert numbers(r"taps reach (\d+)", words) == [reached]
    assert ("hold only the bias" in words) == (reached < count)


@each
def test_overlap(op: Any) -> None:
    words = sentences(op, "Overlap")
    uniform = derive.checkerboard(op).uniform
    assert words.startswith("It makes no" if uniform else "It makes a")
    cure = re.search(r"cures it, with the same sizes: ([a-z_0-9=, ]+)\.", words)
    if uniform or not isinstance(op, derive.layers.TransposedConvolution):
        assert cure is None
        return
    assert "resizing by" in words
    if cure is not None:
        parameters: Any = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", cure[1])}
        cured = type(op)(1, 1, **parameters, input_size=op.input_size)
        assert cured.output_size == op.output_size
        assert derive.checkerboard(cured).uniform
        assert not derive.checkerboard(cured).dead_outputs.count
        assert parameters["kernel_size"] % parameters.get("stride", 1) == 0


def test_the_cure_is_named() -> None:
    assert "with the same sizes: kernel_size=4, stride=2, padding=1." in sentences(
        STRIDED, "Overlap"
    )


@each
def test_transpose(op: Any) -> None:
    words = sentences(op, "Transpose")
    if isinstance(op, derive.Composite):
        assert words.startswith("Its transpose is the chain")
        return
    same, made = transposed_layer(op), made_layer(op)
    assert ("very same weight" in words) == (same is not None)
    if same is not None:
        assert repr(same) in words
        assert same.matrix() == op.matrix().T
    elif made is not None:
        assert repr(made) in words
        assert made.input_shape == op.output_shape
        assert made.output_shape == op.input_shape
    else:
        assert words.startswith("No framework has its transpose as one layer")


def test_the_transpose_of_known_layers() -> None:
    assert transposed_layer(Conv1d(1, 1, 3, stride=2, padding=1, input_size=8)) == ConvTranspose1d(
        1, 1, 3, stride=2, padding=1, output_padding=1, bias=False, input_size=4
    )
    assert transposed_layer(STRIDED) == Conv1d(
        4, 2, 3, stride=2, padding=1, groups=2, bias=False, input_size=8
    )
    assert made_layer(CHAIN) == Conv1d(1, 1, 4, stride=2, padding=1, bias=False, input_size=8)
    reflect = Conv1d(1, 1, 3, padding=1, padding_mode="reflect", input_size=6)
    assert transposed_layer(reflect) is made_layer(reflect) is None
    assert "the adjoint of reflect padding" in sentences(reflect, "Transpose")


# --- elsewhere ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 12))
def test_tensorflow_same(n: int) -> None:
    """RULE: ceil(n/s) outputs, max((m - 1)*s + d*(k - 1) + 1 - n, 0) in all, the odd one after."""
    for k, s, d, p in product((1, 2, 3, 5), (1, 2, 3), (1, 2), (0, 1, 2)):
        if (s > 1 and d > 1) or n + 2 * p < d * (k - 1) + 1:
            continue
        op = Conv1d(1, 1, k, stride=s, padding=p, dilation=d, input_size=n)
        m = -(-n // s)
        total = max((m - 1) * s + d * (k - 1) + 1 - n, 0)
        assert tensorflow_same(op.rules[0], n) == (total, m)  # type: ignore[arg-type]
        pads = (total // 2, total - total // 2)
        words = sentences(op, "Elsewhere")
        assert ("of TensorFlow and Keras is this padding" in words) == (
            op.output_size == (m,) and pads == (p, p) and p + total > 0
        ), op
        shifted = op.output_size == (m,) and pads[0] != p
        assert numbers(r"every window begins (\d+) further", words) == (
            [abs(p - pads[0])] if shifted else []
        )
        if shifted:
            assert f"pads {pads} instead of {(p, p)}" in words
            assert ("further on" in words) == (pads[0] < p)
        if op.output_size == (m,) and pads[0] == p and pads[1] != p:
            padded = Conv1d(1, 1, k, s, (pads,), d, input_size=n)
            assert derive.equivalent(op, padded)
            assert "gives the same numbers" in words


def test_keras_and_onnx_of_transposed_layers() -> None:
    for n, k, s, p, o in product((1, 4), (1, 2, 3, 4), (1, 2, 3), (0, 1, 2), (0, 1, 2)):
        if o >= s or (n - 1) * s - 2 * p + k + o < 1:
            continue
        op = ConvTranspose1d(1, 1, k, stride=s, padding=p, output_padding=o, input_size=n)
        words, (m,) = sentences(op, "Elsewhere"), op.output_size
        valid = n * s + max(k - s, 0)
        assert keras_valid(op.rules[0], n) == valid  # type: ignore[arg-type]
        differs = p == o == 0 and valid != m
        assert numbers(r'"valid" gives (\d+) outputs where this gives (\d+)', words) == (
            [valid, m] if differs else []
        )
        # Keras' "same" is the gradient of TensorFlow's "same" convolution of n*s positions
        before = max(k - s, 0) // 2
        alike = s > 1 and m == n * s
        assert ('"same" is this layer' in words) == (alike and before == p)
        assert numbers(r"crops (\d+) before instead of (\d+)", words) == (
            [before, p] if alike and before != p else []
        )
        # ONNX: total = s*(n - 1) + d*(k - 1) + 1 - out, the odd one first unless SAME_UPPER
        total = s * (n - 1) + k - m
        odd = total > 0 and total % 2 == 1
        assert ("ONNX" in words) == odd
        if odd:
            first, second = (total - total // 2, total // 2), (total // 2, total - total // 2)
            assert f"crops {first}, and {second} only with auto_pad SAME_UPPER" in words
            given = [
                derive.equivalent(
                    op, ConvTranspose1d(1, 1, k, stride=s, padding=(pads,), input_size=n)
                )
                for pads in (first, second)
            ]
            which = "first" if given[0] else "second" if given[1] else "neither"
            assert (f"the {which} is" if which != "neither" else "neither is") in words


@pytest.mark.parametrize("op", [op for op in TABLE if isinstance(op, ConvTranspose1d)], ids=repr)
def test_torch_takes_these_output_sizes(op: Any, family: Any) -> None:
    words = sentences(op, "Elsewhere")
    given = {k: v for k, v in op.parameters.items() if k not in ("input_size", "output_size")}
    layer = family.ConvTranspose1d(**given)
    x = torch.zeros(1, op.input_shape[0], *op.input_size)
    accepted = []
    for m in range(1, 40):
        try:
            assert layer(x, output_size=[m]).shape[-1] == m
        except ValueError:
            continue
        accepted.append(m)
    if "output_size accepts" in words:
        found = numbers(r"output_size accepts (\d+) to (\d+)", words) or 2 * numbers(
            r"accepts only (\d+)", words
        )
        assert accepted == list(range(found[0], found[1] + 1))
    more = numbers(r"output_padding alone reaches (\d+)", words)
    if more:
        widest = {**given, "output_padding": max(op.rules[0].stride, op.rules[0].dilation) - 1}
        assert family.ConvTranspose1d(**widest)(x).shape[-1] == more[0] > accepted[-1]


def test_words_about_convolutions_torch_has_not() -> None:
    words = {repr(op): sentences(op, "Elsewhere") for op in TABLE}
    assert 'padding="same" alone' in words[repr(TABLE[2])]
    assert "takes no pair (2, 0)" in words[repr(TABLE[3])]
    assert "lhs_dilation" in words[repr(TABLE[4])]
    modes = {"reflect": "'reflect'", "replicate": "'edge'", "circular": "'wrap'"}
    for op in TABLE[7:11]:
        mode = modes.get(op.parameters["padding_mode"])
        assert (f"a Pad of mode {mode}" in words[repr(op)]) == (mode is not None)
    assert "Keras takes no stride above 1 together with" in words[repr(TABLE[13])]
    assert "not less than the stride" in words[repr(TABLE[15])]
    assert "as padding of its input it would be -1" in words[repr(TABLE[16])]


def picked(n: int, mode: str, **to: Any) -> Sequence[int]:
    x = torch.arange(n, dtype=torch.float32).reshape(1, 1, n)
    found = torch.nn.functional.interpolate(x, mode=mode, **to)[0, 0]
    return [int(value) for value in found]


def test_nearest_pixels_elsewhere() -> None:
    for n, m in ((2, 82), (5, 8), (4, 8), (7, 3), (3, 3), (6, 3)):
        for arithmetic in ("exact", "float32"):
            op = Interpolate(1, n, size=m, index_arithmetic=arithmetic)
            words = sentences(op, "Elsewhere")
            exact = [j * n // m for j in range(m)]
            torchs = picked(n, "nearest", size=m)
            count = sum(a != b for a, b in zip(exact, torchs, strict=True))
            assert numbers(r"picks another input for (\d+) outputs, by its", words) == (
                [count] if count else []
            )
            centred = sum(a != (2 * j + 1) * n // (2 * m) for j, a in enumerate(exact))
            assert numbers(r"pick another input for (\d+) outputs\.", words) == (
                [centred] if centred else []
            )


def test_a_fraction_in_double() -> None:
    for numerator in (1, 2, 3, 120, 2**53, 2**53 + 1, 2**53 + 3, 2**54 - 1, 10**17 + 1):
        for denominator in (1, 7, 10, 49, 88, 2**60, 3**40):
            rounded = numerator / denominator  # Python divides integers to the nearest double
            assert in_double(Fraction(numerator, denominator)) == Fraction(rounded)


def test_sizes_that_torch_computes_in_floats() -> None:
    for n, factor in ((49, Fraction(1, 49)), (88, Fraction(120, 88)), (5, Fraction(3, 2))):
        op = Interpolate(1, n, scale_factor=factor)
        torchs = 0
        with suppress(RuntimeError):  # torch refuses a size of 0
            torchs = len(picked(n, "nearest", scale_factor=float(factor)))
        assert torch_size(op.rules[0], n) == torchs  # type: ignore[arg-type]
        expected = [torchs, op.output_shape[1]] if torchs != op.output_shape[1] else []
        words = sentences(op, "Elsewhere")
        assert numbers(r"in floats and gives (\d+) outputs, not (\d+)", words) == expected
    copied = Interpolate(1, 5, scale_factor="1.1", mode="linear")
    assert "keeps its size, so that torch copies it" in sentences(copied, "Elsewhere")
    assert copied.matrix() == sympy.eye(5)


# --- the rest ----------------------------------------------------------------------------------


@pytest.mark.parametrize("op", FREE, ids=repr)
def test_free_sizes(op: derive.LinearMap) -> None:
    page = explain(op)
    titles = [section.title for section in page.sections]
    assert titles[0] == "Shapes"
    assert "Transpose" in titles
    assert not {"Border", "Left out", "Overlap", "Work"} & set(titles)
    assert "n_out =" in str(page)


def test_random_layers_are_explained() -> None:
    rng = cases.generator(4, 2)
    for _ in range(40):
        op = cases.random_layer(rng)
        assert repr(op) == str(explain(op)).splitlines()[0]


def test_command_line() -> None:
    line = "conv-transpose1d --kernel-size 3 --stride 2 --input-size 4 --explain"
    result = CliRunner().invoke(main, line.split())
    op = ConvTranspose1d(1, 1, 3, stride=2, input_size=4)
    assert (result.exit_code, result.stdout) == (0, f"{explain(op)}\n")
    result = CliRunner().invoke(main, [*line.split(), "--format", "latex"])
    assert result.exit_code == 2
    assert "--explain stands alone" in result.stderr


def test_refusal() -> None:
    with pytest.raises(GeometryError, match="op = 3: allowed is an operator"):
        explain(3)  # type: ignore[arg-type]
