"""``python -m tests.cuda.sanitized 30``: run kernels once each, for a sanitizer to look at."""

from __future__ import annotations

import sys

import codegen
from tests.cuda.exact import DTYPES, Trial
from tests.cuda.on_gpu import wrong
from tests.cuda.operators import random_operator


def main(count: int) -> int:
    """How many of the kernels are wrong."""
    failures = 0
    for i in range(count):
        op, dtype = random_operator(937, i), DTYPES[i % len(DTYPES)]
        kernel = codegen.build(op, target="cuda", dtype=dtype, name=f"sanitized{i}")
        found = wrong(kernel, Trial.of(op, 3, 938, i), dtype)
        if found:
            sys.stderr.write(f"{op}, {dtype}: {', '.join(found)}\n")
        failures += bool(found)
    sys.stdout.write(f"{count - failures} of {count} kernels are right\n")
    return failures


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
