"""Command line: ``python -m codegen generate`` and ``python -m codegen verify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from derive.catalogue import Entry

CATALOGUE = click.argument(
    "catalogue",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("operators.toml"),
)
OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("generated"),
    show_default=True,
    help="Folder of the generated package.",
)


@click.group()
@click.version_option(package_name="exactconv")
def main() -> None:
    """Emit kernels for the operators of a catalogue, and check them."""


@main.command()
@CATALOGUE
@OUT
@click.option("--dry-run", is_flag=True, help="Say what would change, write nothing.")
def generate(catalogue: Path, out: Path, dry_run: bool) -> None:
    """Write the kernels of CATALOGUE, build them, and compare each with its matrix."""
    from .generate import check_ways, compilers_lack, differences, without_new_claims, write

    entries, files = _emitted(catalogue)
    if dry_run:
        files = without_new_claims(out, files) if compilers_lack() else files
        click.echo("\n".join(differences(out, files)) or "nothing would change")
        return
    try:
        check_ways(out, files)
        right, complete = _checked(entries, files)
        if not right:
            click.echo("nothing was written", err=True)
            sys.exit(1)
        made = files if complete else without_new_claims(out, files)
        write(out, made)
    except OSError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    click.echo(f"{len(entries)} operators, {len(made)} files in {out}/")
    if len(made) < len(files):
        click.echo(f"{len(files) - len(made)} records of C kernels were not written", err=True)


@main.command()
@CATALOGUE
@OUT
def verify(catalogue: Path, out: Path) -> None:
    """Check that the package is what CATALOGUE says, byte for byte, and its kernels exact."""
    from .generate import differences, without_new_claims

    entries, files = _emitted(catalogue)
    right, complete = _checked(entries, files)
    changed = differences(out, files if complete else without_new_claims(out, files))
    for path in changed:
        click.echo(f"differs: {out / path}", err=True)
    if changed:
        click.echo(f"{len(changed)} files differ; `make generate` writes them anew", err=True)
    sys.exit(0 if right and not changed else 1)


@main.command()
@CATALOGUE
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file: .npz for NumPy, .h for C.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=2, show_default=True)
def vectors(catalogue: Path, name: str, out: Path, seed: int, batch: int) -> None:
    """Write exact test vectors of the operator NAME of CATALOGUE, for tests on any target."""
    from derive.catalogue import CatalogueError, read_catalogue

    from .errors import LoweringError
    from .exact_vectors import vectors as exact_vectors
    from .exact_vectors import write

    try:
        entries = {entry.name: entry.op for entry in read_catalogue(catalogue)}
        if name not in entries:
            raise CatalogueError(f"name = {name!r}: allowed is one of {', '.join(entries)}")
        write(exact_vectors(entries[name], name, seed=seed, batch=batch), out)
    except (CatalogueError, LoweringError, OSError, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    click.echo(f"vectors of {name} in {out}")


def _emitted(catalogue: Path) -> tuple[tuple[Entry, ...], dict[str, str]]:
    """The entries and the files of the package; exit code 2 for a catalogue that is wrong."""
    from derive.catalogue import CatalogueError, read_catalogue

    from .generate import entry_files, package_files

    try:
        entries = read_catalogue(catalogue)
    except CatalogueError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    files = dict(package_files())
    with click.progressbar(entries, label="emit   ", file=sys.stderr) as bar:
        for entry in bar:
            files.update(entry_files(entry))
    return entries, files


def _checked(entries: Sequence[Entry], files: Mapping[str, str]) -> tuple[bool, bool]:
    """Make every check that records claim; whether none failed, and whether none was left out."""
    safe = _safe(entries, files)
    identified = _identified(entries)
    exact, built = _judged(entries)
    return safe and exact and identified is not False, built and identified is not None


def _safe(entries: Sequence[Entry], files: Mapping[str, str]) -> bool:
    """Whether the records just made say that all indices of the C texts were proven."""
    from ._runtime.record import SUFFIX

    claims = [json.loads(files[f"c/{e.name}{SUFFIX}"])["claims"]["indices"] for e in entries]
    for entry, claim in zip(entries, claims, strict=True):
        for problem in claim["problems"]:
            click.echo(f"{entry.name}.c: {problem}", err=True)
    safe = sum(not claim["problems"] for claim in claims)
    accesses = sum(claim["accesses"] for claim in claims)
    click.echo(
        f"{safe} of {len(claims)} C texts proven to stay in their arrays, {accesses:,} accesses"
    )
    return safe == len(claims)


def _judged(entries: Sequence[Entry]) -> tuple[bool, bool]:
    """Build, compare and tabulate all kernels; whether all are exact, and whether C was built."""
    from .report import judge, prepare, table

    obstacle = prepare(entries)
    targets = ("numpy", "c") if obstacle is None else ("numpy",)
    with click.progressbar(
        judge(entries, targets), length=len(entries), label="compare", file=sys.stderr
    ) as bar:
        verdicts = list(bar)
    click.echo(table(verdicts))
    if obstacle is not None:
        click.echo(f"C kernels were not built: {obstacle}", err=True)
    exact = sum(verdict.exact for verdict in verdicts)
    click.echo(f"{exact} of {len(verdicts)} operators are their matrix in {' and '.join(targets)}")
    return exact == len(verdicts), obstacle is None


def _identified(entries: Sequence[Entry]) -> bool | None:
    """Compute all C texts over the prime field: is each its operator? None if that cannot be."""
    from ._runtime import CompileError
    from .prime_field import identities
    from .targets.c import emit

    try:
        found = identities([(e.name, e.op, emit(e.op, e.name)) for e in entries])
    except CompileError as error:
        click.echo(f"The identity test was not made: {error}", err=True)
        return None
    for entry, each in zip(entries, found, strict=True):
        if not each.holds:
            click.echo(f"{entry.name}.c differs over Z_p: {' '.join(each.differs)}", err=True)
    holds = sum(each.holds for each in found)
    click.echo(
        f"{holds} of {len(found)} C texts are their operator over Z_p, p = 2**61 - 1; "
        f"error probability of each {found[0].probability}"
    )
    return holds == len(found)


if __name__ == "__main__":
    main(prog_name="python -m codegen")
