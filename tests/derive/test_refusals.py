"""What does not exist is refused early, and the message says which parameter and which value."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import derive
from derive import GeometryError

EACH = {"in_channels": 2, "out_channels": 2, "kernel_size": 3, "input_size": 8}
BEYOND_TORCH = ("input_size", "input_dilation", "output_size")


@dataclass(frozen=True)
class Refusal:
    """A call that must fail, what its message must name, and torch's own call if there is one."""

    label: str
    call: Callable[[], Any]
    name: str
    value: str
    torch: Callable[[Any], Any] | None = None


def layer(
    kind: str, word: str, value: Any, *, shown: str = "", torch: bool = True, **more: Any
) -> Refusal:
    """A layer that must not come to be; torch is asked to build its own and to call it."""
    words = {**EACH, **more, word: value}

    def theirs(torch: Any) -> Any:
        own = {name: each for name, each in words.items() if name not in BEYOND_TORCH}
        module = getattr(torch.nn, kind)(**own)
        size, axes = words["input_size"], int(kind[-2])
        sizes = (size,) * axes if isinstance(size, int) else size
        call = {"output_size": [words["output_size"]]} if "output_size" in words else {}
        return module(torch.zeros(1, words["in_channels"], *sizes), **call)

    return Refusal(
        f"{kind}({', '.join(f'{name}={each!r}' for name, each in {**more, word: value}.items())})",
        lambda: getattr(derive, kind)(**words),
        word,
        shown or repr(value),
        theirs if torch and in_torchs_words(words) else None,
    )


def in_torchs_words(words: dict[str, Any]) -> bool:
    """Whether torch has the parameters: it has no pairs of padding and no input dilation."""
    padding = words.get("padding")
    pairs = isinstance(padding, tuple) and any(isinstance(each, tuple) for each in padding)
    return not pairs and "input_dilation" not in words


NO_INTEGERS = (True, np.True_, 1.5, np.float64(2), "3", None)
TOO_LARGE = (2**31, 2**62, 2**64)  # torch takes some of them, and wraps; some fill its memory


def integers() -> list[Refusal]:
    """Each parameter that is an integer, or one for each axis, in both kinds of layer."""
    rows = []
    for kind in ("Conv2d", "ConvTranspose2d"):
        for word in ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups"):
            torch_minds = (kind, word) != ("Conv2d", "in_channels")  # 0 and True are accepted
            rows += [layer(kind, word, bad, torch=torch_minds) for bad in (0, -1)]
            rows += [
                layer(kind, word, bad, torch=torch_minds and word != "kernel_size")
                for bad in NO_INTEGERS[:2]
            ]
            rows += [layer(kind, word, bad) for bad in NO_INTEGERS[2:]]
            rows += [layer(kind, word, bad, torch=False) for bad in TOO_LARGE]
        rows += [layer(kind, "input_size", bad, torch=False) for bad in (0, -1, *NO_INTEGERS[:-1])]
        rows += [layer(kind, "input_size", bad, torch=False) for bad in TOO_LARGE]
        rows += [layer(kind, "padding", bad) for bad in (-1, *NO_INTEGERS[:-2], None)]
        rows += [layer(kind, "padding", bad, torch=False) for bad in TOO_LARGE]
    rows += [layer("Conv2d", "input_dilation", bad) for bad in (0, -1, *NO_INTEGERS)]
    rows += [layer("ConvTranspose2d", "output_padding", bad) for bad in (-1, *NO_INTEGERS)]
    rows += [
        layer("ConvTranspose1d", "output_size", bad, torch=False, stride=2)
        for bad in (0, -1, *NO_INTEGERS[:-1], 2**31)
    ]
    return rows


