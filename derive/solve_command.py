"""``python -m derive solve``: which parameters map one size to another."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from .errors import GeometryError
from .options import Several

SHOWN = 12  # choices, without --all
CONSTRAINTS = ("kernel_size", "stride", "padding", "dilation", "output_padding")


class Allowed(Several):
    """What is allowed of a parameter: ``3``, ``1,3,5``, or ``1:5`` with both ends.

    >>> [Allowed().convert(words, None, None) for words in ("3", "1,3", "1:5")]
    [3, (1, 3), range(1, 6)]
    """

    name = "integers"
    allowed = "an integer, several with commas, or low:high"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        low, colon, high = str(value).partition(":")
        if not colon:
            return super().convert(value, param, ctx)
        try:
            return range(int(low), int(high) + 1)
        except ValueError:
            self.fail(f"{value!r}: allowed is {self.allowed}", param, ctx)


def solve_command() -> click.Command:
    """The command, its options the constraints of ``derive.solve_sizes``."""
    options: list[click.Parameter] = [
        click.Argument(["n_in"], type=Several(), metavar="N_IN"),
        click.Argument(["n_out"], type=Several(), metavar="N_OUT"),
        click.Option(["--transposed"], is_flag=True, help="ConvTranspose instead of Conv."),
        *(
            click.Option([f"--{name.replace('_', '-')}"], type=Allowed(), metavar="N|N,N|LOW:HIGH")
            for name in CONSTRAINTS
        ),
        click.Option(["--uniform-overlap"], is_flag=True, help="None that makes checkerboards."),
        click.Option(["--no-dead-pixels"], is_flag=True, help="None that leaves positions out."),
        click.Option(["--all", "every"], is_flag=True, help=f"Not only the first {SHOWN}."),
        click.Option(["--json", "as_json"], is_flag=True, help="One list, for programs."),
    ]
    return click.Command(
        "solve",
        params=options,
        callback=_solve,
        help="All kernel sizes, strides, paddings, dilations and output paddings that map N_IN "
        "to N_OUT, the simplest first. Sizes of several axes have commas: 28,28.",
    )


def _solve(
    *, n_in: Any, n_out: Any, transposed: bool, every: bool, as_json: bool, **constraints: Any
) -> None:
    from .study.solve_sizes import solve_sizes

    context = click.get_current_context()
    try:
        found = solve_sizes(n_in, n_out, transposed=transposed, **constraints)
    except GeometryError as error:
        click.echo(f"error: {error}", err=True)
        context.exit(2)
    if as_json:
        click.echo(json.dumps([asdict(choice) for choice in found]))
    elif found:
        shown = list(found) if every else list(found)[:SHOWN]
        for choice in shown:
            click.echo(choice)
        if len(shown) < len(found):
            click.echo(f"and {len(found) - len(shown)} more: --all")
    if not found:
        click.echo(found, err=as_json)
        context.exit(1)
