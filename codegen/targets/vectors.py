"""Plans of vectors as lines of C: declarations of what is loaded and shuffled, and stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from codegen.cpu.column_tiles import ColumnTile
from codegen.cpu.shuffles import Load, Shuffle


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vector types of one function: ``{prefix}_vector{lanes}``, loose ones to load and store.

    The variable ``none`` is a vector of zeros.
    """

    prefix: str
    lanes: int

    def type(self, lanes: int | None = None) -> str:
        """What is in registers."""
        return f"{self.prefix}_vector{self.lanes if lanes is None else lanes}"

    def at(self, place: str, lanes: int) -> str:
        """The vector in memory that begins at a place."""
        return f"*({self.prefix}_loose{lanes} *)({place})"

    def sizes(self, tiles: Iterable[ColumnTile]) -> list[int]:
        """The lanes of all types that the plans of these tiles need."""
        found = {self.lanes}
        for tile in tiles:
            found |= {step.lanes for step in tile.steps if isinstance(step, Load)}
            found |= {store.lanes for store in tile.stores}
        return sorted(found - {1})

    def made(
        self, steps: Sequence[Load | Shuffle], place: int, name: str, row: str, known: set[str]
    ) -> Iterator[str]:
        """Declarations of the vector ``{name}{place}`` of a row, and first of those it is made of.

        What is ``known`` is declared already.
        """
        variable, step = f"{name}{place}", steps[place]
        if variable in known:
            return
        known.add(variable)
        if isinstance(step, Load):
            source = self.at(f"{row} + {step.at}", step.lanes).replace("*(", "*(const ", 1)
            yield f"{self.type(step.lanes)} {variable} = {source}; KEEP({variable});"
            return
        for other in (step.a, step.b):
            if other is not None:
                yield from self.made(steps, other, name, row, known)
        second = "none" if step.b is None else f"{name}{step.b}"
        joined = _shuffled(f"{name}{step.a}", second, step.lanes)
        yield f"const {self.type()} {variable} = {joined};"

    def stored(self, tile: ColumnTile, sums: str, y: int, *, spills: bool = False) -> Iterator[str]:
        """The accumulators ``{sums}{place}`` of a tile, put in order and stored from y on.

        With ``spills``, a row shorter than a vector is stored as one.
        """
        given = tile.accumulators
        for place, step in enumerate(tile.joins, given):
            assert isinstance(step, Shuffle)
            assert step.b is not None
            joined = _shuffled(f"{sums}{step.a}", f"{sums}{step.b}", step.lanes)
            yield f"const {self.type()} {sums}{place} = {joined};"
        stores = tile.stores
        if spills and stores[0].lanes < self.lanes and not stores[0].begin:
            stores = (replace(stores[0], lanes=self.lanes),)
        for store in stores:
            vector, place = f"{sums}{store.place}", y + store.y
            if store.lanes == 1:
                yield f"y[{place}] = {vector}[{store.begin}];"
                continue
            if store.lanes < self.lanes:
                part = range(store.begin, store.begin + store.lanes)
                vector = _shuffled(vector, vector, part)
            yield f"{self.at(f'y + {place}', store.lanes)} = {vector};"


def _shuffled(a: str, b: str, lanes: Iterable[int]) -> str:
    return f"__builtin_shufflevector({a}, {b}, {', '.join(map(str, lanes))})"
