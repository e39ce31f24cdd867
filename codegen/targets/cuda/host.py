"""The host functions of a CUDA text, for C++ programs: the same launches as ours."""

from __future__ import annotations

from typing import Any

from codegen._runtime.cuda.program import (
    ARGUMENTS,
    MOST_BLOCKS,
    UNASKED_SHARED,
    Function,
    Program,
    Room,
    Step,
)
from codegen.render import render

ALIGNED = 256  # bytes on which each room begins


def host_page(program: Program) -> str:
    """The page of all functions of a program."""
    return render(
        "cuda/host.cu.j2",
        functions=[
            _function(program.name, direction, each)
            for direction, each in program.functions.items()
        ],
        most=f"{MOST_BLOCKS}ll",
    )


def _function(name: str, direction: str, function: Function) -> dict[str, Any]:
    used = {each for step in _all(function) for each in step.arguments}
    *inputs, output = (each for each in ARGUMENTS[direction] if each in used)
    parameters = [*(f"const scalar *{each}" for each in inputs), f"scalar *{output}"]
    rooms, total = _rooms(function)
    return {
        "prefix": f"{name}_{direction}",
        "parameters": ", ".join(parameters),
        "rooms": rooms,
        "bytes": total,
        "steps": [_step(step) for step in _all(function)],
    }


def _all(function: Function) -> tuple[Step, ...]:
    return (*function.prepare, *function.steps)


def _rooms(function: Function) -> tuple[list[dict[str, str]], str]:
    """The rooms one behind the other, and the bytes of all of them."""
    rooms, sizes = [], ["0"]
    for name, room in function.rooms.items():
        rooms.append({"name": name, "type": room.type, "offset": " + ".join(sizes)})
        sizes.append(_size(room))
    return rooms, " + ".join(sizes)


def _size(room: Room) -> str:
    up = ALIGNED - 1
    if not room.per_sample:
        return str((room.fixed + up) // ALIGNED * ALIGNED)
    return f"({room.fixed} + {room.per_sample}*batch + {up}) / {ALIGNED} * {ALIGNED}"


def _step(step: Step) -> dict[str, Any]:
    sets = f"((batch + {step.samples - 1}) / {step.samples})"
    return {
        "kernel": step.kernel,
        "large": [step.shared] if step.shared > UNASKED_SHARED else [],
        "blocks": f"{step.blocks}ll * {sets}" if step.samples else f"{step.blocks}ll",
        "threads": step.threads,
        "shared": step.shared,
        "arguments": ", ".join(step.arguments),
    }
