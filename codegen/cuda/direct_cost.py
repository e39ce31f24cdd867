"""About how many cycles a direct schedule takes: a count of what it issues, reads and waits for.

A multiprocessor has four schedulers that issue one instruction of a warp in a cycle each, shared
memory serves one read of a warp in a cycle, and multiply-adds take their own rate: see the CUDA
C++ Programming Guide, throughput of arithmetic instructions.
"""

from __future__ import annotations

from .device import Device
from .direct import Direct

WARP = 32
SCHEDULERS = 4
ALLOTTED = 4 * WARP  # registers are given out for so many threads
MULTIPLY_ADDS = {75: 64, 80: 64}  # of float in a cycle of a multiprocessor; 128 of later ones
DOUBLES = {75: 2, 80: 32, 86: 2, 89: 2, 120: 2}  # the same of double; 64 of others
MOST_REGISTERS = 255  # of a thread
BLOCKS = 16  # that a multiprocessor holds at most
AROUND_CHUNK = 24  # instructions of a thread for a chunk, with its barriers,
AROUND_BLOCK = 60  # and for a block: where it is, where it reads
COPY = 2  # instructions to copy a place of x or a vector of weights
STORE = 2  # and to store a number,
ADD = 3  # or to give it to another part, which adds it
HIDING = 8  # warps that hide each other's latency
LATENCY = 500  # cycles until a chunk is there,
STARTING = 2000  # and until a block is, from nothing
FETCHED = 24  # bytes that a multiprocessor gets in a cycle
SMALL, LARGE = 1, 16  # batches that a schedule is made for if nobody says


def multiply_adds(device: Device, words: int) -> int:
    """Multiply-adds in a cycle of a multiprocessor."""
    if words == 1:
        return MULTIPLY_ADDS.get(device.capability, 128)
    return DOUBLES.get(device.capability, 64)


def resident(schedule: Direct, device: Device, spare: int = 0) -> int:
    """Blocks that are on a multiprocessor at a time; 0 if not even one can be.

    ``spare`` registers a thread are left free.
    """
    if schedule.registers > MOST_REGISTERS or schedule.shared > device.shared_bytes:
        return 0
    threads = -(-schedule.threads // ALLOTTED) * ALLOTTED
    registers = -(-(schedule.registers + spare) // 8) * 8 * threads
    return min(
        device.registers // registers,
        device.shared_per_multiprocessor // (schedule.shared + 1024),
        device.threads // schedule.threads,
        BLOCKS,
    )


def block_cycles(schedule: Direct, device: Device) -> float:
    """Cycles of a multiprocessor for one block, while there are others to hide its latency."""
    thread = schedule.thread
    warps = -(-schedule.threads // WARP)
    inputs = schedule.inputs / schedule.parts  # channels of a thread
    copies = (
        schedule.inputs
        * (
            schedule.copies * schedule.threads / schedule.copy_channels
            + schedule.packed / thread.weight_vector
        )
        / WARP
    )
    multiplies = warps * inputs * thread.multiplies
    issued = (
        multiplies / max(thread.share, 1e-9)
        + COPY * copies
        + warps * (AROUND_CHUNK * schedule.chunks + AROUND_BLOCK)
        + warps / schedule.parts * thread.sums * (STORE + ADD * (schedule.parts - 1))
    )
    shared = (
        warps
        * inputs
        * (
            thread.window_reads * schedule.window_cycles(schedule.pitch)
            + thread.weight_reads * schedule.weight_cycles
        )
        + copies
    )
    item = 4 * thread.words
    fetched = schedule.inputs * item * (schedule.tile_positions + schedule.packed)
    return max(
        issued / SCHEDULERS,
        multiplies * WARP / multiply_adds(device, thread.words),
        shared,
        fetched / FETCHED,
    )


def cycles(schedule: Direct, device: Device, batch: int | None = None) -> float:
    """Cycles from start to end for a batch; without one, the mean of a small and a large one."""
    block = block_cycles(schedule, device)
    if batch is not None:
        return _cycles(schedule, device, block, batch)
    small, large = (_cycles(schedule, device, block, each) for each in (SMALL, LARGE))
    return float((small * large) ** 0.5)


def _cycles(schedule: Direct, device: Device, block: float, batch: int) -> float:
    at_once = resident(schedule, device)
    blocks = schedule.tile_blocks * -(-batch // schedule.samples)
    warps = -(-schedule.threads // WARP)
    alone = LATENCY * schedule.chunks + STARTING + block
    full, rest = divmod(blocks, device.multiprocessors * at_once)
    total = 0.0
    for waves, count in ((full, at_once), (1 if rest else 0, -(-rest // device.multiprocessors))):
        hidden = min(1.0, count * warps / HIDING)
        total += waves * max(count * block / max(hidden, 1 / HIDING), alone)
    return total
