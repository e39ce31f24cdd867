"""The schedule of fast algorithms: transform, multiply, transform back; chosen by a cost model."""

from .choice import candidates, chosen, distinct
from .schedule import Transform

__all__ = ["Transform", "candidates", "chosen", "distinct"]
