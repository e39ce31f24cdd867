"""Loops of known kernels, as the disassembly shows them."""

from __future__ import annotations

import pytest

from tests.cuda.compiled import by_nvrtc, needs_nvrtc
from tests.cuda.sass import (
    MATRIX,
    SUMS,
    Instruction,
    Kernel,
    count,
    disassembler,
    kernels,
    needs_disassembler,
)

pytestmark = [needs_nvrtc, needs_disassembler]
ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
SIXTEEN = """
extern "C" __global__ void sixteen(int n, int m, const TYPE *x, TYPE *y)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const TYPE4 *tile = (const TYPE4 *)shared;
    TYPE sums[16] = {};
    #pragma unroll 1
    for (int j = 0; j < m; j++) {
        ((TYPE *)shared)[threadIdx.x] = x[j * n + threadIdx.x];
        __syncthreads();
        #pragma unroll 1
        for (int i = 0; i < n; i++) {
            const TYPE4 a = tile[i], b = tile[i + 32];
            const TYPE left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
            #pragma unroll
            for (int k = 0; k < 16; k++)
                sums[k] = fma(left[k / 4], right[k % 4], sums[k]);
        }
        __syncthreads();
    }
    #pragma unroll
    for (int k = 0; k < 16; k++) y[16 * threadIdx.x + k] = sums[k];
}
extern "C" __global__ void straight(const float *x, float *y) { *y = fma(*x, *x, 1.0f); }
"""
TENSOR = """
extern "C" __global__ void tensor(int n, const unsigned *x, float *y)
{
    float c[4] = {};
    #pragma unroll 1
    for (int i = 0; i < n; i++) {
        const unsigned *a = x + 192 * i + 6 * threadIdx.x;
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
            "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]));
    }
    #pragma unroll
    for (int k = 0; k < 4; k++) y[4 * threadIdx.x + k] = c[k];
}
"""


def test_the_disassembler_is_a_file() -> None:
    found = disassembler()
    assert found is not None
    assert found.endswith("nvdisasm")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("scalar", "kind"), [("float", "FFMA"), ("double", "DFMA")])
def test_a_loop_of_sixteen(scalar: str, kind: str, architecture: str) -> None:
    four = "struct __align__(16) four { TYPE x, y, z, w; };"
    text = (four + SIXTEEN.replace("TYPE4", "four")).replace("TYPE", scalar)
    found = kernels(by_nvrtc(text, architecture).cubin)
    assert set(found) == {"sixteen", "straight"}
    kernel = found["sixteen"]
    assert count(kernel.hot, [kind]) == 16 == count(kernel.hot, SUMS)
    assert count(kernel.hot, ["LDS"], "128") == (2 if scalar == "float" else 4)
    assert count(kernel.hot, ["BAR", "STS"]) == 0 < count(kernel.code, ["BAR", "STS"])
    assert next(iter(kernel.mix)) == kind
    assert kernel.share([kind]) == 16 / len(kernel.hot) > 0.5
    assert count(kernel.code, ["LDL", "STL", *MATRIX]) == 0
    assert (found["straight"].hot, found["straight"].share(SUMS)) == ((), 0)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_a_loop_on_tensor_cores(architecture: str) -> None:
    kernel = kernels(by_nvrtc(TENSOR, architecture).cubin)["tensor"]
    assert count(kernel.hot, ["HMMA"]) == 1
    assert count(kernel.code, ["FFMA"]) == 0


def loop_of(*sums: str, back: int, at: int = 0) -> list[Instruction]:
    """FFMA and the like, then a branch to a place."""
    body = [Instruction((each,)) for each in sums]
    return [*body, Instruction(("BRA",), f"UP0,0x{16 * back:x}", "@!P0")]


def test_a_loop_does_not_count_those_inside_it() -> None:
    first = loop_of("FFMA", "LDS", back=1)
    second = loop_of("FFMA", "FFMA", back=4)
    around = [Instruction(("FFMA",)), Instruction(("BRA",), "0x0")]
    last = [Instruction(("EXIT",)), Instruction(("BRA",), "0xa0")]  # a branch to itself
    kernel = Kernel("k", (Instruction(("STS",)), *first, *second, *around, *last))
    assert kernel.code[-1].target == len(kernel.code) - 1
    assert kernel.loops == (tuple(first), tuple(second), (kernel.code[0], *around))
    assert kernel.hot == tuple(second)
    assert kernel.mix == {"FFMA": 2, "BRA": 1}
    assert kernel.share(["FFMA"]) == 2 / 3


def test_of_two_branches_to_one_place_the_last_ends_the_loop() -> None:
    code = (*loop_of("FFMA", back=0), *loop_of("FFMA", back=0))
    assert Kernel("k", code).loops == (code,)
