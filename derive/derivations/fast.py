"""Fewer products: polynomials multiplied by evaluation and interpolation, then transposed."""

from __future__ import annotations

from functools import cache

import sympy

from derive.core.derivation import Derivation, Step
from derive.winograd import BilinearAlgorithm
from derive.winograd import cook_toom as algorithm_of
from derive.winograd.rational import Row

from .substitution import agree, equation

M, R, POINT, OTHER, Z = sympy.symbols("m r p q z")
I, T, J = sympy.symbols("i t j", integer=True)  # noqa: E741
A, N, B, S, G, H, IN, OUT, PRODUCT = (sympy.IndexedBase(name) for name in "aNbsghxyP")
FORM = sympy.Symbol("T")
MASTER = sympy.Function("M")
FINITE = M + R - 2  # points, besides infinity
EXAMPLES = ((1, 2), (2, 1), (2, 2))  # small enough to be compared with the points left free


@cache
def cook_toom() -> Derivation:
    """F(m, r): m outputs of r taps by m + r - 1 products, from any distinct points.

    >>> cook_toom().steps[2].statement
    Eq(T, Sum(s[j]*x[j], (j, 0, m + r - 2)))
    """
    direct = equation(OUT[I], sympy.Sum(G[T] * IN[I + T], (T, 0, R - 1)))
    form = equation(FORM, sympy.Sum(H[I] * direct.rhs, (I, 0, M - 1)))
    by_input = equation(FORM, sympy.Sum(IN[J] * S[J], (J, 0, FINITE)))
    taps = sympy.Sum(A[POINT] ** T * G[T], (T, 0, R - 1))
    outputs = sympy.Sum(A[POINT] ** I * H[I], (I, 0, M - 1))
    master = equation(MASTER(Z), sympy.Product(Z - A[OTHER], (OTHER, 0, FINITE - 1)))
    parted = equation(MASTER(Z) / (Z - A[POINT]), sympy.Sum(B[POINT, J] * Z**J, (J, 0, FINITE - 1)))
    whole = equation(MASTER(Z), sympy.Sum(B[FINITE, J] * Z**J, (J, 0, FINITE)))
    norm = equation(N[POINT], sympy.Sum(B[POINT, J] * A[POINT] ** J, (J, 0, FINITE - 1)))
    top = G[R - 1] * H[M - 1]
    coefficient = equation(
        S[J],
        B[FINITE, J] * top
        + sympy.Sum(B[POINT, J] * taps * outputs / N[POINT], (POINT, 0, FINITE - 1)),
    )
    formula = equation(OUT[I], _derived_by_output())
    for m, r in EXAMPLES:
        _compare(formula.rhs, direct.rhs, norm.rhs, m, r)
    steps = (
        Step(direct, "m outputs of a convolution with r taps"),
        Step(form, "with a number h for each output it is one form, its derivative by h"),
        Step(by_input, "sorted by the inputs, each is multiplied with a number s"),
        Step(
            equation(
                sympy.Sum(S[J] * Z**J, (J, 0, FINITE)),
                sympy.Sum(G[T] * Z**T, (T, 0, R - 1)) * sympy.Sum(H[I] * Z**I, (I, 0, M - 1)),
            ),
            "these are the coefficients of a product of two polynomials",
        ),
        Step(
            equation(sympy.Sum(S[J] * A[POINT] ** J, (J, 0, FINITE)), taps * outputs),
            "evaluated at m + r - 2 distinct points, each takes one product",
        ),
        Step(equation(S[FINITE], top), "and one at infinity, the highest coefficient"),
        Step(master, "write M for the polynomial that is zero at these points"),
        Step(whole, "with coefficients b"),
        Step(parted, "and without one of the points"),
        Step(norm, "the value of which at that point is not zero"),
        Step(coefficient, "interpolation gives the coefficients back (Lagrange)"),
        Step(formula, "the derivative by h of the form: the same products, transposed"),
    )
    conditions = (sympy.Le(0, I), sympy.Lt(I, M))
    return Derivation("Cook-Toom algorithm F(m, r)", steps, formula, conditions)


