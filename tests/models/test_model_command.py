"""``python -m codegen model``: reports, kernels, and words instead of tracebacks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from codegen import LoweringError, generate
from codegen.__main__ import main
from codegen.models import kernels
from codegen.report import Checks, Verdict
from derive.catalogue import Entry
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


@pytest.mark.parametrize("step", ["emitted", "checked"])
def test_a_layer_that_fails_is_left_out(
    step: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emitted, checked = kernels.entry_files, kernels.checked

    def failing(entry: Entry) -> Any:
        if entry.name == "z":
            raise LoweringError("no kernel for this")
        return emitted(entry)

    def spoiled(*arguments: Any) -> Checks:
        made = checked(*arguments)
        first, second = made.verdicts
        return replace(made, verdicts=(first, Verdict(second.entry, {"c": ("forward",)})))

    if step == "emitted":
        monkeypatch.setattr(kernels, "entry_files", failing)
    else:
        monkeypatch.setattr(kernels, "checked", spoiled)
    done = run(file, "--out", tmp_path / "made")
    assert done.exit_code == 1
    assert re.search("left out: z.*(no kernel for this|c forward)", done.output), done.output
    assert {path.name for path in (tmp_path / "made/c").glob("*.c")} == {"up_0_conv.c"}


def test_an_interrupt_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = generate.write_whole, iter(range(100))

    def interrupted(path: Path, content: bytes) -> None:
        if next(calls) == 20:
            raise KeyboardInterrupt
        whole(path, content)

    monkeypatch.setattr(generate, "write_whole", interrupted)
    assert run(file, "--out", tmp_path / "made").exit_code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


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
