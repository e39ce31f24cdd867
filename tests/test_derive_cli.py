from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner, Result

import derive
from derive.command_line import LAYERS, command_name, main
from derive.show.latex import operator_latex
from derive.show.record import record
from derive.show.text import matrix_text, operator_text

CLASSIC = derive.Conv2d(1, 1, 3, bias=False, input_size=(4, 4))
CLASSIC_WORDS = "conv2d --kernel-size 3 --input-size 4 4 --no-bias"


def run(words: str) -> Result:
    return CliRunner().invoke(main, words.split())


def test_the_classic_example_in_text() -> None:
    result = run(CLASSIC_WORDS)
    assert result.exit_code == 0
    assert result.stdout == operator_text(CLASSIC, steps=True) + "\n"
    assert "1. the relation of an axis:\n" in result.stdout
    indented = "\n".join(f"  {line}" for line in matrix_text(CLASSIC).splitlines())
    assert result.stdout.endswith(f"matrix, 4 x 16, 36 nonzeros\n{indented}\n")


def test_the_classic_example_in_latex() -> None:
    result = run(f"{CLASSIC_WORDS} --format latex")
    assert (result.exit_code, result.stdout) == (0, operator_latex(CLASSIC, steps=True) + "\n")
    assert result.stdout.count(r"\begin{enumerate}") == 1


