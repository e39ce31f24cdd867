"""The direct schedule: what it computes once each, what it claims, and what its kernels give."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from codegen.cuda.device import KNOWN, Device, device_of
from codegen.cuda.direct import Direct
from codegen.cuda.direct_choice import candidates, direct
from codegen.cuda.schedule import CudaPlan, Gathered
from codegen.lower import lower
from codegen.targets.cuda.text import emit_cuda
from derive import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Interpolate,
    Operator,
)
from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.emulated import emulated, needs_emulator
from tests.cuda.exact import Trial

DEVICE = Device()
BATCHES = (3, 1, 17, 0)


def resized(layer: Operator, mode: str) -> Operator:
    """The layer behind a resize by two."""
    channels, *sizes = layer.input_shape
    up = Interpolate(channels, [n // 2 for n in sizes], scale_factor=2, mode=mode)
    chain = layer @ up
    assert isinstance(chain, Operator)
    return chain


OPERATORS: dict[str, Operator] = {
    "plain": Conv2d(5, 6, 3, padding=1, input_size=(9, 11)),
    "strided": Conv2d(3, 8, 7, stride=2, padding=3, input_size=(21, 20)),
    "pointwise": Conv2d(9, 17, 1, bias=False, input_size=(5, 7)),
    "spaced": Conv2d(4, 6, 1, stride=2, input_size=(9, 9)),
    "grouped": Conv2d(8, 8, 3, padding=2, dilation=2, groups=2, input_size=(10, 9)),
    "reflected": Conv2d(4, 4, 3, padding=1, padding_mode="reflect", input_size=(8, 9)),
    "around": Conv2d(3, 2, (1, 5), padding=(0, 3), padding_mode="circular", input_size=(3, 8)),
    "transposed": ConvTranspose2d(6, 5, 4, stride=2, padding=1, input_size=(7, 8)),
    "uneven": ConvTranspose2d(
        7, 3, 3, stride=2, padding=1, output_padding=1, bias=False, input_size=(12, 15)
    ),
    "phases": ConvTranspose2d(4, 1, 9, stride=4, padding=4, output_padding=3, input_size=(6, 6)),
    "signal": Conv1d(4, 9, 16, stride=8, padding=4, input_size=77),
    "vocoder": ConvTranspose1d(9, 4, 16, stride=8, padding=4, input_size=13),
    "volume": Conv3d(3, 4, 3, padding=1, input_size=(5, 6, 7)),
    "grown": ConvTranspose3d(2, 3, 3, stride=2, padding=1, input_size=(3, 2, 4)),
    "nearest": resized(Conv2d(3, 4, 3, padding=1, input_size=(8, 12)), "nearest"),
    "blended": resized(Conv2d(3, 4, 3, padding=1, input_size=(12, 8)), "bilinear"),
}
DTYPES = {  # by dtype the operators that are run in it
    "float32": list(OPERATORS),
    "float64": ["plain", "grouped", "transposed", "blended"],
    "float16": ["strided", "uneven", "nearest"],
}
LEFT = {  # to the gather: few threads would copy many places
    ("phases", "input_gradient"),
    ("grown", "input_gradient"),
}
LARGE: dict[str, Operator] = {
    "3x3": Conv2d(64, 64, 3, padding=1, input_size=(56, 56)),
    "deep": Conv2d(512, 512, 3, padding=1, input_size=(7, 7)),
    "first": Conv2d(3, 64, 7, stride=2, padding=3, input_size=(224, 224)),
    "last": Conv2d(64, 1, 3, padding=1, input_size=(64, 64)),
    "generator": ConvTranspose2d(64, 3, 4, stride=2, padding=1, input_size=(64, 64)),
    "fsrcnn": ConvTranspose2d(56, 1, 9, stride=4, padding=4, output_padding=3, input_size=(64, 64)),
    "unet": ConvTranspose2d(128, 64, 2, stride=2, input_size=(64, 64)),
}
FORMS = {
    f"{name}, {side}": form
    for name, op in (OPERATORS | LARGE).items()
    for side, form in zip(
        ("forward", "gradient"), (lower(op.form).form, lower(op.form).form.adjoint), strict=True
    )
}


def planned(op: Operator, device: Device, item: int) -> CudaPlan:
    """Both directions direct where they can be, whatever the rule says."""
    form = lower(op.form).form
    sides = [direct(each, device, item) or Gathered() for each in (form, form.adjoint)]
    return CudaPlan(*sides, Gathered())


def held(schedule: Direct, d: int) -> list[int]:
    """The outputs along an axis that tiles hold, as often as they do."""
    slide = schedule.slides[d]
    window = slide.window
    size = (schedule.depth, schedule.height, schedule.width)[d]
    if d == 0 and schedule.batched:
        size = 1
    end = min(window.n_out, window.step * (window.first + window.count))
    places = (
        window.step * (window.first + tile * size + q) + group * slide.phases + phase
        for tile, q in product(range(schedule.tiles[d]), range(size))
        for group, phase in product(range(len(slide.bases)), range(slide.phases))
    )
    return [y for y in places if y < end]


@pytest.mark.parametrize("name", FORMS)
def test_each_output_is_held_once(name: str) -> None:
    form = FORMS[name]
    for schedule in [*candidates(form, DEVICE, 1)][::7]:
        met = np.zeros([slide.window.n_out for slide in schedule.slides], int)
        np.add.at(met, np.ix_(*(held(schedule, d) for d in range(3))), 1)
        for box in schedule.border:
            ends = map(sum, zip(box.firsts, box.sizes, strict=True))
            met[tuple(slice(a, b) for a, b in zip(box.firsts, ends, strict=True))] += 1
        assert met.min() == met.max() == 1
        channels = schedule.thread.outputs * schedule.channel_threads
        assert channels * (schedule.channel_blocks - 1) < form.channels_out
        assert channels * schedule.channel_blocks >= form.channels_out


@pytest.mark.parametrize("name", FORMS)
def test_each_tap_is_used_once(name: str) -> None:
    form = FORMS[name]
    schedule = direct(form, DEVICE, 4)
    if schedule is None:
        pytest.skip("left to the gather")
    thread, slides = schedule.thread, schedule.slides
    used = []
    for group in product(*map(range, schedule.phase_groups)):
        for row, use in [(taps, each) for taps in thread.tap_rows for each in taps.uses]:
            at = zip(slides, group, (row.depth, row.row, use.column), strict=True)
            offsets = tuple(slide.bases[g] + slide.spacing * place for slide, g, place in at)
            phases = zip(slides, group, use.phase, strict=True)
            phase = tuple(g * slide.phases + p for slide, g, p in phases)
            used.append((phase, offsets, thread.tap_in_weight(group, use)))
    expected = [
        (phase, tuple(offset for offset, _ in reads), sum(weight * tap for weight, tap in taps))
        for phase in product(*(range(len(slide.window.phases)) for slide in slides))
        for reads in product(*(s.window.phases[p] for s, p in zip(slides, phase, strict=True)))
        for taps in [[(s.weight, tap) for s, (_, tap) in zip(slides, reads, strict=True)]]
    ]
    assert sorted(used) == sorted(expected)


def turns(places: list[int], words: int) -> int:
    """Cycles for vectors of these lanes, 128 bytes at a time: the most words of a bank."""
    found = 0
    for begin in range(0, len(places), 32 // words):
        asked = {p + w for p in places[begin : begin + 32 // words] for w in range(words)}
        found += max(sum(each % 32 == bank for each in asked) for bank in range(32))
    return found


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("capability", KNOWN)
def test_schedules_fit_and_conflict_as_claimed(name: str, capability: int) -> None:
    device = device_of(capability)
    for side, item in product(("forward", "gradient"), (2, 4, 8)):
        schedule = direct(FORMS[f"{name}, {side}"], device, item)
        if schedule is None:
            assert item == 8
            continue
        thread, words = schedule.thread, schedule.thread.words
        assert schedule.shared <= device.shared_bytes
        assert schedule.registers * schedule.threads <= device.registers
        assert schedule.threads <= 256
        lanes = range(min(32, schedule.part_threads))
        pixels = [
            at // (schedule.lanes * schedule.channel_threads) * schedule.lanes + at % schedule.lanes
            for at in lanes
        ]
        _, along_y, along_x = schedule.pixel_counts
        step_z = schedule.positions[1] * (1 if schedule.batched else schedule.slides[0].advance)
        step_y = thread.rows * schedule.slides[1].advance
        places = [
            words
            * (
                (pixel // along_x // along_y * step_z + pixel // along_x % along_y * step_y)
                * schedule.pitch
                + pixel % along_x * thread.columns
            )
            for pixel in pixels
        ]
        vector = thread.vector * words
        if len(set(places)) > 1:
            assert schedule.window_cycles(schedule.pitch) == turns(places, vector)
        assert words == 2 or schedule.window_cycles(schedule.pitch) <= 2 * vector


@needs_emulator
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact(dtype: str, tmp_path: Path) -> None:
    item = {"float16": 2, "float32": 4, "float64": 8}[dtype]
    names = DTYPES[dtype]
    programs = [
        emit_cuda(OPERATORS[n], n, dtype, DEVICE, planned(OPERATORS[n], DEVICE, item))
        for n in names
    ]
    for i, (name, kernel) in enumerate(zip(names, emulated(programs, tmp_path), strict=True)):
        trial = Trial.of(OPERATORS[name], BATCHES[i % len(BATCHES)], i)
        for direction in ("forward", "input_gradient"):
            (step,) = kernel.program.functions[direction].steps
            assert (step.kernel == f"{name}_{direction}_direct") != ((name, direction) in LEFT)
            result = trial.run(kernel, direction, seed=i)
            again = trial.run(kernel, direction, seed=i + 1, most=3, shift=1)
            assert not trial.wrong(direction, result, dtype), (name, direction)
            assert result.tobytes() == again.tobytes(), (name, direction)


@needs_nvrtc
@pytest.mark.parametrize(("name", "dtype"), [("3x3", "float32"), ("generator", "float64")])
@pytest.mark.parametrize("capability", [75, 80, 90])
def test_registers_are_about_as_many_as_counted(name: str, dtype: str, capability: int) -> None:
    device = device_of(capability)
    op = LARGE[name]
    plan = planned(op, device, int(dtype[-2:]) // 8)
    found = by_nvrtc(emit_cuda(op, "hot", dtype, device, plan).source, f"sm_{capability}")
    for direction in ("forward", "input_gradient"):
        schedule, usage = getattr(plan, direction), found.usage[f"hot_{direction}_direct"]
        assert usage.local == 0
        assert usage.registers <= 1.25 * schedule.registers
