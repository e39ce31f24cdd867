"""What ``python -m codegen model`` does: find the model, report it, name its kernels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from derive.catalogue import Entry
from derive.names import is_identifier

from .errors import ModelError
from .report import Report

LONGEST_NAME = 63
TARGET = "FILE.onnx, or package.module:function that gives (model, example_input)"


def report_of(
    target: str,
    sizes: Mapping[str, Sequence[int]],
    options: Mapping[str, Any] | None,
    bar: Any,
) -> Report:
    """The report of a file or of what a function gives; ``options`` of convert, None to look only.

    ModelError where there is no such model.
    """
    if target.endswith(".onnx") or Path(target).is_file():
        if options is not None:
            raise ModelError(f"{target}: --measure is for torch models, this is a file")
        from .from_onnx import analyse_onnx

        return analyse_onnx(Path(target), sizes, bar)
    if sizes:
        raise ModelError("--size is for ONNX files; a function gives an example input")
    model, example = _called(target)
    if options is None:
        from .analysis import analyse

        return analyse(model, example)
    from .conversion import convert

    return convert(model, example, bar=bar, **options)[1]


def shapes_of(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """name=1x3x224x224 -> name and sizes.

    >>> shapes_of(["x=1x3x8x8"])
    {'x': (1, 3, 8, 8)}
    """
    found = {}
    for word in words:
        match = re.fullmatch(r"(.+)=([0-9]{1,9}(?:x[0-9]{1,9})*)", word)
        if match is None:
            raise ModelError(f"--size {word}: allowed is a name and sizes, as in input=1x3x224x224")
        found[match[1]] = tuple(map(int, match[2].split("x")))
    return found


def entries_of(report: Report) -> tuple[Entry, ...]:
    """The operators of the layers that can be swapped, each once, named after the first of them."""
    names: dict[Any, str] = {}
    for layer in report.taken:
        for op in layer.ops:
            if op.sizes is not None and op not in names:
                names[op] = _name(layer.name, set(names.values()))
    return tuple(Entry(name, op) for op, name in names.items())


def _name(layer: str, taken: set[str]) -> str:
    """A lower-case identifier made of a layer's name, not taken yet.

    >>> _name("/up.0/Conv", {"up_0_conv"})
    'up_0_conv_2'
    """
    words = re.sub(r"[^a-z0-9]+", "_", layer.lower()).strip("_")[: LONGEST_NAME - 10].strip("_")
    if not re.match(r"[a-z]", words) or not is_identifier(words):
        words = f"layer_{words}".rstrip("_")
    number, name = 1, words
    while name in taken:
        number += 1
        name = f"{words}_{number}"
    return name


def _called(target: str) -> tuple[Any, Any]:
    """What the function of a target gives."""
    module, _, function = target.partition(":")
    if not (function.isidentifier() and all(map(str.isidentifier, module.split(".")))):
        raise ModelError(f"{target}: allowed is {TARGET}")
    try:
        import torch  # noqa: F401
    except ImportError:
        raise ModelError(f"{target}: this needs torch: pip install 'exactconv[torch]'") from None
    try:
        found = getattr(import_module(module), function, None)
    except ImportError as error:
        raise ModelError(f"{target}: {error}; allowed is {TARGET}") from None
    if not callable(found):
        raise ModelError(f"{target}: {module} has no function {function}")
    try:
        given = found()
    except Exception as error:
        raise ModelError(f"{target} failed with {type(error).__name__}: {error}") from error
    if not isinstance(given, tuple) or len(given) != 2:
        raise ModelError(
            f"{target} gives {type(given).__name__}: allowed is (model, example_input)"
        )
    return given
