"""Index safety: proofs, from the emitted C text, that every access of a kernel is in its array."""

from .safety import IndexSafety, claim, index_safety, obligations

__all__ = ["IndexSafety", "claim", "index_safety", "obligations"]
