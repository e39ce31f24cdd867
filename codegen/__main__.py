"""Command line: ``python -m codegen``. Exit code 0, 1 where something differs, 2 for bad input."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .voice import PROGRAM, Commands, Voice, plain, repeat, speaking

if TYPE_CHECKING:
    from derive.catalogue import Entry

    from .report import Checks

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


@click.group(cls=Commands)
@click.version_option(package_name="exactconv")
def main() -> None:
    """Emit kernels for the operators of a catalogue, and check them."""


@main.command()
@CATALOGUE
@OUT
@click.option("--dry-run", is_flag=True, help="Say what would change, write nothing.")
@speaking
def generate(catalogue: Path, out: Path, dry_run: bool, voice: Voice) -> None:
    """Write the kernels of CATALOGUE, build them, and compare each with its matrix."""
    from .generate import compilers_lack, differences, without_new_claims

    entries = _entries(catalogue)
    if dry_run:
        files = _files(entries, voice)
        files = without_new_claims(out, files) if compilers_lack() else files
        changed = differences(out, files)
        voice.say("\n".join(changed) or "nothing would change")
        voice.data({"command": "generate", "would_change": changed})
        return
    checks, written = _generated(entries, out, voice, catalogue)
    voice.data({"command": "generate", **_facts(checks), "written": written})
    sys.exit(0 if checks.right else 1)


@main.command()
@CATALOGUE
@OUT
@click.option("--only", multiple=True, metavar="NAME", help="Check this operator; may be repeated.")
@speaking
def verify(catalogue: Path, out: Path, only: tuple[str, ...], voice: Voice) -> None:
    """Check that the package is what CATALOGUE says, byte for byte, and its kernels exact."""
    from .generate import differences, entry_files, without_new_claims
    from .report import checked

    entries = _entries(catalogue, only)
    files = _files(entries, voice)
    checks = checked(entries, files, voice.bar)
    _report(checks, catalogue, out, voice)
    changed = differences(out, files if checks.complete else without_new_claims(out, files))
    if only:
        changed = sorted(files.keys() & changed)
    owners = {path: entry.name for entry in entries for path, _ in entry_files(entry)}
    for path in changed:
        voice.warn(f"differs: {out / path}")
    for name in sorted({owners[path] for path in changed if path in owners}):
        voice.warn(repeat("verify", catalogue, "--out", out, "--only", name))
    if changed:
        voice.warn(f"{len(changed)} files differ; `make generate` writes them anew")
    voice.data({"command": "verify", **_facts(checks), "differ": changed})
    sys.exit(0 if checks.right and not changed else 1)


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
    from .exact_vectors import vectors as exact_vectors
    from .exact_vectors import write

    (entry,) = _entries(catalogue, [name])
    write(exact_vectors(entry.op, name, seed=seed, batch=batch), out)
    click.echo(f"vectors of {name} in {out}")


@main.command()
@click.argument("target", metavar="FILE.onnx|PACKAGE.MODULE:FUNCTION")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Generate the kernels of the layers into this folder.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "html"]),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="INPUT=1x3x224x224",
    help="Shape of an input of an ONNX file; may be repeated.",
)
@click.option("--measure", is_flag=True, help="Swap the layers of a torch model and time it.")
@click.option("--train", is_flag=True, help="With --measure: time backward passes too.")
@click.option(
    "--algorithm",
    type=click.Choice(["exact", "fast", "auto"]),
    default="exact",
    show_default=True,
    help="With --measure: the class of the kernels.",
)
@speaking
def model(
    target: str,
    out: Path | None,
    form: str,
    sizes: tuple[str, ...],
    measure: bool,
    train: bool,
    algorithm: str,
    voice: Voice,
) -> None:
    """Say which layers of a model have kernels here, and what that is worth.

    The model is an ONNX file, or what a Python function gives: a torch model and an example input.
    """
    from .models.command import entries_of, report_of, shapes_of
    from .models.kernels import write_kernels

    form = "json" if voice.as_json else form
    options = {"algorithm": algorithm, "train": train} if measure else None
    report = report_of(target, shapes_of(sizes), options, voice.bar)
    spoken = replace(voice, level=-1) if form != "text" else voice  # nothing beside the report
    if form != "text" or voice.level >= 0:
        click.echo(plain(report.written(form)))
    if out is None:
        return
    entries = entries_of(report)
    if not entries:
        voice.warn(f"nothing to generate in {out}/: no layer of a known size has a kernel")
        sys.exit(1)
    sys.exit(0 if write_kernels(entries, out, spoken) else 1)


@main.command()
@speaking
def doctor(voice: Voice) -> None:
    """Say what there is to build with, and what is wrong with it."""
    from .doctor import facts, troubles

    found = facts()
    width = max(map(len, found))
    for what, value in found.items():
        voice.say(f"{what:<{width}}  {value}")
    wrong = troubles(found)
    for each in wrong:
        voice.warn(each)
    voice.data({"command": "doctor", "facts": found, "troubles": wrong})
    sys.exit(1 if wrong else 0)


@main.group()
def cache() -> None:
    """Look into the cache of compiled kernels."""


@cache.command("ls")
@speaking
def list_entries(voice: Voice) -> None:
    """Say what is kept."""
    from .stored import stored

    found = stored()
    for each in found:
        voice.say(each.words())
    voice.say(f"{len(found)} libraries, {sum(each.size for each in found):,} bytes")
    voice.data({"command": "cache ls", "entries": [each.facts() for each in found]})


@cache.command("verify")
@speaking
def verify_entries(voice: Voice) -> None:
    """Check each library against its manifest; those that are damaged are made anew when used."""
    from .stored import stored

    found = stored()
    damaged = [each.key for each in found if not each.sound]
    for key in damaged:
        voice.warn(f"damaged: {key}")
    if damaged:
        voice.warn(repeat("cache", "verify"))
    voice.say(f"{len(found) - len(damaged)} of {len(found)} libraries are sound")
    voice.data({"command": "cache verify", "entries": len(found), "damaged": damaged})
    sys.exit(1 if damaged else 0)


@cache.command("clear")
@speaking
def clear_entries(voice: Voice) -> None:
    """Remove all that the cache holds, and nothing that it did not make."""
    from .stored import clear

    removed = clear()
    voice.say(f"{removed} libraries removed")
    voice.data({"command": "cache clear", "removed": removed})


def _entries(catalogue: Path, only: tuple[str, ...] | list[str] = ()) -> tuple[Entry, ...]:
    """The entries of a catalogue, or those of some names."""
    from derive.catalogue import CatalogueError, read_catalogue

    entries = {entry.name: entry for entry in read_catalogue(catalogue)}
    for name in only:
        if name not in entries:
            raise CatalogueError(f"name = {name!r}: allowed is one of {', '.join(entries)}")
    return tuple(entry for name, entry in entries.items() if not only or name in only)


def _files(entries: tuple[Entry, ...], voice: Voice) -> dict[str, str]:
    """path -> text of the package."""
    from .generate import entry_files, package_files

    made = voice.bar((dict(entry_files(entry)) for entry in entries), len(entries), "emit   ")
    return dict(package_files()) | {path: text for files in made for path, text in files.items()}


def _generated(
    entries: tuple[Entry, ...], out: Path, voice: Voice, catalogue: Path
) -> tuple[Checks, int]:
    """Check the kernels of the entries and write them, all or none; how many files there are."""
    from .generate import check_ways, without_new_claims, write
    from .report import checked

    files = _files(entries, voice)
    check_ways(out, files)
    checks = checked(entries, files, voice.bar)
    _report(checks, catalogue, out, voice)
    if not checks.right:
        voice.warn("nothing was written")
        return checks, 0
    made = files if checks.complete else without_new_claims(out, files)
    write(out, made)
    voice.say(f"{len(entries)} operators, {len(made)} files in {out}/")
    if len(made) < len(files):
        voice.warn(f"{len(files) - len(made)} records of C kernels were not written")
    return checks, len(made)


def _report(checks: Checks, catalogue: Path, out: Path, voice: Voice) -> None:
    """The checks in words, and how to repeat each that failed."""
    from .report import summary

    voice.say(summary(checks))
    for each in checks.obstacles:
        voice.warn(each)
    for name, faults in checks.wrong().items():
        voice.warn(f"{name} is wrong: {', '.join(faults)}")
        voice.warn(repeat("verify", catalogue, "--out", out, "--only", name))


def _facts(checks: Checks) -> dict[str, object]:
    names = [verdict.entry.name for verdict in checks.verdicts]
    return {"operators": names, "wrong": checks.wrong(), "not_checked": list(checks.obstacles)}


if __name__ == "__main__":
    main(prog_name=PROGRAM)
