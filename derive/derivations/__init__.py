"""How every formula here follows from the relation: in symbols, and with an operator's numbers."""

from .adjoint import adjoint_identity
from .concrete import general, of
from .counts import flat_index, group_channel, multiply_adds
from .fast import cook_toom, minimal_filtering
from .gradients import bias_gradient, input_gradient, trilinear_form, weight_gradient
from .overlap import overlap_theorem, taps_per_phase
from .padding import ceil_mode, same_padding, same_padding_tensorflow
from .phases import phase_decomposition
from .resizing import cubic_weights, linear_weights, nearest_weights
from .sizes import convolution_size, input_sizes, inverse_size, transposed_size
from .stacks import nearest_then_convolution, receptive_field

__all__ = [
    "adjoint_identity",
    "bias_gradient",
    "ceil_mode",
    "convolution_size",
    "cook_toom",
    "cubic_weights",
    "flat_index",
    "general",
    "group_channel",
    "input_gradient",
    "input_sizes",
    "inverse_size",
    "linear_weights",
    "minimal_filtering",
    "multiply_adds",
    "nearest_then_convolution",
    "nearest_weights",
    "of",
    "overlap_theorem",
    "phase_decomposition",
    "receptive_field",
    "same_padding",
    "same_padding_tensorflow",
    "taps_per_phase",
    "transposed_size",
    "trilinear_form",
    "weight_gradient",
]
