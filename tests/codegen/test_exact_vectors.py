"""Test vectors: what kernels give, in files that hold integers and nothing else."""

from __future__ import annotations

import re
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import codegen
import derive
from codegen.__main__ import main
from codegen._runtime.compiler import find_compiler
from codegen.errors import LoweringError
from codegen.judge.answers import Answers
from derive import Operator
from tests.cases import generator, random_chain, random_layer, random_resize
from tests.codegen.libraries import needs_compiler

CONV = derive.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, input_size=(6, 7))


def some_operator(seed: int) -> Operator:
    """A layer, a resize or a chain, without the widest denominators of antialiased resizes."""
    rng = generator(540, seed)
    while True:
        outer, inner = random_chain(rng, 2)
        op = (random_layer(rng), random_resize(rng), outer @ inner)[seed % 3]
        assert isinstance(op, Operator)
        if Answers(op).denominator < 2**20:
            return op


@pytest.mark.parametrize("seed", range(30))
def test_they_are_what_kernels_give(seed: int) -> None:
    op = some_operator(seed)
    a = codegen.vectors(op, seed=seed).arrays
    kernel = codegen.build(op, "numpy", "float64")
    given = [a[name].astype(float) for name in ("weight", "bias") if name in a]
    x, grad = a["x"].astype(float), a["grad_output"].astype(float)
    found = {
        "y": kernel.forward(x, *given),
        "grad_x": kernel.input_gradient(grad, *given[:1]),
    }
    if op.learned:
        found["grad_weight"] = kernel.weight_gradient(x, grad)
        found["grad_bias"] = kernel.bias_gradient(grad)
    for name, values in found.items():
        assert np.array_equal(np.rint(values), a[name]), name
        assert a[name].dtype == np.int64
        assert np.allclose(values, a[name], rtol=0, atol=0.25)  # so rounding found the integer


def test_the_same_seed_gives_the_same_and_another_does_not() -> None:
    one, again, other = (codegen.vectors(CONV, seed=s).arrays for s in (1, 1, 2))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["x"], other["x"])


def test_an_npz_without_pickles() -> None:
    made = codegen.vectors(CONV)
    file = BytesIO()
    made.save(file)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        assert {*loaded} == {*made.arrays, "operator", "denominator"}
        assert str(loaded["operator"]) == repr(CONV)
        assert all(np.array_equal(loaded[name], array) for name, array in made.arrays.items())


@needs_compiler
def test_the_header_is_c_and_holds_every_number(tmp_path: Path) -> None:
    made = codegen.vectors(CONV, "conv")
    path = tmp_path / "conv.h"
    path.write_text(made.header())
    for name, array in made.arrays.items():
        found = re.search(rf"int32_t conv_{name}\[(\d+)\] = {{(.*?)}};", made.header(), re.DOTALL)
        assert found is not None
        assert int(found[1]) == array.size
        assert [int(n) for n in found[2].split(",") if n.strip()] == array.ravel().tolist()
    words = [*find_compiler().command, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    source = tmp_path / "main.c"
    used = "".join(f"(void)conv_{name};" for name in made.arrays)
    source.write_text(f'#include "conv.h"\nint main(void) {{ {used} return 0; }}\n')
    subprocess.run([*words, str(source)], check=True)


def test_whether_float32_holds_them() -> None:
    assert codegen.vectors(CONV).float32
    assert not codegen.vectors(derive.Interpolate(1, (7, 5), size=(9, 8), mode="bicubic")).float32


@pytest.mark.parametrize("name", ["a-b", "*/", "1a", "a" * 64, ""])
def test_names_that_are_no_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        codegen.vectors(CONV, name)


def test_what_has_no_vectors() -> None:
    with pytest.raises(TypeError, match="op is of type"):
        codegen.vectors(7)  # type: ignore[arg-type]
    with pytest.raises(derive.GeometryError, match="input_size"):
        codegen.vectors(derive.Conv1d(1, 1, 3))
    deep = derive.Interpolate(1, (29, 31), size=(13, 17), mode="bicubic", antialias=True)
    with pytest.raises(LoweringError, match="exact vectors reach"):
        codegen.vectors(deep)


def command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["vectors", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_command(tmp_path: Path) -> None:
    catalogue = Path(__file__).parents[2] / "operators.toml"
    for suffix in ("npz", "h"):
        out = tmp_path / f"made.{suffix}"
        assert command(catalogue, "conv2d_classic", "--out", out)[0] == 0
        assert out.stat().st_size
    code, words = command(catalogue, "conv2d_classic", "--out", tmp_path / "made.txt")
    assert (code, "ends in .npz or .h" in words) == (2, True)
    code, words = command(catalogue, "no_such", "--out", tmp_path / "made.h")
    assert (code, "name = 'no_such': allowed is one of" in words) == (2, True)
    code, words = command(catalogue, "conv2d_classic", "--out", tmp_path / "made.h" / "inside.h")
    assert (code, "Traceback" in words) == (2, False)