def _derived_by_output() -> sympy.Expr:
    """What h_i is multiplied with in the sum of x_j s_j: h_(m - 1) is the last output's alone."""
    taps = sympy.Sum(A[POINT] ** T * G[T], (T, 0, R - 1))
    finite = sympy.Sum(B[POINT, J] * IN[J], (J, 0, FINITE - 1))
    infinite = sympy.Sum(B[FINITE, J] * IN[J], (J, 0, FINITE))
    last = sympy.Piecewise((G[R - 1], sympy.Eq(I, M - 1)), (0, True))
    each = A[POINT] ** I * taps * finite / N[POINT]
    return last * infinite + sympy.Sum(each, (POINT, 0, FINITE - 1))


def _compare(formula: sympy.Expr, direct: sympy.Expr, norm: sympy.Expr, m: int, r: int) -> None:
    """The formula is the direct sum whatever the points are: as rational functions of them."""
    points = [A[p] for p in range(m + r - 2)]
    values: dict[sympy.Expr, sympy.Expr] = {}
    for p in range(m + r - 1):
        roots = [a for q, a in enumerate(points) if q != p]
        polynomial = sympy.Poly(sympy.prod(Z - a for a in roots), Z)
        coefficients = polynomial.all_coeffs()[::-1]
        values |= {B[p, j]: coefficient for j, coefficient in enumerate(coefficients)}
    sizes = {M: m, R: r}
    for p in range(m + r - 2):
        values[N[p]] = norm.subs({**sizes, POINT: p}).doit().subs(values)
    for i in range(m):
        found = formula.subs({**sizes, I: i}).doit().subs(values)
        wanted = direct.subs({**sizes, I: i}).doit()
        agree(f"output {i} of F({m}, {r})", sympy.cancel(found - wanted), 0)


@cache
def minimal_filtering() -> Derivation:
    """F(2, 3), two outputs of three taps by four products instead of six.

    >>> from derive.core.notation import text
    >>> print(text(minimal_filtering().formula))
    y[0] = P[0] + P[1] + P[2] and y[1] = P[1] - P[2] + P[3]
    """
    return minimal_filtering_of(2, 3)


def minimal_filtering_of(m: int, r: int) -> Derivation:
    """F(m, r) with its numbers at the points of derive.winograd.

    >>> len(minimal_filtering_of(4, 3).steps)
    8
    """
    algorithm = algorithm_of(m, r)
    direct = [equation(OUT[i], sympy.Add(*(G[t] * IN[i + t] for t in range(r)))) for i in range(m)]
    products = [
        Step(equation(PRODUCT[p], sympy.Mul(taps, inputs, evaluate=False)), f"product {p}")
        for p, (taps, inputs) in enumerate(_factors(algorithm))
    ]
    outputs = [equation(OUT[i], _combined(row, PRODUCT)) for i, row in enumerate(algorithm.AT)]
    factors = {step.statement.lhs: step.statement.rhs for step in products}
    for plain, fast in zip(direct, outputs, strict=True):
        agree(fast, sympy.expand(fast.rhs.subs(factors) - plain.rhs), 0)
    formula = sympy.And(*outputs, evaluate=False)
    steps = (
        Step(sympy.And(*direct, evaluate=False), f"{m} outputs by {m * r} products"),
        *products,
        Step(formula, f"and of these {algorithm.products} are"),
    )
    return Derivation(f"F({m}, {r}) by {algorithm.products} products", steps, formula)


def _factors(algorithm: BilinearAlgorithm) -> list[tuple[sympy.Expr, sympy.Expr]]:
    pairs = zip(algorithm.G, algorithm.BT, strict=True)
    return [(_combined(taps, G), _combined(inputs, IN)) for taps, inputs in pairs]


def _combined(row: Row, of: sympy.IndexedBase) -> sympy.Expr:
    terms = enumerate(row)
    return sympy.Add(*(sympy.Rational(c.numerator, c.denominator) * of[k] for k, c in terms))
