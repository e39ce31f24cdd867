"""The registered operators: what torch asks of one, gradients of every order, graphs."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

import derive
from codegen import LayoutError
from tests.codegen.libraries import needs_compiler
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
ours = pytest.importorskip("codegen.torch_ops")
contraction = pytest.importorskip("codegen.torch_ops.contraction")
ops = torch.ops.exactconv
pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

LAYERS: dict[str, tuple[tuple[derive.layers.Layer, ...], tuple[int, ...]]] = {
    "strided": ((derive.Conv2d(2, 3, 3, stride=2, padding=1),), (7, 8)),
    "reflect, groups": (
        (derive.Conv1d(2, 4, 3, padding=2, padding_mode="reflect", groups=2),),
        (6,),
    ),
    "transposed": ((derive.ConvTranspose2d(2, 1, 3, stride=2, output_padding=1),), (4, 5)),
    "resized": (
        (derive.Interpolate(2, (None, None), scale_factor=2), derive.Conv2d(2, 3, 3, padding=1)),
        (5, 4),
    ),
}


def given(name: str) -> tuple[str, tuple[int, ...], Any, Any, Any, Any]:
    """(text, size, x, weight, bias, gradient of y)."""
    layers, size = LAYERS[name]
    words = ours.words_of(*layers)
    op = ours.words.chain_of(words).at(size)
    shapes = (2, *op.input_shape), op.weight_shape, op.bias_shape, (2, *op.output_shape)
    x, w, b, g = (integral(shape, i).requires_grad_() for i, shape in enumerate(shapes))
    return words, size, x, w, b, g


@pytest.mark.parametrize("name", ["strided", "resized"])
def test_torch_finds_nothing_wrong_with_them(name: str) -> None:
    words, size, x, w, b, g = given(name)
    calls = [
        (ops.forward, (words, x, w, b)),
        (ops.forward, (words, x, w)),
        (ops.input_gradient, (words, g, w, size)),
        (ops.weight_gradient, (words, x, g)),
    ]
    for op, arguments in calls:
        found = torch.library.opcheck(op.default, arguments)
        assert set(found.values()) == {"SUCCESS"}
        assert len(found) == 4


@pytest.mark.parametrize("way", ["eager", "operator"])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_first_and_second_order(name: str, way: str) -> None:
    words, size, x, w, b, _ = given(name)

    def call(x: Any, w: Any, b: Any) -> Any:
        if way == "eager":
            return ours.convolve(words, x, w, b)
        return contraction.operator(words, size, "y", x, w, b)

    assert torch.autograd.gradcheck(call, (x, w, b))
    assert torch.autograd.gradgradcheck(call, (x, w, b), fast_mode=name != "strided")


@pytest.mark.parametrize("name", ["strided", "transposed"])
def test_the_gradients_are_operators_with_gradients_of_their_own(name: str) -> None:
    words, size, x, w, _, g = given(name)
    assert torch.autograd.gradcheck(
        lambda g, w: ops.input_gradient(words, g, w, size), (g, w), fast_mode=True
    )
    assert torch.autograd.gradcheck(
        lambda x, g: ops.weight_gradient(words, x, g), (x, g), fast_mode=True
    )


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("way", ["eager", "operator"])
def test_only_what_is_asked_for_is_differentiated(way: str, frozen: tuple[int, ...]) -> None:
    words, _, *leaves, g = given("strided")
    theirs = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    expected = torch.nn.functional.conv2d(*theirs, 2, 1)
    wanted = torch.autograd.grad(expected, theirs, g.detach())
    for i in frozen:
        leaves[i].requires_grad_(False)
    call = ours.convolve if way == "eager" else ops.forward
    y = call(words, *leaves)
    assert torch.equal(y, expected)
    assert y.requires_grad == (len(frozen) < 3)
    if y.requires_grad:
        y.backward(g.detach())
    for i, leaf in enumerate(leaves):
        assert (leaf.grad is None) if i in frozen else torch.equal(leaf.grad, wanted[i])


@pytest.mark.parametrize("name", ["strided", "transposed", "resized"])
def test_compiled_for_any_size(name: str) -> None:
    words, _, x, w, b, _ = given(name)
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, dynamic=True, backend="aot_eager")
    def compiled(x: Any, w: Any, b: Any) -> Any:
        return ours.convolve(words, x, w, b) * 2

    for extra in (0, 1, 3):
        x = integral((2 + extra, *(n + extra * (i > 0) for i, n in enumerate(x.shape[1:]))))
        x.requires_grad_()
        y, z = compiled(x, w, b), ours.convolve(words, x, w, b) * 2
        assert torch.equal(y, z)
        grad = integral(y.shape)
        for got, wanted in zip(
            *(torch.autograd.grad(each, (x, w, b), grad) for each in (y, z)), strict=True
        ):
            assert torch.equal(got, wanted)


@pytest.mark.skipif(not shutil.which("g++"), reason="inductor compiles C++")
def test_compiled_by_inductor() -> None:
    torch._dynamo.reset()
    model = torch.nn.Sequential(
        ours.Conv2d(2, 3, 3), torch.nn.ReLU(), ours.UpsampleConv2d(3, 2, 3)
    ).double()
    for i, parameter in enumerate(model.parameters()):
        parameter.data.copy_(integral(parameter.shape, i))
    x = integral((2, 2, 6, 5))
    with torch.no_grad():
        assert torch.equal(torch.compile(model, fullgraph=True)(x), model(x))


def test_compiled_with_an_output_size() -> None:
    torch._dynamo.reset()
    module = ours.ConvTranspose2d(1, 2, 3, stride=2).double()

    @torch.compile(fullgraph=True, dynamic=False, backend="aot_eager")
    def compiled(x: Any) -> Any:
        return module(x, output_size=(8, 9))

    x = integral((1, 1, 3, 4))
    with torch.no_grad():
        assert torch.equal(compiled(x), module(x, output_size=(8, 9)))


@pytest.mark.filterwarnings("ignore:At pre-dispatch tracing")  # of torch 2.4
@pytest.mark.parametrize("name", ["strided", "transposed", "resized"])
def test_exported_for_any_batch_and_size(name: str) -> None:
    words, size, x, w, b, _ = given(name)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.b = torch.nn.Parameter(w), torch.nn.Parameter(b)

        def forward(self, x: Any) -> Any:
            return ours.convolve(words, x, self.w, self.b)

    sizes = [torch.export.Dim(f"n{i}", min=4, max=64) for i in range(len(size))]
    batch = torch.export.Dim("batch")
    dynamic = {0: batch, **{2 + i: n for i, n in enumerate(sizes)}}
    program = torch.export.export(Model(), (x.detach(),), dynamic_shapes=(dynamic,))
    targets = [str(node.target) for node in program.graph.nodes]
    assert "exactconv.forward.default" in targets
    (made,) = (n.meta["val"] for n in program.graph.nodes if "exactconv" in str(n.target))
    assert made.shape[1] == ours.words.chain_of(words).channels[1]
    for shape in ((2, 2, *size), (5, 2, *(n + 3 for n in size))):
        x = integral(shape)
        assert torch.equal(program.module()(x), ours.convolve(words, x, w, b))


def test_what_does_not_fit_is_refused_by_both_kinds() -> None:
    words, _, *leaves = given("strided")
    x, w, b, g = (leaf.detach() for leaf in leaves)
    bad: list[tuple[Any, tuple[Any, ...], str]] = [
        (ops.forward, (words, x[:, :1], w, b), r"x has shape \(2, 1, 7, 8\); allowed"),
        (ops.forward, (words, x, w[:2], b), r"weight has shape \(2, 2, 3, 3\); allowed"),
        (ops.forward, (words, x, w, b[:1]), r"bias has shape \(1,\); allowed is \(3,\)"),
        (ops.forward, (words, x, w.float(), b), "weight is torch.float32"),
        (ops.forward, (words, x.half(), w.half(), b.half()), "dtype torch.float16; allowed on cpu"),
        (ops.input_gradient, (words, g, w, (7,)), "input_size = .*: allowed are 2 sizes"),
        (ops.input_gradient, (words, g, w, (9, 9)), "grad_output: allowed is 5 positions"),
        (ops.weight_gradient, (words, x, g[:1]), "grad_output: allowed is the batch of x"),
        (ops.forward, ("{}", x, w, b), "layer = '{}': allowed is a text"),
        (ops.forward, (words.replace("Conv2d", "Linear"), x, w, b), "layer = .*: allowed"),
    ]
    fake = torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True)
    for op, arguments, message in bad:
        errors = (LayoutError, derive.GeometryError, RuntimeError)
        with pytest.raises(errors, match=message):
            op(*arguments)
        with pytest.raises(errors, match=message), fake:
            op(
                *(
                    fake.from_tensor(a.detach().clone()) if hasattr(a, "detach") else a
                    for a in arguments
                )
            )


def test_a_size_without_an_output_is_refused() -> None:
    words = ours.words_of(derive.Conv1d(1, 1, 4, bias=False))
    x, w = torch.ones(1, 1, 3), torch.ones(1, 1, 4)
    with pytest.raises(derive.GeometryError, match=r"input_size\[0\] = 3: allowed is an input"):
        ours.convolve(words, x, w)
    with pytest.raises(derive.GeometryError, match=r"input_size\[0\] = 3"):
        ops.forward(words, x.to("meta"), w.to("meta"))
