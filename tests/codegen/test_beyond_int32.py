"""Arrays of more than 2**31 numbers: what 32 bits cannot count is computed, too.

The inputs are memory that is promised and never touched but where a kernel reads, one page in
many, so that they cost little. An output that long would be written whole; that its indices are
right is proven in ``test_indices``.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import codegen
import derive
from codegen import Kernel
from codegen._runtime import c_functions
from codegen.targets.c import emit
from derive import Operator
from tests.cases import generator
from tests.codegen.libraries import needs_compiler

Array = NDArray[Any]
BATCH = 2**13 + 3
BEYOND = 2**31
STEP = 2**10  # a page between what is read; each is a phase of the gradient, that is a loop
LINE = derive.Conv1d(1, 2, 2, stride=STEP, input_size=2**18)
PLANE = derive.Conv2d(1, 2, 1, stride=128, bias=False, input_size=(2**9, 2**9))
GROUPS = derive.Conv1d(2, 2, 1, stride=STEP, groups=2, bias=False, input_size=2**17)
RESIZE = derive.Interpolate(1, (2**9, 2**9), size=4, mode="nearest")


def read_by(op: Operator, x: Array) -> list[Array]:
    """Views of x: what the first tap of each output reads, and the second where there is one."""
    if op is LINE:
        return [x[..., ::STEP], x[..., 1::STEP]]
    step = 128 if op is not GROUPS else STEP
    return [x[..., ::step, ::step] if x.ndim == 4 else x[..., ::step]]


def by_views(op: Operator, views: list[Array], weight: Array | None) -> Array:
    """The operator, from its few inputs: a sum over taps."""
    if weight is None:
        return views[0]
    taps = weight.reshape(*weight.shape[:2], -1)
    if op is GROUPS:
        return np.asarray(views[0] * taps[:, 0, 0][:, None])
    parts = (np.multiply.outer(v[:, 0], taps[:, 0, t]) for t, v in enumerate(views))
    return np.moveaxis(np.sum([*parts], axis=0), -1, 1)


@pytest.fixture
def promised() -> Callable[[tuple[int, ...]], Array]:
    """float32 zeros of a shape, without the memory."""
    if not hasattr(mmap, "MADV_NOHUGEPAGE"):
        pytest.skip("memory cannot be promised page by page here")

    def make(shape: tuple[int, ...]) -> Array:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        try:
            memory = mmap.mmap(-1, 4 * prod(shape), flags=flags)
        except OSError as error:
            pytest.skip(f"no address space for {prod(shape)} numbers: {error}")
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        return np.frombuffer(memory, np.float32).reshape(shape)

    return make


def filled(op: Operator, x: Array) -> None:
    """Small integers where they are read, in samples at both ends and about 2**31 numbers."""
    rng = generator(960)
    middle = BEYOND // prod(op.input_shape)
    for sample in (0, middle // 2, middle - 1, middle, middle + 1, len(x) - 1):
        for view in read_by(op, x[sample : sample + 1]):
            view[...] = rng.integers(1, 9, view.shape)


@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("op", [LINE, PLANE, GROUPS, RESIZE], ids=["1d", "2d", "groups", "resize"])
def test_inputs_beyond_2_to_the_31(
    op: Operator, target: str, promised: Callable[[tuple[int, ...]], Array]
) -> None:
    kernel = codegen.build(op, target)
    assert isinstance(kernel, Kernel)
    x = promised((BATCH, *op.input_shape))
    assert x.size > BEYOND
    filled(op, x)
    weight = None if op.weight_shape is None else generator(961).integers(1, 9, op.weight_shape)
    bias = [np.array([3, 5], np.float32)] if op.bias else []
    given = [] if weight is None else [weight.astype(np.float32)]
    views = [view.astype(np.int64) for view in read_by(op, x)]
    expected = by_views(op, views, weight)
    if op.bias:
        expected = expected + bias[0].astype(np.int64)[:, None]
    assert (kernel(x, *given, *bias) == expected).all()
    assert (expected[-1] != expected[-2]).any()
    if op is LINE:
        g = generator(962).integers(1, 9, (BATCH, *op.output_shape)).astype(np.float32)
        gradient = [np.einsum("bq,boq->o", view[:, 0], g.astype(np.int64)) for view in views]
        found = kernel.weight_gradient(x, g)
        assert (found == np.stack(gradient, axis=-1)[:, None]).all()


@needs_compiler
def test_an_index_of_31_bits_is_noticed(promised: Callable[[tuple[int, ...]], Array]) -> None:
    text = emit(LINE, "narrow").files
    changed = text["narrow.c"].replace("x + 262144*b", "x + (262144*b & 2147483647)")
    assert changed != text["narrow.c"]
    files = {**text, "narrow.c": changed}
    raw = c_functions("narrow", files)
    x, y = promised((BATCH, *LINE.input_shape)), np.empty((BATCH, *LINE.output_shape), np.float32)
    filled(LINE, x)
    weight, bias = np.ones(LINE.weight_shape or (), np.float32), np.zeros(2, np.float32)
    raw("float32")["forward"](x, weight, bias, y)
    expected = by_views(LINE, [v.astype(np.int64) for v in read_by(LINE, x)], weight)
    same = (y == expected).all(axis=(1, 2))
    middle = BEYOND // 2**18
    assert same[:middle].all()
    assert not same[middle : middle + 2].any()
