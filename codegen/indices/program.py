"""A text as a program: its entry points, and inner functions summarised once per arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycparser import c_ast

from .affine import Affine
from .expressions import Evaluator, Note, Samples
from .memory import Access, Array, Call, Pointer, Summary, UnprovenError
from .reading import Tree
from .statements import Walker


class Program:
    """A text; what its functions access, for given arguments."""

    def __init__(self, tree: Tree, largest_batch: int) -> None:
        self.tree, self.largest_batch = tree, largest_batch
        self._summaries: dict[Any, Summary] = {}

    def entry(self, name: str, arrays: Mapping[str, Array]) -> list[Note]:
        """The accesses of an entry point whose parameters point to these arrays."""
        node = self._function(name)
        given: dict[str, Any] = {}
        for each in _parameters(node):
            if isinstance(each.type, c_ast.PtrDecl):
                if each.name not in arrays:
                    raise UnprovenError(f"{name}: no array is known as {each.name}")
                given[each.name] = Pointer(arrays[each.name], Affine())
            elif each.name == "batch":
                given[each.name] = Samples()
            else:
                raise UnprovenError(f"{name}: the parameter {each.name} is not known")
        return self._walked(node, given)

    def summary(self, name: str, given: list[Any]) -> tuple[Summary, dict[Array, Pointer]]:
        """An inner function for these arguments, and which array each pointer stands for."""
        node = self._function(name)
        names = [each.name for each in _parameters(node)]
        if len(names) != len(given):
            raise UnprovenError(f"{name} takes {len(names)} arguments, not {len(given)}")
        key = (name, *map(_key, given))
        if key not in self._summaries:
            inner = {
                name: Pointer(Array(name, None), Affine(), value.width, value.aligned)
                if isinstance(value, Pointer)
                else value
                for name, value in zip(names, given, strict=True)
            }
            accesses = _flat(self._walked(node, inner))
            own = tuple(each for each in inner.values() if isinstance(each, Pointer))
            self._summaries[key] = Summary(name, accesses, tuple(each.array for each in own))
        found = self._summaries[key]
        pointers = [value for value in given if isinstance(value, Pointer)]
        return found, dict(zip(found.parameters, pointers, strict=True))

    def _function(self, name: str) -> Any:
        if name not in self.tree.functions:
            raise UnprovenError(f"the function {name} is not there")
        return self.tree.functions[name]

    def _walked(self, node: Any, given: dict[str, Any]) -> list[Note]:
        evaluator = Evaluator(self.tree, self.largest_batch, [given])
        Walker(evaluator, self.summary).block(node.body)
        return evaluator.notes


def _parameters(node: Any) -> list[Any]:
    return node.decl.type.args.params if node.decl.type.args is not None else []


def _key(value: Any) -> Any:
    """What a summary depends on."""
    match value:
        case Affine():
            return value.constant
        case Pointer():
            return (Pointer, value.width, value.aligned)
    return value


def _flat(notes: list[Note]) -> tuple[Access, ...]:
    found: list[Access] = []
    for note in notes:
        if isinstance(note, Call):
            found.extend(note.accesses())
        else:
            found.append(note)
    return tuple(found)
