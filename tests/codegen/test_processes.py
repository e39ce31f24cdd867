"""Kernels with OpenMP in forked children and many threads, and the state of the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import derive
from codegen import build
from codegen._runtime.cache import Job, compile_library
from codegen._runtime.compiler import ABI, find_compiler
from codegen._runtime.library import opened
from tests.cases import generator
from tests.codegen.libraries import needs_compiler

ROOT = Path(__file__).parents[2]
pytestmark = needs_compiler

PATTERNS = """
import multiprocessing, os, sys, threading
import numpy as np
import codegen, derive

op = derive.Conv2d(4, 4, 3, padding=1, bias=False, input_size=(16, 16))
x = (np.arange(64 * 1024) % 7 - 3).astype("f4").reshape(64, 4, 16, 16)
w = (np.arange(144) % 5 - 2).astype("f4").reshape(4, 4, 3, 3)

def total():
    kernel = codegen.build(op)
    return int(kernel(x, w).sum(dtype="i8")), int(kernel.weight_gradient(x, x).sum(dtype="i8"))

def child(queue):
    queue.put(total())

def started(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    assert queue.get(timeout=20) == expected
    process.join(20)
    assert process.exitcode == 0

def forked_and_replaced():
    pid = os.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, __file__, "alone", *map(str, expected)])
    assert os.waitpid(pid, 0)[1] == 0

def forked_in_a_thread():
    thread = threading.Thread(target=started, args=("fork",))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()

def forked_with_a_loaded_kernel():
    pid = os.fork()
    if not pid:
        os._exit(0 if int(KERNEL(x, w).sum(dtype="i8")) == expected[0] else 1)
    assert os.waitpid(pid, 0)[1] == 0

if __name__ == "__main__":
    KERNEL = codegen.build(op)  # its threads are there before any child
    expected = int(KERNEL(x, w).sum(dtype="i8")), int(KERNEL.weight_gradient(x, x).sum(dtype="i8"))
    how, *values = sys.argv[1:]
    if how == "alone":
        assert tuple(map(int, values)) == expected
        sys.exit()
    elif how in ("fork", "forkserver", "spawn"):
        started(how)
        if how == "fork":
            forked_with_a_loaded_kernel()
    elif how == "thread":
        forked_in_a_thread()
    else:
        forked_and_replaced()
    assert total() == expected  # the parent is as it was
    print("done")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("patterns") / "patterns.py"
    path.write_text(PATTERNS)
    return path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("how", ["fork", "forkserver", "spawn", "thread", "exec"])
def test_a_child_does_not_hang(program: Path, how: str) -> None:
    """The threads of OpenMP do not live on in a forked child, which must not wait for them."""
    if "-fopenmp" not in find_compiler().flags:
        pytest.skip("no OpenMP")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, program, how],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_eight_threads_share_a_kernel() -> None:
    """500 calls of each on shared arrays, every byte the same; the inputs stay as they were."""
    op = derive.ConvTranspose2d(3, 4, 3, stride=2, padding=1, input_size=(5, 6))
    rng = generator(470)
    kernel = build(op)
    x = rng.standard_normal((3, *op.input_shape)).astype("f4")
    g = rng.standard_normal((3, *op.output_shape)).astype("f4")
    w = rng.standard_normal(op.weight_shape).astype("f4")
    b = rng.standard_normal(op.bias_shape).astype("f4")
    before = [each.copy() for each in (x, g, w, b)]

    def bits() -> bytes:
        found = (
            kernel(x, w, b),
            kernel.input_gradient(g, w),
            kernel.weight_gradient(x, g),
            kernel.bias_gradient(g),
        )
        return b"".join(each.tobytes() for each in found)

    expected = bits()
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: [bits() for _ in range(500)], range(8))
        assert {each for some in found for each in some} == {expected}
    assert all(map(np.array_equal, before, (x, g, w, b)))


@pytest.mark.skipif(" x86_64 " not in ABI, reason="a register of x86")
def test_the_floating_point_mode_stays() -> None:
    """Loading and calling a kernel leaves MXCSR alone, and denormals are numbers."""
    text = "unsigned mode(void) { return __builtin_ia32_stmxcsr(); }\n"
    mode = opened(compile_library(Job({"mode.c": text}, "float"))).mode
    before = mode() & ~0x3F  # without the flags of what has happened
    kernel = build(derive.Conv1d(1, 1, 1, bias=False, input_size=4), name="denormal")
    tiny = np.full((1, 4), np.finfo("f4").smallest_subnormal)
    assert kernel(tiny, np.full((1, 1, 1), 3, "f4")).tolist() == (3 * tiny).tolist()
    assert np.all(3 * tiny > 0)
    assert mode() & ~0x3F == before
