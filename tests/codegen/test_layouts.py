"""Fourteen ways to lie in memory, each with twenty layers: the right bits, or a refusal.

Data is real, so that a result that was summed from other places, or twice, is other bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codegen import Kernel, LayoutError
from codegen._runtime.machine import candidates
from codegen.builder import numpy_kernel
from codegen.emit import emit_numpy
from derive import Operator
from derive.layers import Layer
from tests.cases import generator, random_layer
from tests.codegen.layouts import LAYOUTS
from tests.codegen.libraries import has_compiler, kernels_for

Array = NDArray[Any]
Call = Callable[..., Array]
SETS = 20
TAKEN = (
    "permuted",
    "sliced",
    "every second",
    "backwards",
    "broadcast",
    "channels_last",
    "odd strides of size 1",
    "Fortran",
    "misaligned",
    "read-only",
    "subclass",
    "memmap",
)
REFUSED = ("byte-swapped", "overlapping out")
DTYPE = "float64"


@pytest.fixture(scope="module", params=["numpy", "c"])
def every(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Kernel, Operator]]:
    """Kernels of random layers; those in C are for this machine, in lanes where that suits."""
    layers: list[Layer] = []
    while len(layers) < SETS:
        layer = random_layer(generator(920, len(layers), len(layers)))
        layers.append(layer)
    if request.param == "numpy":
        return [(numpy_kernel("k", emit_numpy(layer, "k")), layer) for layer in layers]
    if not has_compiler():
        pytest.skip("no C compiler")
    return list(kernels_for(tmp_path_factory.mktemp("layouts"), layers, candidates()[0], DTYPE))


def calls(kernel: Kernel, op: Operator, case: int) -> Iterator[tuple[Call, list[Array]]]:
    """Each function with real numbers for it."""
    rng = generator(921, case)
    shapes = {"x": (2, *op.input_shape), "g": (2, *op.output_shape), "w": op.weight_shape}
    a = SimpleNamespace(**{name: rng.standard_normal(shape) for name, shape in shapes.items()})
    bias = [rng.standard_normal(op.bias_shape)] if op.bias_shape else []
    yield kernel.forward, [a.x, a.w, *bias]
    yield kernel.input_gradient, [a.g, a.w]
    yield kernel.weight_gradient, [a.x, a.g]
    yield kernel.bias_gradient, [a.g]


@pytest.mark.parametrize("layout", TAKEN)
def test_taken(every: list[tuple[Kernel, Operator]], layout: str, tmp_path: Path) -> None:
    for case, (kernel, op) in enumerate(every):
        for function, arrays in calls(kernel, op, case):
            changed = [LAYOUTS[layout](array, tmp_path) for array in arrays]
            same = [
                np.array(np.asarray(each), order="C") for each in changed
            ]  # a broadcast differs
            expected, found = function(*same), np.asarray(function(*changed))
            assert found.tobytes() == expected.tobytes(), (op, layout)


def test_byte_swapped(every: list[tuple[Kernel, Operator]]) -> None:
    for case, (kernel, op) in enumerate(every):
        for function, arrays in calls(kernel, op, case):
            for place in range(len(arrays)):
                changed = [*arrays]
                changed[place] = arrays[place].astype(arrays[place].dtype.newbyteorder())
                with pytest.raises(LayoutError, match=r"has dtype [<>]f8; allowed is"):
                    function(*changed)


def test_overlapping_out(every: list[tuple[Kernel, Operator]]) -> None:
    """``out`` begins at the last number of each input in turn, or ends at its first."""
    for case, (kernel, op) in enumerate(every):
        for function, arrays in calls(kernel, op, case):
            written = function(*arrays)
            for place, array in enumerate(arrays):
                for front in (False, True):
                    room = np.zeros(written.size + array.size - 1)
                    out, moved = (part.size for part in (written, array))
                    at_out, at_moved = (0, out - 1) if front else (moved - 1, 0)
                    changed = [*arrays]
                    changed[place] = room[at_moved : at_moved + moved].reshape(array.shape)
                    changed[place][...] = array
                    before = room.tobytes()
                    with pytest.raises(LayoutError, match="out shares memory with an input"):
                        function(*changed, out=room[at_out : at_out + out].reshape(written.shape))
                    assert room.tobytes() == before


def test_the_count() -> None:
    assert (len(TAKEN) + len(REFUSED)) * SETS == 280
