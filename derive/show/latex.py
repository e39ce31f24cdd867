"""Formulas and matrices in LaTeX (amsmath)."""

from __future__ import annotations

from derive.linear_map import LinearMap


def matrix_latex(op: LinearMap) -> str:
    """The matrix of an operator."""
    raise NotImplementedError


def operator_latex(op: LinearMap) -> str:
    """The size formula and the matrix."""
    raise NotImplementedError
