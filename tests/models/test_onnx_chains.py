"""Resize and Pad before Conv: one operator where it is exactly that, kept with a reason else."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegen.models import Report, analyse_onnx
from derive import Operator
from tests.models.onnx_files import model, node, onnx, reference

UNIT = 65_536  # of the inputs: what a cubic resize by 2 along two axes divides by


def analysed(path: Path, made: Any) -> Report:
    onnx.save(made, path)
    return analyse_onnx(path)


def compare(path: Path, nodes: list[Any], sizes: tuple[int, ...], constants: Any) -> str:
    """The kind of what was read, after it was compared; else why it was kept."""
    rng = np.random.default_rng(len(str(nodes)))
    x = (UNIT * rng.integers(-2, 3, (2, 2, *sizes))).astype(np.float32)
    weight = rng.integers(-1, 2, (1, 2, *(2 for _ in sizes))).astype(np.float32)
    made = model([*nodes, node("Conv", "m w", "y")], {"x": x.shape}, {"w": weight, **constants})
    report = analysed(path, made)
    last = report.layers[-1]
    if len(report.layers) > 1:
        assert not report.layers[0].swapped
        assert last.kind == "Conv"
        assert report.layers[0].reason
        return report.layers[0].reason
    expected = reference(made, x=x)
    (op,) = last.ops
    exact = op.apply(x.astype(np.int64), weight.astype(np.int64))
    if dyadic(op):
        assert (exact == expected).all(), nodes
    else:  # 8 taps of weight 1 at most, each of |x| <= 2 UNIT by cubic weights of sum <= 3: rounded
        assert abs(exact.astype(float) - expected).max() <= 10 * 2**-24 * 8 * 6 * UNIT, nodes
    return last.kind


def dyadic(op: Operator) -> bool:
    """Whether float32 holds all weights of the resize."""
    denominators = {s.coefficient.denominator for axis in op.axes for s in axis.strands}
    return all(d & (d - 1) == 0 for d in denominators)


def test_random_resizes_are_what_onnx_computes(tmp_path: Path) -> None:
    rng, seen = random.Random(2), Counter[str]()
    for _ in range(400):
        mode = rng.choice(["nearest", "nearest", "linear", "cubic"])
        axes = 2 if mode == "cubic" or rng.random() < 0.7 else 1
        sizes = tuple(rng.choice([2, 3, 4, 6]) for _ in range(axes))
        words: dict[str, Any] = {"mode": mode}
        coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
        words["coordinate_transformation_mode"] = rng.choice([*coordinates, "half_pixel_symmetric"])
        scales = {"nearest": [1, 2, 3, 0.5, 1.5, 2.5], "linear": [1, 2, 4, 0.5]}.get(
            mode, [1, 2, 0.5]
        )
        if words["coordinate_transformation_mode"] == "align_corners":
            sizes, scales = (3,) * axes, [1, 5 / 3, 1 / 3] if mode != "nearest" else scales
        if mode == "nearest":
            modes = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
            words["nearest_mode"] = rng.choice(modes)
        elif rng.random() < 0.2:
            words["antialias"] = 1
        if mode == "cubic":
            words["cubic_coeff_a"] = rng.choice([-0.75, -0.75, -0.5])
            words["exclude_outside"] = rng.choice([0, 0, 1])
        factors = [rng.choice(scales) for _ in sizes]
        outputs = [int(n * s + 1e-6) for n, s in zip(sizes, factors, strict=True)]
        if min(outputs) < 2:
            continue
        by_size = rng.random() < 0.5 or "align" in words["coordinate_transformation_mode"]
        constants: dict[str, Any] = {"s": np.array([1, 1, *factors], np.float32)}
        if by_size:
            constants = {"s": np.array([2, 2, *outputs])}
        found = node("Resize", f"x - {'- s' if by_size else 's'}", "m", **words)
        seen[compare(tmp_path / "m.onnx", [found], sizes, constants)] += 1
    assert seen["Resize + Conv"] > 120, seen
    assert seen.total() - seen["Resize + Conv"] > 60, seen


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_random_pads_are_what_onnx_computes(mode: str, tmp_path: Path) -> None:
    rng = random.Random(mode)
    for _ in range(12):
        axes = rng.randint(1, 3)
        sizes = tuple(rng.randint(3, 5) for _ in range(axes))
        zeros = (0, 0)
        pads = [*zeros, *(rng.randint(0, 2) for _ in sizes)]
        pads += [*zeros, *(rng.randint(0, 2) for _ in sizes)]
        constants: dict[str, Any] = {"p": np.array(pads)}
        inputs = "x p"
        if rng.random() < 0.5:  # the same by axes
            chosen = range(2, 2 + axes)
            constants = {
                "p": np.array([pads[a] for a in chosen] + [pads[a + 2 + axes] for a in chosen]),
                "a": np.array([a - 2 - axes for a in chosen]),
            }
            inputs = "x p - a"
        found = node("Pad", inputs, "m", mode=mode)
        assert compare(tmp_path / "m.onnx", [found], sizes, constants) == "Pad + Conv"


def test_a_chain_of_three_is_one_operator(tmp_path: Path) -> None:
    nodes = [
        node(
            "Resize",
            "x - s",
            "r",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        node("Pad", "r p", "m", mode="reflect"),
    ]
    constants = {"s": np.array([1, 1, 2, 2], np.float32), "p": np.array([0, 0, 1, 1] * 2)}
    assert compare(tmp_path / "m.onnx", nodes, (3, 4), constants) == "Resize + Pad + Conv"


@pytest.mark.parametrize(
    ("pads", "words", "reason"),
    [
        ([0, 1, 0, 0, 0, 0, 0, 0], {}, "it pads the batch or the channels"),
        ([0, 0, -1, 0, 0, 0, 0, 0], {"mode": "reflect"}, "pads of (-1, 0) with mode = 'reflect'"),
        (
            [0, 0, -2, 0, 0, 0, -1, 0],
            {},
            "pads of (-2, -1) crop more than the 3 positions there are",
        ),
        ([0, 0, 3, 0, 0, 0, 0, 0], {"mode": "reflect"}, "at most 2 on a side"),
        ([0, 0, 1, 0, 0, 0, 0], {}, "allowed are two numbers for each axis"),
        ([0, 0, 1, 0, 0, 0, 0, 0], {"mode": "mirror"}, "mode = 'mirror': allowed is one of"),
    ],
)
def test_other_pads_are_kept(pads: Any, words: Any, reason: str, tmp_path: Path) -> None:
    nodes = [node("Pad", "x p", "m", **words), node("Conv", "m w", "y")]
    made = model(nodes, {"x": (1, 1, 3, 3)}, {"p": np.array(pads), "w": np.ones((1, 1, 1, 1))})
    (layer, *_) = analysed(tmp_path / "m.onnx", made).layers
    assert not layer.swapped
    assert reason in layer.reason


@pytest.mark.parametrize(
    ("kind", "inputs", "words", "reason"),
    [
        ("Pad", "x p v", {}, "it pads by a number other than 0"),
        ("Pad", "x x", {}, "its pads are computed while the model runs"),
        ("Resize", "x - x", {}, "its scales are computed while the model runs"),
        ("Resize", "x - batch", {}, "it resizes the batch or the channels"),
        ("Resize", "x - three", {}, "allowed is one for each axis"),
        ("Resize", "x - minus", {}, "a scale of -1.0"),
        ("Resize", "x - huge", {}, "allowed are 1 to 16,384"),
        ("Resize", "x - up", {"mode": "lanczos"}, "mode = 'lanczos'"),
        (
            "Resize",
            "x - - sizes",
            {"keep_aspect_ratio_policy": "not_larger"},
            "keep_aspect_ratio_policy = 'not_larger'",
        ),
        (
            "Resize",
            "x - up",
            {"coordinate_transformation_mode": "tf_crop_and_resize"},
            "coordinate_transformation_mode = 'tf_crop_and_resize'",
        ),
        (
            "Resize",
            "x - up",
            {"coordinate_transformation_mode": "asymmetric", "mode": "linear"},
            "no resize here has the weights of mode = 'linear'",
        ),
    ],
)
def test_what_is_not_exactly_ours_is_kept(
    kind: str, inputs: str, words: Any, reason: str, tmp_path: Path
) -> None:
    scales = {"up": [1, 1, 2, 2], "batch": [2, 1, 1, 1], "three": [1, 2, 2]}
    scales |= {"minus": [1, 1, -1, 1], "huge": [1, 1, 1e9, 1]}
    constants = {name: np.array(scale, np.float32) for name, scale in scales.items()}
    constants |= {"p": np.array([0, 0, 1, 1] * 2), "v": np.float32(1), "w": np.ones((1, 1, 1, 1))}
    constants |= {"sizes": np.array([1, 1, 6, 6])}
    nodes = [node(kind, inputs, "m", **words), node("Conv", "m w", "y")]
    made = model(nodes, {"x": (1, 1, 3, 3)}, constants)
    (layer, *_) = analysed(tmp_path / "m.onnx", made).layers
    assert not layer.swapped
    assert reason in layer.reason


def test_what_is_read_elsewhere_is_not_taken_in(tmp_path: Path) -> None:
    nodes = [
        node("Resize", "x - s", "r"),
        node("Conv", "r w", "y"),
        node("Relu", "r", "z"),
    ]
    constants = {"s": np.array([1, 1, 2, 2], np.float32), "w": np.ones((1, 1, 3, 3), np.float32)}
    made = model(nodes, {"x": (1, 1, 3, 3)}, constants, ("y", "z"))
    resized, conv = analysed(tmp_path / "m.onnx", made).layers
    assert not resized.swapped
    assert conv.swapped
    assert conv.kind == "Conv"
    assert conv.reason == "without r: what it gives is read elsewhere too"


@pytest.mark.parametrize("as_output", [False, True])
def test_what_a_body_or_the_caller_reads_is_not_taken_in(as_output: bool, tmp_path: Path) -> None:
    nodes = [node("Resize", "x - s", "r"), node("Conv", "r w", "y")]
    constants: dict[str, Any] = {
        "s": np.array([1, 1, 2, 2], np.float32),
        "w": np.ones((1, 1, 3, 3), np.float32),
    }
    outputs = ("y", "r")
    if not as_output:
        shown = onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, None)
        body = onnx.helper.make_graph([node("Relu", "r", "b")], "body", [], [shown])
        nodes.append(node("If", "c", "z", then_branch=body, else_branch=body))
        constants["c"] = np.array(True)
        outputs = ("y", "z")
    report = analysed(tmp_path / "m.onnx", model(nodes, {"x": (1, 1, 3, 3)}, constants, outputs))
    assert [layer.kind for layer in report.layers] == ["Resize", "Conv"]
    assert bool(report.notes) is not as_output
