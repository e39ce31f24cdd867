"""The commands of ``python -m derive``: one per layer, made from its constructor's signature."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import derive

from .errors import ExportError
from .files import write_whole
from .options import OPTION_TYPES, Several, joined
from .prove_command import prove
from .report_command import report
from .show import figures

if TYPE_CHECKING:
    from .layers import Layer
    from .linear_map import Position
    from .operator import Operator

LAYERS = [*(name for name in derive.__all__ if name.startswith("Conv")), "Interpolate", "Pad"]
FORMATS = ("text", "latex", "markdown", "json", "html", "pdf", "png", "svg")
BINARY = ("pdf", "png")  # nothing for a terminal
FIGURES = [name.replace("_", "-") for name in figures.__all__]
FIGURES_AT = ("many-to-one", "one-to-many")  # that take a position
DEFAULTS = {"in_channels": 1, "out_channels": 1, "channels": 1}


MODELS = {"Interpolate": "as torch.nn.functional.interpolate", "Pad": "as torch's pad modules"}


class LayerCommand(click.Command):
    """A command whose options for several values take all the words that follow them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        several = [o for p in self.params if isinstance(p.type, Several) for o in p.opts]
        return super().parse_args(ctx, joined(args, several))


class Layers(click.Group):
    """The layers by name; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*map(command_name, LAYERS), "solve"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "solve":
            from .solve_command import solve_command

            return solve_command()
        names = {command_name(name): name for name in LAYERS}
        if cmd_name in names:
            return layer_command(names[cmd_name])
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Layers"):
            formatter.write_dl(
                [(command_name(n), MODELS.get(n, f"as torch.nn.{n}")) for n in LAYERS]
            )
        with formatter.section("Questions"):
            formatter.write_dl(
                [
                    ("solve", "which parameters map one size to another"),
                    ("prove", "every claim about sizes and indices, with z3"),
                ]
            )
        with formatter.section("Catalogues"):
            formatter.write_dl([("report", "formulas, matrices and pictures of all operators")])


def command_name(layer: str) -> str:
    """The command of a layer.

    >>> command_name("ConvTranspose2d")
    'conv-transpose2d'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", layer).lower()


def layer_command(name: str) -> click.Command:
    """The command of a layer, its options those of the constructor."""
    layer = getattr(derive, name)
    parameters = inspect.signature(layer).parameters.values()
    options: list[click.Parameter] = [
        *(_option(parameter, getattr(layer, "dimensions", 0)) for parameter in parameters),
        click.Option(
            ["--transpose"], is_flag=True, help="Show the adjoint, the transposed matrix."
        ),
        click.Option(
            ["--format"], type=click.Choice(FORMATS), default=FORMATS[0], show_default=True
        ),
        click.Option(["--standalone"], is_flag=True, help="LaTeX as a document of its own."),
        click.Option(["--explain"], is_flag=True, help="Say it in plain words instead."),
        click.Option(
            ["--figure"], type=click.Choice(FIGURES), help="Draw a figure instead of printing."
        ),
        click.Option(
            ["--position"], type=Several(), metavar="N...", help="What its lines lead to or from."
        ),
        click.Option(
            ["--out"],
            type=click.Path(dir_okay=False, path_type=Path),
            multiple=True,
            help="The file to write; of a figure .svg, .png or .pdf, of sliding .gif or .png, and "
            "may be given again.",
        ),
    ]
    words = (inspect.getdoc(layer) or "").partition("\n")[0]
    return LayerCommand(
        command_name(name),
        params=options,
        callback=partial(_show, layer),
        help=f"{words}\n\nWithout --input-size the size stays free: formulas, no matrix.",
    )


def _option(parameter: inspect.Parameter, axes: int) -> click.Option:
    make_type, metavar = OPTION_TYPES[parameter.annotation]
    name = parameter.name.replace("_", "-")
    default = DEFAULTS.get(parameter.name, parameter.default)
    given = {"required": True} if default is parameter.empty else {"default": default}
    return click.Option(
        [f"--{name}/--no-{name}" if "bool" in parameter.annotation else f"--{name}"],
        type=make_type(axes),
        metavar=metavar,
        show_default=True,
        **given,
    )


def _show(
    layer: type[Layer],
    *,
    transpose: bool,
    format: str,
    standalone: bool,
    explain: bool,
    figure: str | None,
    position: Position | int | None,
    out: tuple[Path, ...],
    **parameters: Any,
) -> None:
    _check_usage(format, standalone, figure, position, out)
    if explain and (figure or out or format != FORMATS[0]):
        raise click.UsageError("--explain stands alone: it prints words")
    try:
        op: Operator = layer(**parameters)
        op = op.T if transpose else op
        if explain:
            click.echo(derive.explain(op))
        elif figure is None:
            _write(op, format, standalone, out)
        else:
            _draw(op, figure, position, out)
    except (derive.GeometryError, ExportError, ImportError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        click.get_current_context().exit(2)


def _check_usage(
    format: str,
    standalone: bool,
    figure: str | None,
    position: Position | int | None,
    out: tuple[Path, ...],
) -> None:
    """UsageError where options do not go together."""
    if figure and not out:
        raise click.UsageError("--figure needs --out")
    if figure and format != FORMATS[0]:
        raise click.UsageError("--figure takes its format from the suffix of --out, not --format")
    if not figure and len(out) > 1:
        raise click.UsageError("--out: one file, unless --figure is given")
    if format in BINARY and not out:
        raise click.UsageError(f"--format {format} needs --out, since it is no text")
    if standalone and format != "latex":
        raise click.UsageError("--standalone goes with --format latex")
    if position is not None and figure not in FIGURES_AT:
        raise click.UsageError(f"--position goes with --figure {' or '.join(FIGURES_AT)}")


def _draw(op: Operator, figure: str, position: Position | int | None, out: Iterable[Path]) -> None:
    at = () if position is None else (position,)
    drawing = getattr(figures, figure.replace("-", "_"))(op, *at)
    for path in out:
        image = BytesIO()
        drawing.savefig(image, format=path.suffix.lstrip(".").lower())
        write_whole(path, image.getvalue())
        click.echo(f"wrote {path}")


def _write(op: Operator, format: str, standalone: bool, out: tuple[Path, ...]) -> None:
    from .show.export import exported

    content = exported(op, format, standalone=standalone)
    if not out:
        click.echo(content.decode(), nl=False)
    for path in out:
        write_whole(path, content)
        click.echo(f"wrote {path}")


@click.command(cls=Layers)
@click.version_option(package_name="exactconv")
def main() -> None:
    """Derive a layer exactly: relation, sizes with every step, shapes, counts, matrix.

    \b
    python -m derive conv2d --kernel-size 3 --input-size 4 4
    python -m derive conv-transpose1d --kernel-size 3 --stride 2 --input-size 5 --format latex
    python -m derive conv2d --kernel-size 3 --input-size 4 4 --format html --out conv.html
    python -m derive conv2d --kernel-size 3 --input-size 4 4 --figure structure --out matrix.svg
    """


main.add_command(prove)
main.add_command(report)
