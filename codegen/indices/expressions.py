"""Expressions of a text -> affine forms, pointers and tables; every access on the way is noted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pycparser import c_ast
from pycparser.c_generator import CGenerator

from .affine import Affine, Counter
from .contract import INT64
from .memory import Access, Array, Call, Pointer, UnprovenError
from .reading import Tree

INT32 = 2**31 - 1


class UndecidedError(Exception):
    """A value is needed that differs between the turns of a loop."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter


@dataclass(frozen=True, slots=True)
class Number:
    """A SCALAR, or a vector of ``width``: data, whose value nothing here depends on."""

    width: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A pointer to a row of a table of constants."""

    table: tuple[Any, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Samples:
    """The number of samples, which only loops and calls may use."""


Value = Affine | Pointer | Number | Row | Samples | tuple[Any, ...] | int
Note = Access | Call


@dataclass(slots=True)
class Evaluator:
    """What a function's expressions are, in the scopes that are open; ``notes``: its accesses."""

    tree: Tree
    largest_batch: int
    scopes: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    notes: list[Note] = field(default_factory=list)

    def value(self, node: Any) -> Any:
        """The value of an expression; UnprovenError where it is none that can be followed."""
        match node:
            case None:
                raise UnprovenError("a variable begins without a value")
            case c_ast.Constant():
                return self._constant(node)
            case c_ast.ID():
                return self._named(node)
            case c_ast.BinaryOp():
                return self._binary(node)
            case c_ast.UnaryOp(op="-"):
                inner = self.value(node.expr)
                return self._sum(Affine(), inner, -1, node) if _whole(inner) else inner
            case c_ast.UnaryOp(op="*"):
                return self.element(node, self.value(node.expr), Affine())
            case c_ast.ArrayRef():
                return self.element(node, self.value(node.name), self.value(node.subscript))
            case c_ast.Cast():
                return self._cast(node)
            case c_ast.TernaryOp():
                return self._chosen(node)
            case c_ast.FuncCall():
                return self._called(node)
        raise refused(node, "is not followed")

    def element(self, node: Any, base: Any, index: Any, *, begins: bool = False) -> Any:
        """base[index]: the number of a table, or data from an array, noted."""
        if not _whole(index):
            raise refused(node, "has an index that is not affine in loop counters")
        if isinstance(base, Pointer):
            at = base.at.plus(index, base.width)
            self.note(base, at, base.width, node, begins=begins)
            return Number(base.width)
        if isinstance(base, Number) and base.width > 1:
            self.note(Pointer(Array("the lanes", base.width), Affine()), index, 1, node)
            return Number()
        row, first = (base.table, base.at) if isinstance(base, Row) else (base, 0)
        place = first + decided(index)
        if not isinstance(row, tuple) or not 0 <= place < len(row):
            raise refused(node, f"reads entry {place} of a table that has none there")
        return row[place] if isinstance(row[place], tuple) else Affine(row[place])

    def note(
        self, base: Pointer, at: Affine, width: int, node: Any, *, begins: bool = False
    ) -> None:
        """An access, or with a width of 0 a pointer that is formed."""
        self.notes.append(Access(base.array, at, width, begins, width > 1 and base.aligned, node))

    def _constant(self, node: Any) -> Value:
        if node.type not in ("int", "long int"):
            return Number()
        return Affine(int(node.value.rstrip("lL"), 0))

    def _named(self, node: Any) -> Any:
        for scope in reversed(self.scopes):
            if node.name in scope:
                return scope[node.name]
        raise refused(node, "is not declared")

    def _binary(self, node: Any) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Number) or isinstance(right, Number):
            if node.op not in ("+", "-", "*") or not all(
                isinstance(each, Number | Affine) for each in (left, right)
            ):
                raise refused(node, "is not followed")
            return max((e for e in (left, right) if isinstance(e, Number)), key=lambda e: e.width)
        if isinstance(left, Row) and node.op == "+" and _whole(right):
            return Row(left.table, left.at + decided(right))
        if isinstance(left, tuple) and node.op == "+" and _whole(right):
            return Row(left, decided(right))
        if isinstance(left, Pointer) and node.op in ("+", "-") and _whole(right):
            sign = 1 if node.op == "+" else -1
            moved = replace(left, at=left.at.plus(right, sign * left.width))
            self.note(moved, moved.at, 0, node)
            return moved
        if not (_whole(left) and _whole(right)):
            raise refused(node, "is not followed")
        assert isinstance(left, Affine)
        assert isinstance(right, Affine)
        if node.op == "*":
            if left.terms and right.terms:
                raise UndecidedError(next(iter(left.terms)))
            scale, form = (left, right) if right.terms else (right, left)
            return self._sum(Affine(), form, scale.constant, node)
        if node.op not in ("+", "-"):
            raise refused(node, "is no sum or product: index arithmetic has no others")
        return self._sum(left, right, 1 if node.op == "+" else -1, node)

    def _sum(self, left: Affine, right: Affine, times: int, node: Any) -> Affine:
        """left + times * right, which must be in the range of ptrdiff_t for every batch."""
        found = left.plus(right, times)
        limit = INT32 if _of_ints(node) else INT64
        for batch in (1, self.largest_batch):
            low, high = found.ends(batch)
            if low < -limit - 1 or high > limit:
                raise refused(node, f"reaches {low}..{high}, beyond {limit}")
        return found

    def _cast(self, node: Any) -> Pointer:
        pointer, to = self.value(node.expr), node.to_type.type
        inner = to.type.type if isinstance(to, c_ast.PtrDecl) else None
        name = inner.names[0] if isinstance(inner, c_ast.IdentifierType) else ""
        if not isinstance(pointer, Pointer) or pointer.width != 1 or name not in self.tree.widths:
            raise refused(node, "is not followed")
        return replace(pointer, width=self.tree.widths[name], aligned=name not in self.tree.loose)

    def _chosen(self, node: Any) -> Value:
        """A ? B : C, decided by indices; or the bias where there is one."""
        if isinstance(node.cond, c_ast.BinaryOp) and node.cond.op == "<":
            left, right = self.value(node.cond.left), self.value(node.cond.right)
            found: Value = self.value(
                node.iftrue if decided(left) < decided(right) else node.iffalse
            )
            return found
        if isinstance(self.value(node.cond), Pointer):
            for each in (node.iftrue, node.iffalse):
                self.value(each)
            return Number()
        raise refused(node, "is not followed")

    def _called(self, node: Any) -> Value:
        """RATIO and the shuffle of two vectors, the functions of numbers that texts use."""
        given = [self.value(each) for each in arguments(node)]
        if not isinstance(node.name, c_ast.ID):
            raise refused(node, "is not followed")
        if node.name.name == "RATIO" and len(given) == 2 and decided(given[1]) != 0:
            return Number()
        if node.name.name == "__builtin_shufflevector":
            first, second, *lanes = given if len(given) > 2 else (None, None)
            width = first.width if isinstance(first, Number) and first == second else 0
            if all(0 <= decided(lane) < 2 * width for lane in lanes):
                return Number(len(lanes))
        raise refused(node, "is not followed")


def decided(value: Any) -> int:
    """The integer that an affine form is; UndecidedError where counters are in it."""
    if not isinstance(value, Affine):
        raise UnprovenError("a value that is no integer is used as one")
    for counter, coefficient in value.terms.items():
        if coefficient:
            raise UndecidedError(counter)
    return value.constant


def arguments(node: Any) -> list[Any]:
    """The arguments of a call."""
    return node.args.exprs if node.args is not None else []


def refused(node: Any, words: str) -> UnprovenError:
    """An error that names the expression and its line."""
    line = getattr(node.coord, "line", "?")
    return UnprovenError(f"line {line}: {CGenerator().visit(node)} {words}")


def _of_ints(node: Any) -> bool:
    """Whether C takes the operands as int: two literals that fit."""
    return isinstance(node, c_ast.BinaryOp) and all(
        isinstance(each, c_ast.Constant) and int(each.value.rstrip("lL"), 0) <= INT32
        for each in (node.left, node.right)
    )


def _whole(value: Any) -> bool:
    return isinstance(value, Affine)
