"""Index safety of a whole text: each function that an operator's kernel must define."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codegen._runtime.machine import Machine
from codegen.describe import default_name
from codegen.targets.c import CText, emit
from derive import Operator

from .contract import contract, largest_batch
from .expressions import Note, UndecidedError
from .memory import Access, Array, Call, UnprovenError
from .program import Program
from .proof import Checker, unwritten
from .reading import read

METHOD = "corners: the least and greatest index of each access, over its loops: codegen.indices"


@dataclass(frozen=True, slots=True)
class IndexSafety:
    """What is proven of a text's indices: nothing where there are ``problems``.

    For every batch of 1 to ``largest_batch`` samples, which is what arrays of 2**63 - 1 bytes hold,
    each of ``accesses`` array accesses lies in its array, as does each pointer that is formed or it
    points just behind; no index arithmetic leaves the 64 bits of ptrdiff_t or divides, and every
    number of an output is written. An access counts once for each place that it is reached from.
    """

    functions: tuple[str, ...]
    accesses: int
    largest_batch: int
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything is proven."""
        return not self.problems


def index_safety(
    op: Operator,
    text: CText | None = None,
    *,
    name: str | None = None,
    machine: Machine | None = None,
    dtype: str = "float32",
) -> IndexSafety:
    """Prove the indices of an emitted C text from the text itself, at the operator's size.

    ``text`` is what ``name`` was emitted as; by default the portable text of the operator, or that
    of a ``machine`` and a ``dtype``. What cannot be followed is a problem, never passed over.

    >>> from derive import Conv1d
    >>> found = index_safety(Conv1d(2, 3, 3, padding=1, input_size=8))
    >>> found.holds, len(found.functions)
    (True, 4)
    """
    name = default_name(op) if name is None else name
    text = emit(op, name, machine, dtype) if text is None else text
    arrays = contract(op, text)
    limit = largest_batch(arrays)
    problems, count = [], 0
    try:
        program = Program(read(text.files[f"{name}.c"]), limit)
    except UnprovenError as error:
        return IndexSafety(tuple(arrays), 0, limit, (str(error),))
    for function, known in arrays.items():
        try:
            notes = program.entry(f"{name}_{function}", known)
        except UnprovenError as error:
            problems.append(f"{function}: {error}")
            continue
        except UndecidedError as error:
            words = f"{error.counter.name} must be known, and differs between turns of a loop"
            problems.append(f"{function}: {words}")
            continue
        wrong = list(Checker((1, limit)).problems(notes))
        wrong = wrong or list(unwritten(notes, outputs(function, known)))
        problems += [f"{function}: {each}" for each in dict.fromkeys(wrong)]
        count += sum(note.count if isinstance(note, Call) else note.width > 0 for note in notes)
    return IndexSafety(tuple(arrays), count, limit, tuple(problems))


def claim(found: IndexSafety) -> dict[str, Any]:
    """What the record of a text says of its indices."""
    return {
        "method": METHOD,
        "functions": list(found.functions),
        "accesses": found.accesses,
        "largest_batch": found.largest_batch,
        "problems": list(found.problems),
    }


def outputs(function: str, known: dict[str, Array]) -> Iterator[Array]:
    """What a function must write: the last of its arrays, whatever its name."""
    wanted = {"fold": "folded", "weight_gradient": "weight", "bias_gradient": "bias"}
    wanted |= {"unfold": "weight", "unpack_gradient": "weight"}
    default = "packed" if function.startswith("pack_") else "y"
    yield known[wanted.get(function, default)]


def obligations(op: Operator, text: CText, name: str) -> Iterator[tuple[str, Access]]:
    """(function, access in the function's own arrays) of all that ``index_safety`` proves."""
    arrays = contract(op, text)
    program = Program(read(text.files[f"{name}.c"]), largest_batch(arrays))
    for function, known in arrays.items():
        notes: list[Note] = program.entry(f"{name}_{function}", known)
        for note in notes:
            found: Any = note.accesses() if isinstance(note, Call) else [note]
            yield from ((function, access) for access in found)
