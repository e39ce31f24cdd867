"""Random axes of every kind: of a relation, of a layer, adjoints, compositions."""

from __future__ import annotations

from numpy.random import Generator

from derive.core.axis import Axis
from derive.core.relation import Relation
from derive.core.rules import AxisRule
from tests import cases


def random_relation(rng: Generator) -> Relation:
    """Any signs that an adjoint can have."""
    return Relation(
        up=int(rng.integers(1, 5)),
        stride=int(rng.integers(1, 6)),
        dilation=int(rng.choice((-3, -2, -1, 1, 2, 3))),
        pad=int(rng.integers(-6, 9)),
    )


def random_axis(rng: Generator, n_in: int | None = None, n_out: int | None = None) -> Axis:
    """All triples of a random relation inside a random box."""
    return Axis.of(
        random_relation(rng),
        n_in=int(rng.integers(1, 13)) if n_in is None else n_in,
        n_out=int(rng.integers(1, 13)) if n_out is None else n_out,
        n_tap=int(rng.integers(1, 5)),
    )


def random_rule(rng: Generator) -> tuple[AxisRule, int]:
    """The rule and the size of an axis of a random layer."""
    layer = cases.random_layer(rng, 1)
    assert layer.sizes is not None
    return layer.rules[0], layer.sizes[0]


def random_composition(rng: Generator) -> tuple[Axis, Axis]:
    """Two axes, the first reading what the second writes: of rules, relations, or adjoints."""
    rule, n = random_rule(rng)
    inner = rule.at(n) if rng.random() < 0.7 else random_axis(rng)
    if rng.random() < 0.3:
        inner = inner.adjoint()
    outer = random_axis(rng, n_in=inner.n_out)
    if rng.random() < 0.3:
        outer = random_axis(rng, n_out=inner.n_out).adjoint()
    return outer, inner


def axes_of_every_kind(rng: Generator) -> tuple[Axis, ...]:
    """One axis of each kind and its adjoint."""
    rule, n = random_rule(rng)
    outer, inner = random_composition(rng)
    axes = random_axis(rng), rule.at(n), outer.after(inner)
    return (*axes, *(axis.adjoint() for axis in axes))
