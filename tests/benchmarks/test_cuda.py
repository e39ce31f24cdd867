"""What a GPU is measured with, tried without one: turns, ceilings, tables, and the refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.case import Array, Case
from benchmarks.contestant import Contestant, UnsupportedError
from benchmarks.cuda import ceilings, gpu, report, run
from benchmarks.cuda.cases import BATCHES, SECTIONS
from benchmarks.cuda.ceilings import Ceilings
from benchmarks.cuda.measure import MOST, WRONG, Bench, Makers, measured
from benchmarks.row import Row
from benchmarks.store import Store
from benchmarks.timing import Run
from tests.benchmarks.test_benchmarks import SMALL
from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.sass import count, kernels, needs_disassembler

DENSE = SMALL["dense"]
BY_TORCH = ("cuDNN", "cuDNN channels-last")
MS = 2.0**-10  # seconds, about a millisecond: sums of them are exact


class Gpu:
    """A device whose time passes only when something runs; a captured call takes as long."""

    def __init__(self, seconds: dict[str, float], uncapturable: str = "") -> None:
        self.now, self.seconds, self.uncapturable = 0.0, seconds, uncapturable
        self.graphs: list[int] = []
        self.right = np.arange(1.0, 9.0)

    def spend(self, name: str) -> Array:
        self.now += self.seconds[name]
        return self.right

    def captured(self, run: Run, repeats: int) -> Run:
        if getattr(run, "args", ()) == (self.uncapturable,):
            raise RuntimeError("operation not permitted\nwhen stream is capturing")
        self.graphs.append(repeats)
        return lambda: [run() for _ in range(repeats)]

    def entries(self, case: Case) -> tuple[Array, Makers]:
        def make(name: str) -> Contestant:
            if name == "missing":
                raise UnsupportedError("no such layer")
            shift = 2 * WRONG[case.dtype] * self.right.max() * (name == "wrong")
            return Contestant(partial(self.spend, name), lambda result: result + shift)

        names = [name for name in self.seconds if name not in ("copy", "sums")]
        return self.right, {name: partial(make, name) for name in names}

    def bench(self) -> Bench:
        return Bench(
            self.entries,
            self.captured,
            lambda: self.now,
            lambda: (partial(self.spend, "copy"), 10**9),
            lambda dtype: (partial(self.spend, "sums"), 10**12),
        )


def row(name: str, ours: float, **others: float) -> Row:
    names = {each.replace("_", " "): seconds for each, seconds in others.items()}
    seconds = {each: (s / 2, s) for each, s in {**names, "exactconv cuda": ours}.items()}
    return Row(name, "3x3", 10**9, 10**12, seconds, dict.fromkeys(seconds, 1e-7), {})


def test_the_cases() -> None:
    every = [case for cases in SECTIONS.values() for case in cases]
    for section, cases in SECTIONS.items():
        assert {case.batch for case in cases} == set(BATCHES)
        assert {case.dtype for case in cases} == {section.removesuffix(" gradients")}
    assert len({case.name for case in every}) == len(every)
    assert all(f", batch {case.batch}, {case.dtype}" in case.name for case in every)


def test_everybody_takes_turns_by_graphs() -> None:
    gpu = Gpu({"cuDNN": 2 * MS, "exactconv cuda": MS / 8, "copy": MS, "sums": 4 * MS})
    found, limits = measured(DENSE, 3, gpu.bench())
    assert found.seconds == {"cuDNN": (2 * MS,) * 2, "exactconv cuda": (MS / 8,) * 2}
    assert found.ratio(1) == 16
    assert gpu.graphs == [1, 1, 1, 8, 1, 1, 1, 1]  # a trial of one call, then some that fill a ms
    assert limits == Ceilings(10**9 / MS, 10**12 / (4 * MS))
    assert found.peak == limits.of(DENSE)
    short = Gpu({"exactconv cuda": MS / 1024, "copy": MS, "sums": MS})
    measured(DENSE, 1, short.bench())
    assert max(short.graphs) == MOST


def test_who_is_left_out() -> None:
    names = ("right", "wrong", "missing", "torch.compile", "copy", "sums")
    gpu = Gpu(dict.fromkeys(names, MS), "torch.compile")
    found, _ = measured(DENSE, 1, gpu.bench())
    assert set(found.seconds) == set(found.errors) == {"right"}
    assert found.left_out["missing"] == "no such layer"
    assert found.left_out["wrong"].startswith("wrong: its error is 3.9e-03")
    assert found.left_out["torch.compile"] == "cannot be captured: operation not permitted"
    with pytest.raises(RuntimeError):
        measured(DENSE, 1, Gpu({"copy": MS, "sums": MS}, "copy").bench())


def test_ceilings() -> None:
    case = replace(DENSE, batch=2)
    elements = 2 * (4 * 7 * 8 + 4 * 4 * 4) + 4 * 2 * 9  # x, y and the weight of two groups
    assert Ceilings(1.0, 10.0**9).of(case) == case.flops / (4 * elements)
    assert Ceilings(1.0, 10.0**9).of(replace(case, dtype="float16")) == case.flops / (2 * elements)
    assert Ceilings(10.0**9, 1.0).of(case) == 1.0
    assert ceilings.operations("float32", 1) == 2 * 8 * 256 * 1024 * 8 * 32
    assert ceilings.operations("float16", 1) == 8 * 8 * 1024 * 8 * 8 * 4096


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_ceilings_are_all_sums(architecture: str) -> None:
    compiled = by_nvrtc(ceilings.text(), architecture)
    found = kernels(compiled.cubin)
    kinds = {"float32_sums": "FFMA"}
    if architecture != "sm_75":
        kinds |= {"float16_sums": "HMMA", "bfloat16_sums": "HMMA"}
    assert set(found) == set(kinds)
    for name, kind in kinds.items():
        sums = ceilings.SUMS * ceilings.TURNS // (1 if kind == "FFMA" else 4)
        assert compiled.usage[name].local == 0
        assert count(found[name].hot, [kind]) == sums
        assert found[name].share([kind]) > (0.95 if kind == "FFMA" else 0.9)


@pytest.mark.parametrize("dtype", WRONG)
@pytest.mark.parametrize("direction", ["forward", "input_gradient", "weight_gradient"])
def test_torch_computes_the_layers(direction: str, dtype: str) -> None:
    pytest.importorskip("torch")
    from benchmarks.cuda.bench import entries

    for name in ("dense", "volume", "transposed", "nearest"):
        case = replace(SMALL[name], direction=direction, dtype=dtype)
        if case.resize is not None and direction != "forward":
            continue
        right, makers = entries(case, "cpu")
        for who in BY_TORCH:
            contestant = makers[who]()
            got = contestant.result(contestant.run())
            assert np.abs(got - right).max() < WRONG[dtype] * np.abs(right).max()
        assert ("cuDNN TF32" in makers) == (dtype == "float32")
        assert "exactconv cuda" in makers


def test_the_table() -> None:
    a = row("a", 0.002, cuDNN=0.004, cuDNN_TF32=0.001)
    text = report.measurements([a, row("b", 0.002, cuDNN=0.001), row("c", 0.001)])
    times = "cuDNN 4.0000, cuDNN TF32 1.0000"
    cells = "| a | cuDNN | 4.0000 | 2.0000 | 0.50 | 50 | **2.00** | 0.50 | 1e-07 | 1e-07 |"
    assert f"{cells} {times} |" in text
    assert "| c | — | — | 1.0000 | 1.00 | 100 | — | — | 1e-07 | — |  |" in text
    assert "Geometric mean of 2 ratios: **1.00**; 1 of them behind." in text
    assert report.measurements([row("c", 0.001)]).count("\n") == 2
    assert "a copy moves 3000 GB/s" in report.sentence(Ceilings(3e12, 6e13), "float32")


def test_the_page_is_written_by_sections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    sections = {"float32": (DENSE, SMALL["volume"]), "float16": (replace(DENSE, dtype="float16"),)}
    monkeypatch.setattr(run, "SECTIONS", sections)
    seconds = {"cuDNN": 2 * MS, "exactconv cuda": MS, "copy": MS, "sums": MS}
    for pattern in ("dense", "volume"):
        run.measure(re.compile(pattern), 1, Gpu(seconds).bench(), "a GPU", tmp_path)
    text = (tmp_path / run.RESULTS).read_text()
    assert text.startswith("# Measured by `make bench-cuda`\n\na GPU.\n")
    assert [text.index(each) for each in ("| dense |", "| volume |")] == sorted(
        text.index(each) for each in ("| dense |", "| volume |")
    )
    assert text.count("## float") == 2
    assert "float16 registers do" in text
    assert f"]({run.PICTURE})" in text
    assert "| volume |" in capsys.readouterr().out
    assert list(Store.read(tmp_path / run.KEPT, "a GPU").rows) == ["float32", "float16"]
    assert Store.read(tmp_path / run.KEPT, "another").rows == {}


@pytest.mark.skipif(not gpu.why_none(), reason="there is a GPU")
def test_without_a_gpu_it_says_why_and_touches_nothing() -> None:
    before = {path: path.stat().st_mtime_ns for path in run.HERE.rglob("*.*")}
    done = CliRunner().invoke(main, ["cuda"])
    assert done.exit_code == 0
    assert done.output == f"cuda: nothing is measured here: {gpu.why_none()}\n"
    after = {path: path.stat().st_mtime_ns for path in run.HERE.rglob("*.*")}
    assert {path for path in after if path.suffix != ".pyc"} <= set(before)
    assert all(after[path] == before[path] for path in before if path.suffix != ".pyc")
