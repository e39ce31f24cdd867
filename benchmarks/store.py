"""What was measured, kept in a file, so that a part of it can be measured anew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from derive.files import write_whole

from .row import Row


@dataclass
class Store:
    """Rows by section and name, and finished tables of other costs, all of one machine."""

    machine: str
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, machine: str) -> Store:
        """What a file holds; nothing where it was measured on another machine."""
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if kept.get("machine") != machine:
            return cls(machine)
        rows = {
            section: {name: _row(name, words) for name, words in of.items()}
            for section, of in kept["rows"].items()
        }
        return cls(machine, rows, kept["texts"])

    def add(self, section: str, found: Iterable[Row], order: Iterable[str]) -> list[Row]:
        """Put rows in place of older ones; the section's rows in the order of its cases."""
        of = {**self.rows.get(section, {}), **{row.name: row for row in found}}
        self.rows[section] = {name: of[name] for name in order if name in of}
        return list(self.rows[section].values())

    def write(self, path: Path) -> None:
        """Keep everything, numbers with the digits that a timing has."""
        rows = _object(
            (section, _object((name, json.dumps(_words(row))) for name, row in of.items()))
            for section, of in self.rows.items()
        )
        parts = ("machine", self.machine), ("texts", self.texts)
        kept = _object([*((name, json.dumps(part)) for name, part in parts), ("rows", rows)])
        write_whole(path, (kept + "\n").encode())


def _object(items: Iterable[tuple[str, str]]) -> str:
    """JSON with a line for each item."""
    return "{" + ",".join(f"\n{json.dumps(name)}: {text}" for name, text in items) + "\n}"


def _row(name: str, words: Mapping[str, Any]) -> Row:
    seconds = {who: (pair[0], pair[1]) for who, pair in words["seconds"].items()}
    return Row(name, **{**words, "seconds": seconds})


def _words(row: Row) -> dict[str, Any]:
    words = asdict(row)
    del words["name"]
    words["seconds"] = {who: [_digits(each) for each in pair] for who, pair in row.seconds.items()}
    words["errors"] = {who: _digits(error) for who, error in row.errors.items()}
    words["peak"] = _digits(row.peak)
    return words


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
