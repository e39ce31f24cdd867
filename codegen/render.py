"""Templates -> text. Templates hold names and loops; what they name and what they get agree."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any

import jinja2
from jinja2 import meta, nodes

from .nests import Affine

Terms = tuple[tuple[Fraction, Affine], ...]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("codegen"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {
        "products": _products,
        "plus": _plus,
        "weighed": _weighed,
        "weighed_along": _weighed_along,
    }
    return environment


def _products(terms: Iterable[tuple[Affine, Affine]], left: str, right: str) -> str:
    return " + ".join(f"{left}[{a}] * {right}[{b}]" for a, b in terms)


def _weighed(terms: Terms, source: str) -> str:
    """Sum of coefficient * source[place], 0 where there is none."""
    parts = [f"{_times(c)}{source}[{place}]" for c, place in terms]
    return " + ".join(parts) or "0"


def _weighed_along(terms: Terms, source: str, variable: str) -> str:
    """The same with a further variable in every place."""
    step = Affine.of(0, **{variable: 1})
    return _weighed(tuple((c, place + step) for c, place in terms), source)


def _times(coefficient: Fraction) -> str:
    if coefficient == 1:
        return ""
    if coefficient.denominator == 1:
        return f"{coefficient.numerator} * "
    return f"RATIO({coefficient.numerator}, {coefficient.denominator}) * "


def _plus(place: Affine) -> str:
    """What moves a pointer; in brackets where a part would move it before its array."""
    if place == Affine.of(0):
        return ""
    parts = (place.constant, *(coefficient for _, coefficient in place.terms))
    return f" + {place}" if min(parts) >= 0 else f" + ({place})"


@cache
def _names(template: str) -> frozenset[str]:
    """The names that a template and its includes expect."""
    environment = _environment()
    assert environment.loader is not None
    tree = environment.parse(environment.loader.get_source(environment, template)[0])
    names = set(meta.find_undeclared_variables(tree))
    for include in tree.find_all(nodes.Include):
        names |= _names(include.template.as_const())
    return frozenset(names)


def render(template: str, **values: Any) -> str:
    """The filled template; KeyError unless ``values`` are exactly the names it uses."""
    expected = _names(template)
    if expected != values.keys():
        raise KeyError(
            f"{template}: missing {sorted(expected - values.keys())}, "
            f"unused {sorted(values.keys() - expected)}"
        )
    return _environment().get_template(template).render(values)
