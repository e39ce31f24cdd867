"""Pictures of operators for a column of print, drawn by matplotlib (the extra ``plots``).

Each function takes an operator and returns a matplotlib Figure; ``figure.savefig("name.svg")``
(or .png, .pdf) writes the same bytes every time; ``sliding`` returns an Animation, whose
``save("name.gif")`` does. Nothing of matplotlib is loaded before one of
them is asked for, and pyplot never.

>>> import derive
>>> op = derive.Conv2d(1, 1, 3, input_size=(4, 4))
>>> [text.get_text() for text in derive.figures.overlap(op).texts_of("count")]
['9', '9', '9', '9']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .frame_by_frame import sliding
    from .heat_map import overlap
    from .reads import many_to_one, one_to_many
    from .small_kernels import phases
    from .spy import structure

_HOMES = {
    "many_to_one": "reads",
    "one_to_many": "reads",
    "overlap": "heat_map",
    "phases": "small_kernels",
    "sliding": "frame_by_frame",
    "structure": "spy",
}

__all__ = ["many_to_one", "one_to_many", "overlap", "phases", "sliding", "structure"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import_module("matplotlib")
    except ModuleNotFoundError:
        raise ImportError("figures need matplotlib: pip install exactconv[plots]") from None
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
