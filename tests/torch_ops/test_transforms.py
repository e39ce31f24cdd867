"""torch.func's transformations, forward mode, autocast and tracing."""

from __future__ import annotations

from typing import Any

import pytest

from codegen import LayoutError
from tests.codegen.libraries import needs_compiler
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
ours = pytest.importorskip("codegen.torch_ops")
func = torch.func
pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def module(**words: Any) -> Any:
    made = ours.Conv2d(2, 3, 3, padding=1, stride=2, dtype=torch.float64, **words)
    for i, parameter in enumerate(made.parameters()):
        parameter.data.copy_(integral(parameter.shape, i))
    return made


def theirs(x: Any, w: Any, b: Any) -> Any:
    return torch.nn.functional.conv2d(x, w, b, 2, 1)


def mine(x: Any, w: Any, b: Any) -> Any:
    return ours.convolve(WORDS, x, w, b)


WORDS = module().words
X, W, B = integral((4, 2, 6, 5)), integral((4, 3, 2, 3, 3), 1), integral((4, 3), 2)


@pytest.mark.parametrize(
    "axes", [(0, None, None), (0, 0, None), (0, 0, 0), (None, 0, 0), (0, None, 0)]
)
@pytest.mark.parametrize("batch", [False, True])
def test_vmap(axes: tuple[int | None, ...], batch: bool) -> None:
    x = X[:, None].expand(4, 3, 2, 6, 5) if batch else X
    given = [t if axis == 0 else t[0] for t, axis in zip((x, W, B), axes, strict=True)]
    got, wanted = (func.vmap(f, axes)(*given) for f in (mine, theirs))
    assert torch.equal(got, wanted)
    twice = func.vmap(func.vmap(mine, (0, None, None)), (1, None, None))
    assert torch.equal(twice(X[:, None, None], W[0], B[0])[0, 2], mine(X[2][None], W[0], B[0]))


@pytest.mark.parametrize("axes", [(1, None, None), (0, 0, 0), (None, 2, None)])
def test_vmap_of_the_operators(axes: tuple[int | None, ...]) -> None:
    """Also along another axis than the first."""
    x = X if axes[0] is None else X[:, None].movedim(0, axes[0])
    w = W[0] if axes[1] is None else W.movedim(0, axes[1])
    b = B[0] if axes[2] is None else B
    op = torch.ops.exactconv.forward
    got = func.vmap(lambda *given: op(WORDS, *given), axes)(x, w, b)
    assert torch.equal(got, func.vmap(theirs, axes)(x, w, b))


def test_gradients_of_each_sample() -> None:
    def loss(f: Any) -> Any:
        return lambda x, w, b: f(x, w, b).square().sum()

    found, wanted = (
        func.vmap(func.grad(loss(f), (0, 1, 2)), (0, None, None))(X, W[0], B[0])
        for f in (mine, theirs)
    )
    assert all(map(torch.equal, found, wanted))


def test_jacobians_and_hessians() -> None:
    x, w, b = X[:1], W[0], B[0]
    for transform in (func.jacrev, func.jacfwd):
        found, wanted = (transform(f, (0, 1, 2))(x, w, b) for f in (mine, theirs))
        assert all(map(torch.equal, found, wanted))
    found, wanted = (
        func.hessian(lambda w, f=f: f(x, w, b).pow(2).sum())(w) for f in (mine, theirs)
    )
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("along", [(True, False, False), (False, True, True), (False, False, True)])
def test_forward_mode(along: tuple[bool, ...]) -> None:
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        given = [
            forward_ad.make_dual(t, t + 1) if dual else t
            for t, dual in zip((X, W[0], B[0]), along, strict=True)
        ]
        found, wanted = (forward_ad.unpack_dual(f(*given)) for f in (mine, theirs))
    assert torch.equal(found.primal, wanted.primal)
    assert torch.equal(found.tangent, wanted.tangent)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_autocast_on_the_cpu_keeps_float32(half: Any) -> None:
    layer, x = module().float(), X.float()
    with torch.autocast("cpu", dtype=half):
        y, low = layer(x), layer(x.to(half))
        low.sum().backward()
    assert y.dtype == low.dtype == torch.float32
    assert torch.equal(y, layer(x))
    assert torch.equal(low, layer(x))
    assert layer.weight.grad.dtype == torch.float32
    with pytest.raises(LayoutError, match=f"x has dtype {half}; allowed on cpu"):
        layer(x.to(half))


def test_tracing_sees_the_operator() -> None:
    layer = module()
    traced = torch.fx.experimental.proxy_tensor.make_fx(layer)(X)
    assert "exactconv.forward.default" in [str(node.target) for node in traced.graph.nodes]
    scripted = torch.jit.trace(layer, X)
    assert torch.equal(scripted(X[:1] + 1), layer(X[:1] + 1))
