"""Random ONNX nodes: the operator that is read of them is what the package onnx computes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegen.models import LayerReport, analyse_onnx
from derive import Operator
from tests.models.onnx_files import model, node, onnx, reference

torch = pytest.importorskip("torch")
Case = tuple[list[Any], dict[str, Any], dict[str, Any]]  # nodes, inputs, constants


def only(path: Path, made: Any) -> LayerReport:
    """The one layer of a model."""
    onnx.save(made, path)
    (layer,) = analyse_onnx(path).layers
    return layer


def integers(shape: tuple[int, ...], seed: int) -> Any:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def exact(op: Operator, x: Any, weight: Any, bias: Any) -> Any:
    """By the definition, in integers and Fractions."""
    b = None if bias is None else bias.astype(np.int64)
    return op.apply(x.astype(np.int64), weight.astype(np.int64), b)


def window(rng: random.Random, axes: int, kind: str) -> dict[str, Any]:
    """Attributes of a Conv or ConvTranspose."""
    words: dict[str, Any] = {
        "kernel_shape": [rng.randint(1, 4) for _ in range(axes)],
        "strides": [rng.randint(1, 3) for _ in range(axes)],
        "dilations": [rng.randint(1, 2) for _ in range(axes)],
    }
    words["auto_pad"] = rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if words["auto_pad"] == "NOTSET":
        del words["auto_pad"]
        words["pads"] = [rng.randint(0, 2) for _ in range(2 * axes)]
    for name in list(words):
        if name in ("strides", "dilations") and rng.random() < 0.3:
            del words[name]
    return words


def convolutions(seed: int) -> Iterator[Case]:
    rng = random.Random(seed)
    while True:
        axes, group = rng.randint(1, 3), rng.choice([1, 1, 2, 3])
        words = window(rng, axes, "Conv") | {"group": group}
        sizes = tuple(rng.randint(1, 7 if axes < 3 else 4) for _ in range(axes))
        shape = (2 * group, rng.randint(1, 2), *words["kernel_shape"])
        x = (rng.randint(1, 2), shape[1] * group, *sizes)
        yield case("Conv", words, x, shape, shape[0], seed=rng.randrange(10**6))


def transposed(seed: int) -> Iterator[Case]:
    """Group 1, which is all that the evaluator of onnx computes right."""
    rng = random.Random(seed)
    while True:
        axes = rng.randint(1, 3)
        words = window(rng, axes, "ConvTranspose")
        sizes = tuple(rng.randint(1, 5 if axes < 3 else 3) for _ in range(axes))
        words["output_padding"] = [rng.randrange(each) for each in strides(words, axes)]
        if words.get("auto_pad") in ("SAME_UPPER", "SAME_LOWER") and rng.random() < 0.5:
            words["output_shape"] = [rng.randint(1, 12) for _ in range(axes)]
        shape = (rng.randint(1, 2), rng.randint(1, 2), *words["kernel_shape"])
        x = (rng.randint(1, 2), shape[0], *sizes)
        yield case("ConvTranspose", words, x, shape, shape[1], seed=rng.randrange(10**6))


def strides(words: dict[str, Any], axes: int) -> list[int]:
    return words.get("strides", [1] * axes)


def case(
    kind: str,
    words: dict[str, Any],
    x: tuple[int, ...],
    weight: tuple[int, ...],
    outputs: int,
    *,
    seed: int,
) -> Case:
    constants = {"w": integers(weight, seed)}
    if seed % 2:
        constants["b"] = integers((outputs,), seed + 1)
    nodes = [node(kind, " ".join(["x", *constants]), "y", **words)]
    return nodes, {"x": integers(x, seed + 2)}, constants


@pytest.mark.parametrize(("cases", "least"), [(convolutions, 150), (transposed, 120)])
def test_random_nodes_are_what_onnx_computes(
    cases: Callable[[int], Iterator[Case]], least: int, tmp_path: Path
) -> None:
    seen: Counter[bool] = Counter()
    for (nodes, inputs, constants), _ in zip(cases(1), range(250), strict=False):
        made = model(nodes, {"x": inputs["x"].shape}, constants)
        layer = only(tmp_path / "m.onnx", made)
        seen[layer.swapped] += 1
        if not layer.swapped:
            assert layer.reason, nodes
            continue
        expected = reference(made, **inputs)
        (op,) = layer.ops
        assert prod(op.output_shape) * inputs["x"].shape[0] == expected.size, nodes
        assert (exact(op, inputs["x"], constants["w"], constants.get("b")) == expected).all(), nodes
    assert seen[True] >= least, seen
