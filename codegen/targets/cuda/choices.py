"""One of a few constants, by a variable of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Choices:
    """Expressions for constants of a text, and the tables that they read.

    >>> choices = Choices("conv")
    >>> choices.of("base", "r", [3, 5, 7]), choices.of("base", "r", [4, 4])
    ('(2*r + 3)', '4')
    >>> choices.of("base", "r", [1, 4, 2]), choices.tables
    ('conv_base[r]', [{'name': 'conv_base', 'numbers': '1, 4, 2'}])
    """

    prefix: str
    tables: list[dict[str, str]] = field(default_factory=list)

    def of(self, name: str, variable: str, values: Sequence[int]) -> str:
        """``values[variable]``; a table of that name where it is no line."""
        step = values[1] - values[0] if len(values) > 1 else 0
        if all(value == values[0] + step * k for k, value in enumerate(values)):
            return f"({step}*{variable} + {values[0]})" if step else str(values[0])
        return f"{self.table(name, values)}[{variable}]"

    def table(self, name: str, values: Sequence[int]) -> str:
        """The name of a table of these values."""
        table = f"{self.prefix}_{name}"
        self.tables.append({"name": table, "numbers": ", ".join(map(str, values))})
        return table
