"""torch's module and ours of the same words and integral weights, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases import generator, integers

torch = pytest.importorskip("torch")

CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "1d": ("Conv1d", {"kernel_size": 3, "stride": 2, "padding": 1}, (9,)),
    "groups": ("Conv2d", {"kernel_size": (3, 2), "groups": 2, "dilation": (1, 2)}, (6, 7)),
    "same": ("Conv2d", {"kernel_size": 4, "padding": "same", "bias": False}, (5, 4)),
    "valid": ("Conv3d", {"kernel_size": 2, "padding": "valid"}, (3, 4, 3)),
    "reflect": ("Conv2d", {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"}, (5, 6)),
    "replicate": ("Conv1d", {"kernel_size": 3, "padding": 4, "padding_mode": "replicate"}, (3,)),
    "circular": ("Conv3d", {"kernel_size": 3, "padding": 1, "padding_mode": "circular"}, (3, 3, 4)),
    "transposed 1d": ("ConvTranspose1d", {"kernel_size": 4, "stride": 2, "padding": 1}, (5,)),
    "transposed": ("ConvTranspose2d", {"kernel_size": 3, "stride": 2, "output_padding": 1}, (3, 4)),
    "transposed 3d": ("ConvTranspose3d", {"kernel_size": 2, "stride": (2, 1, 1)}, (2, 3, 2)),
}


def integral(shape: Any, seed: int = 83) -> Any:
    """Integers in float64."""
    return torch.from_numpy(integers(generator(seed), tuple(shape), "float64"))


def pair(name: str, **words: Any) -> tuple[Any, Any, Any]:
    """(torch's module, ours, an input) of a case."""
    import codegen.torch_ops as ours

    kind, given, sizes = CASES[name]
    given = {**given, "dtype": torch.float64, **words}
    theirs = getattr(torch.nn, kind)(4, 6, **given)
    mine = getattr(ours, kind)(4, 6, **given)
    for i, (a, b) in enumerate(zip(theirs.parameters(), mine.parameters(), strict=True)):
        a.data.copy_(integral(a.shape, i))
        b.data.copy_(a.data)
    return theirs, mine, integral((2, 4, *sizes), 84)


def numbers(array: Any) -> Any:
    """A tensor of float64."""
    return torch.from_numpy(np.array(array, dtype=np.float64))


def module_of(layer: Any, weight: Any, bias: Any) -> tuple[Any, dict[str, Any]]:
    """Our module of a layer, with these parameters, and what its call takes besides x."""
    import codegen.torch_ops as ours

    beyond = ("input_size", "output_size", "input_dilation")
    words = {name: value for name, value in layer.parameters.items() if name not in beyond}
    module = getattr(ours, type(layer).__name__)(**words, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(numbers(weight))
        if bias is not None:
            module.bias.copy_(numbers(bias))
    sizes = layer.parameters.get("output_size")
    if sizes is None:
        return module, {}
    sizes = (sizes,) * layer.dimensions if isinstance(sizes, int) else tuple(sizes)
    return module, {"output_size": sizes}
