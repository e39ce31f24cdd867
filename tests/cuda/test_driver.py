"""The GPUs of cuda-core on a driver of the tests: what it is asked to do, and what errors say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cuda.compiled import needs_nvrtc

HERE = Path(__file__).parent
COMPILER = shutil.which("gcc") or shutil.which("clang")
Y = [[4 * i + j + 1 for j in range(4)] for i in range(5)]

pytestmark = [
    needs_nvrtc,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler: install gcc"),
    pytest.mark.skipif(sys.platform != "linux", reason="the driver of the tests is for Linux"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The outcome of each case of driven.py."""
    folder = tmp_path_factory.mktemp("driver")
    library = folder / "libcuda.so.1"
    assert COMPILER is not None
    words = [COMPILER, "-shared", "-fPIC", "-O1", str(HERE / "driver.c"), "-o", str(library)]
    subprocess.run(words, check=True)
    found = {"LD_LIBRARY_PATH": str(folder), "FAKE_LOG": str(folder / "log")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cuda.driven"],
        cwd=HERE.parents[1],
        env={**os.environ, **found, "EXACTCONV_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cases: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return cases


Seen = dict[str, dict[str, Any]]


def test_a_call(seen: Seen) -> None:
    """On the stream of its array: room, launch; large shared memory is asked for once."""
    assert seen["called"]["result"] == [Y, 0]
    assert seen["called"]["log"] == [
        "cuLibraryLoadData ELF",
        "cuLibraryGetKernel k_forward",
        "cuKernelSetAttribute 8 60000 k_forward 0",
        "cuMemAllocFromPoolAsync 80 77",
        "cuLaunchKernelEx k_forward 9,1,1 64,1,1 60000 77 5 0",
        "cuMemFreeAsync 77",
    ]


def test_into_out_nothing_is_allocated(seen: Seen) -> None:
    assert seen["given out"]["result"] == Y
    assert not any("Alloc" in line or "Memcpy" in line for line in seen["given out"]["log"])


def test_dlpack_both_ways_waits_for_the_producer(seen: Seen) -> None:
    result, streams = seen["exchanged"]["result"]
    assert result == [[each + 1 for each in row] for row in Y]
    assert streams == [5]
    log = seen["exchanged"]["log"]
    recorded = log.index("cuEventRecord 77")
    assert log[recorded + 1] == "cuStreamWaitEvent 5"
    assert not any(line.startswith("cuMemcpy") for line in log)


def test_the_context_of_the_caller_is_restored(seen: Seen) -> None:
    assert seen["context"]["result"] == [False, True, True, False]


def test_copies(seen: Seen) -> None:
    assert seen["copies"]["result"] == [[each - 1 for each in row] for row in Y]


def test_the_device_of_the_array(seen: Seen) -> None:
    assert seen["second device"]["result"] == [1, 1]
    assert seen["second device"]["log"][-2].endswith(" 1 5 1")  # stream, batch, device


def test_what_a_device_is(seen: Seen) -> None:
    assert seen["described"]["result"] == ["device 1, Fake 1", 120, 108]


def test_the_version_of_the_driver(seen: Seen) -> None:
    assert seen["version"]["result"] == "12.4"


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("no GPU", "DeviceError", "no GPU: the CUDA driver says CUDA_ERROR_NO_DEVICE; see nvidia"),
        ("no such GPU", "DeviceError", "device 3: allowed is one of 2 GPUs, from 0"),
        ("old GPU", "DeviceError", "compute capability 7.0; allowed is 7.5 (Turing) and later"),
        ("older than the program", "DeviceError", "k is made for sm_90 and later; device 0, Fake"),
        ("older than the program", "DeviceError", "is sm_86: build it for this one"),
        ("newer than NVRTC", "CompileError", "not for sm_995: pip install --upgrade nvidia-cuda-"),
        ("too much shared memory", "DeviceError", "k_forward takes 200000 bytes of shared memory"),
        ("old driver", "DeviceError", "is the driver, for CUDA 13.0, older?"),
        ("no memory", "DeviceError", "Fake 0: no 80 bytes of memory: CUDA_ERROR_OUT_OF_MEMORY"),
        ("failed launch", "DeviceError", "k_forward, step 1 of 1 of forward: CUDA_ERROR_ILLEGAL"),
        ("failed step", "DeviceError", "k_forward, step 1 of 1 of forward: the CUDA driver says"),
        ("strange address", "LayoutError", "is no address of a GPU's memory: CUDA_ERROR_INVALID"),
    ],
)
def test_errors(seen: Seen, case: str, error: str, words: str) -> None:
    assert seen[case].get("error") == error, seen[case]
    assert words in seen[case]["message"]


def test_only_where_it_is_asked_to_does_it_wait(seen: Seen) -> None:
    def waits(case: str) -> bool:
        return any(line.startswith("cuStreamSynchronize") for line in seen[case]["log"])

    assert not waits("called")
    assert not waits("failed launch")
    assert waits("failed step")