def one_per_axis() -> list[Refusal]:
    """Wrong lengths, wrong entries, and what is no sequence."""
    rows = []
    for kind in ("Conv2d", "ConvTranspose2d"):
        for word in ("kernel_size", "stride", "dilation", "padding"):
            rows += [layer(kind, word, bad) for bad in ((1, 1, 1), ())]
            rows += [layer(kind, word, bad, torch=False) for bad in ((1,), {1, 2}, {}, b"ab")]
            rows += [layer(kind, word, np.array([1, 1]), torch=False)]
            rows += [
                layer(kind, word, (1, bad), shown=f"[1] = {bad!r}") for bad in (-1, 1.5, None, "1")
            ]
        rows += [layer(kind, "kernel_size", (0, 3), shown="[0] = 0")]
        rows += [layer(kind, "stride", [2, 0], shown="[1] = 0")]
        rows += [layer(kind, "input_size", (8,), torch=False)]
        rows += [layer(kind, "input_size", (8, 8, 8), torch=False)]
        rows += [layer(kind, "input_size", (8, 0), shown="[1] = 0", torch=False)]
        rows += [layer(kind, "padding", (1, (1, 2, 3)), shown="[1] = (1, 2, 3)")]
        rows += [layer(kind, "padding", (1, (1, None)), shown="[1][1] = None")]
        rows += [layer(kind, "padding", (1, (1, -(2**31))), shown=f"[1][1] = -{2**31}")]
    rows += [layer("Conv1d", "padding", (1, 2), shown="write ((1, 2),)")]
    rows += [layer("Conv3d", "stride", (1, 1))]
    rows += [layer("ConvTranspose2d", "output_padding", (0, 0, 0))]
    rows += [layer("ConvTranspose2d", "output_padding", (0, -1), shown="[1] = -1")]
    rows += [layer("ConvTranspose2d", "output_size", (17, 17, 17), torch=False)]
    return rows


def words() -> list[Refusal]:
    """Words, groups, and what fits only together."""
    return [
        layer("Conv2d", "padding", "full"),
        layer("Conv2d", "padding", "Same"),
        layer("Conv2d", "padding", "VALID"),
        layer("Conv2d", "padding", "valid "),
        layer("Conv2d", "padding", ""),
        layer("Conv2d", "padding", "same", stride=2),
        layer("Conv2d", "padding", "same", stride=(1, 2)),
        layer("ConvTranspose2d", "padding", "same"),
        layer("ConvTranspose2d", "padding", "valid"),
        layer("Conv2d", "padding_mode", "constant"),
        layer("Conv2d", "padding_mode", "Reflect"),
        layer("Conv2d", "padding_mode", ""),
        layer("Conv2d", "padding_mode", None),
        layer("Conv2d", "padding_mode", 0),
        layer("Conv2d", "padding_mode", ["zeros"]),
        layer("ConvTranspose2d", "padding_mode", "reflect"),
        layer("ConvTranspose2d", "padding_mode", "replicate"),
        layer("ConvTranspose2d", "padding_mode", "circular"),
        layer("ConvTranspose2d", "padding_mode", "same"),
        layer("Conv2d", "bias", 1, torch=False),
        layer("Conv2d", "bias", None, torch=False),
        layer("ConvTranspose2d", "bias", "True", torch=False),
        layer("Conv2d", "groups", 3, in_channels=4, out_channels=6),
        layer("Conv2d", "groups", 3, in_channels=6, out_channels=4),
        layer("ConvTranspose2d", "groups", 2, in_channels=3, out_channels=4),
        layer("ConvTranspose2d", "groups", 2, in_channels=4, out_channels=3),
        layer("Conv1d", "groups", 4),
    ]


