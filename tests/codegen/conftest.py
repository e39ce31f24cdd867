"""What several tests of kernels start from."""

import pytest

from codegen import lane_gradient, schedule


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes for every operator, also those with channels too few to be worth it."""
    monkeypatch.setattr(schedule, "suits", lambda form, machine, item: True)
    monkeypatch.setattr(lane_gradient, "suits", lambda form, machine, item: True)
