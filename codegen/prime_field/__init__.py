"""The identity test: an emitted text computed over the integers modulo a prime, against its matrix.

Z_p, p = 2**61 - 1, is exact, so nothing is compared within a tolerance, and it holds every rational
coefficient, 1/3 as the inverse of 3. ``zp.h`` makes the C text, letter by letter as it is, C++ with
residues for scalars.
"""

from .identity import Identity, each_identity, identities, identity

__all__ = ["Identity", "each_identity", "identities", "identity"]
