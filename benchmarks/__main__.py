"""``make bench``: all tables, printed and kept in benchmarks/RESULTS.md."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and torch read it

RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> None:
    """Measure and report."""
    import numpy as np
    import torch

    from codegen._runtime.compiler import find_compiler

    from . import derivation, fused, layers, sparse

    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, torch "
    versions += f"{torch.__version__}, {find_compiler().version.splitlines()[0]}"
    parts = [
        "# Measured by `make bench`",
        f"{_processor()}, {os.cpu_count()} cores, one thread; {versions}. Times are the best of "
        "several rounds in which the contestants take turns; compare ratios, not milliseconds.",
        "## The matrix",
        sparse.measure(),
        "## The normal form",
        derivation.normal_forms(),
        "## Emission",
        derivation.emission(),
        "## The generated C beside torch",
        "Exact class (direct sums), batch 1, float32, bias included; the weight is packed in every "
        "call.",
        layers.measure(),
        "## Resize then convolve, fused",
        fused.measure(),
    ]
    text = "\n\n".join(parts) + "\n"
    RESULTS.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
