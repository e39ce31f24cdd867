"""Layers for torch: modules that take the place of torch's, and operators for its graphs.

Needs torch, 2.4 or later: ``pip install exactconv[torch]``. One line changes a model:

>>> import torch
>>> from codegen.torch_ops import Conv2d                   # torch.nn.Conv2d before
>>> layer = Conv2d(1, 2, 3, padding=1)
>>> layer(torch.ones(4, 1, 5, 6)).shape
torch.Size([4, 2, 5, 6])
"""

try:
    import torch as torch
except ImportError:
    raise ImportError("codegen.torch_ops needs torch: pip install exactconv[torch]") from None

from . import registration as registration
from .functions import convolve
from .modules import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    drop_in,
)
from .upsample import UpsampleConv2d
from .words import words_of

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "UpsampleConv2d",
    "convolve",
    "drop_in",
    "words_of",
]
