"""What frameworks do otherwise with a convolution or its transpose, where it matters for this one.

Sources: torch.nn's documentation; TensorFlow's nn.convolution notes on padding; Keras' DeconvLayer
lengths (keras.src.backend.common.backend_utils); ONNX operators Conv and ConvTranspose.
"""

from __future__ import annotations

from collections.abc import Iterator

from derive.core.rules import ConvolutionRule, TransposedRule
from derive.core.sizes import N_IN
from derive.derivations.padding import (
    same_padding_of,
    same_padding_tensorflow,
    same_padding_tensorflow_of,
)
from derive.linear_map import LinearMap
from derive.operator import Operator
from derive.show.entries import parts_of
from derive.show.facts import axes_alike, named

from .elsewhere_resized import resize_elsewhere

KERAS_EITHER = "Keras takes no stride above 1 together with a dilation above 1."
ONNX_PAD = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def elsewhere(op: LinearMap) -> Iterator[str]:
    """Sentences for each part and each kind of axis."""
    parts = parts_of(op)
    for part in parts:
        of_part = f" of {part!r}" if len(parts) > 1 else ""
        for alike in axes_alike(part):
            where = named(alike) + of_part
            for words in axis_elsewhere(part, alike[0]):
                yield f"Along {where}: {words}"


def axis_elsewhere(part: Operator, axis: int) -> Iterator[str]:
    """Sentences about one axis of one part."""
    rule = part.rules[axis]
    n = None if part.input_size is None else part.input_size[axis]
    if isinstance(rule, ConvolutionRule) and part.learned:
        yield from convolution_elsewhere(rule, n)
    elif isinstance(rule, TransposedRule):
        yield from transposed_elsewhere(rule, n)
    else:
        yield from resize_elsewhere(rule, n)


def convolution_elsewhere(rule: ConvolutionRule, n: int | None) -> Iterator[str]:
    """A convolution: uneven padding, input dilation, "same", padding modes."""
    pair = (rule.before, rule.after)
    if rule.up > 1:
        yield f"torch has no input dilation; XLA calls {rule.up} its lhs_dilation."
    if pair[0] != pair[1] or min(pair) < 0:
        if same_padding_of(rule, n) is not None:
            yield f'torch writes the uneven padding {pair} as padding="same" alone.'
        else:
            yield (
                f"torch's layer takes no pair {pair}: torch.nn.functional.pad first, then "
                "padding=0."
            )
    if rule.mode != "zeros":
        yield (
            f"ONNX's Conv and XLA pad with zeros only; there a Pad of mode "
            f"{ONNX_PAD[rule.mode]!r} comes first."
        )
    elif n is not None and rule.up == 1:
        yield from _same_in_tensorflow(rule, n)
    if rule.stride > 1 and rule.dilation > 1:
        yield KERAS_EITHER


def _same_in_tensorflow(rule: ConvolutionRule, n: int) -> Iterator[str]:
    total, size = tensorflow_same(rule, n)
    if size != rule.output_size(n) or not (total or rule.before or rule.after):
        return
    begins = total // 2
    own = (rule.before, rule.after)
    if same_padding_tensorflow_of(rule, n) is not None:
        depends = "" if rule.stride == 1 else "; at other sizes that word pads otherwise"
        yield f'padding="same" of TensorFlow and Keras is this padding, {own}{depends}.'
    elif begins == rule.before:
        yield (
            f'padding="same" of TensorFlow and Keras pads {(begins, total - begins)} instead of '
            f"{own} and gives the same numbers."
        )
    else:
        yield (
            f'padding="same" of TensorFlow and Keras gives {size} outputs too, but pads '
            f"{(begins, total - begins)} instead of {own}: every window begins "
            f"{abs(rule.before - begins)} further {'on' if begins < rule.before else 'back'}, so "
            "weights carried over see a shifted input."
        )


def tensorflow_same(rule: ConvolutionRule, n: int) -> tuple[int, int]:
    """Total padding and output size of TensorFlow's "same", from its derivation.

    >>> tensorflow_same(ConvolutionRule(kernel=3, stride=2, before=1, after=1), 8)
    (1, 4)
    """
    derived = same_padding_tensorflow()
    values = {**rule.values, N_IN: n}
    size = derived.steps[0].statement.rhs
    return int(derived.formula.rhs.subs(values)), int(size.subs(values))


def transposed_elsewhere(rule: TransposedRule, n: int | None) -> Iterator[str]:
    """A transposed convolution: output_size, Keras' lengths and crops, ONNX's output_shape."""
    reach = rule.dilation * (rule.kernel - 1)
    if rule.before != rule.after:
        yield f"torch's layer takes no pair {(rule.before, rule.after)}: crop what padding=0 gives."
    if rule.output_padding >= rule.stride:
        yield (
            f"output_padding = {rule.output_padding} is not less than the stride; torch takes it "
            f"because it is less than the dilation {rule.dilation}, Keras refuses it."
        )
    if max(rule.before, rule.after) > reach:
        yield (
            f"padding crops the output here; as padding of its input it would be "
            f"{reach - rule.before}, which crops inputs."
        )
    if n is None:
        return
    least = rule.output_size(n) - rule.output_padding
    if rule.stride > 1 or rule.dilation > 1:
        last = least + rule.stride - 1
        more = least + max(rule.stride, rule.dilation) - 1
        accepted = f"{least} to {last}" if last > least else f"only {least}"
        beyond = f", though output_padding alone reaches {more}" if more > last else ""
        yield f"torch's call argument output_size accepts {accepted}{beyond}."
    yield from _keras(rule, n)
    yield from _onnx(rule, n)


def _keras(rule: TransposedRule, n: int) -> Iterator[str]:
    size = rule.output_size(n)
    if rule.stride > 1 and rule.dilation > 1:
        yield KERAS_EITHER
        return
    if not (rule.before or rule.after or rule.output_padding):
        valid = keras_valid(rule, n)
        if valid != size:
            yield (
                f'Keras with padding="valid" gives {valid} outputs where this gives {size}: it '
                f"adds stride - kernel = {valid - size} at the end, which no tap reaches."
            )
    same = n * rule.stride
    if rule.stride == 1 or size != same:
        return
    total, _ = tensorflow_same(ConvolutionRule(kernel=rule.kernel, stride=rule.stride), same)
    if total // 2 == rule.before:
        yield f'Keras with padding="same" is this layer: it crops {total // 2} before, too.'
    else:
        yield (
            f'Keras with padding="same" gives {same} outputs too, but crops {total // 2} before '
            f"instead of {rule.before}: the same picture, shifted by "
            f"{abs(rule.before - total // 2)}."
        )


def keras_valid(rule: TransposedRule, n: int) -> int:
    """The length of Keras' "valid" transposed convolution, as Keras states it.

    >>> keras_valid(TransposedRule(kernel=2, stride=3), 4)
    12
    """
    return n * rule.stride + max(rule.dilation * (rule.kernel - 1) + 1 - rule.stride, 0)


def _onnx(rule: TransposedRule, n: int) -> Iterator[str]:
    total = rule.before + rule.after - rule.output_padding
    if total < 0 or total % 2 == 0:
        return
    less, more = total // 2, total - total // 2
    matches = {more: "the first is this layer", less: "the second is this layer"}
    which = matches.get(rule.before, "neither is this layer")
    yield (
        f"ONNX with output_shape = {rule.output_size(n)} instead of pads crops {(more, less)}, and "
        f"{(less, more)} only with auto_pad SAME_UPPER; {which}."
    )
