"""Calling a function that may do anything: give it arrays it knows, note what comes back."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen._runtime import Kernel
from codegen._runtime.arrays import is_tensor
from codegen.free import FreeKernel

Array = NDArray[Any]
KINDS = ("numpy", "torch")
SENTINEL = -77  # stands in an integer output before it is written; a float one holds NaN


@dataclass(frozen=True, slots=True)
class Outcome:
    """The array that came back, or what was wrong with the call in words.

    ``refused`` says that the function raised, which is its right where it was asked for more than
    it promises.
    """

    array: Array | None = None
    dtype: str = ""
    problem: str = ""
    refused: bool = False


@dataclass(slots=True)
class Caller:
    """A function with its kind of arrays and its dtype; it counts its calls.

    ``kernel`` is the kernel of ours that the function is of, if any.
    """

    function: Callable[..., Any]
    kind: str
    dtype: str
    budget: int
    calls: int = 0
    kernel: Kernel | FreeKernel | None = None

    @property
    def spent(self) -> bool:
        """Whether the budget is."""
        return self.calls >= self.budget

    @property
    def takes_out(self) -> bool:
        """Whether there is a parameter ``out``."""
        return "out" in _parameters(self.function)

    def __call__(
        self, inputs: Sequence[Array | None], out: tuple[int, ...] | None = None
    ) -> Outcome:
        """One call with integers turned into this kind and dtype; ``out`` is a shape to prefill.

        A function that needs more positional arguments than there are inputs gets None for them.
        """
        self.calls += 1
        given = [self._made(array) for array in inputs]
        missing = _required(self.function) - len(given)
        words = {} if out is None else {"out": self._unwritten(out)}
        try:
            result = self.function(*given, *[None] * max(0, missing), **words)
        except Exception as error:  # a foreign function may raise anything, and that is a finding
            text = " ".join(str(error).split())[:200]
            return Outcome(problem=f"raises {type(error).__name__}: {text}", refused=True)
        for name, array, before in zip(("first", "second", "third"), given, inputs, strict=False):
            if before is not None and not np.array_equal(_numbers(array), before):
                return Outcome(problem=f"writes into its {name} argument")
        if words and result is not None and not _same_memory(result, words["out"]):
            return Outcome(problem="returns another array than out")
        return _outcome(words["out"] if words else result)

    def _made(self, array: Array | None) -> Any:
        if array is None:
            return None
        if self.kind == "numpy":
            return array.astype(self.dtype)
        import torch

        return torch.from_numpy(array.copy()).to(getattr(torch, self.dtype))

    def _unwritten(self, shape: tuple[int, ...]) -> Any:
        value = SENTINEL if self.dtype.startswith("int") else np.nan
        if self.kind == "numpy":
            return np.full(shape, value, self.dtype)
        import torch

        return torch.full(shape, value, dtype=getattr(torch, self.dtype))


def understood(function: Callable[..., Any], kind: str, dtype: str, inputs: Sequence[Array]) -> str:
    """The kind of arrays that the function takes: the one given, or found by trying.

    torch is imported only where NumPy's arrays are refused and torch is there.
    """
    if kind != "auto":
        return kind
    if dtype == "bfloat16":
        return "torch"
    if not Caller(function, "numpy", dtype, 1)(inputs).refused:
        return "numpy"
    if importlib.util.find_spec("torch") is None:
        return "numpy"
    return "numpy" if Caller(function, "torch", dtype, 1)(inputs).refused else "torch"


def _outcome(result: Any) -> Outcome:
    if is_tensor(result):
        return Outcome(_numbers(result), str(result.dtype).removeprefix("torch."))
    if isinstance(result, np.ndarray):
        if result.dtype.kind not in "iufb":
            return Outcome(problem=f"returns an array of dtype {result.dtype}")
        return Outcome(result, str(result.dtype))
    return Outcome(problem=f"returns {type(result).__name__}, not an array")


def _numbers(array: Any) -> Array:
    """A NumPy array of the same numbers."""
    if not is_tensor(array):
        return np.asarray(array)
    tensor = array.detach().cpu()
    small = str(tensor.dtype) == "torch.bfloat16"
    result: Array = (tensor.float() if small else tensor).numpy()
    return result


def _same_memory(result: Any, out: Any) -> bool:
    return result is out or np.shares_memory(_numbers(result), _numbers(out))


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a built-in without a signature
        return {}


def _required(function: Callable[..., Any]) -> int:
    """How many positional arguments there must be."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in _parameters(function).values())
