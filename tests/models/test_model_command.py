"""``python -m codegen model``: reports, kernels, and words instead of tracebacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from codegen.__main__ import main
from tests.models.onnx_files import model, node, onnx

pytest.importorskip("torch")
DECODER = "tests.models.made:decoder"


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["model", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    nodes = [
        node(
            "Resize",
            "x - s",
            "r",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        node("Conv", "r w", "/up.0/Conv", pads=[1, 1, 1, 1]),
        node("Conv", "/up.0/Conv w", "z", pads=[1, 1, 1, 1]),
        node("Conv", "z w", "y", pads=[1, 1, 1, 1]),
    ]
    constants = {"s": np.float32([1, 1, 2, 2]), "w": np.ones((2, 2, 3, 3), np.float32)}
    path = tmp_path / "m.onnx"
    onnx.save(model(nodes, {"x": ("n", 2, 4, 4)}, constants), path)
    return path


def test_a_file_is_reported_and_its_kernels_generated(file: Path, tmp_path: Path) -> None:
    done = run(file, "--out", tmp_path / "made")
    assert done.exit_code == 0, done.output
    assert "/up.0/Conv  Resize + Conv  2x4x4 -> 2x8x8" in done.output
    assert "m.onnx: 3 of 3 layers can be swapped" in done.output
    made = {path.name for path in (tmp_path / "made/c").glob("*.c")}
    assert made == {"up_0_conv.c", "z.c"}  # y is z once more


def test_forms(file: Path) -> None:
    found = json.loads(run(file, "--format", "json").output)
    assert [layer["name"] for layer in found["layers"]] == ["/up.0/Conv", "z", "y"]
    assert found["macs"] == sum(layer["macs"] for layer in found["layers"])
    assert json.loads(run(file, "--json").output) == found
    assert "| layer | kind |" in run(file, "--format", "markdown").output
    assert run(file, "--format", "html").output.startswith("<!DOCTYPE html>")
    assert run(file, "-q").output == ""


def test_a_function_gives_a_torch_model() -> None:
    done = run(DECODER)
    assert done.exit_code == 0, done.output
    assert "Sequential: 2 of 2 layers can be swapped" in done.output
    assert "Upsample + Conv2d" in done.output
    assert "ratio 4" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.onnx"], "missing.onnx"),
        (["nowhere:made"], "error: nowhere:made: No module named 'nowhere'"),
        (["tests.models.made:absent"], "has no function absent"),
        (["tests.models.made:no_pair"], "gives Conv2d: allowed is (model, example_input)"),
        (["tests.models.made:failing"], "failed with RuntimeError: out of luck"),
        (["__import__('os'):x"], "allowed is FILE.onnx, or package.module:function"),
        ([DECODER, "--size", "x=1x1"], "--size is for ONNX files"),
        (["a.onnx", "--size", "x=1,1"], "allowed is a name and sizes"),
        (["setup.cfg"], "allowed is FILE.onnx, or package.module:function"),
    ],
)
def test_bad_targets_are_one_line_and_exit_2(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.strip().splitlines()) == 1