def borders() -> list[Refusal]:
    """Reflect repeats at most n - 1 positions of a side, circular at most n."""

    def border(
        kind: str, mode: str, padding: Any, input_size: Any, shown: str, **more: Any
    ) -> Refusal:
        more |= {"padding_mode": mode, "input_size": input_size}
        return layer(kind, "padding", padding, shown=shown, **more)

    return [
        border("Conv1d", "reflect", 4, 4, "[0] = (4, 4): allowed is at most 3"),
        border("Conv1d", "reflect", 9, 4, "[0] = (9, 9): allowed is at most 3"),
        border("Conv1d", "reflect", 1, 1, "[0] = (1, 1): allowed is at most 0"),
        border("Conv1d", "circular", 5, 4, "[0] = (5, 5): allowed is at most 4"),
        border("Conv1d", "circular", 2, 1, "[0] = (2, 2): allowed is at most 1"),
        border("Conv2d", "reflect", (1, 3), (4, 3), "[1] = (3, 3): allowed is at most 2"),
        border("Conv2d", "circular", (5, 1), (4, 3), "[0] = (5, 5): allowed is at most 4"),
        border("Conv3d", "reflect", 3, (4, 4, 3), "[2] = (3, 3): allowed is at most 2"),
        border("Conv3d", "circular", 4, (4, 3, 4), "[1] = (4, 4): allowed is at most 3"),
        border("Conv1d", "reflect", ((0, 4),), 4, "[0] = (0, 4): allowed is at most 3"),
        border("Conv1d", "circular", ((-1, 5),), 4, "[0] = (-1, 5): allowed is at most 4"),
        border("Conv1d", "reflect", "same", 2, "[0] = (3, 3)", kernel_size=7),
        border("Conv1d", "reflect", 5, 3, "[0] = (5, 5): allowed is at most 4", input_dilation=2),
    ]


def sizes() -> list[Refusal]:
    """Inputs without an output, output sizes out of reach, and more than 64 bits count."""

    def size(kind: str, input_size: Any, shown: str, **more: Any) -> Refusal:
        return layer(kind, "input_size", input_size, shown=shown, **more)

    def reach(kind: str, value: Any, shown: str, **more: Any) -> Refusal:
        return layer(kind, "output_size", value, shown=shown, **{"stride": 2, **more})

    def extra(value: Any, shown: str, **more: Any) -> Refusal:
        return layer("ConvTranspose2d", "output_padding", value, shown=shown, **more)

    c, t, most = "Conv1d", "ConvTranspose1d", 2**31 - 1
    return [
        size(c, 2, "[0] = 2"),
        size(c, 4, "[0] = 4", kernel_size=5),
        size(c, 6, "[0] = 6", dilation=3),
        size(c, 1, "[0] = 1: allowed is an input with at least 1", kernel_size=2, stride=2),
        size(c, 4, "[0] = 4", padding=((-2, 0),)),
        size(c, 3, "[0] = 3", padding=((-2, 3),), kernel_size=5),
        size(c, 2, "[0] = 2", input_dilation=2, kernel_size=4),
        size("Conv2d", (8, 2), "[1] = 2"),
        size("Conv3d", (8, 8, 1), "[2] = 1"),
        size(t, 1, "[0] = 1", padding=2),
        size(t, 3, "[0] = 3", padding=4, stride=2),
        size("ConvTranspose2d", (8, 1), "[1] = 1", padding=3),
        size("Conv3d", most, "input_size", torch=False, padding=1),
        size("ConvTranspose3d", 2**21, "input_size", torch=False, stride=4),
        layer(c, "kernel_size", most, torch=False, in_channels=most, out_channels=4),
        layer("Conv3d", "kernel_size", most, torch=False, input_size=None),
        layer(t, "out_channels", most, torch=False, kernel_size=most, in_channels=4),
        reach(t, 16, "[0] = 16: allowed is 17 to 18 from input_size 8"),
        reach(t, 19, "[0] = 19: allowed is 17 to 18 from input_size 8"),
        reach(t, 11, "[0] = 11: allowed is 10 to 10", stride=1, dilation=1),
        reach(t, 13, "[0] = 13: allowed is 12 to 12", stride=1, dilation=2),
        reach(t, 17, "= 17: allowed is None while input_size", input_size=None, torch=False),
        reach(t, 17, "= 17: allowed is None beside", output_padding=1, torch=False),
        reach("ConvTranspose2d", (17, 19), "[1] = 19", torch=False),
        extra(1, "[0] = 1: allowed is less than stride = 1"),
        extra(2, "[0] = 2: allowed is less than stride = 2", stride=2),
        extra((1, 2), "[1] = 2", stride=(2, 1), dilation=(1, 2)),
        extra((0, 3), "[1] = 3", stride=2, dilation=3),
        extra(5, "[0] = 5", stride=2, dilation=3),
    ]


def op(**more: Any) -> Any:
    return derive.Conv1d(2, 2, 3, **{"bias": False, "input_size": 5, **more})


W = np.ones((2, 2, 3))
X = np.ones((2, 5))


