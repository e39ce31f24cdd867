"""What a schedule must know of a GPU: a few sizes, by compute capability."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Device:
    """A GPU as schedules see it. ``shared_bytes`` is the most that one block may use."""

    architecture: str = "sm_80"
    multiprocessors: int = 108
    shared_bytes: int = 163 * 1024
    shared_per_multiprocessor: int = 164 * 1024
    registers: int = 65536  # of a multiprocessor, 32 bits each
    threads: int = 2048  # of a multiprocessor

    @property
    def capability(self) -> int:
        """80 for sm_80.

        >>> Device().capability
        80
        """
        return int(self.architecture.removeprefix("sm_"))

    @property
    def multiplies_halves(self) -> bool:
        """Whether mma.sync m16n8k16 takes float16 and bfloat16."""
        return self.capability >= 80


# CUDA C++ Programming Guide, technical specifications per compute capability
KNOWN = {
    75: Device("sm_75", 40, 64 * 1024, 64 * 1024, threads=1024),
    80: Device(),
    86: Device("sm_86", 84, 99 * 1024, 100 * 1024, threads=1536),
    89: Device("sm_89", 128, 99 * 1024, 100 * 1024, threads=1536),
    90: Device("sm_90", 132, 227 * 1024, 228 * 1024),
    100: Device("sm_100", 148, 227 * 1024, 228 * 1024),
    120: Device("sm_120", 170, 99 * 1024, 100 * 1024, threads=1536),
}


def device_of(capability: int, multiprocessors: int | None = None) -> Device:
    """The nearest known device that is no newer; ValueError below 7.5.

    >>> device_of(121).architecture, device_of(87, 16).multiprocessors
    ('sm_120', 16)
    """
    if capability < min(KNOWN):
        raise ValueError(f"compute capability = {capability / 10}: allowed is 7.5 and above")
    known = KNOWN[max(each for each in KNOWN if each <= capability)]
    if multiprocessors is None:
        return known
    return replace(known, multiprocessors=multiprocessors)
