"""torch's layers: their words, names, order and defaults, and what torch refuses.

torch's vocabulary ends here: everything below speaks of rules, axes and channels.
"""

from .base import Layer
from .convolution import Convolution
from .interpolate import Interpolate
from .pad import Pad
from .transposed import TransposedConvolution

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Convolution",
    "Interpolate",
    "Layer",
    "Pad",
    "TransposedConvolution",
]


class Conv1d(Convolution):
    """Convolution of a signal, as torch.nn.Conv1d.

    >>> Conv1d(1, 1, 3, padding=1, input_size=5).output_size
    (5,)
    """

    dimensions = 1


class Conv2d(Convolution):
    """Convolution of an image, as torch.nn.Conv2d.

    >>> op = Conv2d(1, 1, 3, input_size=(4, 4))
    >>> op.output_size, op.matrix().shape, op.nnz
    ((2, 2), (4, 16), 36)
    """

    dimensions = 2


class Conv3d(Convolution):
    """Convolution of a volume, as torch.nn.Conv3d.

    >>> Conv3d(2, 4, 3, stride=2, padding="valid", input_size=7).output_shape
    (4, 3, 3, 3)
    """

    dimensions = 3


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution of a signal, as torch.nn.ConvTranspose1d.

    >>> ConvTranspose1d(1, 1, 3, stride=2, input_size=4, output_size=10).output_size
    (10,)
    """

    dimensions = 1


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution of an image, as torch.nn.ConvTranspose2d.

    >>> op = ConvTranspose2d(1, 1, 3, input_size=(2, 2))
    >>> op.output_size, op.matrix() == Conv2d(1, 1, 3, input_size=(4, 4)).matrix().T
    ((4, 4), True)
    """

    dimensions = 2


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution of a volume, as torch.nn.ConvTranspose3d.

    >>> ConvTranspose3d(4, 2, 2, stride=2, input_size=3).output_shape
    (2, 6, 6, 6)
    """

    dimensions = 3
