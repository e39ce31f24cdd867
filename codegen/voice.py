"""How the command line speaks: words or JSON, more or less of it, and never a traceback."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

Item = TypeVar("Item")
INTERRUPTED = 130  # as a shell says it
PROGRAM = "python -m codegen"


@dataclass(frozen=True, slots=True)
class Voice:
    """Where results and troubles go: stdout and stderr."""

    as_json: bool = False
    level: int = 0  # -1 quiet, 1 verbose

    def say(self, text: str) -> None:
        """A result in words."""
        if not self.as_json and self.level >= 0:
            click.echo(text)

    def warn(self, text: str) -> None:
        """What went wrong, however quiet."""
        click.echo(plain(text), err=True)

    def data(self, found: Mapping[str, Any]) -> None:
        """The results for a program: one JSON object, if that was asked for."""
        if self.as_json:
            click.echo(json.dumps(found, indent=1, sort_keys=True))

    def bar(self, items: Iterable[Item], length: int, label: str) -> list[Item]:
        """The items as a list, while a line on stderr shows how many there are."""
        if self.level < 0 or not sys.stderr.isatty():
            return list(items)
        with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
            return list(bar)


def plain(text: str) -> str:
    r"""Text that moves no cursor and hides nothing, whoever wrote it.

    >>> plain("name\x1b[2J")
    'name\\x1b[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def repeat(*words: object) -> str:
    """The line that repeats one case."""
    return f"repeat with: {PROGRAM} {shlex.join(map(str, words))}"


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --json, -v and -q, and a ``voice`` that follows them."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.option("-q", "--quiet", is_flag=True, help="Print troubles only.")
    @click.option("-v", "--verbose", is_flag=True, help="Log what is done; show where it failed.")
    @click.pass_context
    @wraps(command)
    def spoken(
        ctx: click.Context, /, *, as_json: bool, quiet: bool, verbose: bool, **others: Any
    ) -> None:
        if verbose:
            logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
        ctx.obj = Voice(as_json, verbose - quiet)
        command(voice=ctx.obj, **others)

    return spoken


class Commands(click.Group):
    """Commands whose every failure is a line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted; what was begun is as it was", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            raise  # click knows what to do: whoever listened has gone
        except Exception as error:
            click.echo(_line(error), err=True)
            if "-v" in sys.argv or "--verbose" in sys.argv:
                traceback.print_exception(error)
            ctx.exit(2)


def _line(error: Exception) -> str:
    """What happened, and whether it is the program's fault."""
    if isinstance(error, MemoryError):
        return "error: not enough memory for this"
    if isinstance(error, OSError | ValueError) or type(error).__module__.startswith(
        ("codegen", "derive")
    ):
        return plain(f"error: {error}")
    kind = type(error).__name__
    return plain(f"error: a fault of this program, {kind}: {error}; -v shows where")
