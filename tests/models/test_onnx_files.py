"""Whole ONNX files: real structures, no weights, broken and hostile files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codegen.models import ModelError, analyse_onnx
from tests.models.onnx_files import helper, model, node, onnx

torch = pytest.importorskip("torch")
ONES = np.ones((1, 1, 3, 3), np.float32)


def saved(path: Path, made: Any) -> Path:
    onnx.save(made, path)
    return path


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_output_shape_is_cropped_as_the_standard_says(auto_pad: str, tmp_path: Path) -> None:
    """Groups too, where the evaluator of onnx cannot be asked: torch's whole output, cropped."""
    rng = random.Random(auto_pad)
    for _ in range(20):
        n, k, s, d = rng.randint(2, 6), rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 2)
        group, extra = rng.choice([1, 2]), rng.randrange(s)
        whole = (n - 1) * s + d * (k - 1) + 1 + extra
        wanted = rng.randint(max(1, whole - 4), whole)
        weight = np.random.default_rng(n).integers(-3, 4, (2 * group, 3, k)).astype(np.float32)
        words = {"strides": [s], "dilations": [d], "output_padding": [extra], "group": group}
        words |= {"output_shape": [wanted], "auto_pad": auto_pad}
        made = model(
            [node("ConvTranspose", "x w", "y", **words)], {"x": ("n", 2 * group, n)}, {"w": weight}
        )
        (layer,) = analyse_onnx(saved(tmp_path / "m.onnx", made)).layers
        x = np.random.default_rng(k).integers(-3, 4, (1, 2 * group, n))
        full = torch.nn.functional.conv_transpose1d(
            torch.tensor(x).double(), torch.tensor(weight).double(), None, s, 0, 0, group, d
        ).numpy()
        full = np.pad(full, ((0, 0), (0, 0), (0, extra)))
        total = whole - wanted
        before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        (op,) = layer.ops
        assert (op.apply(x, weight.astype(int)) == full[..., before : before + wanted]).all(), words


