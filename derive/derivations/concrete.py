"""All derivations: in symbols, and those that apply to an operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from derive.arguments import refuse
from derive.composite import Composite
from derive.core.derivation import Derivation
from derive.core.rules import AxisRule
from derive.core.sizes import convolution_size, inverse_size, transposed_size
from derive.linear_map import LinearMap
from derive.operator import Operator

from . import adjoint, counts, fast, gradients, overlap, padding, phases, resizing, sizes, stacks

GENERAL: tuple[Callable[[], Derivation], ...] = (
    convolution_size,
    inverse_size,
    transposed_size,
    padding.same_padding,
    padding.same_padding_tensorflow,
    padding.ceil_mode,
    adjoint.adjoint_identity,
    phases.phase_decomposition,
    overlap.taps_per_phase,
    overlap.overlap_theorem,
    gradients.trilinear_form,
    gradients.input_gradient,
    gradients.weight_gradient,
    gradients.bias_gradient,
    resizing.nearest_weights,
    resizing.linear_weights,
    resizing.cubic_weights,
    stacks.nearest_then_convolution,
    stacks.receptive_field,
    counts.multiply_adds,
    fast.cook_toom,
    fast.minimal_filtering,
    counts.flat_index,
    counts.group_channel,
)

OF_AN_AXIS: tuple[Callable[[AxisRule, int | None], Derivation | None], ...] = (
    sizes.input_sizes,
    padding.same_padding_of,
    padding.same_padding_tensorflow_of,
    padding.ceil_mode_of,
    adjoint.adjoint_identity_of,
    phases.phase_decomposition_of,
    overlap.taps_per_phase_of,
    overlap.overlap_theorem_of,
    resizing.resize_weights_of,
    stacks.nearest_then_convolution_of,
)


def general() -> tuple[Derivation, ...]:
    """Every derivation in symbols.

    >>> [derivation.title for derivation in general()][:2]
    ['output size of a convolution', 'input sizes of a convolution']
    """
    return tuple(make() for make in GENERAL)


def of(op: LinearMap) -> tuple[Derivation, ...]:
    """The derivations that apply to an operator, its numbers put in, alike axes once.

    Every number is held against the exact axes; a difference would be an AssertionError.
    GeometryError where ``op`` is no operator.

    >>> from derive import ConvTranspose1d
    >>> for derivation in of(ConvTranspose1d(1, 1, 3, stride=2, bias=False, input_size=4))[:3]:
    ...     print(derivation.title)
    output size of a transposed convolution
    transposed convolution as a convolution
    phase decomposition
    """
    if not isinstance(op, LinearMap):
        refuse("op", op, "an operator")
    parts = op.parts if isinstance(op, Composite) else (op,)
    found: list[Derivation] = []
    for part in reversed(parts):
        assert isinstance(part, Operator)
        found += _of_one(part)
    found += _of_stack([part for part in reversed(parts) if isinstance(part, Operator)])
    return tuple(dict.fromkeys(found))


def _of_one(op: Operator) -> Iterator[Derivation]:
    for axis, rule in enumerate(op.rules):
        n = None if op.sizes is None else op.sizes[axis]
        yield op.size_derivation(axis)
        yield from (each for make in OF_AN_AXIS if (each := make(rule, n)) is not None)
    if op.sizes is None:
        return
    yield from gradients.gradients_of(op)
    counted = counts.multiply_adds_of(op)
    if counted is not None:
        yield counted


def _of_stack(parts: list[Operator]) -> Iterator[Derivation]:
    for axis in range(len(parts[0].rules)):
        n = None if parts[0].sizes is None else parts[0].sizes[axis]
        derivation = stacks.receptive_field_of([part.rules[axis] for part in parts], n)
        if derivation is not None:
            yield derivation