def conv1d(x: Any, weight: Any, bias: Any = None) -> Callable[[Any], Any]:
    def theirs(torch: Any) -> Any:
        tensors = [None if each is None else torch.tensor(each) for each in (x, weight, bias)]
        return torch.nn.functional.conv1d(*tensors)

    return theirs


def arrays() -> list[Refusal]:
    """Weights, inputs and biases of another shape, or of no numbers."""
    rows = []
    shapes = ((2, 2, 2), (2, 1, 3), (1, 2, 3), (2, 3, 2), (2, 2), (2, 2, 3, 1), (12,), ())
    for shape in shapes:
        weight = np.ones(shape)
        whole = np.ones(shape, dtype=int)
        theirs = conv1d(X, weight) if shape not in ((2, 2, 2), (1, 2, 3)) else None
        calls = {
            "sparse": lambda w=weight: op().sparse(w),
            "rows": lambda w=weight: op().rows(0, 1, w),
            "apply": lambda w=weight: op().apply(X, w),
            "linear_operator": lambda w=weight: op().linear_operator(w),
            "matrix": lambda w=whole: op().matrix(w),
            "T.sparse": lambda w=weight: op().T.sparse(w),
        }
        rows += [
            Refusal(f"{name}(weight of {shape})", call, "weight", str(shape), theirs)
            for name, call in calls.items()
        ]
    rows += [
        Refusal("sparse(None)", lambda: op().sparse(None), "weight", "None"),
        Refusal("sparse(ragged)", lambda: op().sparse([[1, 2], [3]]), "weight", "one shape"),
        Refusal("matrix(ragged)", lambda: op().matrix([[1, 2], [3]]), "weight", "(2,)"),
        Refusal(
            "matrix(arrays that do not stack)",
            lambda: op().matrix([np.ones((2, 3)), np.ones((2, 4))]),
            "weight",
            "one shape",
        ),
        Refusal("sparse(words)", lambda: op().sparse(W.astype(str)), "weight", "'<U32'"),
        Refusal("apply(words)", lambda: op().apply(X, W.astype(str)), "weight", "'<U32'"),
        Refusal("matrix(words)", lambda: op().matrix(W.astype(str)), "weight[0, 0, 0]", "'1.0'"),
        Refusal("matrix(0.5)", lambda: op().matrix(W / 2), "weight[0, 0, 0]", "0.5"),
        Refusal("matrix(nan)", lambda: op().matrix(W * np.nan), "weight[0, 0, 0]", "nan"),
        Refusal("matrix(1j)", lambda: op().matrix(W * 1j), "weight[0, 0, 0]", "1j"),
        Refusal(
            "apply(weight dates)", lambda: op().apply(X, W.astype("M8[s]")), "weight", "datetime64"
        ),
        Refusal("matrix(name)", lambda: op().matrix(name=3), "name", "3"),
        Refusal("matrix(no name)", lambda: op().matrix(name=""), "name", "''"),
    ]
    for shape in ((2, 4), (2, 6), (3, 5), (5,), (10,), (1, 1, 2, 5), (2, 5, 1), (4, 3, 5), ()):
        x = np.ones(shape)
        theirs = conv1d(x, W) if shape not in ((2, 4), (2, 6)) else None  # a size of its own
        call = lambda x=x: op().apply(x, W)  # noqa: E731
        rows.append(Refusal(f"apply(x of {shape})", call, "x", str(shape), theirs))
    rows += [
        Refusal("apply(None)", lambda: op().apply(None, W), "x", "()"),
        Refusal("apply(ragged)", lambda: op().apply([[1, 2], [3]], W), "x", "one shape"),
        Refusal("apply(x words)", lambda: op().apply(X.astype(str), W), "x", "'<U32'"),
        Refusal("T.apply(x)", lambda: op().T.apply(X, W), "x", "(2, 5)"),
    ]
    with_bias = op(bias=True)
    for bias in (np.ones(1), np.ones(3), np.ones((2, 1)), np.ones(())):
        call = lambda b=bias: with_bias.apply(X, W, b)  # noqa: E731
        label = f"apply(bias of {bias.shape})"
        rows.append(Refusal(label, call, "bias", str(bias.shape), conv1d(X, W, bias)))
    rows += [
        Refusal("apply(bias left out)", lambda: with_bias.apply(X, W), "bias", "None"),
        Refusal("apply(a bias)", lambda: op().apply(X, W, [1, 2]), "bias", "(2,)"),
        Refusal("apply(bias ragged)", lambda: with_bias.apply(X, W, [[], 1]), "bias", "one shape"),
        Refusal("apply(bias words)", lambda: with_bias.apply(X, W, ["a", "b"]), "bias", "'<U1'"),
        Refusal("T.apply(a bias)", lambda: op().T.apply(X[:, :3], W, [1, 2]), "bias", "(2,)"),
    ]
    return rows


