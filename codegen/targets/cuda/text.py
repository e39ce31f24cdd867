"""Operator -> CUDA text and the launches of its functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from codegen._runtime.cuda.program import (
    UNASKED_SHARED,
    Function,
    Program,
    Room,
    Step,
    sum_itemsize,
)
from codegen.cuda.depthwise import Depthwise
from codegen.cuda.depthwise_gradient import DepthwiseGradient
from codegen.cuda.device import Device
from codegen.cuda.direct import Direct
from codegen.cuda.schedule import ByWeight, CudaPlan, Schedule
from codegen.cuda.schedule import plan as planned
from codegen.cuda.tensor import Tensor
from codegen.cuda.tensor_gradient import TensorGradient
from codegen.cuda.weight_blocks import WeightGradient
from codegen.describe import header
from codegen.lower import lower
from codegen.render import render
from codegen.targets.header import comment_of
from derive import Operator
from derive.core.folding import Folding, fold
from derive.core.form import TrilinearForm

from .combine import UNFOLDED, fold_step, resample_part, unfold_step
from .correlation import bias_part, correlation_part
from .depthwise import depthwise_part
from .depthwise_gradient import depthwise_gradient_part
from .direct import direct_part
from .gather import gather_part, gather_text
from .host import host_page
from .numbers import INT, NUMBERS
from .part import FOLDED, CudaFunction, CudaPart
from .tensor import tensor_part
from .tensor_gradient import tensor_gradient_part
from .weight_gradient import weight_gradient_part


def emit_cuda(
    op: Operator,
    name: str,
    dtype: str = "float32",
    device: Device | None = None,
    plan: CudaPlan | None = None,
) -> Program:
    """The program of an operator: by a plan, or the one that the rule finds for the device.

    >>> from derive import Conv1d
    >>> program = emit_cuda(Conv1d(1, 1, 3, input_size=8), "conv")
    >>> [step.kernel for step in program.functions["forward"].steps]
    ['conv_forward_depthwise']
    """
    device = Device() if device is None else device
    if op.learned:
        form = lower(op.form).form
        plan = planned(form, device, dtype) if plan is None else plan
        texts, functions = _Learned(op, name, dtype, form, plan, device).printed()
    else:
        parts = [
            resample_part(form, CudaFunction(name, direction))
            for direction, form in (("forward", op.form), ("input_gradient", op.form.adjoint))
        ]
        texts = [part.text for part in parts]
        functions = {part.direction: part.function for part in parts}
    program = Program(name, dtype, "", functions, _least(functions, texts, device))
    return replace(program, source=_source(op, program, texts))


@dataclass(frozen=True)
class _Learned:
    """An operator that learns, and how each of its functions is computed."""

    op: Operator
    name: str
    dtype: str
    form: TrilinearForm
    plan: CudaPlan
    device: Device

    def printed(self) -> tuple[list[str], dict[str, Function]]:
        """The texts, and the functions by direction."""
        foldings = [fold(axis) for axis in self.op.form.axes]
        folded = not all(each.trivial for each in foldings)
        bias = self.op.bias_shape is not None
        forward = CudaFunction(self.name, "forward", bias, folded)
        by_input = CudaFunction(self.name, "input_gradient", folded=folded)
        parts = [
            self._gather(self.plan.forward, self.form, forward),
            self._gather(self.plan.input_gradient, self.form.adjoint, by_input),
            self._by_weight(self.plan.weight_gradient, UNFOLDED if folded else "weight"),
        ]
        item = sum_itemsize(self.dtype)
        texts = [render("cuda/sum_of_block.cu.j2"), *(part.text for part in parts)]
        if folded:
            parts, further = self._through_folds(parts, foldings)
            texts += further
        bias_of = bias_part(self.op.output_shape, CudaFunction(self.name, "bias_gradient"), item)
        functions = {part.direction: part.function for part in (*parts, bias_of)}
        return [*texts, bias_of.text], functions

    def _gather(self, schedule: Schedule, form: TrilinearForm, function: CudaFunction) -> CudaPart:
        if isinstance(schedule, Depthwise):
            return _with_gather(depthwise_part(schedule, function), form, function)
        if isinstance(schedule, Tensor):
            return _with_gather(tensor_part(schedule, function), form, function)
        if isinstance(schedule, Direct):
            part = direct_part(schedule, form, function, self.device, self.dtype)
            return _with_gather(part, form, function)
        return gather_part(form, function)

    def _by_weight(self, schedule: ByWeight, result: str) -> CudaPart:
        function = CudaFunction(self.name, "weight_gradient", folded=result == UNFOLDED)
        if isinstance(schedule, DepthwiseGradient):
            return depthwise_gradient_part(schedule, function, result)
        if isinstance(schedule, TensorGradient):
            return tensor_gradient_part(schedule, function, result)
        if isinstance(schedule, WeightGradient):
            return weight_gradient_part(schedule, function, self.dtype, result)
        return correlation_part(self.form, function, sum_itemsize(self.dtype), result)

    def _through_folds(
        self, parts: Sequence[CudaPart], foldings: Sequence[Folding]
    ) -> tuple[list[CudaPart], list[str]]:
        """The parts with their weight folded before them, or its gradient unfolded after them."""
        *by_data, by_weight = parts
        item = sum_itemsize(self.dtype)
        pairs = prod(self.op.form.weight_shape[:2])
        taps = [axis.n_tap for axis in self.op.form.axes]
        fold_text, fold_launch, numbers = fold_step(self.name, foldings, taps, pairs)
        rooms = {FOLDED: Room(numbers * item)}
        by_data = [
            replace(part, prepare=(fold_launch, *part.prepare), rooms={**rooms, **part.rooms})
            for part in by_data
        ]
        unfold_text, unfold_launch, numbers = unfold_step(self.name, foldings, taps, pairs)
        by_weight = replace(
            by_weight,
            steps=(*by_weight.steps, unfold_launch),
            rooms={**by_weight.rooms, UNFOLDED: Room(numbers * item)},
        )
        return [*by_data, by_weight], [fold_text, unfold_text]


def _with_gather(part: CudaPart, form: TrilinearForm, function: CudaFunction) -> CudaPart:
    """The part with the gather that computes its border outputs in front of it."""
    if not part.border:
        return part
    return replace(part, text=gather_text(form, function) + part.text)


def _source(op: Operator, program: Program, texts: Sequence[str]) -> str:
    numbers = NUMBERS[program.dtype]
    largest = max(map(prod, (op.input_shape, op.output_shape, op.weight_shape or ())))
    return render(
        "cuda/kernel.cu.j2",
        comment=comment_of([*header(op, program.name), "", *_summary(program)]),
        numbers=numbers,
        place="int" if largest < INT else "long long",
        instructions=[_instructions(program.dtype)] if _special(texts) else [],
        parts=texts,
        host=host_page(program),
    )


def _instructions(dtype: str) -> str:
    return render("cuda/instructions.cu.j2", multiplied=NUMBERS[dtype].multiplied)


def _summary(program: Program) -> list[str]:
    """What the head of the text says of the launches."""
    lines = [f"numbers {program.dtype}; needs {program.architecture}; launches, in order:"]
    for direction, function in program.functions.items():
        for step in (*function.prepare, *function.steps):
            of = f"a set of {step.samples} samples" if step.samples else "any batch"
            lines.append(
                f"  {direction}: {step.kernel}, {step.blocks} blocks for {of}, "
                f"{step.threads} threads, {step.shared} bytes shared"
            )
    return lines


def _special(texts: Sequence[str]) -> bool:
    """Whether a text uses the functions of the instruction page."""
    return any(
        word in text
        for text in texts
        for word in ("copy_async_", "multiply_16x8x16", "store_vector")
    )


def _least(functions: dict[str, Function], texts: Sequence[str], device: Device) -> str:
    """The least architecture that it runs on."""
    steps: list[Step] = [step for each in functions.values() for step in each.steps]
    special = any("multiply_16x8x16" in text for text in texts)
    large = any(step.shared > UNASKED_SHARED for step in steps)
    return device.architecture if special or large else "sm_75"
