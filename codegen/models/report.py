"""What became of a whole model, layer by layer: for people, for programs, in totals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .layer import LayerReport, Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The layers of a model in the order in which they are called, those that are kept too.

    ``measured`` says what was timed, nothing where nothing was; ``times`` is the whole model's.
    ``notes`` are things to know that belong to no layer.

    >>> Report(source="model", layers=()).words()
    'model: 0 of 0 layers'
    """

    source: str
    layers: tuple[LayerReport, ...]
    swapped: str = "can be swapped"
    measured: str = ""
    times: Times | None = None
    notes: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[LayerReport, ...]:
        """The layers that are swapped, or can be."""
        return tuple(layer for layer in self.layers if layer.swapped)

    @property
    def macs(self) -> int:
        """Multiply-adds of a sample in our kernels, of the layers whose sizes are known."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def naive_macs(self) -> int:
        """The same when every output visits every tap."""
        return sum(layer.naive_macs or 0 for layer in self.layers)

    def words(self) -> str:
        """The totals in one line."""
        line = f"{self.source}: {len(self.taken)} of {len(self.layers)} layers"
        line += f" {self.swapped}" if self.layers else ""
        if self.naive_macs:
            share = 100 * self.macs // self.naive_macs
            line += f"; {self.macs:,} multiply-adds a sample of {self.naive_macs:,} ({share} %)"
        if self.times is not None:
            before, after = (f"{1000 * s:.1f} ms" for s in (self.times.before, self.times.after))
            line += f"; {self.measured} of the model {before} before, {after} after"
            line += f" ({self.times.ratio:.2f} times faster)"
        return line

    def facts(self) -> dict[str, Any]:
        """The report as plain data; times in seconds."""
        return {
            "source": self.source,
            "layers": [layer.facts() for layer in self.layers],
            "swapped": len(self.taken),
            "macs": self.macs,
            "naive_macs": self.naive_macs,
            "measured": self.measured,
            "before": None if self.times is None else self.times.before,
            "after": None if self.times is None else self.times.after,
            "notes": list(self.notes),
        }

    def written(self, form: str) -> str:
        """The report as "text", "json", "markdown" or "html"."""
        forms = {"text": self.__str__, "json": self.json}
        return {**forms, "markdown": self.markdown, "html": self.html}[form]()

    def json(self) -> str:
        """The report as a JSON object."""
        return json.dumps(self.facts(), indent=1)

    def markdown(self) -> str:
        """The report as a page of Markdown."""
        from derive.show.markdown import page_markdown

        from .written import report_page

        return page_markdown(report_page(self))

    def html(self) -> str:
        """The report as an HTML document that needs nothing else."""
        from derive.show.html import document

        from .written import report_page

        return document(report_page(self))

    def __str__(self) -> str:
        from .written import report_text

        return report_text(self)
