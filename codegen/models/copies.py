"""Copies of models, and of what a module has beside its layer."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .errors import ModelError


def copied(model: nn.Module) -> nn.Module:
    """A copy; weights that hooks compute, which torch does not copy, with the numbers they have.

    ModelError where it cannot be copied.
    """
    computed = [
        value
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    ]
    try:
        return copy.deepcopy(model, {id(value): value.detach().clone() for value in computed})
    except Exception as error:  # of many types
        raise ModelError(f"model cannot be copied: {type(error).__name__}: {error}") from None


def take_over(old: nn.Module, new: nn.Module) -> nn.Module:
    """``new`` with the attributes that somebody gave ``old``, and the order of its parameters."""
    for name in old._parameters:
        new._parameters[name] = new._parameters.pop(name)
    for name, value in vars(old).items():
        new.__dict__.setdefault(name, value)
    return new
