"""Operators from torch's modules, read by their class names and attributes without torch."""

from __future__ import annotations

from inspect import signature
from typing import Any

from derive import layers
from derive.arguments import Each
from derive.errors import GeometryError
from derive.linear_map import LinearMap

LAYERS: dict[str, Any] = {
    name: layer for name, layer in vars(layers).items() if hasattr(layer, "dimensions")
}
CHAIN = "Sequential"
RESIZE = "Upsample"
HOME = "torch.nn.modules."  # where torch keeps the classes of these names
COMPUTING = ("forward", "_conv_forward")  # what has its own computes something else
SAME = "computes_as_torch"  # true in a class whose own way of computing gives the same
NOT_TORCHS = ("input_dilation", "input_size", "output_size")


def from_torch(module: Any, input_size: Each | None, channels: int | None = None) -> LinearMap:
    """The operator that a torch module applies; a Sequential becomes a composition.

    ``input_size`` is the size of what goes in, an int for every axis; None leaves it free. The
    weight stays in the module: ``module.weight`` is what the operator takes, and a composition
    takes a tuple of them, outermost (last applied) first. An Upsample has the channels of its
    neighbour in a Sequential; alone it needs ``channels``.

    >>> class Conv1d:  # a stand-in: torch's module would do
    ...     __module__ = "torch.nn.modules.conv"
    ...     in_channels, out_channels, groups, bias, padding_mode = 1, 4, 1, None, "zeros"
    ...     kernel_size, stride, padding, dilation = (3,), (2,), (1,), (1,)
    >>> from_torch(Conv1d(), 8)
    Conv1d(1, 4, 3, stride=2, padding=1, bias=False, input_size=8)
    """
    return _operator("module", module, input_size, channels)


def _operator(name: str, module: Any, input_size: Any, channels: int | None) -> LinearMap:
    known = _torch_name(module)
    if known == CHAIN:
        return _chain(name, module, input_size, channels)
    if known == RESIZE:
        return _resize(name, module, input_size, channels)
    if known is None:
        raise GeometryError(
            f"{name} = {type(module).__name__}: allowed are {', '.join(LAYERS)} and {RESIZE} of "
            f"torch.nn, subclasses that keep their forward, and {CHAIN} of those"
        )
    layer = LAYERS[known]
    own = {n: getattr(module, n) for n in signature(layer).parameters if n not in NOT_TORCHS}
    own["bias"] = module.bias is not None
    words = {n: _plain(value) for n, value in own.items()}
    op: LinearMap = layer(**words, input_size=input_size)
    return op


def _resize(name: str, module: Any, input_size: Any, channels: int | None) -> layers.Interpolate:
    if channels is None:
        raise GeometryError(f"channels = None: allowed is how many {name} = {RESIZE} resizes")
    own = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")
    words = {n: _plain(getattr(module, n)) for n in own}
    return layers.Interpolate(channels, input_size, **words)


def _torch_name(module: Any) -> str | None:
    """The name of the first of torch's classes that this is, unless its computation is changed."""
    own = set(getattr(module, "__dict__", ()))
    for each in type(module).__mro__:
        if each.__module__.startswith(HOME) and (each.__name__ in (*LAYERS, CHAIN, RESIZE)):
            return None if own.intersection(COMPUTING) else each.__name__
        if not vars(each).get(SAME):
            own.update(vars(each))
    return None


def _chain(name: str, module: Any, input_size: Any, channels: int | None) -> LinearMap:
    """The modules one after the other, each at the output size of the one before."""
    if isinstance(input_size, int):  # for every axis: of the first module that says how many
        known = (_torch_name(each) for each in module)
        axes = next((LAYERS[each].dimensions for each in known if each in LAYERS), 0)
        input_size = (input_size,) * axes or input_size
    result: LinearMap | None = None
    for place, each in enumerate(module):
        size = input_size if result is None else result.output_size
        if result is None:
            inputs = (getattr(after, "in_channels", None) for after in module)
            count = channels or next((n for n in inputs if n is not None), None)
        else:
            count = result.channels[1]
        outer = _operator(f"{name}[{place}]", each, size, count)
        result = outer if result is None else outer @ result
    if result is None:
        raise GeometryError(f"{name} = {CHAIN}(): allowed is at least one module in it")
    return result


def _plain(value: Any) -> Any:
    """One int for a tuple of equal ones."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
