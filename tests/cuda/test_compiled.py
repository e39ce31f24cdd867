"""A gate that lets nothing wrong through: warnings, spills, local memory, by either compiler."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cuda.compiled import (
    Compiled,
    RejectedError,
    Usage,
    by_nvcc,
    by_nvrtc,
    needs_nvcc,
    needs_nvrtc,
    whole_by_nvcc,
)

ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
RIGHT = """
extern "C" __global__ void __launch_bounds__(64) twice(const float *x, float *y)
{
    __shared__ float held[64];
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = held[63 - threadIdx.x] + x[threadIdx.x];
}
extern "C" __global__ void nothing() {}
"""
SPILLS = """
extern "C" __global__ void __launch_bounds__(1024, 1) many(const float *x, float *y, int n)
{
    float sums[96];
    #pragma unroll
    for (int i = 0; i < 96; i++) sums[i] = x[threadIdx.x + 1024 * i];
    for (int j = 0; j < n; j++) {
        #pragma unroll
        for (int i = 0; i < 96; i++) sums[i] = fmaf(sums[i], sums[(i + 1) % 96], x[j]);
    }
    #pragma unroll
    for (int i = 0; i < 96; i++) y[threadIdx.x + 1024 * i] = sums[i];
}
"""
INDEXED = """
extern "C" __global__ void indexed(const float *x, const int *at, float *y)
{
    float sums[8];
    for (int i = 0; i < 8; i++) sums[i] = x[i];
    for (int i = 0; i < 8; i++) sums[at[i]] += 1.0f;
    for (int i = 0; i < 8; i++) y[i] = sums[i];
}
"""
WRONG = {
    "unused": 'extern "C" __global__ void k(int *y) { int unused; *y = 1; }',
    "pointless": 'extern "C" __global__ void k(unsigned *y) { if (*y < 0) *y = 3; }',
    "unknown": 'extern "C" __global__ void k(int *y) { *y = nowhere; }',
    "sign": 'extern "C" __global__ void k(int *y, unsigned n) { if (*y == n) y[0] = 1 }',
    "too many threads": """
extern "C" __global__ void __launch_bounds__(1024, 4) k(int *y) { y[threadIdx.x] = 1; }""",
}
BY = [
    pytest.param(by_nvrtc, marks=needs_nvrtc, id="nvrtc"),
    pytest.param(by_nvcc, marks=needs_nvcc, id="nvcc"),
]
Compiler = Callable[[str, str], Compiled]


@pytest.mark.parametrize("compiler", BY)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_kernels_use(compiler: Compiler, architecture: str) -> None:
    compiled = compiler(RIGHT, architecture)
    assert compiled.cubin.startswith(b"\x7fELF")
    assert set(compiled.usage) == {"twice", "nothing"}
    usage = compiled.usage["twice"]
    assert (usage.shared, usage.local) == (256, 0)
    assert 0 < usage.registers < 32


@pytest.mark.parametrize("compiler", BY)
def test_spills_are_seen(compiler: Compiler) -> None:
    usage = compiler(SPILLS, "sm_80").usage["many"]
    assert usage.registers == 64
    assert min(usage.stores, usage.loads) > 0
    assert usage.local >= usage.stores + usage.loads


@pytest.mark.parametrize("compiler", BY)
def test_registers_that_are_indexed_are_seen(compiler: Compiler) -> None:
    usage = compiler(INDEXED, "sm_80").usage["indexed"]
    assert (usage.stack, usage.stores, usage.local) == (32, 0, 32)


@pytest.mark.parametrize("compiler", BY)
@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_warnings_are_errors(compiler: Compiler, text: str) -> None:
    with pytest.raises(RejectedError, match=r"warning|error"):
        compiler(text, "sm_80")


@needs_nvcc
def test_a_text_as_a_whole() -> None:
    host = 'extern "C" void go(float *x) { twice<<<1, 64>>>(x, x); }'
    whole_by_nvcc(RIGHT + host, ARCHITECTURES)
    with pytest.raises(RejectedError, match="unused"):
        whole_by_nvcc(RIGHT + host.replace("float *x)", "float *x, int unused)"), ("sm_80",))


def test_usage_of_nothing() -> None:
    assert Usage().local == 0
