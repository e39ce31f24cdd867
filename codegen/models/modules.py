"""What keeps a module from being swapped: whatever makes it more than torch's class of its name."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from codegen.torch_ops.modules import OURS
from codegen.torch_ops.worded import Worded

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def is_layer(module: nn.Module) -> bool:
    """Whether it is a convolution of some kind, one that cannot be swapped too."""
    quantised = type(module).__module__.startswith("torch.ao.") and "Conv" in type(module).__name__
    return isinstance(module, _ConvNd) or quantised


def fit(module: nn.Module) -> bool:
    """Whether it is a convolution that can be swapped."""
    return is_layer(module) and not obstacle(module)


def uninitialised(module: nn.Module) -> bool:
    """Whether some parameter has no shape before the first call."""
    return any(isinstance(p, UninitializedParameter) for p in module.parameters(recurse=False))


def obstacle(module: nn.Module, *, learns: bool = True) -> str:
    """Why a module is kept as it is, nothing where it can be swapped.

    >>> obstacle(nn.Conv1d(1, 1, 3)), obstacle(nn.LazyConv1d(1, 3))
    ('', 'lazy: its shape is not known before the first call')
    """
    if uninitialised(module):
        return "lazy: its shape is not known before the first call"
    if parametrize.is_parametrized(module):
        return "its weight is parametrized, computed anew in every call"
    if any(getattr(module, hooks) for hooks in HOOKS):
        return "it has hooks"
    if "forward" in vars(module) or "_conv_forward" in vars(module):
        return "its forward was replaced"
    if not learns:
        return ""
    if type(module).__module__.startswith("torch.ao."):
        return "quantised"
    if isinstance(module, Worded):
        return "it is ours already"
    if type(module) not in OURS:
        return f"a subclass, {type(module).__name__}: what it adds would be lost"
    return _weights_obstacle(module)


def _weights_obstacle(module: nn.Module) -> str:
    parameters = dict(module.named_parameters(recurse=False))
    if "weight" not in parameters or parameters.keys() - {"weight", "bias"}:
        return f"its parameters are {', '.join(parameters) or 'none'}, not weight and bias"
    if any(True for _ in module.children()) or any(True for _ in module.buffers(recurse=False)):
        return "it holds modules or buffers of somebody's own"
    weight = parameters["weight"]
    if weight.dtype not in (torch.float32, torch.float64):
        return f"dtype {weight.dtype}: allowed are torch.float32 and torch.float64"
    if type(weight) is not nn.Parameter or type(weight.data) is not torch.Tensor:
        return f"its weight is a {type(weight.data).__name__}"
    if weight.device.type not in ("cpu", "meta"):
        return f"it is on {weight.device}: allowed is the cpu"
    return ""
