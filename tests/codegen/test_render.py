"""Templates are pages: names and ``for``, every name given, every given name used."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes

import codegen
from codegen import render as module
from codegen.nests import Affine
from codegen.render import render

TEMPLATES = Path(codegen.__file__).parent / "templates"
PAGES = sorted(path.name for path in TEMPLATES.glob("*.j2"))
CONSTANT = {"vector_types.c.j2"}  # a page that holds no name
ON_A_PAGE = {
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.For,
    nodes.Include,
}


def words(template: str) -> dict[str, Any]:
    """Something for every name of a page: empty lists and blank words."""
    return {name: Blank() for name in module._names(template)}


class Blank:
    """Any attribute of it is another; there is nothing in it."""

    def __getattr__(self, name: str) -> Blank:
        if name.startswith("__"):
            raise AttributeError(name)
        return Blank()

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return "blank"

    constant, terms = 0, ()


def test_there_are_pages() -> None:
    assert {"kernel.c.j2", "kernel.h.j2", "kernel.py.j2", "face.py.j2"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_pages_hold_names_and_for(page: str) -> None:
    tree = jinja2.Environment().parse((TEMPLATES / page).read_text())
    found = {type(node) for node in tree.find_all(nodes.Node)}
    assert found <= ON_A_PAGE
    for loop in tree.find_all(nodes.For):
        assert loop.else_ == []
        assert loop.test is None


@pytest.mark.parametrize("page", PAGES)
def test_names_are_checked_both_ways(page: str) -> None:
    given = words(page)
    assert bool(given) != (page in CONSTANT)
    render(page, **given)
    for name in given:
        less = {key: value for key, value in given.items() if key != name}
        with pytest.raises(KeyError, match=rf"{page}: missing \['{name}'\], unused \[\]"):
            render(page, **less)
    with pytest.raises(KeyError, match=rf"{page}: missing \[\], unused \['surplus'\]"):
        render(page, **given, surplus=1)


def test_names_of_included_pages_count() -> None:
    assert "weight_shape" in module._names("kernel.py.j2")
    assert "weight_shape" in module._names("face.py.j2")


def test_a_missing_attribute_raises() -> None:
    given = words("kernel.h.j2") | {"functions": [{"direction": "forward"}]}
    with pytest.raises(jinja2.UndefinedError):
        render("kernel.h.j2", **given)


def test_text_is_not_escaped() -> None:
    given = words("kernel.h.j2") | {"comment": "/* a < b & c */"}
    assert "/* a < b & c */" in render("kernel.h.j2", **given)


def test_pages_come_from_the_package_alone() -> None:
    for name in ("../emit.py", "/etc/passwd", "missing.j2"):
        with pytest.raises(jinja2.TemplateNotFound):
            render(name)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Affine.of(0), ""),
        (Affine.of(3), " + 3"),
        (Affine.of(3, q=2), " + 2*q + 3"),
        (Affine.of(2, a=-2), " + (-2*a + 2)"),  # else the pointer would leave its array on the way
        (Affine.of(-2, a=2), " + (2*a - 2)"),
    ],
)
def test_moves_of_a_pointer(place: Affine, text: str) -> None:
    assert module._plus(place) == text


def test_sums_of_products() -> None:
    terms = [(Affine.of(0), Affine.of(1, q=2)), (Affine.of(1), Affine.of(0, q=2))]
    assert module._products(terms, "w", "x") == "w[0] * x[2*q + 1] + w[1] * x[2*q]"


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ((), "0"),
        (((Fraction(1), Affine.of(2)),), "x[2]"),
        (((Fraction(3), Affine.of(2)),), "3 * x[2]"),
        (
            ((Fraction(3, 4), Affine.of(0)), (Fraction(-1, 4), Affine.of(1, q=1))),
            "RATIO(3, 4) * x[0] + RATIO(-1, 4) * x[q + 1]",
        ),
    ],
)
def test_weighed_sums(terms: Any, text: str) -> None:
    assert module._weighed(terms, "x") == text
