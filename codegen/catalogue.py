"""operators.toml: the named operators that generated/ holds a kernel of."""

from __future__ import annotations

import difflib
import inspect
import keyword
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import derive
from derive.layers import Layer

LAYERS: Mapping[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        derive.Conv1d,
        derive.Conv2d,
        derive.Conv3d,
        derive.ConvTranspose1d,
        derive.ConvTranspose2d,
        derive.ConvTranspose3d,
    )
}
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
C_KEYWORD = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|"
    "inline|int|long|register|restrict|return|short|signed|sizeof|static|struct|switch|typedef|"
    "union|unsigned|void|volatile|while"
)


class CatalogueError(ValueError):
    """An operators.toml that describes no set of operators; the message lists every problem."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A named operator of fixed size."""

    name: str
    op: Layer


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """The entries of a catalogue file, in its order."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"{path}: {error}") from None
    operators = tables.pop("operator", None)
    if tables or not isinstance(operators, list):
        raise CatalogueError(f"{path}: allowed are [[operator]] tables, at least one")
    entries: dict[str, Entry] = {}
    problems = []
    for number, table in enumerate(operators, 1):
        try:
            entry = _entry(table)
            if entry.name in entries:
                raise CatalogueError(f"name = {entry.name!r}: allowed is a name not used before")
            entries[entry.name] = entry
        except (CatalogueError, derive.GeometryError) as error:
            label = table.get("name", "") if isinstance(table, dict) else ""
            problems.append(f"{path} [operator {number} {label!r}] {error}")
    if problems:
        raise CatalogueError("\n".join(problems))
    return tuple(entries.values())


def _entry(table: Any) -> Entry:
    if not isinstance(table, dict):
        raise CatalogueError(f"{table!r}: allowed is a table")
    arguments = {key: _tuples(value) for key, value in table.items()}
    name, layer = (arguments.pop(key, None) for key in ("name", "layer"))
    reserved = keyword.iskeyword(str(name)) or C_KEYWORD.fullmatch(str(name))
    if not isinstance(name, str) or not NAME.fullmatch(name) or reserved:
        raise CatalogueError(
            f"name = {name!r}: allowed is a lower-case C identifier of at most 63 characters"
        )
    if layer not in LAYERS:
        raise CatalogueError(f"layer = {layer!r}: allowed is one of {', '.join(LAYERS)}")
    parameters = inspect.signature(LAYERS[layer]).parameters
    for key in arguments:
        if key not in parameters:
            near = difflib.get_close_matches(key, parameters, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CatalogueError(f"{key}: no parameter of {layer}{hint}")
    required = {n for n, p in parameters.items() if p.default is p.empty} | {"input_size"}
    for key in sorted(required - arguments.keys()):
        raise CatalogueError(f"{key} is missing")
    return Entry(name, LAYERS[layer](**arguments))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
