"""Resizes and pads that do not exist are refused by name and value; torch refuses them, too."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import derive
from derive import GeometryError

NAN, INF = float("nan"), float("inf")
TWO = {"mode": "bilinear", "input_size": (4, 4)}
NO_INTEGERS = (True, np.True_, 1.5, "3", NAN)

# (parameters beside channels=2, input_size=4 and scale_factor=2, what the message begins with)
RESIZES: list[tuple[dict[str, Any], str]] = [
    *(({"channels": bad}, f"channels = {bad!r}") for bad in (0, -1, None, *NO_INTEGERS)),
    *(({"input_size": bad}, f"input_size = {bad!r}") for bad in (0, -1, 2**31, *NO_INTEGERS)),
    ({"input_size": (4, 0)}, "input_size[1] = 0"),
    ({"input_size": (4, None)}, "input_size[1] = None"),
    ({"input_size": ()}, "input_size = ()"),
    ({"input_size": (4, 4, 4, 4)}, "input_size = (4, 4, 4, 4)"),
    *(
        ({"scale_factor": bad}, f"scale_factor = {bad!r}")
        for bad in (0, 0.0, -1, -0.5, NAN, INF, -INF, True, "two", "1/0", "", b"2", 1j, 10**40)
    ),
    ({"scale_factor": (2, 2)}, "scale_factor = (2, 2)"),
    ({"scale_factor": ()}, "scale_factor = ()"),
    ({**TWO, "scale_factor": (2, 0)}, "scale_factor[1] = 0"),
    ({**TWO, "scale_factor": (2, NAN)}, "scale_factor[1] = nan"),
    ({**TWO, "scale_factor": (True, 2)}, "scale_factor[0] = True"),
    ({**TWO, "scale_factor": (2,)}, "scale_factor = (2,)"),
    *(
        ({"scale_factor": None, "size": bad}, f"size = {bad!r}")
        for bad in (0, -3, 2**31, 2**64, (3, 3), (), *NO_INTEGERS)
    ),
    ({"scale_factor": None, "size": (0,)}, "size[0] = 0"),
    ({"scale_factor": 2, "size": 8}, "size and scale_factor are both given"),
    ({"scale_factor": None}, "size and scale_factor are both None"),
    ({"scale_factor": "1/9"}, "input_size[0] = 4"),  # no output is left
    ({"scale_factor": 0.1}, "input_size[0] = 4"),
    ({**TWO, "scale_factor": 2**31 - 1, "input_size": 2**31 - 1}, "out_channels, input_size"),
    *(
        ({"mode": bad}, f"mode = {bad!r}")
        for bad in ("cubic", "Nearest", "", None, 2, "lanczos", "nearest_exact")
    ),
    ({"mode": "linear", "input_size": (4, 4)}, "input_size = (4, 4)"),
    ({"mode": "bilinear", "input_size": (4,)}, "input_size = (4,)"),
    ({"mode": "bilinear", "input_size": (4, 4, 4)}, "input_size = (4, 4, 4)"),
    ({"mode": "trilinear", "input_size": (4, 4)}, "input_size = (4, 4)"),
    ({"mode": "bicubic", "input_size": (4,)}, "input_size = (4,)"),
    ({"mode": "bicubic", "input_size": (4, 4, 4)}, "input_size = (4, 4, 4)"),
    *(
        ({"mode": mode, "align_corners": value}, f"align_corners = {value}")
        for mode in ("nearest", "nearest-exact", "area")
        for value in (True, False)
    ),
    *(({**TWO, "align_corners": bad}, f"align_corners = {bad!r}") for bad in (1, "yes", 0)),
    *(
        ({"mode": mode, "antialias": True}, "antialias = True")
        for mode in ("nearest", "nearest-exact", "area", "linear", "trilinear")
    ),
    *(({**TWO, "antialias": bad}, f"antialias = {bad!r}") for bad in (1, None, "yes")),
    (
        {"scale_factor": None, "size": 8, "recompute_scale_factor": True},
        "recompute_scale_factor = True",
    ),
    *(({"recompute_scale_factor": bad}, f"recompute_scale_factor = {bad!r}") for bad in (1, "yes")),
    *(
        ({"index_arithmetic": bad}, f"index_arithmetic = {bad!r}")
        for bad in ("float64", "", None, True)
    ),
    *(
        ({"mode": mode, "index_arithmetic": "float32"}, "index_arithmetic = 'float32'")
        for mode in ("linear", "area", "bicubic")
    ),
]
PADS: list[tuple[dict[str, Any], str]] = [
    *(({"padding": bad}, f"padding = {bad!r}") for bad in (1, "same", (), None, True)),
    ({"padding": (-1,)}, "padding[0] = -1"),
    ({"padding": (True,)}, "padding[0] = True"),
    ({"padding": (1.5,)}, "padding[0] = 1.5"),
    ({"padding": ((1, 2, 3),)}, "padding[0] = (1, 2, 3)"),
    ({"padding": ((1, None),)}, "padding[0][1] = None"),
    ({"padding": ((1, 2**31),)}, "padding[0][1] = 2147483648"),
    ({"padding": ((-2, -2),)}, "input_size[0] = 4"),
    ({"padding": (4,), "mode": "reflect"}, "padding[0] = (4, 4)"),
    ({"padding": (5,), "mode": "circular"}, "padding[0] = (5, 5)"),
    ({"mode": "constant"}, "mode = 'constant'"),
    ({"mode": None}, "mode = None"),
    *(({"channels": bad}, f"channels = {bad!r}") for bad in (0, True, None, 1.5)),
    *(({"input_size": bad}, f"input_size = {bad!r}") for bad in (0, -1, True, 1.5, (4, 4))),
]


def named(row: tuple[dict[str, Any], str]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in row[0].items())


@pytest.mark.parametrize(("words", "message"), RESIZES, ids=map(named, RESIZES))
def test_resizes(words: dict[str, Any], message: str) -> None:
    parameters = {"channels": 2, "input_size": 4, "scale_factor": 2, **words}
    with pytest.raises(GeometryError, match="^" + re.escape(message)) as caught:
        derive.Interpolate(**parameters)
    assert "allowed" in str(caught.value)


@pytest.mark.parametrize(("words", "message"), PADS, ids=map(named, PADS))
def test_pads(words: dict[str, Any], message: str) -> None:
    parameters = {"channels": 2, "padding": (1,), "input_size": 4, **words}
    with pytest.raises(GeometryError, match="^" + re.escape(message)) as caught:
        derive.Pad(**parameters)
    assert "allowed" in str(caught.value)


def test_input_size_is_not_optional() -> None:
    """It gives the number of axes; None for each leaves them free."""
    with pytest.raises(TypeError, match="input_size"):
        derive.Interpolate(2, scale_factor=2)  # type: ignore[call-arg]
    free = derive.Interpolate(2, (None, None), scale_factor=2)
    with pytest.raises(GeometryError, match="needs a fixed input_size"):
        free.matrix()
    assert free.input_size is free.output_size is None
    assert free.at((3, 4)).output_size == (6, 8)


def test_nothing_is_learned() -> None:
    for op in (derive.Interpolate(1, 4, size=6), derive.Pad(1, (1,), input_size=4)):
        for call in (op.matrix, op.sparse, op.linear_operator):
            with pytest.raises(GeometryError, match="allowed is None, since"):
                call([[[1]]])
        with pytest.raises(GeometryError, match="bias has shape"):
            op.apply([[1, 2, 3, 4]], None, [1])
        with pytest.raises(GeometryError, match="weight = 'given'"):
            op.apply([[1, 2, 3, 4]], [[[1]]])


TORCH_REFUSES = [
    {"scale_factor": None},
    {"size": 8},
    {"align_corners": True},
    {"antialias": True},
    {"mode": "cubic"},
    {"mode": "bilinear"},
    {"scale_factor": None, "size": 0},
    {"scale_factor": None, "size": -1},
    {"scale_factor": 0.1},
    {"scale_factor": -1.0},
    {"scale_factor": (2, 2)},
    {"scale_factor": None, "size": 8, "recompute_scale_factor": True},
]


@pytest.mark.parametrize("words", TORCH_REFUSES, ids=str)
def test_torch_refuses_too(words: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    parameters = {"scale_factor": 2, **words}
    with pytest.raises((ValueError, RuntimeError, NotImplementedError)):
        torch.nn.functional.interpolate(torch.zeros(1, 2, 4), **parameters)
    size: Any = (4,)
    with pytest.raises(GeometryError):
        derive.Interpolate(2, size, **parameters)


def test_there_are_many() -> None:
    assert len(RESIZES) + len(PADS) > 100
