"""operators.toml: the named operators that generated/ holds a kernel of."""

from __future__ import annotations

import difflib
import inspect
import keyword
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import derive
from derive import Operator
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
        derive.Interpolate,
        derive.Pad,
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
    op: Operator


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """The entries of a catalogue file, in its order."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogueError(f"{path}: {error}") from None
    operators = tables.pop("operator", None)
    problems = [f"{path}: {key}: allowed are only [[operator]] tables" for key in tables]
    if not isinstance(operators, list) or not operators:
        problems.append(f"{path}: allowed are [[operator]] tables, at least one")
        operators = []
    entries: dict[str, Entry] = {}
    for number, table in enumerate(operators, 1):
        try:
            entry = _entry(table)
            if entry.name in entries:
                raise CatalogueError(f"name = {entry.name!r}: allowed is a name not used before")
            entries[entry.name] = entry
        except (CatalogueError, derive.GeometryError) as error:
            label = table.get("name", "") if isinstance(table, dict) else ""
            problems += [
                f"{path} [operator {number} {label!r}] {p}" for p in str(error).splitlines()
            ]
    if problems:
        raise CatalogueError("\n".join(problems))
    return tuple(entries.values())


def _entry(table: Any) -> Entry:
    if not isinstance(table, dict):
        raise CatalogueError(f"{table!r}: allowed is a table")
    first = dict(table)
    name, then = first.pop("name", None), first.pop("then", [])
    problems = [*_name_problems(name), *_layer_problems(first, sized=True)]
    if not isinstance(then, list) or not all(isinstance(each, dict) for each in then):
        problems.append(f"then = {then!r}: allowed is a list of tables, each a layer")
        then = []
    for each in then:
        problems += _layer_problems(each, sized=False)
    if problems:
        raise CatalogueError("\n".join(problems))
    op: derive.LinearMap = _layer(first)
    for each in then:
        op = _layer({**each, "input_size": op.output_size}) @ op
    if not isinstance(op, Operator):
        raise CatalogueError("then: allowed is one learned layer in all")
    return Entry(name, op)


def _layer(table: Mapping[str, Any]) -> Layer:
    arguments = {key: _tuples(value) for key, value in table.items() if key != "layer"}
    return LAYERS[table["layer"]](**arguments)


def _name_problems(name: Any) -> Iterator[str]:
    reserved = keyword.iskeyword(str(name)) or C_KEYWORD.fullmatch(str(name))
    if not isinstance(name, str) or not NAME.fullmatch(name) or reserved:
        yield f"name = {name!r}: allowed is a lower-case C identifier of at most 63 characters"


def _layer_problems(table: Mapping[str, Any], *, sized: bool) -> Iterator[str]:
    """What is wrong with a layer before it looks at its arguments itself.

    The first layer of a chain is ``sized``, the next ones take the size that comes to them.
    """
    layer = table.get("layer")
    if not isinstance(layer, str) or layer not in LAYERS:
        yield f"layer = {layer!r}: allowed is one of {', '.join(LAYERS)}"
        return
    parameters = inspect.signature(LAYERS[layer]).parameters
    known = parameters.keys() - (set() if sized else {"input_size"})
    for key in sorted(table.keys() - known - {"layer"}):
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        yield f"{key}: no parameter of {layer}{hint}"
    required = {n for n, p in parameters.items() if p.default is p.empty} - {"input_size"}
    for key in sorted((required | ({"input_size"} if sized else set())) - table.keys()):
        yield f"{key} is missing"


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
