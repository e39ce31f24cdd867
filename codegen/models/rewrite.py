"""Putting a module in the place of others: by name, and in the forward that calls functions."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import fx, nn
from torch.nn import functional

from .chains import Chain
from .errors import KeptError
from .forwards import check_attributes, is_contiguous, traced

Without = tuple[tuple[str, int], ...]  # names of convolutions, how many functions before them
FUNCTIONS = (functional.interpolate, functional.pad)


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
    graph = traced(owner)
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
        elif before.op != "call_module" and not is_contiguous(before):
            break
        before = given
    if found != count:
        raise KeptError(f"the function before it was not found in {type(owner).__name__}.forward")
    check_attributes(owner, graph)
    graph.lint()
    forward = type(fx.GraphModule(owner, graph)).forward
    kind: type[nn.Module] = type(owner)
    without: Without = ()
    if isinstance(owner, _Rewritten):
        kind, without = type(owner)._kind, type(owner)._without
    owner.__class__ = _rewritten(kind, (*without, (name, count)), forward=forward)


class _Rewritten(nn.Module):
    """A module whose forward leaves functions out; copied and pickled as what it leaves out."""

    _kind: ClassVar[type[nn.Module]]
    _without: ClassVar[Without]

    def __reduce_ex__(self, protocol: Any) -> Any:
        state = super().__reduce_ex__(protocol)[2]
        return _restored, (type(self)._kind, type(self)._without), state

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        without = type(self)._without
        self.__class__ = type(self)._kind  # type: ignore[assignment]
        for name, count in without:
            _take_out(self, name, count)


def _rewritten(kind: type[nn.Module], without: Without, **members: Any) -> type[_Rewritten]:
    members |= {"_kind": kind, "_without": without, "__doc__": kind.__doc__}
    return type(kind.__name__, (_Rewritten, kind), members)


def _restored(kind: type[nn.Module], without: Without) -> nn.Module:
    """The module of a pickle before its state is set."""
    made = _rewritten(kind, without)
    return made.__new__(made)


def _input(node: fx.Node) -> Any:
    return node.args[0] if node.args else node.kwargs.get("input")
