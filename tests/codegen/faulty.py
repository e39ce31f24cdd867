"""What the packages make of a few layers with a fault in them: see ``faults``.

As a program it makes a copy of the two packages, plants one fault after another in it, imports anew
what the fault is in, emits all layers, runs their NumPy kernels and writes a C program of the
kernels whose text the fault has changed: ``python -m tests.codegen.faulty FOLDER``. The answers in
``FOLDER/answers.npz`` are of the packages as they are. Derivations take longer than printing: what
is below a fault, or only printed by it, is derived once.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.codegen.faults import FAULTS, TEMPLATES, Fault

ROOT = Path(__file__).parents[2]
PACKAGES = "derive", "codegen"
DTYPE = "float32"
SMALL_CACHE = 1 << 13  # bytes: tiles in several blocks


def operators(derive: Any) -> list[Any]:
    """Each kind of nest, with sizes that are awkward: odd widths, groups, channels left over."""
    small = derive.Interpolate(2, (4, 5), scale_factor=2)
    line = derive.Interpolate(2, 6, scale_factor=2, mode="linear")
    return [
        derive.Conv2d(5, 6, 3, padding=1, input_size=(7, 23)),
        derive.Conv2d(6, 10, (3, 2), 2, ((1, 0), (1, 2)), (2, 1), groups=2, input_size=(8, 9)),
        derive.ConvTranspose2d(4, 3, (4, 3), (2, 3), 1, (1, 0), input_size=(4, 5)),
        derive.Conv1d(2, 3, 17, padding=8, input_size=24),
        derive.Conv1d(3, 5, 2, input_size=4),
        derive.Conv3d(2, 3, (2, 3, 2), padding=1, input_size=(3, 4, 5)),
        derive.Conv2d(2, 3, 3, padding=1, bias=False, input_size=(8, 10)) @ small,
        derive.Conv1d(2, 3, 3, padding=1, bias=False, input_size=12) @ line,
        derive.Conv2d(3, 6, 3, padding=1, groups=3, input_size=(19, 14)),
        derive.Conv2d(3, 4, 1, input_size=(5, 7)),
        derive.Conv2d(2, 3, 3, padding=2, padding_mode="reflect", input_size=(5, 6)).T,
        derive.Interpolate(2, (4, 5), scale_factor=2, mode="bilinear"),
        derive.Interpolate(2, (3, 8), size=(6, 4), mode="nearest"),
        derive.Interpolate(2, (8, 6), scale_factor="1/2", mode="area"),
    ]


def _planned(world: Mapping[str, Any], samples: list[Any]) -> list[tuple[Any, Any]]:
    """(sample, plan): all portable, None, and those that learn by each schedule that fits."""
    pairs: list[tuple[Any, Any]] = [(sample, None) for sample in samples]
    for sample in samples:
        plans = _plans(world, sample.op, _machine(world)) if sample.op.learned else []
        pairs += [(sample, plan) for plan in plans]
    return pairs


def _machine(world: Mapping[str, Any]) -> Any:
    return replace(world["codegen._runtime.machine"].candidates()[-1], l2=SMALL_CACHE)


def _emitted(world: Mapping[str, Any], pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """(sample, its text)."""
    c, machine = world["codegen.targets.c"], _machine(world)
    return [
        (sample, c.emit(sample.op, f"k{i}", plan and machine, DTYPE, plan=plan))
        for i, (sample, plan) in enumerate(pairs)
    ]


def _plans(world: Mapping[str, Any], op: Any, machine: Any) -> list[Any]:
    """Channels in lanes; columns; strips; and where the engine has tiles for it, a transform."""
    of, choice = world["tests.codegen.schedules"], world["codegen.transforms.choice"]
    schedule, nests = world["codegen.cpu.schedule"], world["codegen.lower"].lower(op.form)

    def plan(gather: Any, gradient: Any) -> Any:
        return schedule.Plan(
            gather(nests.form, nests.forward, machine, DTYPE),
            gather(nests.form.adjoint, nests.input_gradient, machine, DTYPE),
            gradient(nests.form, nests.weight_gradient, machine, DTYPE),
        )

    found = [plan(of.channel_lanes, of.channel_gradient), plan(of.column_lanes, of.position_lanes)]
    if op.form.channels_in == 1:
        found.append(plan(of.strips, of.position_lanes))
    item = schedule.ITEM[DTYPE]
    if tried := choice.candidates(op.form, machine, item):
        found.append(replace(found[-1], forward=tried[0][1]))
    return found


def _world(root: Path, stale: Sequence[str]) -> dict[str, Any]:
    """The modules that ``root`` holds, those of stale packages imported anew."""
    for name in [*sys.modules]:
        if name.partition(".")[0] in stale:
            del sys.modules[name]
    importlib.invalidate_caches()
    names = (
        "derive",
        "codegen.render",
        "codegen.targets.c",
        "codegen.lower",
        "codegen.cpu.schedule",
        "codegen.transforms.choice",
        "codegen._runtime.machine",
        "codegen.builder",
        "codegen.emit",
        "tests.codegen.program",
        "tests.codegen.schedules",
    )
    world = {name: importlib.import_module(name) for name in names}
    for remembered in (world["codegen.render"]._environment, world["codegen.render"]._names):
        remembered.cache_clear()
    return world


def _results(world: Mapping[str, Any], samples: list[Any]) -> list[str]:
    """The NumPy functions that are wrong."""
    wrong = []
    for i, sample in enumerate(samples):
        text = world["codegen.emit"].emit_numpy(sample.op, "k")
        kernel = world["codegen.builder"].numpy_kernel("k", text)
        x, g, w, b = (sample.inputs.get(name) for name in "xgwb")
        calls = {"forward": (x, w, b), "input_gradient": (g, w), "weight_gradient": (x, g)}
        for direction, arguments in calls.items():
            if direction in sample.answers:
                expected = sample.answers[direction]
                out = np.full(expected.shape, np.nan)
                getattr(kernel, direction)(*arguments, out=out)
                wrong += [f"{i} {direction}"] * (not np.array_equal(out, expected))
    return wrong


def _samples(world: Mapping[str, Any], ops: list[Any], answers: Mapping[str, Any]) -> list[Any]:
    def of(i: int, kind: str) -> dict[str, Any]:
        start = f"{i} {kind} "
        return {key.removeprefix(start): answers[key] for key in answers if key.startswith(start)}

    sample = world["tests.codegen.program"].Sample
    return [sample(op, of(i, "in"), of(i, "out")) for i, op in enumerate(ops)]


def _said(
    world: Mapping[str, Any], pairs: list[tuple[Any, Any]], folder: Path, right: list[Any]
) -> str:
    """What Python says of a fault; a C program in ``folder`` of the texts that are not right."""
    written = _emitted(world, pairs)
    texts = [text.files for _, text in written]
    changed = [pair for pair, text in zip(written, texts, strict=True) if text not in right]
    if not right:
        right += texts
    if changed:
        world["tests.codegen.program"].write(folder, *zip(*changed, strict=True), DTYPE)
    return ", ".join(_results(world, [sample for sample, plan in pairs if plan is None]))


LAYERS = [(TEMPLATES, ()), ("codegen/", ("codegen", "tests")), ("derive/", (*PACKAGES, "tests"))]


def _layer(fault: Fault) -> int:
    """What is stale with a fault: the pages, the package, or both packages."""
    return next(i for i, (start, _) in enumerate(LAYERS) if fault.file.startswith(start))


def main(folder: Path) -> None:
    answers = dict(np.load(folder / "answers.npz"))
    root = folder / "copy"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package)
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True  # of a fault, which the next one would find
    right: list[Any] = []
    said = {}
    everything = LAYERS[-1][1]
    turns = sorted(FAULTS.items(), key=lambda each: _layer(each[1]))
    pairs: list[tuple[Any, Any]] = []
    for name, fault in (("none", None), *turns, ("none again", None)):
        place = folder / name.replace(" ", "_").replace(":", "")
        place.mkdir()
        kept = fault and (root / fault.file).read_bytes()
        stale = LAYERS[_layer(fault)][1] if fault else everything
        if fault is not None:
            fault.apply(root)
        try:
            world = _world(root, stale)
            assert Path(world["derive"].__file__).is_relative_to(root)
            if stale:
                pairs = _planned(world, _samples(world, operators(world["derive"]), answers))
            said[name] = _said(world, pairs, place, right)
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"[:200]
        if fault is not None and kept is not None:
            (root / fault.file).write_bytes(kept)
    (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
