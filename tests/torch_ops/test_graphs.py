"""Sizes that a graph leaves open, and what the registered operators do not do."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

import derive
from tests.torch_ops.families import by_numpy, filled, ours
from tests.torch_ops.pairs import integral

torch = pytest.importorskip("torch")
contraction = pytest.importorskip("codegen.torch_ops.contraction")
registration = pytest.importorskip("codegen.torch_ops.registration")
transformed = pytest.importorskip("codegen.torch_ops.transformed")
ops, func, forward_ad = torch.ops.exactconv, torch.func, torch.autograd.forward_ad
by_numpy = pytest.fixture(by_numpy)
pytestmark = [
    pytest.mark.usefixtures("by_numpy"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:At pre-dispatch tracing"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of torch.export.load in torch 2.4
]

WORDS = ours.words_of(derive.Conv1d(2, 1, 4, bias=False))
X, W = integral((3, 2, 9)), integral((1, 2, 4), 1)


def theirs(x: Any, w: Any) -> Any:
    return torch.nn.functional.conv1d(x, w)


def test_a_symbolic_size_without_an_output_is_refused() -> None:
    """While a graph is made, where the sizes are symbols."""
    trace = torch.fx.experimental.proxy_tensor.make_fx(
        lambda x, w: ops.forward(WORDS, x, w), tracing_mode="symbolic"
    )
    (made,) = (n.meta["val"] for n in trace(X, W).graph.nodes if "exactconv" in str(n.target))
    assert isinstance(made.shape[2], torch.SymInt)
    assert made.shape[2] == 6
    with pytest.raises(RuntimeError, match=r"input_size\[0\]: allowed is one with an output"):
        trace(X[..., :3], W)


def test_a_compiled_graph_refuses_a_size_without_an_output() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda x, w: ours.convolve(WORDS, x, w), dynamic=True, backend="eager", fullgraph=True
    )
    for n in (9, 6):
        assert torch.equal(compiled(X[..., :n], W), theirs(X[..., :n], W))
    with pytest.raises(RuntimeError, match=r"input_size\[0\]: allowed is one with an output"):
        compiled(X[..., :3], W)


class Skip(torch.nn.Module):
    """What decoders do: the size of a transposed convolution is that of another image."""

    def __init__(self, f: Any) -> None:
        super().__init__()
        self.up = filled(f.ConvTranspose2d(1, 2, 3, stride=2))

    def forward(self, x: Any, like: Any) -> Any:
        return self.up(x, output_size=like.shape[2:]) + like


def pair(h: int, w: int, more: int) -> tuple[Any, Any]:
    return integral((2, 1, h, w)), integral((2, 1, 2 * h + 1 + more, 2 * w + 1), 1)


def test_an_output_size_in_a_graph_for_any_size() -> None:
    torch._dynamo.reset()
    graphs = []

    def backend(graph: Any, example: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    mine, torchs = Skip(ours), Skip(torch.nn)
    compiled = torch.compile(mine, dynamic=True, backend=backend, fullgraph=True)
    for given in (pair(3, 4, 0), pair(5, 7, 0), pair(6, 3, 1), pair(7, 5, 1)):
        assert torch.equal(compiled(*given), torchs(*given))
    assert len(graphs) == 2  # one for each output padding
    with pytest.raises(Exception, match=r"output_size = the least \+ \(2, 0\): allowed is"):
        compiled(*pair(5, 7, 2))


def test_an_exported_graph_is_saved_and_runs_at_any_size() -> None:
    class Twice(torch.nn.Module):
        def __init__(self, f: Any) -> None:
            super().__init__()
            self.first = filled(f.Conv2d(1, 1, 3, padding=2, padding_mode="circular"))
            self.up = filled(f.ConvTranspose2d(1, 2, 3, stride=2))

        def forward(self, x: Any) -> Any:
            y = self.first(x)
            return self.up(y, output_size=[2 * n + 1 + i for i, n in enumerate(y.shape[2:])])

    mine, torchs = Twice(ours), Twice(torch.nn)
    torchs.load_state_dict(mine.state_dict())
    sizes = {i: torch.export.Dim(f"n{i}", min=3, max=64) for i in (2, 3)}
    x = integral((2, 1, 5, 6))
    program, saved = torch.export.export(mine, (x,), dynamic_shapes=(sizes,)), io.BytesIO()
    torch.export.save(program, saved)
    saved.seek(0)
    loaded = torch.export.load(saved).module()
    for shape in ((2, 1, 5, 6), (2, 1, 9, 4)):
        x = integral(shape)
        assert torch.equal(loaded(x), torchs(x))


# --- what the operators do not do: it is said, and convolve does it ----------------------------


REFUSED = "have no forward mode|implement the jvp|setup_context"  # the last are torch 2.4's


def test_forward_mode_of_the_operators_is_refused() -> None:
    """torch itself would give no tangent, or one of zeros."""

    def dual(call: Any) -> Any:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(call(forward_ad.make_dual(X, X + 1), W)).tangent

    def jvp(call: Any) -> Any:
        return func.jvp(lambda x: call(x, W), (X,), (X + 1,))[1]

    for tangent in (dual, jvp):
        assert torch.equal(tangent(lambda x, w: ours.convolve(WORDS, x, w)), theirs(X + 1, W))
        with pytest.raises((NotImplementedError, RuntimeError), match=REFUSED):
            tangent(lambda x, w: ops.forward(WORDS, x, w))


@pytest.mark.parametrize("name", ["input_gradient", "weight_gradient"])
def test_forward_mode_of_the_gradients_is_refused(name: str) -> None:
    y = integral((3, 1, 6), 2)
    given = (y, W, (9,)) if name == "input_gradient" else (X, y)
    with pytest.raises((NotImplementedError, RuntimeError), match=REFUSED):
        func.jvp(lambda first: getattr(ops, name)(WORDS, first, *given[1:]), given[:1], given[:1])


def test_a_compiled_graph_refuses_forward_mode() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: ours.convolve(WORDS, x, W), backend="aot_eager")
    assert torch.equal(compiled(X), theirs(X, W))
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="have no forward mode"):
        compiled(forward_ad.make_dual(X, X + 1))


def test_gradients_of_torch_func_are_those_of_convolve() -> None:
    with pytest.raises(RuntimeError, match="setup_context"):
        func.grad(lambda x: ops.forward(WORDS, x, W).sum())(X)
    found, wanted = (
        func.grad(lambda x, f=f: f(x, W).square().sum())(X)
        for f in (lambda x, w: ours.convolve(WORDS, x, w), theirs)
    )
    assert torch.equal(found, wanted)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_torch_without_register_vmap(monkeypatch: pytest.MonkeyPatch) -> None:
    """2.4 has none: the operators are registered all the same, and torch maps them one by one."""
    names = ("register_fake", "register_autograd")
    older = SimpleNamespace(**{name: getattr(torch.library, name) for name in names})
    monkeypatch.setattr(registration, "library", older)
    registration._register(
        "of_2_4",
        "Tensor x, Tensor weight, Tensor? bias=None",
        "y",
        registration.forward,
        registration.fake_forward,
    )
    x = X[:, None]
    found = func.vmap(lambda x: ops.of_2_4(WORDS, x, W))(x)
    assert torch.equal(found, func.vmap(lambda x: theirs(x, W))(x))
    assert torch.equal(func.vmap(lambda x: ours.convolve(WORDS, x, W))(x), found)


@pytest.mark.parametrize("name", ["modes", "transforms", "tracing"])
def test_without_a_name_that_is_not_public_all_goes_as_operators(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []

    def counted(*given: Any) -> Any:
        called.append(given)
        return operator(*given)

    operator = contraction.operator
    monkeypatch.setattr(contraction, "operator", counted)
    monkeypatch.setattr(contraction, name, contraction._none)
    if name == "transforms":  # where Transformed serves, in any case
        with monkeypatch.context() as patch:
            patch.setattr(transformed.Transformed, "apply", counted)
            assert torch.equal(ours.convolve(WORDS, X, W), theirs(X, W))
    else:
        assert torch.equal(ours.convolve(WORDS, X, W), theirs(X, W))
    assert len(called) == 1
