"""Modules that take the place of torch's: same constructor, weights, numbers; our kernels."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

import derive
from derive.layers import Layer

from .worded import Convolving, Transposing, Worded, plain


class Conv1d(Convolving, nn.Conv1d):
    """torch.nn.Conv1d by a kernel of this package; ``algorithm`` as for ``codegen.build``.

    ``padding`` also takes a (before, after) pair per axis.

    >>> import torch
    >>> layer = Conv1d(1, 2, 3)
    >>> layer.load_state_dict(torch.nn.Conv1d(1, 2, 3).state_dict())
    <All keys matched successfully>
    >>> layer(torch.ones(1, 8)).shape
    torch.Size([2, 6])
    """

    layer_type: ClassVar[type[Layer]] = derive.Conv1d


class Conv2d(Convolving, nn.Conv2d):
    """torch.nn.Conv2d by a kernel of this package; ``algorithm`` as for ``codegen.build``.

    >>> Conv2d(3, 8, 3, padding="same", algorithm="fast")
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=same, algorithm='fast')
    """

    layer_type: ClassVar[type[Layer]] = derive.Conv2d


class Conv3d(Convolving, nn.Conv3d):
    """torch.nn.Conv3d by a kernel of this package; ``algorithm`` as for ``codegen.build``.

    >>> Conv3d(1, 1, 0)
    Traceback (most recent call last):
    derive.errors.GeometryError: kernel_size = 0: allowed is an int >= 1, or 3 of them in a tuple
    """

    layer_type: ClassVar[type[Layer]] = derive.Conv3d


class ConvTranspose1d(Transposing, nn.ConvTranspose1d):
    """torch.nn.ConvTranspose1d by a kernel of this package; ``algorithm`` as ``codegen.build``'s.

    >>> import torch
    >>> ConvTranspose1d(1, 1, 3, stride=2)(torch.ones(1, 1, 4), output_size=(10,)).shape
    torch.Size([1, 1, 10])
    """

    layer_type: ClassVar[type[Layer]] = derive.ConvTranspose1d


class ConvTranspose2d(Transposing, nn.ConvTranspose2d):
    """torch.nn.ConvTranspose2d by a kernel of this package; ``algorithm`` as ``codegen.build``'s.

    >>> import torch
    >>> ConvTranspose2d(2, 3, 4, stride=2, padding=1)(torch.ones(1, 2, 3, 5)).shape
    torch.Size([1, 3, 6, 10])
    """

    layer_type: ClassVar[type[Layer]] = derive.ConvTranspose2d


class ConvTranspose3d(Transposing, nn.ConvTranspose3d):
    """torch.nn.ConvTranspose3d by a kernel of this package; ``algorithm`` as ``codegen.build``'s.

    >>> import torch
    >>> ConvTranspose3d(1, 1, 2)(torch.ones(1, 2, 3, 4)).shape
    torch.Size([1, 3, 4, 5])
    """

    layer_type: ClassVar[type[Layer]] = derive.ConvTranspose3d


def drop_in(module: nn.Module, algorithm: str = "exact") -> Worded:
    """Our module in the place of one of torch's convolutions; it shares the parameters.

    GeometryError for anything else, and for what has a computation or a parametrization of its own.

    >>> import torch
    >>> theirs = torch.nn.Conv2d(3, 8, 3, padding=1)
    >>> ours = drop_in(theirs)
    >>> ours, ours.weight is theirs.weight
    (Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)), True)
    """
    kind, theirs = OURS.get(type(module)), vars(module)
    if kind is None or set(theirs) & {"forward", "_conv_forward"}:
        allowed = ", ".join(each.__name__ for each in OURS)
        raise derive.GeometryError(
            f"module = {type(module).__name__}: allowed are {allowed} of torch.nn as they are"
        )
    words: dict[str, Any] = {name: plain(theirs[name]) for name in kind.of_words}
    parameters: Any = module
    made: Worded = kind(**words, bias=module.bias is not None, device="meta", algorithm=algorithm)
    made.weight, made.bias = parameters.weight, parameters.bias
    made.train(module.training)
    return made


OURS: dict[type[nn.Module], type[Any]] = {
    nn.Conv1d: Conv1d,
    nn.Conv2d: Conv2d,
    nn.Conv3d: Conv3d,
    nn.ConvTranspose1d: ConvTranspose1d,
    nn.ConvTranspose2d: ConvTranspose2d,
    nn.ConvTranspose3d: ConvTranspose3d,
}