def test_the_classic_example_in_json() -> None:
    result = run(f"{CLASSIC_WORDS} --transpose --format json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found == json.loads(json.dumps(record(CLASSIC.T)))
    assert found["repr"] == "Conv2d(1, 1, 3, bias=False, input_size=(4, 4)).T"
    assert (found["input_shape"], found["output_shape"]) == ([1, 2, 2], [1, 4, 4])
    assert (found["nnz"], found["macs"], found["naive_macs"]) == (36, 36, 144)
    assert found["size_formulas"] == ["n_out = n_in + 2"] * 2
    assert found["matrix"][0] == [0, 0, "w[0, 0, 0, 0]"]
    assert len(found["matrix"]) == 36


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("conv1d --kernel-size 3", "Conv1d(1, 1, 3)"),
        ("conv2d --kernel-size 3,5", "Conv2d(1, 1, (3, 5))"),
        ("conv2d --kernel-size=3 5 --no-bias", "Conv2d(1, 1, (3, 5), bias=False)"),
        ("conv3d --stride 1 2 3 --kernel-size 2", "Conv3d(1, 1, 2, stride=(1, 2, 3))"),
        ("conv2d --kernel-size 3 --padding same", "Conv2d(1, 1, 3, padding='same')"),
        ("conv2d --kernel-size 3 --padding valid", "Conv2d(1, 1, 3, padding='valid')"),
        ("conv2d --kernel-size 3 --padding 0:1", "Conv2d(1, 1, 3, padding=((0, 1), (0, 1)))"),
        ("conv2d --kernel-size 3 --padding -1:1 2", "Conv2d(1, 1, 3, padding=((-1, 1), 2))"),
        ("conv1d --kernel-size 3 --padding 0:1", "Conv1d(1, 1, 3, padding=((0, 1),))"),
        (
            "conv1d --in-channels 4 --out-channels 2 --groups 2 --kernel-size 1 --dilation 2 "
            "--padding-mode reflect --input-dilation 3 --input-size 9",
            "Conv1d(4, 2, 1, dilation=2, groups=2, padding_mode='reflect', input_dilation=3, "
            "input_size=9)",
        ),
        (
            "conv-transpose2d --kernel-size 3 --stride 2 --input-size 4 4 --output-size 9 10",
            "ConvTranspose2d(1, 1, 3, stride=2, input_size=(4, 4), output_size=(9, 10))",
        ),
        (
            "conv-transpose1d --kernel-size 3 --stride 2 --output-padding 1 --transpose",
            "ConvTranspose1d(1, 1, 3, stride=2, output_padding=1).T",
        ),
    ],
)
def test_options_are_the_parameters(words: str, expected: str) -> None:
    result = run(words)
    assert result.stderr == ""
    assert (result.exit_code, result.stdout.partition("\n")[0]) == (0, expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("conv2d --kernel-size 3 --stride 0", "stride = 0: allowed is an int >= 1"),
        ("conv2d --kernel-size 3 3 3", "kernel_size = (3, 3, 3): allowed is"),
        ("conv2d --kernel-size 9 --input-size 4", "input_size[0] = 4: allowed is"),
        ("conv-transpose2d --kernel-size 3 --padding same", "padding = 'same': allowed is"),
        ("conv1d --kernel-size 3 --padding-mode mirror", "padding_mode = 'mirror': allowed is"),
        ("conv1d --kernel-size 3 --groups 2", "groups = 2: allowed is"),
    ],
)
def test_impossible_layers_are_one_line_and_exit_2(words: str, message: str) -> None:
    result = run(words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("conv2d", "Missing option '--kernel-size'"),
        ("conv2d --kernel-size 1.5", "'1.5': allowed is an integer, or one per axis"),
        ("conv2d --kernel-size 3 --padding some", "'some': allowed is an integer, a pair"),
        ("conv2d --kernel-size 3 --padding 1:", "'1:': allowed is an integer, a pair"),
        ("conv2d --kernel-size 3 --format gif", "'gif' is not one of"),
        ("conv2d 4 --kernel-size 3", "unexpected extra argument"),
        ("conv2d --kernel-size 3 --output-padding 1", "No such option"),
        ("linear", "No such command 'linear'"),
    ],
)
def test_wrong_usage_exits_2(words: str, message: str) -> None:
    result = run(words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("layer", [name for name in LAYERS if name.startswith("Conv")])
def test_every_layer_has_a_command_with_every_parameter(layer: str) -> None:
    result = run(f"{command_name(layer)} --help")
    assert result.exit_code == 0
    for name in ("in-channels", "kernel-size", "padding-mode", "input-size", "format", "transpose"):
        assert f"--{name}" in result.stdout
    assert f"as torch.nn.{layer}" in result.stdout
    assert f"{command_name(layer)} as torch.nn.{layer}" in " ".join(run("--help").stdout.split())
    assert ("--output-padding" in result.stdout) == ("Transpose" in layer)


def test_commands_are_named_like_this() -> None:
    assert [command_name(layer) for layer in LAYERS] == [
        "conv1d",
        "conv2d",
        "conv3d",
        "conv-transpose1d",
        "conv-transpose2d",
        "conv-transpose3d",
        "interpolate",
        "pad",
    ]


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert "version 0" in result.stdout


def test_help_does_not_wait_for_sympy() -> None:
    code = "import sys, derive.command_line; print('sympy' in sys.modules)"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout == "False\n"


def test_as_a_module() -> None:
    words = [sys.executable, "-m", "derive", *CLASSIC_WORDS.split(), "--stride", "9"]
    result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stdout.startswith("Conv2d(1, 1, 3, stride=9, bias=False, input_size=(4, 4))\n")
    result = subprocess.run([*words, "0"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")


def test_a_large_layer_is_shown_at_once() -> None:
    begin = time.perf_counter()
    for form in ("text", "latex", "json"):
        result = run(
            "conv2d --in-channels 512 --out-channels 512 --kernel-size 3 --padding 1 "
            f"--input-size 1024 --format {form}"
        )
        assert result.exit_code == 0
        assert len(result.stdout) < 10_000
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "interpolate --input-size 4 4 --scale-factor 3/2 --mode bilinear",
            derive.Interpolate(1, (4, 4), scale_factor="3/2", mode="bilinear"),
        ),
        (
            "interpolate --channels 3 --input-size 4 --size 7 --mode linear --align-corners",
            derive.Interpolate(3, 4, size=7, mode="linear", align_corners=True),
        ),
        (
            "pad --padding 1:-1 2 --mode reflect --input-size 5 6",
            derive.Pad(1, ((1, -1), 2), "reflect", input_size=(5, 6)),
        ),
    ],
)
def test_resizes_and_pads(words: str, expected: derive.Operator) -> None:
    result = run(words)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{expected!r}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("interpolate --input-size 4", "size and scale_factor are both None"),
        ("interpolate --input-size 4 --scale-factor x", "scale_factor = 'x'"),
        ("pad --padding 5 --mode reflect --input-size 5", "padding[0] = (5, 5)"),
    ],
)
def test_impossible_resizes_and_pads(words: str, message: str) -> None:
    result = run(words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