def places() -> list[Refusal]:
    """Rows, positions, axes, dtypes, chains and sizes that are not there."""
    free = derive.Conv1d(1, 1, 3)
    plane = derive.Conv2d(1, 1, 3, input_size=4)
    large = derive.Conv2d(64, 64, 3, padding=1, input_size=56)
    twice = derive.Conv1d(2, 2, 1, bias=False, input_size=3) @ op()
    rows = [
        Refusal(f"rows({lo}, {hi})", lambda lo=lo, hi=hi: op().rows(lo, hi, W), name, value)
        for lo, hi, name, value in (
            (-1, 3, "lo", "-1"),
            (0, 7, "hi", "7"),
            (0, -1, "hi", "-1"),
            (4, 3, "lo", "4"),
            (9, 9, "hi", "9"),
            (0.5, 3, "lo", "0.5"),
            (0, 2.5, "hi", "2.5"),
            ("0", 3, "lo", "'0'"),
            (0, None, "hi", "None"),
            (False, 3, "lo", "False"),
        )
    ]
    rows += [
        Refusal(
            f"rows(0, 1, dtype={dtype!r})", lambda d=dtype: op().rows(0, 1, W, d), "dtype", shown
        )
        for dtype, shown in (("flot", "'flot'"), ("U3", "'U3'"), ("M8[s]", "'M8[s]'"), (3, "3"))
    ]
    rows += [
        Refusal(label, lambda w=w, d=d: op().sparse(w, dtype=d), "dtype", repr(d))
        for label, w, d in (
            ("half as int64", W / 2, "int64"),
            ("300 as int8", W * 300, "int8"),
            ("-1 as uint8", -W.astype(int), "uint8"),
            ("2 as bool", W * 2, "bool"),
            ("nan as int32", W * np.nan, "int32"),
            ("2**63 as int64", W * 2**63, "int64"),
            ("2**63 as int64, exactly", np.full(W.shape, 2**63, dtype=object), "int64"),
            ("complex as float64", W * 1j, "float64"),
            ("words as float64", W.astype(str).astype(object).__add__("x"), "float64"),
        )
    ]
    rows += [
        Refusal(f"receptive_field({p!r})", lambda p=p: plane.receptive_field(p), "position", shown)
        for p, shown in (
            (0, "0"),
            ((0,), "(0,)"),
            ((0, 0, 0), "(0, 0, 0)"),
            ((2, 0), "[0] = 2"),
            ((0, -1), "[1] = -1"),
            ((0, 0.5), "[1] = 0.5"),
            ((True, 0), "[0] = True"),
            ("00", "[0] = '0'"),
            (None, "None"),
        )
    ]
    rows += [
        Refusal(
            "T.receptive_field", lambda: plane.T.receptive_field((4, 0)), "position", "[0] = 4"
        ),
        *(
            Refusal(
                f"size_derivation({a!r})", lambda a=a: plane.size_derivation(a), "axis", repr(a)
            )
            for a in (2, -1, 0.5, "0", True)
        ),
        Refusal("matrix() too large", large.matrix, "matrix()", str(large.nnz)),
        Refusal(
            "integers beyond int64",
            lambda: op().apply(np.full((2, 5), 2**62), np.full(W.shape, 2)),
            "weight",
            str(3 * 2**64),
        ),
    ]
    rows += [
        Refusal(f"free size: {name}", call, "input_size", "None")
        for name, call in (
            ("nnz", lambda: free.nnz),
            ("input_shape", lambda: free.input_shape),
            ("output_shape", lambda: free.T.output_shape),
            ("matrix", lambda: free.matrix()),
            ("sparse", lambda: free.sparse(np.ones((1, 1, 3)))),
            ("rows", lambda: free.rows(0, 1, np.ones((1, 1, 3)))),
            ("apply", lambda: free.apply(np.ones((1, 5)), np.ones((1, 1, 3)))),
            ("linear_operator", lambda: free.linear_operator(np.ones((1, 1, 3)))),
            ("overlap", lambda: free.overlap()),
            ("receptive_field", lambda: free.receptive_field(0)),
        )
    ]
    rows += [
        Refusal("mismatched channels", lambda: plane @ large, "outer", "(1, 4, 4)"),
        Refusal("mismatched sizes", lambda: op() @ op(), "outer", "(2, 5)"),
        Refusal("mismatched dimensions", lambda: plane @ op(), "outer", "(2, 3)"),
        Refusal("chain, one weight", lambda: twice.sparse(W), "weight", "ndarray of 2"),
        Refusal("chain, three weights", lambda: twice.sparse((W, W, W)), "weight", "tuple of 3"),
        Refusal("chain, no weight", lambda: twice.sparse(None), "weight", "NoneType"),
        Refusal("chain, matrix", lambda: twice.matrix([W]), "weight", "list of 1"),
        Refusal("chain, apply", lambda: twice.apply(X, [W, W, W]), "weight", "list of 3"),
        Refusal("chain, operator", lambda: twice.linear_operator(3), "weight", "int"),
        Refusal("chain, wrong order", lambda: twice.sparse((W, W[..., :1])), "weight", "(2, 2, 3)"),
        Refusal(
            "chain, bias", lambda: twice.apply(X, (W[..., :1], W), [None]), "bias", "list of 1"
        ),
        Refusal("chain, x", lambda: twice.apply(X[:, :4], (W[..., :1], W)), "x", "(2, 4)"),
    ]
    return rows


