"""Small programs that run in less than a minute each: ``python -m examples.super_resolution``."""
