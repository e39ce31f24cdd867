"""Whole networks: torch as it is and compiled, beside the same with our layers, by ``convert``."""
