"""Putting a module in the place of others: by name, and in the forward that calls functions."""

from __future__ import annotations

import dis
import inspect
from typing import Any

from torch import fx, nn
from torch.nn import functional

from .chains import Chain
from .errors import KeptError

FUNCTIONS = (functional.interpolate, functional.pad)


class _Shallow(fx.Tracer):
    """Traces one forward; the modules that it calls stay calls."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def to_bool(self, obj: fx.Proxy) -> bool:
        """An assertion is taken to hold: the model is compared with itself afterwards."""
        frame = inspect.currentframe()
        for _ in range(3):
            frame = None if frame is None else frame.f_back
            if frame is not None and _asserts(frame.f_code, frame.f_lasti):
                return True
        return super().to_bool(obj)


def _asserts(code: Any, place: int) -> bool:
    """Whether the truth that is asked for at this place of a function is that of an assert."""
    after = [each.opname for each in dis.get_instructions(code) if each.offset >= place][:4]
    jumps = [i for i, name in enumerate(after) if "JUMP" in name and name.endswith("IF_TRUE")]
    return bool(jumps) and "ASSERT" in "".join(after[jumps[0] + 1 : jumps[0] + 2])


def put(model: nn.Module, path: str, module: nn.Module) -> None:
    """``module`` in the place of the one at ``path``, under every name that this has."""
    old = model.get_submodule(path)
    if old is model:
        raise KeptError("it is the model itself")
    names = [name for name, each in model.named_modules(remove_duplicate=False) if each is old]
    for name in names:
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, module)


def put_chain(model: nn.Module, chain: Chain, module: nn.Module) -> None:
    """``module`` in the place of the convolution of a chain; what came before it does nothing now.

    Resize and pad modules become Identity, so that names and state_dict stay; functions are taken
    out of the forward that calls them. KeptError where that cannot be done.
    """
    functions = [call for call in chain.calls[:-1] if not call.token.own]
    owners = {call.token.owner for call in functions}
    for call in chain.calls[:-1]:
        if call.token.own:
            put(model, call.name, nn.Identity())
    if owners:
        owner, *others = owners
        prefix = f"{owner}." if owner else ""
        if others or not chain.last.name.startswith(prefix):
            places = ", ".join(each or "the model" for each in sorted(owners))
            raise KeptError(f"functions before it are called in {places}")
        name = chain.last.name.removeprefix(prefix)
        _take_out(model.get_submodule(owner), name, len(functions))
    put(model, chain.last.name, module)


def _take_out(owner: nn.Module, name: str, count: int) -> None:
    """Give ``owner`` a forward without the ``count`` functions before its convolution ``name``.

    The convolution may be within a module that the forward calls: in a Sequential.
    """
    graph = _traced(owner)
    calls = [
        node
        for node in graph.nodes
        if node.op == "call_module" and f"{name}.".startswith(f"{node.target}.")
    ]
    if len(calls) != 1:
        raise KeptError(f"{type(owner).__name__} calls it {len(calls)} times")
    found = 0
    before: Any = _input(calls[0])
    while isinstance(before, fx.Node) and found < count:
        given = _input(before)
        if before.op == "call_function" and before.target in FUNCTIONS and len(before.users) == 1:
            before.replace_all_uses_with(given)
            graph.erase_node(before)
            found += 1
        elif before.op != "call_module":
            break
        before = given
    if found != count:
        raise KeptError(f"the function before it was not found in {type(owner).__name__}.forward")
    _check_attributes(owner, graph)
    graph.lint()
    forward = type(fx.GraphModule(owner, graph)).forward
    kind = type(owner)
    owner.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__doc__": kind.__doc__})


def _input(node: fx.Node) -> Any:
    return node.args[0] if node.args else node.kwargs.get("input")


def _traced(owner: nn.Module) -> fx.Graph:
    """The graph of a forward that is the same while training and after."""
    graphs, training = [], owner.training
    try:
        for owner.training in (not training, training):
            graphs.append(_Shallow().trace(owner, concrete_args=_defaults(owner)))
    except Exception as error:  # of many types: a forward may do anything
        line = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        raise KeptError(f"torch.fx cannot follow {type(owner).__name__}: {line}") from None
    finally:
        owner.training = training
    if str(graphs[0]) != str(graphs[1]):
        raise KeptError(f"{type(owner).__name__}.forward does something else while training")
    return graphs[1]


def _defaults(owner: nn.Module) -> dict[str, Any]:
    """The arguments that a caller may leave out, fixed: a call that gives one then fails."""
    parameters = inspect.signature(owner.forward).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _check_attributes(owner: nn.Module, graph: fx.Graph) -> None:
    """KeptError where the traced forward needs what tracing put beside the module."""
    for node in graph.nodes:
        if node.op != "get_attr":
            continue
        value: Any = owner
        for part in str(node.target).split("."):
            value = getattr(value, part, None)
        if value is None or str(node.target).startswith("_tensor_constant"):
            raise KeptError(f"{type(owner).__name__}.forward makes tensors of its own")
