"""CudaKernel on devices of the tests: all functions, on tensors and on strangers' arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codegen._runtime.cuda import DeviceArray
from tests.cuda.fake import Interface, at
from tests.cuda.subject import cuda_kernel, data, numpy_kernel

KINDS = pytest.mark.parametrize("kind", [torch.from_numpy, Interface])


def numbers(result: object) -> np.ndarray:  # type: ignore[type-arg]
    """A result as NumPy's; DeviceArrays of the tests are on the host."""
    if isinstance(result, DeviceArray):
        return at(result.address, result.shape, result.dtype)
    assert isinstance(result, torch.Tensor)
    return result.numpy()


@KINDS
def test_all_functions(kind) -> None:  # type: ignore[no-untyped-def]
    x, w, b, g = data()
    kernel, reference = cuda_kernel(), numpy_kernel()
    y = kernel(kind(x), kind(w), kind(b))
    assert np.array_equal(numbers(y), reference(x, w, b))
    gx = kernel.input_gradient(kind(g), kind(w))
    assert np.array_equal(numbers(gx), reference.input_gradient(g, w))
    gw = kernel.weight_gradient(kind(x), kind(g))
    assert np.array_equal(numbers(gw), reference.weight_gradient(x, g))
    gb = kernel.bias_gradient(kind(g))
    assert np.array_equal(numbers(gb), reference.bias_gradient(g))
