"""One thread a process, and a cache of compiled kernels that no other run shares."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before any library reads it; xdist runs processes


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Kernels are built once a run, by whichever worker is first; $EXACTCONV_CACHE is honoured."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ.setdefault("EXACTCONV_CACHE", str(shared / "kernels"))


@pytest.fixture(params=["torch.nn", "codegen.torch_ops"])
def family(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """torch's layers, then ours in their place: what holds of a torch module holds of ours."""
    pytest.importorskip("torch")
    from tests.torch_ops.families import in_place  # which imports torch

    yield from in_place(request.param, monkeypatch)
