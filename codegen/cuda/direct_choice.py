"""Which direct schedule: few sensible ones are counted, the least taken. Nothing is random."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod

from derive.core.form import TrilinearForm

from .device import Device
from .direct import Direct
from .direct_cost import SMALL, WARP, cycles, resident
from .direct_thread import MOST_WRITTEN, DirectThread
from .slides import Slide, axes_of, slide_of

LEAST_WORK = 1 << 12  # multiply-adds of a sample
MOST_SUMS = 64  # registers of a thread that hold outputs
FEW_SUMS = (16, 32, MOST_SUMS)  # the same where outputs are few: up to each, some are tried
LEAST_SHARE = 0.86  # of multiply-adds in the hot loop, if that can be had
MOST_HELD = 32  # weights in registers
MOST_PLACES = 2**30  # numbers of the samples of a tile, so that int counts them
THREADS = (64, 256)  # of a block, from and to
FULL = 1024  # threads that a multiprocessor has good use for
MOST_PARTS = 8
CHUNKS = (8, 4, 2)  # input channels of a part at a time, the first that fits
COPIES = 12  # places of x of an input channel that a thread copies at most
PLENTY = 48 * 1024  # bytes of shared memory that every device gives a block unasked
TRIED = 3  # blocks of registers of each size
CHANNELS = (16, 8, 4, 2, 1)
COLUMNS = (8, 7, 4, 2, 1)
ROWS = (1, 2, 4)
PIXELS = (16, 32, 64, 128)  # threads of a block with other places
NARROW = (8,)  # threads along a row, where a whole row makes a flat tile
QUAD = 8  # lanes that read x together where a read serves few multiply-adds


@lru_cache(maxsize=256)
def direct(
    form: TrilinearForm, device: Device, item: int, batch: int | None = None
) -> Direct | None:
    """The schedule of a folded form for scalars of ``item`` bytes; None where it does not suit.

    >>> from derive import Conv2d
    >>> schedule = direct(Conv2d(64, 64, 3, padding=1, input_size=(56, 56)).form, Device(), 4)
    >>> schedule.threads % 32, schedule.shared <= 48 * 1024
    (0, True)
    """
    found = candidates(form, device, 2 if item == 8 else 1)
    return min(found, key=lambda each: cycles(each, device, batch), default=None)


def suits(form: TrilinearForm) -> bool:
    """Whether a sample is work enough to be worth tiles and a packed weight."""
    return form.macs >= LEAST_WORK


def candidates(form: TrilinearForm, device: Device, words: int) -> Iterator[Direct]:
    """Schedules that fit the device, for numbers of so many words of 4 bytes."""
    sample = max(prod(form.input_shape), prod(form.output_shape))
    if sample > MOST_PLACES or form.output_shape[0] * form.input_shape[0] == 0:
        return
    found = False
    for filled in (True, False):  # warps that are not full, where there is too little to do
        threads = _threads(form, words, dense=filled)
        for schedule in (made for each in threads for made in _blocks(form, device, each, filled)):
            held = schedule.samples * sample <= MOST_PLACES and schedule.copies <= COPIES
            if held and resident(schedule, device):
                found = True
                yield schedule
        if found:
            return


def _threads(form: TrilinearForm, words: int, *, dense: bool) -> list[DirectThread]:
    """What a thread may compute: the best few of each size, by instructions for a multiply-add.

    With ``dense`` those whose hot loop does much else are left out, unless all are.
    """
    channels = {*CHANNELS, form.channels_out} if form.channels_out <= 6 else CHANNELS
    made = (
        DirectThread(slides, *block, words)
        for slides in _slides(form)
        for block in product(channels, ROWS, COLUMNS)
    )
    fitting = [thread for thread in made if _fits(thread, form)]
    if dense:
        fitting = [each for each in fitting if each.share >= LEAST_SHARE] or fitting
    sized: dict[int, list[tuple[float, int, DirectThread]]] = {most: [] for most in FEW_SUMS}
    for i, thread in enumerate(fitting):
        size = next(most for most in FEW_SUMS if thread.sums * words <= most)
        sized[size].append((_effort(thread, form), i, thread))
    return [thread for each in sized.values() for _, _, thread in sorted(each)[:TRIED]]


def _slides(form: TrilinearForm) -> Iterator[tuple[Slide, Slide, Slide]]:
    """The axes with their phases in a thread or in the grid, or some of those of a row."""
    options = []
    for d, (window, weight) in enumerate(axes_of(form)):
        phases = len(window.phases)
        if window.count == 0:
            return
        groups = sorted({1, phases} | ({2, 4} if d == 2 else set()))
        made = (slide_of(window, g, weight) for g in groups if phases % g == 0)
        options.append([slide for slide in made if slide is not None])
    yield from product(*options)


def _fits(thread: DirectThread, form: TrilinearForm) -> bool:
    """Whether a thread can hold it, and has no more than there is to compute."""
    _, y, x = (slide.window.count for slide in thread.slides)
    if thread.sums * thread.words > MOST_SUMS:
        return False
    if thread.rows >= 2 * y or thread.columns >= 2 * x or thread.outputs >= 2 * form.channels_out:
        return False
    taps = thread.taps
    if thread.rows > 1 and (taps * thread.outputs > MOST_HELD or thread.slides[1].phases > 1):
        return False
    if thread.even:
        taps = len(thread.tap_rows[0].uses)
    return taps * thread.sums // thread.phases <= MOST_WRITTEN


def _effort(thread: DirectThread, form: TrilinearForm) -> float:
    """Instructions of the hot loop for a multiply-add that counts."""
    _, y, x = (slide.window.count for slide in thread.slides)
    used = thread.share
    for has, n in ((thread.outputs, form.channels_out), (thread.rows, y), (thread.columns, x)):
        used *= n / (-(-n // has) * has)
    return 1 / max(used, 1e-9)


def _blocks(
    form: TrilinearForm, device: Device, thread: DirectThread, filled: bool
) -> Iterator[Direct]:
    """The threads of a block: along places, output channels and input channels."""
    needed = -(-form.channels_out // thread.outputs)
    beside = sorted({min(each, needed) for each in (1, 2, 4, 8, 16)})
    parts_of = _parts(form, device, thread)
    for shape, channels, parts in product(_shapes(thread), beside, parts_of):
        threads = prod(shape) * channels * parts
        if threads > THREADS[1] or 2 * parts > max(2, form.channels_in):
            continue
        if not filled or (threads >= THREADS[0] and -threads % WARP * 8 <= threads):
            yield from _made(form, thread, shape, channels, parts)


def _parts(form: TrilinearForm, device: Device, thread: DirectThread) -> list[int]:
    """Powers of 2 up to what makes threads enough of a small batch."""
    needed = FULL * device.multiprocessors * thread.sums
    most = min(MOST_PARTS, needed // (SMALL * prod(form.output_shape)))
    return [1 << i for i in range(max(1, most).bit_length())]


def _shapes(thread: DirectThread) -> Iterator[tuple[int, int, int]]:
    """Threads of a block along z, y and x, tiles of an axis being about as large as each other."""
    batched = _batched(thread)
    z, y, x = (slide.window.count for slide in thread.slides)
    rows, columns = -(-y // thread.rows), -(-x // thread.columns)
    found = set()
    for pixels, most in product(PIXELS, (*NARROW, columns)):
        along_x = _balanced(columns, min(pixels, most))
        along_y = _balanced(rows, pixels // along_x)
        left = pixels // along_x // along_y
        whole = along_x >= columns and along_y >= rows
        along_z = (left if whole else 1) if batched else _balanced(z, left)
        found.add((along_z, along_y, along_x))
    yield from sorted(found)


def _balanced(count: int, most: int) -> int:
    return -(-count // -(-count // max(1, most)))


def _batched(thread: DirectThread) -> bool:
    """Whether the depth is free to count samples."""
    window = thread.slides[0].window
    return window.n_in == window.n_out == 1 and window.phases == (((0, 0),),)


def _made(
    form: TrilinearForm,
    thread: DirectThread,
    shape: tuple[int, int, int],
    channels: int,
    parts: int,
) -> Iterator[Direct]:
    """With as many input channels in a chunk as shared memory holds at ease."""
    depth, along_y, along_x = shape
    pixels = prod(shape)
    lanes = {pixels}
    if thread.taps <= QUAD and channels >= QUAD // 2 and pixels % QUAD == 0:
        lanes.add(QUAD)
    share = -(-form.channels_in // parts)
    for each in sorted(lanes):
        for most in CHUNKS if parts > 1 else (*CHUNKS, 1):
            made = Direct(
                thread=thread,
                groups=form.groups,
                inputs=form.channels_in,
                channels=form.channels_out,
                batched=_batched(thread),
                depth=depth,
                height=along_y * thread.rows,
                width=along_x * thread.columns,
                channel_threads=channels,
                parts=parts,
                chunk=min(form.channels_in, parts * _balanced(share, most)),
                lanes=each,
            )
            if made.shared <= PLENTY or most == 1:
                yield made
                break
