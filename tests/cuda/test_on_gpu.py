"""On a GPU: exact, equal to torch and to our own C, on any stream, in graphs, in large batches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
import derive
from benchmarks.cuda.gpu import why_none
from codegen._runtime.cuda import CudaKernel
from codegen._runtime.cuda.program import ARGUMENTS
from codegen.exactness import integral
from derive import Operator
from derive.layers import Layer
from tests.codegen.libraries import needs_compiler
from tests.cuda.exact import DTYPES, Trial
from tests.cuda.on_gpu import held, inputs, needs_gpu, placed, wrong
from tests.cuda.operators import random_operator

torch = pytest.importorskip("torch")

COUNT, TOGETHER = 120, 6
CHUNKS = pytest.mark.parametrize("first", range(0, COUNT, TOGETHER))
SANITIZER = shutil.which("compute-sanitizer")
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
SAME = derive.Conv2d(16, 24, 3, padding=1, input_size=(9, 14))  # x, weight and bias
TRANSPOSED = derive.ConvTranspose2d(16, 8, 4, stride=2, padding=1, input_size=(7, 6))
NEAREST = derive.Conv2d(8, 16, 3, padding=1, input_size=(12, 16)) @ derive.Interpolate(
    8, (6, 8), scale_factor=2
)
DEPTHWISE = derive.Conv2d(32, 32, 3, stride=2, padding=1, groups=32, input_size=(17, 19))
KNOWN = pytest.mark.parametrize(
    "op", [SAME, TRANSPOSED, NEAREST, DEPTHWISE], ids=["conv", "transposed", "nearest", "depthwise"]
)
THROUGH_WEIGHT = ("forward", "input_gradient")


@cache
def trial(i: int) -> Trial:
    return Trial.of(random_operator(919, i), (1, 3, 0, 2)[i % 4], 920, i)


def built(op: Operator, dtype: str) -> CudaKernel:
    kernel = codegen.build(op, target="cuda", dtype=dtype)
    assert isinstance(kernel, CudaKernel)
    return kernel


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_hold_what_memory_does(dtype: str) -> None:
    numbers = np.array([1.0, -2.0, 3.0 + 2.0**-9, 2.0**-30])
    tensor = placed(numbers, dtype, "cpu")
    assert tensor.dtype == getattr(torch, dtype)
    assert torch.equal(tensor, torch.from_numpy(numbers).to(tensor.dtype))
    assert held(tensor).itemsize == tensor.element_size()
    assert torch.equal(placed(tensor.double().numpy(), dtype, "cpu"), tensor)


def test_the_operators_are_many_and_of_all_kinds() -> None:
    ops = [trial(i).op for i in range(COUNT)]
    assert len(ops) >= 100
    assert {len(op.axes) for op in ops} == {1, 2, 3}
    assert min(sum(map(integral, ops)), sum(op.learned for op in ops)) > COUNT / 2
    assert not all(map(integral, ops))


@needs_gpu
@CHUNKS
@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_are_exact(dtype: str, first: int) -> None:
    for i in range(first, first + TOGETHER):
        assert wrong(built(trial(i).op, dtype), trial(i), dtype) == [], trial(i).op


@needs_gpu
@needs_compiler
@CHUNKS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_integers_are_those_of_our_c(dtype: str, first: int) -> None:
    for i in range(first, first + TOGETHER):
        op = trial(i).op
        if not integral(op):
            continue
        on_gpu, in_c = built(op, dtype), codegen.build(op, target="c", dtype=dtype)
        for direction in trial(i).expected:
            here = inputs(trial(i), direction, dtype, "cpu")
            there = [each if each is None else each.cuda() for each in here]
            found = getattr(on_gpu, direction)(*there).cpu()
            assert torch.equal(found, getattr(in_c, direction)(*here)), (op, direction)


@needs_gpu
@CHUNKS
def test_integers_are_those_of_torch(first: int) -> None:
    """Of its own kernels in float64: what cuDNN chooses need not keep integers."""
    from tests.torch_reference import forward_and_gradients

    for i in range(first, first + TOGETHER):
        op, sample = trial(i).op, trial(i).sample
        if not isinstance(op, Layer) or not op.learned or not len(sample.x):
            continue
        with torch.backends.cudnn.flags(enabled=False):
            theirs = forward_and_gradients(
                op, sample.x, sample.weight, sample.bias, sample.grad, device="cuda"
            )
        kernel = built(op, "float64")
        for direction, expected in zip(ARGUMENTS, theirs, strict=True):
            found = getattr(kernel, direction)(*inputs(trial(i), direction, "float64"))
            assert np.array_equal(held(found), expected), (op, direction)


@needs_gpu
@KNOWN
def test_prepared_weights_give_the_same_bits(op: Operator) -> None:
    one = Trial.of(op, 2, 921)
    for dtype in DTYPES:
        kernel = built(op, dtype)
        for direction in THROUGH_WEIGHT:
            first, weight, *rest = inputs(one, direction, dtype)
            call = getattr(kernel, direction)
            expected = call(first, weight, *rest)
            prepared = kernel.prepare(weight, direction)
            weight.zero_()
            for _ in range(2):
                assert torch.equal(call(first, prepared, *rest), expected)


@needs_gpu
@KNOWN
def test_streams(op: Operator) -> None:
    """Work is queued behind what its stream already does, current or given."""
    one, kernel = Trial.of(op, 2, 922), built(op, "float32")
    for direction in one.expected:
        given = inputs(one, direction, "float32")
        call = getattr(kernel, direction)
        expected = call(*given)
        torch.cuda.synchronize()
        for current in (True, False):
            stream = torch.cuda.Stream()
            late = [None if each is None else torch.zeros_like(each) for each in given]
            torch.cuda.synchronize()
            with torch.cuda.stream(stream):
                busy = torch.ones((4096, 4096), device="cuda")
                for _ in range(20):
                    busy = busy @ busy
                for target, source in zip(late, given, strict=True):
                    if target is not None:
                        target.copy_(source)
                found = call(*late) if current else None
            if found is None:
                found = call(*late, stream=stream)
            stream.synchronize()
            assert torch.equal(found, expected)


@needs_gpu
@KNOWN
def test_graphs(op: Operator) -> None:
    """All functions are captured, and replayed on other numbers."""
    kernel = built(op, "float32")
    before, after = Trial.of(op, 2, 923), Trial.of(op, 2, 924)
    for direction in before.expected:
        call, given = getattr(kernel, direction), inputs(before, direction, "float32")
        call(*given)  # compiled and loaded
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = call(*given)
        for target, source in zip(given, inputs(after, direction, "float32"), strict=True):
            if target is not None:
                target.copy_(source)
        graph.replay()
        torch.cuda.synchronize()
        assert not after.wrong(direction, held(found), "float32")


@needs_gpu
def test_calls_repeat_their_bits() -> None:
    op = derive.Conv2d(32, 32, 3, padding=1, input_size=(30, 31))
    shapes = {"x": (8, *op.input_shape), "y": (8, *op.output_shape), "weight": op.weight_shape}
    torch.manual_seed(0)
    for dtype in DTYPES:
        given = {
            name: torch.randn(shape, device="cuda", dtype=getattr(torch, dtype))
            for name, shape in shapes.items()
        }
        bias = given["y"].sum((0, 2, 3))
        kernel = built(op, dtype)
        calls: list[Any] = [
            lambda k=kernel, g=given, b=bias: k(g["x"], g["weight"], b),
            lambda k=kernel, g=given: k.input_gradient(g["y"], g["weight"]),
            lambda k=kernel, g=given: k.weight_gradient(g["x"], g["y"]),
        ]
        for call in calls:
            first = call()
            assert all(torch.equal(call(), first) for _ in range(5))


@needs_gpu
@pytest.mark.parametrize("op", [derive.Conv2d(4, 4, 3, padding=1, bias=False, input_size=32)])
def test_batches_beyond_int32(op: Operator) -> None:
    """Arrays of more than 2**31 numbers: samples at the end are computed as those before."""
    size = int(np.prod(op.input_shape))
    batch = 2**31 // size + 3
    needed = 2 * 2 * size * batch + 2**30
    free = torch.cuda.mem_get_info()[0]
    if free < needed:
        pytest.skip(f"{needed} bytes are needed, {free} are free")
    few = Trial.of(op, 3, 925)
    places = [0, batch // 2, batch - 1]
    x = torch.zeros((batch, *op.input_shape), device="cuda", dtype=torch.float16)
    x[places] = placed(few.sample.x, "float16")
    weight = placed(few.sample.weight, "float16")
    y = built(op, "float16")(x, weight)
    assert not few.wrong("forward", held(y[places]), "float16")
    assert int(torch.count_nonzero(y[1 : batch // 2])) == 0
    del x
    torch.cuda.empty_cache()
    grad = y.zero_()
    grad[places] = placed(few.sample.grad, "float16")
    if torch.cuda.mem_get_info()[0] > needed // 2:
        back = built(op, "float16").input_gradient(grad, weight)
        assert not few.wrong("input_gradient", held(back[places]), "float16")


@needs_gpu
@pytest.mark.skipif(SANITIZER is None, reason="no compute-sanitizer on PATH")
@pytest.mark.parametrize("tool", TOOLS)
def test_sanitizers_find_nothing(tool: str) -> None:
    assert SANITIZER is not None
    words = [SANITIZER, "--tool", tool, "--error-exitcode", "9", sys.executable]
    done = subprocess.run(
        [*words, "-m", "tests.cuda.sanitized", "30"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "30 of 30 kernels are right" in done.stdout


def test_the_reason_for_what_is_left_out() -> None:
    reason = why_none()
    assert torch.cuda.is_available() == (not reason)
    assert bool(reason) == bool(needs_gpu.args[0])
