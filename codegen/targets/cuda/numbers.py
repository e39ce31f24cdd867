"""What differs between dtypes in a CUDA text: a small table."""

from __future__ import annotations

from dataclasses import dataclass

INLINE = "__device__ __forceinline__"
SAME = (
    f"{INLINE} sum_t widen(scalar value) {{ return value; }}",
    f"{INLINE} scalar narrow(sum_t value) {{ return value; }}",
)
WIDENED = f"{INLINE} sum_t widen(sum_t value) {{ return value; }}"
FLOAT16 = (
    "#ifdef __CUDACC__",
    f"{INLINE} float of_half(unsigned short bits)",
    '{ float value; asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits)); return value; }',
    f"{INLINE} unsigned short half_of(float value)",
    "{ unsigned short bits;",
    '  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value)); return bits; }',
    "#endif",
    f"{INLINE} sum_t widen(scalar value) {{ return of_half(value); }}",
    f"{INLINE} scalar narrow(sum_t value) {{ return half_of(value); }}",
    WIDENED,
)
BFLOAT16 = (
    "#define BFLOAT16",
    "union float_bits { float value; unsigned bits; };",
    f"{INLINE} sum_t widen(scalar value)",
    "{ union float_bits wide; wide.bits = (unsigned)value << 16; return wide.value; }",
    "/* to the nearest, ties to even; a NaN stays one */",
    f"{INLINE} scalar narrow(sum_t value)",
    "{",
    "    union float_bits wide; wide.value = value;",
    "    if (value != value) return 0x7fff;",
    "    return (scalar)((wide.bits + 0x7fff + (wide.bits >> 16 & 1)) >> 16);",
    "}",
    WIDENED,
)


INT = 1 << 31  # places below are held by an int


@dataclass(frozen=True, slots=True)
class Numbers:
    """One dtype: its type in arrays, that of sums, and how one becomes the other.

    ``multiplied`` is the word for it in mma.sync, none where tensor cores do not take it.
    """

    scalar: str
    sum: str
    conversions: tuple[str, ...]
    multiplied: tuple[str, ...] = ()


NUMBERS = {
    "float32": Numbers("float", "float", SAME),
    "float64": Numbers("double", "double", SAME),
    "float16": Numbers("unsigned short", "float", FLOAT16, ("f16",)),
    "bfloat16": Numbers("unsigned short", "float", BFLOAT16, ("bf16",)),
}
