"""What torch's modules refuse ours refuse, and what ours refuse besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from codegen import LayoutError
from derive import GeometryError
from tests.torch_ops.families import by_numpy, ours
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
nn = torch.nn
by_numpy = pytest.fixture(by_numpy)
pytestmark = [
    pytest.mark.usefixtures("by_numpy"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # torch's own, of empty weights
]


def conv(family: Any, *sizes: Any, **words: Any) -> Any:
    return family.Conv2d(*(sizes or (2, 4, 3)), **words).double()


def back(family: Any, **words: Any) -> Any:
    return family.ConvTranspose2d(2, 4, 3, **words).double()


call = torch.func.functional_call
X = integral((1, 2, 5, 5))
BAD: list[tuple[Callable[[Any], Any], str]] = [  # what both refuse, and what ours must name
    (lambda f: conv(f, 1), "out_channels"),
    (lambda f: conv(f, strides=2), "strides"),
    (lambda f: conv(f, groups=0), "groups = 0"),
    (lambda f: conv(f, groups=3), "groups = 3: .* in_channels = 2"),
    (lambda f: conv(f, 2, 3, 3, groups=2), "groups = 2: .* out_channels = 3"),
    (lambda f: conv(f, padding="full"), "padding = 'full'"),
    (lambda f: conv(f, padding="same", stride=2), "padding = 'same'"),
    (lambda f: conv(f, padding_mode="mirror"), "padding_mode = 'mirror'"),
    (lambda f: conv(f, 2, 4, 3.0), "kernel_size = 3.0"),
    (lambda f: conv(f, 2, 4, "3"), "kernel_size = '3'"),
    (lambda f: conv(f, device="nowhere"), "nowhere"),
    (lambda f: conv(f, dtype=torch.int64), "floating point"),
    (lambda f: back(f, padding_mode="reflect"), "padding_mode = 'reflect'"),
    (lambda f: conv(f, 2, 4, 0)(X), "kernel_size = 0"),
    (lambda f: conv(f, 2, 4, (3, 3, 3))(X), r"kernel_size = \(3, 3, 3\)"),
    (lambda f: conv(f, 2, 0, 3)(X), "out_channels = 0"),
    (lambda f: conv(f, stride=0)(X), "stride = 0"),
    (lambda f: conv(f, stride=(1, -1))(X), r"stride\[1\] = -1"),
    (lambda f: conv(f, dilation=0)(X), "dilation = 0"),
    (lambda f: conv(f, padding=-1)(X), "padding = -1"),
    (lambda f: back(f, padding="same")(X), "padding = 'same'"),
    (lambda f: back(f, output_padding=-1)(X), "output_padding = -1"),
    (lambda f: back(f, stride=2, output_padding=2)(X), r"output_padding\[0\] = 2"),
    (lambda f: conv(f)(X[:, :1]), r"x has shape \(1, 1, 5, 5\)"),
    (lambda f: back(f)(X[:, :1]), r"x has shape \(1, 1, 5, 5\)"),
    (lambda f: conv(f)(X[0, 0]), r"x has shape \(5, 5\)"),
    (lambda f: conv(f)(X[None]), r"x has shape \(1, 1, 2, 5, 5\)"),
    (lambda f: conv(f)(X[:, :, :2]), r"input_size\[0\] = 2"),
    (lambda f: conv(f)(X[:, :, :0]), r"input_size\[0\] = 0"),
    (lambda f: conv(f, padding=2)(X[..., :0]), r"input_size\[1\] = 0"),
    (lambda f: conv(f, padding=5, padding_mode="reflect")(X), r"padding\[0\] = \(5, 5\)"),
    (lambda f: conv(f, padding=6, padding_mode="circular")(X), r"padding\[0\] = \(6, 6\)"),
    (lambda f: back(f, padding=4)(X), r"input_size\[0\] = 5"),
    (lambda f: conv(f)(X.float()), "weight has dtype float64"),
    (lambda f: conv(f)(X.long()), "weight has dtype float64"),
    (lambda f: conv(f)([[1.0]]), "x is of type list"),
    (lambda f: conv(f)(np.ones((1, 2, 5, 5))), "x is of type ndarray"),
    (lambda f: conv(f)(None), "x is of type NoneType"),
    (lambda f: conv(f)(), "input"),
    (lambda f: conv(f)(X.to_sparse()), "x has layout torch.sparse_coo"),
    (lambda f: back(f, stride=2)(X, output_size=[13, 11]), r"output_size\[0\] = 13: .* 11 to 12"),
    (lambda f: back(f, stride=2)(X, output_size=[10, 11]), r"output_size\[0\] = 10: .* 11 to 12"),
    (lambda f: back(f, stride=2)(X, output_size=[11]), r"output_size = \[11\]"),
    (lambda f: back(f, stride=2)(X, output_size=[1, 11, 11]), "output_size = .* 2 sizes, or 4"),
    (lambda f: back(f, stride=2)(X, output_size=11), "output_size = 11"),
    (lambda f: call(conv(f), {"bias": torch.ones(3).double()}, X), r"bias has shape \(3,\)"),
    (lambda f: call(conv(f, bias=False), {"bias": X[0, 0, 0]}, X), r"bias has shape \(5,\)"),
    (lambda f: call(conv(f, bias=False), {"bias": torch.ones(4)}, X), "bias has .* torch.float32;"),
    (lambda f: back(f, stride=2)(X, output_size=[11.0, 11]), r"output_size\[0\] = 11.0"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_refused_by_both(case: int) -> None:
    """Ours names the parameter; what torch says itself, ours says as torch does."""
    run, named = BAD[case]
    errors = TypeError, ValueError, RuntimeError, IndexError
    with pytest.raises(errors) as theirs:
        run(nn)
    with pytest.raises((GeometryError, LayoutError, theirs.type), match=named):
        run(ours)


BEYOND: list[tuple[Callable[[Any], Any], str]] = [  # what torch takes and ours refuses
    (lambda f: conv(f, 0, 4, 3)(X[:, :0]), "in_channels = 0"),
    (lambda f: conv(f).half()(X.half()), "x has dtype torch.float16; allowed on cpu"),
    (lambda f: conv(f).to(torch.complex64)(X.to(torch.complex64)), "x has dtype torch.complex64"),
    (lambda f: call(conv(f), {"weight": X.expand(4, 2, 5, 5)}, X), "weight"),
    (lambda f: conv(f)(X.to("meta")), "weight is torch.float64 on cpu; allowed .* on meta"),
]


@pytest.mark.parametrize("case", range(len(BEYOND)))
def test_refused_by_ours_alone(case: int) -> None:
    run, named = BEYOND[case]
    run(nn)
    with pytest.raises((GeometryError, LayoutError), match=named):
        run(ours)
