"""What several tests of kernels start from."""

import pytest

from codegen.cpu import schedule
from tests.codegen.schedules import channel_gradient, channel_lanes, column_lanes, strips


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes for every operator, also those with channels too few to be worth it."""
    monkeypatch.setattr(schedule, "gather_schedule", channel_lanes)
    monkeypatch.setattr(schedule, "gradient_schedule", channel_gradient)


@pytest.fixture
def in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Column lanes for every operator that they fit."""
    monkeypatch.setattr(schedule, "gather_schedule", column_lanes)


@pytest.fixture
def in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The depthwise schedule for every operator that it fits."""
    monkeypatch.setattr(schedule, "gather_schedule", strips)
