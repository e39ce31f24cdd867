"""Any kernel, ours or a foreign one, before one judge: exact data, a verdict and its reason."""

from .certify import certify
from .verdict import Certificate, Counterexample

__all__ = ["Certificate", "Counterexample", "certify"]
