"""Which schedule is chosen for what."""

from __future__ import annotations

from typing import Any

import pytest

import derive
from codegen._runtime.machine import X86
from codegen.cpu.column_lanes import ColumnLanes
from codegen.cpu.depthwise import Depthwise
from codegen.cpu.lanes import Lanes
from codegen.cpu.schedule import gather_schedule
from codegen.lower import lower
from codegen.nests import Gather

LAYERS: list[tuple[derive.Layer, type[Any]]] = [
    (derive.Conv2d(64, 64, 3, padding=1, input_size=56), Lanes),
    (derive.Conv2d(128, 256, 3, stride=2, padding=1, input_size=28), Lanes),
    (derive.Conv2d(320, 1280, 1, input_size=7), Lanes),
    (derive.Conv2d(3, 16, 3, padding=1, input_size=224), ColumnLanes),
    (derive.Conv2d(256, 64, 1, input_size=56), ColumnLanes),
    (derive.Conv2d(128, 128, 3, padding=1, groups=32, input_size=56), ColumnLanes),
    (derive.ConvTranspose2d(64, 3, 4, 2, padding=1, input_size=64), ColumnLanes),
    (derive.Conv2d(64, 64, 3, padding=1, groups=64, input_size=56), Depthwise),
    (derive.Conv2d(64, 128, 3, stride=2, padding=1, groups=64, input_size=56), Depthwise),
    (derive.Conv2d(2, 3, 1, input_size=1), Gather),
]


@pytest.mark.parametrize(("layer", "kind"), LAYERS)
def test_the_schedule_that_suits(layer: derive.Layer, kind: type[Any]) -> None:
    nests = lower(layer.form)
    assert isinstance(gather_schedule(nests.form, nests.forward, X86[0], "float32"), kind)
    assert gather_schedule(nests.form, nests.forward, None, "float32") is nests.forward


def test_channels_that_lie_far_apart_are_read_a_whole_vector_at_a_time() -> None:
    """A kernel of one tap on a machine whose tiles are narrow."""
    nests = lower(derive.Conv2d(256, 64, 1, input_size=56).form)
    assert isinstance(gather_schedule(nests.form, nests.forward, X86[1], "float32"), ColumnLanes)