REFUSALS = [*integers(), *one_per_axis(), *words(), *borders(), *sizes(), *arrays(), *places()]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.label)
def test_refused_by_name_and_value(refusal: Refusal) -> None:
    with pytest.raises(GeometryError) as caught:
        refusal.call()
    message = str(caught.value)
    assert re.search(rf"(^|\W){re.escape(refusal.name)}", message), message
    assert refusal.value in message, message
    assert re.search("allowed|takes|needs|one shape", message), message
    assert len(message) < 400, message


@pytest.mark.parametrize(
    "refusal", [each for each in REFUSALS if each.torch], ids=lambda refusal: refusal.label
)
def test_torch_refuses_it_too(refusal: Refusal) -> None:
    torch = pytest.importorskip("torch")
    assert refusal.torch is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((RuntimeError, ValueError, TypeError, IndexError, NotImplementedError)):
            refusal.torch(torch)


@pytest.mark.parametrize(
    "refusal",
    [each for each in REFUSALS if each.torch and each.label.startswith("Conv")],
    ids=lambda refusal: refusal.label,
)
def test_our_module_refuses_it_by_name_too(refusal: Refusal) -> None:
    torch, ours = pytest.importorskip("torch"), pytest.importorskip("codegen.torch_ops")
    assert refusal.torch is not None
    with pytest.raises(GeometryError, match=rf"(^|\W){re.escape(refusal.name)}.*allowed"):
        refusal.torch(SimpleNamespace(nn=ours, zeros=torch.zeros))


def test_the_table_is_long_and_without_repetition() -> None:
    labels = [each.label for each in REFUSALS]
    assert len(labels) == len(set(labels)) >= 150
    assert sum(each.torch is not None for each in REFUSALS) >= 100


def test_a_refusal_is_a_value_error() -> None:
    assert issubclass(GeometryError, ValueError)


def test_what_is_no_operator_is_left_to_python() -> None:
    with pytest.raises(TypeError):
        op() @ 3
    with pytest.raises(TypeError):
        derive.Conv2d(1, 1, 3, kernel=3)  # type: ignore[call-arg]
