"""The checkerboard verdict with its cure, the transpose in a framework's words, and the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from derive import layers
from derive.composite import Composite
from derive.core.rules import AdjointRule, AxisRule, ConvolutionRule, TransposedRule
from derive.core.sizes import AFTER, BEFORE
from derive.errors import GeometryError
from derive.layers import Layer, TransposedConvolution
from derive.linear_map import LinearMap
from derive.operator import Operator
from derive.show.facts import multiply_adds
from derive.study.checkerboard import checkerboard
from derive.study.equivalence import equivalent
from derive.study.solve_sizes import solve_sizes
from derive.study.transposed_form import AsConvTranspose, as_conv_transpose

CONVOLUTIONS: dict[int, Callable[..., Layer]] = {
    1: layers.Conv1d,
    2: layers.Conv2d,
    3: layers.Conv3d,
}


def overlap(op: LinearMap) -> Iterator[str]:
    """Whether it makes a checkerboard, why, and what would make none."""
    if op.input_size is None:
        return
    found = checkerboard(op)
    taps = " x ".join("(" + " ".join(map(str, each)) + ")" for each in found.phases)
    if found.uniform:
        yield f"It makes no checkerboard: between the borders every output gets the same, {taps}."
    else:
        times = "some outputs get nothing" if found.ratio is None else f"a ratio of {found.ratio}"
        yield f"It makes a checkerboard: taps by phase are {taps}, {times}."
    yield f"{found.theorem[0].upper()}{found.theorem[1:]}.".replace("\n", "; ")
    if not found.uniform and isinstance(op, TransposedConvolution):
        yield from _cures(op)


def _cures(op: TransposedConvolution) -> Iterator[str]:
    rules = [rule for rule in op.rules if isinstance(rule, TransposedRule)]
    first = rules[0]
    if any(rule != first for rule in rules):
        yield "The cure is a kernel that is a multiple of the stride along each axis."
        return
    other = solve_sizes(
        op.input_shape[1:],
        op.output_shape[1:],
        transposed=True,
        stride=first.stride,
        uniform_overlap=True,
        no_dead_pixels=True,
    )
    for choice in sorted(other, key=lambda choice: choice.kernel_size < first.kernel)[:1]:
        words = ", ".join(f"{name}={value}" for name, value in choice.parameters.items())
        yield f"A kernel that is a multiple of the stride cures it, with the same sizes: {words}."
    kernel = first.kernel + 1 - first.kernel % 2
    yield (
        f"So does resizing by {first.stride} first, then a convolution: kernel_size={kernel}, "
        f"padding={kernel // 2}, exact borders and one kernel as (convolution @ resize)."
    )


def transpose(op: LinearMap) -> Iterator[str]:
    """The transpose as a layer of a framework, or that there is none."""
    if op.input_size is None:
        yield from _transpose_of_free(op)
        return
    if isinstance(op, Composite):
        yield "Its transpose is the chain of the transposes of its parts, in the other order."
        for part in op.parts:
            yield from (f"Of {part!r}: {words}" for words in transpose(part))
        return
    yield _as_layer(op)
    own = None if isinstance(op, Layer) else as_conv_transpose(op)
    if isinstance(own, AsConvTranspose):
        yield f"It is itself one transposed convolution: {own.layer!r}{_crop(own.layer)}"


def _as_layer(op: LinearMap) -> str:
    same, made = transposed_layer(op), made_layer(op)
    layer = same or made
    if layer is None:
        return f"No framework has its transpose as one layer{_modes(op)}; op.T is it, exactly."
    weight = "a weight made of this one's" if _learned(op) else "a weight that is fixed"
    weight = weight if same is None else "the very same weight"
    return f"Its transpose, its input gradient, is {layer!r} with {weight}{_crop(layer)}"


def _learned(op: LinearMap) -> bool:
    return isinstance(op, Operator) and op.learned


def _crop(layer: Layer) -> str:
    """The end of a sentence about a layer whose padding torch has not."""
    pairs = [(rule.values[BEFORE], rule.values[AFTER]) for rule in layer.rules]
    if all(before == after >= 0 for before, after in pairs):
        return "."
    return "; torch has no such padding pair and pads or crops beside the layer."


def made_layer(op: LinearMap) -> Layer | None:
    """The layer that the transpose is, given a weight made from that of ``op``."""
    found = as_conv_transpose(op.T)
    if isinstance(found, AsConvTranspose):
        return found.layer
    own = as_conv_transpose(op)
    return transposed_layer(own.layer) if isinstance(own, AsConvTranspose) else None


def transposed_layer(op: LinearMap) -> Layer | None:
    """The layer with the very weight of ``op`` that its transpose is, if one is proven equal."""
    if not isinstance(op, Operator) or not op.learned:
        return None
    found = as_conv_transpose(op.T)
    if isinstance(found, AsConvTranspose) and _plain(found) and _same(op.T, found.layer):
        return found.layer
    back = as_conv_transpose(op)
    if not isinstance(back, AsConvTranspose) or not _plain(back):
        return None
    words = {
        name: back.layer.parameters[name]
        for name in ("kernel_size", "stride", "padding", "dilation", "groups")
    }
    inputs, outputs = op.channels
    sizes = op.output_shape[1:]
    size = sizes[0] if len(set(sizes)) == 1 else sizes
    try:
        conv = CONVOLUTIONS[len(op.axes)](outputs, inputs, **words, bias=False, input_size=size)
    except GeometryError:
        return None
    return conv if _same(op.T, conv) else None


def _plain(found: AsConvTranspose) -> bool:
    """Whether the layer takes the weight as it is."""
    return all(
        each == ((tap, Fraction(1)),)
        for axis in found.combinations
        for tap, each in enumerate(axis)
    )


def _same(a: Operator, b: Operator) -> bool:
    return (
        a.weight_shape == b.weight_shape
        and a.output_shape == b.output_shape
        and bool(equivalent(a, b))
    )


def _modes(op: LinearMap) -> str:
    rules = op.rules if isinstance(op, Operator) else ()
    modes = {
        rule.mode for rule in rules if isinstance(rule, ConvolutionRule) and rule.mode != "zeros"
    }
    if modes:
        named = " and ".join(sorted(modes))
        return (
            f": the adjoint of {named} padding adds border positions back to where they were read"
        )
    return ""


def _transpose_of_free(op: LinearMap) -> Iterator[str]:
    rules: tuple[AxisRule, ...] = op.rules if isinstance(op, Operator) else ()
    if rules and all(isinstance(r, ConvolutionRule) and r.mode == "zeros" for r in rules):
        yield (
            "Its transpose is a transposed convolution with the same parameters and weight, the "
            "output_padding being the remainder that its input size leaves."
        )
    elif rules and all(isinstance(r, (TransposedRule, AdjointRule)) for r in rules):
        yield "Its transpose is the convolution that maps its output back to its input."
    else:
        yield "Its transpose is op.T at a fixed input size."


def work(op: LinearMap) -> Iterator[str]:
    """Multiply-adds, beside those of a loop over every tap of every output."""
    if op.input_size is None:
        return
    macs, naive = multiply_adds(op)
    saved = ""
    if 0 < macs < naive:
        saved = f", {naive - macs} fewer, as nothing is multiplied by a zero that is known"
    yield (
        f"One sample takes {macs} multiply-adds; a loop over every tap of every output takes "
        f"{naive}{saved}."
    )
