"""The statements of a function, walked through: loops become counters, calls their summaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycparser import c_ast

from .affine import Affine, Counter
from .expressions import (
    Evaluator,
    Number,
    Row,
    Samples,
    UndecidedError,
    arguments,
    decided,
    refused,
)
from .memory import Array, Call, Pointer, Summary

TURNS = 1 << 14  # of a loop that is followed turn by turn
PREFETCH = "__builtin_prefetch"
Summarised = Callable[[str, list[Any]], tuple[Summary, dict[Array, Pointer]]]


class Walker:
    """The statements of one function."""

    def __init__(self, evaluator: Evaluator, summarised: Summarised) -> None:
        self.evaluator, self.summarised = evaluator, summarised
        self.loop_scopes = [0]  # what is declared outside the innermost loop stays as it is

    def block(self, node: Any) -> None:
        self.evaluator.scopes.append({})
        for each in node.block_items or []:
            self.statement(each)
        self.evaluator.scopes.pop()

    def statement(self, node: Any) -> None:
        match node:
            case c_ast.Compound():
                self.block(node)
            case c_ast.For():
                self._loop(node)
            case c_ast.Decl():
                self.evaluator.scopes[-1][node.name] = self._declared(node)
            case c_ast.Assignment():
                self._assigned(node)
            case c_ast.FuncCall():
                if node.name.name == PREFETCH:
                    return  # it reads nothing, and its address is made as a number
                given = [self.evaluator.value(each) for each in arguments(node)]
                _constant(given)
                summary, pointers = self.summarised(node.name.name, given)
                self.evaluator.notes.append(Call(summary, pointers, node))
            case _:
                raise refused(node, "is not followed")

    def _declared(self, node: Any) -> Any:
        """The value of a new variable; arrays become places of their own."""
        kind, init = node.type, node.init
        if isinstance(kind, c_ast.ArrayDecl):
            base = kind
            while isinstance(base, c_ast.ArrayDecl):
                base = base.type
            name = base.type.names[0]
            if name == "ptrdiff_t":
                return self._table(init)
            width = self.evaluator.tree.widths.get(name, 1)
            entries = [self.evaluator.value(each) for each in init.exprs] if init else []
            count = len(entries) if kind.dim is None else decided(self.evaluator.value(kind.dim))
            if len(entries) > count:
                raise refused(node, "has more entries than room")
            return Pointer(Array(node.name, width * count), Affine(), width)
        if isinstance(kind, c_ast.PtrDecl):
            return self._typed(node, self.evaluator.value(init), Pointer | Row | tuple)
        name = kind.type.names[0]
        if name == "ptrdiff_t":
            return self._typed(node, self.evaluator.value(init), Affine)
        width = self.evaluator.tree.widths.get(name, 1)
        if name != "SCALAR" and width == 1:
            raise refused(node, "is of a type that is not followed")
        if init is not None and not isinstance(init, c_ast.InitList):
            self._typed(node, self.evaluator.value(init), Number | Affine)
        return Number(width)

    def _typed(self, node: Any, value: Any, kinds: Any) -> Any:
        if not isinstance(value, kinds):
            raise refused(node, "is not followed")
        return value

    def _table(self, node: Any) -> Any:
        if isinstance(node, c_ast.InitList):
            return tuple(self._table(each) for each in node.exprs)
        return decided(self.evaluator.value(node))

    def _assigned(self, node: Any) -> None:
        value = self.evaluator.value(node.rvalue)
        target, begins = node.lvalue, node.op == "="
        if node.op not in ("=", "+="):
            raise refused(node, "is not followed")
        if not isinstance(target, c_ast.ID):
            self._stored(target, value, begins=begins)
            return
        before = self.evaluator.value(target)
        if isinstance(before, Number) and isinstance(value, Number | Affine):
            return
        depth = max(i for i, each in enumerate(self.evaluator.scopes) if target.name in each)
        if not isinstance(before, Pointer) or depth < self.loop_scopes[-1]:
            raise refused(node, "changes what an index depends on")
        if not begins:
            value = self.evaluator.value(c_ast.BinaryOp("+", target, node.rvalue, node.coord))
        self.evaluator.scopes[depth][target.name] = self._typed(node, value, Pointer)

    def _stored(self, target: Any, value: Any, *, begins: bool) -> None:
        """A number into an array: target[...], or *target."""
        self._typed(target, value, Number | Affine)
        evaluator = self.evaluator
        match target:
            case c_ast.ArrayRef():
                base, index = evaluator.value(target.name), evaluator.value(target.subscript)
            case c_ast.UnaryOp(op="*"):
                base, index = evaluator.value(target.expr), Affine()
            case _:
                raise refused(target, "is not followed")
        if isinstance(base, Row | tuple):
            raise refused(target, "writes to a table")
        evaluator.element(target, base, index, begins=begins)

    def _loop(self, node: Any) -> None:
        """for (v = start; v < stop; v++): with a counter, or turn by turn where that is needed."""
        name, first, last = self._header(node)
        if isinstance(first, Row):
            for at in range(first.at, last.at):
                self._turn(node, name, Row(first.table, at))
            return
        count = None if isinstance(last, Samples) else decided(last.plus(first, -1))
        if count is not None and count <= 0:
            return
        counter, notes = Counter(name, count), self.evaluator.notes
        mark, depth = len(notes), len(self.evaluator.scopes)
        try:
            self._turn(node, name, Affine(first.constant, {**first.terms, counter: 1}))
        except UndecidedError as undecided:
            if undecided.counter is not counter or count is None or count > TURNS:
                raise
            del notes[mark:], self.evaluator.scopes[depth:]
            for at in range(count):
                self._turn(node, name, first.plus(Affine(at)))

    def _turn(self, node: Any, name: str, value: Any) -> None:
        scopes, loops = self.evaluator.scopes, self.loop_scopes
        depth = len(loops)
        scopes.append({name: value})
        loops.append(len(scopes))
        try:
            self.statement(node.stmt)
        finally:
            del loops[depth:]
        scopes.pop()

    def _header(self, node: Any) -> tuple[str, Any, Any]:
        init = node.init.decls[0] if isinstance(node.init, c_ast.DeclList) else None
        name, cond, step = str(getattr(init, "name", "")), node.cond, node.next
        if init is None or not (
            isinstance(cond, c_ast.BinaryOp)
            and (cond.op, getattr(cond.left, "name", None)) == ("<", name)
            and isinstance(step, c_ast.UnaryOp)
            and (step.op, getattr(step.expr, "name", None)) == ("p++", name)
        ):
            raise refused(node, "is no loop that is followed")
        first, last = self.evaluator.value(init.init), self.evaluator.value(cond.right)
        if isinstance(first, tuple) and isinstance(last, Row) and last.table is first:
            if not 0 <= last.at <= len(first):
                raise refused(cond, "runs past the table")
            return name, Row(first, 0), last
        kind = init.type
        counted = isinstance(kind, c_ast.TypeDecl) and kind.type.names == ["ptrdiff_t"]
        if not (counted and isinstance(first, Affine) and isinstance(last, Affine | Samples)):
            raise refused(node.cond, "is not the end of a loop that is followed")
        if isinstance(last, Samples) and (first.terms or first.constant):
            raise refused(node.cond, "begins after the first sample")
        return name, first, last


def _constant(given: list[Any]) -> None:
    """Arguments that are indices must be known: UndecidedError where they change in a loop."""
    for value in given:
        if isinstance(value, Affine):
            decided(value)
