"""A photograph through the kernels of the catalogue."""