def test_a_decoder_is_read_without_its_weights(tmp_path: Path) -> None:
    """External data that is not even there; sizes that Shape and Concat compute."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Slice", "shape two four", "hw"),
        node("Mul", "hw factor", "doubled"),
        node("Slice", "shape zero two", "nc"),
        node("Concat", "nc doubled", "sizes", axis=0),
        node(
            "Resize",
            "x - - sizes",
            "/up/Resize",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        node("Conv", "/up/Resize w", "/up/conv/Conv", pads=[1, 1, 1, 1]),
        node("Relu", "/up/conv/Conv", "r"),
        node("ConvTranspose", "r t", "y", strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    constants = {"two": [2], "four": [4], "zero": [0], "factor": [2, 2]}
    constants |= {"w": np.ones((8, 4, 3, 3), "f4"), "t": np.ones((8, 3, 4, 4), "f4")}
    made = model(nodes, {"x": (1, 4, 16, 16)}, constants)
    path = tmp_path / "m.onnx"
    onnx.save(made, path, save_as_external_data=True, location="w.bin", size_threshold=64)
    assert (tmp_path / "w.bin").exists()
    (tmp_path / "w.bin").unlink()
    up, transposed = analyse_onnx(path).layers
    assert (up.kind, up.sizes) == ("Resize + Conv", "4x16x16 -> 8x32x32")
    assert (transposed.sizes, transposed.checkerboard) == ("8x32x32 -> 3x64x64", "none")

    assert up.macs is not None
    assert up.naive_macs is not None
    assert up.macs < up.naive_macs / 2


def test_sizes_of_inputs_can_be_given(tmp_path: Path) -> None:
    made = model([node("Conv", "x w", "y")], {"x": ("n", 1, "h", "w")}, {"w": ONES})
    path = saved(tmp_path / "m.onnx", made)
    (free,) = analyse_onnx(path).layers
    assert free.swapped
    assert free.macs is None
    assert free.sizes == "1 -> 1 channels, any size"
    (fixed,) = analyse_onnx(path, {"x": (1, 1, 8, 8)}).layers
    assert fixed.sizes == "1x8x8 -> 1x6x6"
    for sizes, words in (
        ({"z": (1,)}, "input 'z': allowed is one of x"),
        ({"x": (1, 1)}, "has 4 axes; given are 2 sizes"),
        ({"x": (1, 1, 0, 1)}, "allowed are sizes >= 1"),
    ):
        with pytest.raises(ModelError, match=words):
            analyse_onnx(path, sizes)


def test_local_functions_are_looked_into(tmp_path: Path) -> None:
    function = helper.make_function(
        "own", "Block", ["a", "b"], ["c"], [node("Conv", "a b", "c")], [helper.make_opsetid("", 19)]
    )
    made = model(
        [helper.make_node("Block", ["x", "w"], ["y"], domain="own")],
        {"x": (1, 1, 5, 5)},
        {"w": ONES},
    )
    made.opset_import.append(helper.make_opsetid("own", 1))
    made.functions.append(function)
    (layer,) = analyse_onnx(saved(tmp_path / "m.onnx", made)).layers
    assert layer.sizes == "1x5x5 -> 1x3x3"


@pytest.mark.parametrize(
    ("nodes", "weight", "reason"),
    [
        ([node("Conv", "x w", "y", kernel_shape=[2, 2])], ONES, "kernel_shape = (2, 2), but"),
        ([node("Conv", "x w", "y", group=2)], ONES, "has 1 channels, its weight takes 2"),
        ([node("Conv", "x w", "y", strides=[0, 1])], ONES, "stride[0] = 0"),
        ([node("Conv", "x w", "y", pads=[-1, 0, 0, 0])], ONES, "allowed are numbers >= 0"),
        ([node("Conv", "x w", "y", pads=[1, 1])], ONES, "allowed are 4 numbers"),
        ([node("Conv", "x w", "y", dilations=[9, 9])], ONES, "with at least 1 output"),
        ([node("Conv", "x w", "y", auto_pad="HALF")], ONES, "auto_pad = 'HALF'"),
        ([node("Conv", "x", "y")], ONES, "it has no weight"),
        ([node("Conv", "x w", "y")], np.ones(3, "f4"), "its weight has shape (3,)"),
        ([node("Conv", "x w", "y", strides="two")], ONES, "strides = 'two'"),
        ([node("Conv", "u w", "y")], ONES, "the shape of 'u' is not known"),
        ([node("DeformConv", "x w x", "y")], ONES, "its taps move with the data"),
        (
            [node("ConvTranspose", "x w", "y", output_shape=[99, 99])],
            ONES,
            "which no two runtimes do alike",
        ),
        (
            [node("ConvTranspose", "x w", "y", output_shape=[3, 3], auto_pad="VALID")],
            ONES,
            "contradict each other",
        ),
    ],
)
def test_nodes_that_are_no_operator_are_kept(
    nodes: Any, weight: Any, reason: str, tmp_path: Path
) -> None:
    made = model(nodes, {"x": (1, 1, 5, 5)}, {"w": weight})
    (layer,) = analyse_onnx(saved(tmp_path / "m.onnx", made)).layers
    assert not layer.swapped
    assert reason in layer.reason


def test_broken_files_are_model_errors(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    whole = model([node("Conv", "x w", "y")], {"x": (1, 1, 5, 5)}, {"w": ONES}).SerializeToString()
    rng = random.Random(5)
    texts = [b"", b"not a model", whole[: len(whole) // 2], bytes(100), b"\x0a" * 5000]
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        texts.append(bytes(damaged))
    refused = 0
    for text in texts:
        path.write_bytes(text)
        try:
            analyse_onnx(path)
        except ModelError:
            refused += 1
    assert refused > 20


def test_a_graph_that_computes_a_value_twice_or_from_itself(tmp_path: Path) -> None:
    twice = model(
        [node("Conv", "x w", "y"), node("Conv", "x w", "y")], {"x": (1, 1, 5, 5)}, {"w": ONES}
    )
    with pytest.raises(ModelError, match="value 'y' is computed twice"):
        analyse_onnx(saved(tmp_path / "m.onnx", twice))
    nodes = [node("Pad", "b p", "a"), node("Pad", "a p", "b"), node("Conv", "b w", "y")]
    circle = model(nodes, {"x": (1, 1, 5, 5)}, {"w": ONES, "p": np.zeros(8, np.int64)})
    for name in ("a", "b"):
        shape = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 1, 5, 5])
        circle.graph.value_info.append(shape)
    with pytest.raises(ModelError, match="value 'b' is read before it is computed"):
        analyse_onnx(saved(tmp_path / "m.onnx", circle))


def test_hostile_numbers_end_at_once(tmp_path: Path) -> None:
    """Sizes that no array has, in a file of a few bytes."""
    nodes = [node("Resize", "x - s", "r"), node("Conv", "r w", "y")]
    made = model(nodes, {"x": (1, 1, 2**40, 2**40)}, {"w": ONES, "s": np.float32([1, 1, 2, 2])})
    made.graph.initializer[0].dims[2] = 2**62
    layers = analyse_onnx(saved(tmp_path / "m.onnx", made)).layers
    assert [layer.swapped for layer in layers] == [False, False]
