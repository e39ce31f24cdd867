"""Whole networks are measured as the tables say, and who computes something else is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from benchmarks.models import contest, report, run  # noqa: E402
from benchmarks.models.contest import WRONG, Task, measured, step  # noqa: E402
from benchmarks.models.judge import Judge  # noqa: E402
from benchmarks.models.networks import MEASURED, Network, resnet50  # noqa: E402
from benchmarks.row import Row  # noqa: E402
from benchmarks.store import Store  # noqa: E402
from codegen.models import LayerReport, Report, analyse  # noqa: E402
from tests.codegen.libraries import needs_compiler  # noqa: E402

MADE = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
SMALL = Network("VAE decoder", lambda batch: (MADE, (torch.ones(batch, 3, 5, 6),)))
BOTH = [Task(SMALL, 2, train) for train in (False, True)]


def row(task: Task, ratio: float) -> Row:
    seconds = {"torch": (ratio, ratio), "torch.compile": (2.0, 2.0), "exactconv auto": (1.0, 1.0)}
    return Row(task.name, task.what, 10, 20.0, seconds, dict.fromkeys(seconds, 1e-7))


def test_resnet50_is_what_everybody_counts() -> None:
    layers = list(resnet50())
    assert len(layers) == 53
    assert sum(layer.weight.numel() for layer, _ in layers) == 23_454_912
    macs = sum(
        layer.weight.numel() * (size // layer.stride[0]) ** 2 for layer, size in layers
    )  # 4.1 billion with the last, dense layer
    assert macs == 4_087_136_256
    network, xs = MEASURED[-1].make(2)
    with torch.no_grad():
        assert network(*(x[:, :, :7, :7] for x in xs))[-1].shape == (2, 2048, 7, 7)
    assert [network.name for network in MEASURED][1:3] == list(report.GOALS)


@needs_compiler
@pytest.mark.parametrize("task", BOTH, ids=lambda task: task.what)
def test_everybody_takes_part(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model, options: model)  # tried elsewhere
    found, reports = measured(task, ["exact", "auto"], 1, 1)
    assert not found.left_out
    assert list(found.seconds) == [
        "torch",
        "torch.compile",
        *("exactconv exact", "exactconv exact, compiled", "exactconv auto"),
        "exactconv auto, compiled",
    ]
    assert max(found.errors.values()) < 2**-18
    assert reports["exact"].layers[0].name == "1"
    assert found.flops == 2 * 2 * analyse(MADE, SMALL.make(1)[1]).macs * (3 if task.train else 1)


def test_who_is_wrong_or_does_not_compile_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(model: nn.Module, options: object) -> nn.Module:
        raise RuntimeError("no compiler\nhere")

    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            wrong: Tensor = MADE(x) * (1 + 1.01 * WRONG)
            return wrong

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(
        contest, "convert", lambda *_, **__: (Wrong(), Report(source="", layers=()))
    )
    found, _ = measured(BOTH[0], ["exact"], 1, 1)
    assert list(found.seconds) == ["torch"]
    assert found.left_out["torch.compile"] == "does not compile: no compiler"
    assert found.left_out["exactconv exact"].startswith("wrong")


def test_a_step_has_the_gradients_of_parameters_and_inputs() -> None:
    x = torch.ones(1, 3, 5, 6)
    by_weight, by_bias, by_x = step(MADE, (x,), train=True)()
    assert (by_weight.shape, by_bias.shape, by_x.shape) == ((4, 3, 3, 3), (4,), x.shape)
    assert not x.requires_grad
    judge = Judge([by_weight, by_x])
    assert judge.error([by_weight, by_x * 2]) == 1
    assert judge.error([by_weight, by_x[:1, :1]]) == float("inf")


def test_the_words() -> None:
    layers = [
        LayerReport(name=name, kind="Conv2d", ops=(), swapped=swapped, reason=reason)
        for name, swapped, reason in (
            ("a", True, "ours"),
            ("b", False, "torch is faster"),
            ("c", False, "torch is faster"),
        )
    ]
    words = report.kept({"auto": Report(source="m", layers=tuple(layers))})
    assert words == "auto: 1 of 3 layers swapped (kept b, c: torch is faster)"
    reached, missed = (report.verdict([row(BOTH[0], ratio)]) for ratio in (1.5, 1.25))
    assert reached.endswith("reached by all rows.")
    assert missed.endswith("missed by VAE decoder, batch 2, forward (1.25).")
    other = replace(BOTH[0], network=replace(SMALL, name="DCGAN generator"))
    assert report.verdict([row(other, 1.0)]) == ""
    assert "| **1.50** | 1.50 | 1.50 |" in report.measurements([row(BOTH[0], 1.5)])


def test_a_run_keeps_what_it_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Report(source="m", layers=())
    monkeypatch.setattr(run, "measured", lambda task, *_: (row(task, 2.0), {"auto": found}))
    for only in ("forward$", "backward"):
        run.run(re.compile(only), ["auto"], 1, 2, keep=True, folder=tmp_path, tasks=BOTH)
    page = (tmp_path / run.RESULTS).read_text(encoding="utf-8")
    assert page.index("VAE decoder, batch 2, forward |") < page.index("forward and backward |")
    assert "## 2 threads" in page
    assert "* VAE decoder, batch 2, forward: auto: 0 of 0 layers swapped" in page
    kept = Store.read(tmp_path / run.KEPT, run.described())
    assert list(kept.rows["2 threads"]) == [task.name for task in BOTH]
    run.run(re.compile(""), ["auto"], 1, 1, keep=False, folder=tmp_path / "none", tasks=BOTH)
    assert not (tmp_path / "none").exists()
