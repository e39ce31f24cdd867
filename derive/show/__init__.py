"""The top floor: operators written for people."""

from . import figures

__all__ = ["figures"]
