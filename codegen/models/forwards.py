"""The graph of a forward by torch.fx, where no size and no training changes what it does."""

from __future__ import annotations

import copy
import dis
import inspect
import operator
from collections.abc import Sequence
from typing import Any

from torch import fx, nn

from .errors import KeptError

QUESTIONS = 3  # about sizes, both of whose answers are followed
COMPARISONS = {operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge}
ARITHMETIC = {operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod}
OF_SIZES = {getattr, operator.getitem, *COMPARISONS, *ARITHMETIC}  # they change nothing


class _UndecidedError(Exception):
    """A branch on what is not known while tracing."""


class _Shallow(fx.Tracer):
    """Traces one forward; the modules that it calls stay calls, branches go as ``answers`` say."""

    def __init__(self, answers: Sequence[bool]) -> None:
        super().__init__()
        self.answers = iter(answers)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def to_bool(self, obj: fx.Proxy) -> bool:
        """An assertion is taken to hold: the model is compared with itself afterwards."""
        frame = inspect.currentframe()
        for _ in range(3):
            frame = None if frame is None else frame.f_back
            if frame is not None and _asserts(frame.f_code, frame.f_lasti):
                return True
        for answer in self.answers:
            return answer
        raise _UndecidedError("it branches on its input")


def _asserts(code: Any, place: int) -> bool:
    """Whether the truth that is asked for at this place of a function is that of an assert."""
    after = [each.opname for each in dis.get_instructions(code) if each.offset >= place][:4]
    jumps = [i for i, name in enumerate(after) if "JUMP" in name and name.endswith("IF_TRUE")]
    return bool(jumps) and "ASSERT" in "".join(after[jumps[0] + 1 : jumps[0] + 2])


def traced(owner: nn.Module) -> fx.Graph:
    """The graph of a forward that is the same while training and after, and for all its branches.

    A branch may differ by a call of ``contiguous``, which changes no number: it is then kept.
    KeptError for other forwards.
    """
    graphs, training = [], owner.training
    try:
        for owner.training in (not training, training):
            graphs.append(_branches(owner, ()))
    except Exception as error:  # of many types: a forward may do anything
        line = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        raise KeptError(f"torch.fx cannot follow {type(owner).__name__}: {line}") from None
    finally:
        owner.training = training
    other, these = ({_bare(each) for each in found} for found in graphs)
    if len(these) > 1:
        raise KeptError(f"{type(owner).__name__}.forward does something else for some sizes")
    if other != these:
        raise KeptError(f"{type(owner).__name__}.forward does something else while training")
    return max(graphs[1], key=lambda graph: len(graph.nodes))


def _branches(owner: nn.Module, answers: tuple[bool, ...]) -> list[fx.Graph]:
    """The graphs of a forward for all answers to what it asks."""
    try:
        return [_Shallow(answers).trace(owner, concrete_args=_defaults(owner))]
    except _UndecidedError:
        if len(answers) == QUESTIONS:
            raise
        return [g for answer in (False, True) for g in _branches(owner, (*answers, answer))]


def _bare(graph: fx.Graph) -> str:
    """The text of a graph without what nobody reads of sizes, and without ``contiguous``."""
    graph = copy.deepcopy(graph)
    for node in reversed(graph.nodes):
        if is_contiguous(node):
            node.replace_all_uses_with(node.args[0])
        size = node.op == "call_function" and node.target in OF_SIZES
        size |= node.op == "call_method" and node.target in ("size", "numel", "dim")
        if not node.users and (size or is_contiguous(node)):
            graph.erase_node(node)
    return str(graph)


def is_contiguous(node: fx.Node) -> bool:
    """Whether it only lays out its input anew."""
    return node.op == "call_method" and node.target == "contiguous" and len(node.args) == 1


def _defaults(owner: nn.Module) -> dict[str, Any]:
    """The arguments that a caller may leave out, fixed: a call that gives one then fails."""
    parameters = inspect.signature(owner.forward).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def check_attributes(owner: nn.Module, graph: fx.Graph) -> None:
    """KeptError where the traced forward needs what tracing put beside the module."""
    for node in graph.nodes:
        if node.op != "get_attr":
            continue
        value: Any = owner
        for part in str(node.target).split("."):
            value = getattr(value, part, None)
        if value is None or str(node.target).startswith("_tensor_constant"):
            raise KeptError(f"{type(owner).__name__}.forward makes tensors of its own")
