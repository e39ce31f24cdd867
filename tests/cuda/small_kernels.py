"""Small kernels to try the emulator on, and faults to plant in them.

A fault ``says`` a part of what the emulator must say: in some orders of the threads another
consequence of the same fault comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

ROWS, DEPTH, COLUMNS = 20, 36, 28

PRODUCT = """
// c = a b, tiles of 16 x 16, the next ones on their way while one is multiplied
struct Tiles { float a[16][20], b[16][20]; };

static __device__ __forceinline__ void fetch(Tiles *tiles, const float *a, const float *b,
                                             int row, int column, int k) {
    const int i = threadIdx.x / 4, j = threadIdx.x % 4 * 4;
    copy_async_16(&tiles->a[i][j], a + (row + i) * 36 + k + j, row + i < 20 && k + j < 36);
    copy_async_16(&tiles->b[i][j], b + (k + i) * 28 + column + j, k + i < 36 && column + j < 28);
}

extern "C" __global__ void __launch_bounds__(64)
NAME(long long batch, const float *a, const float *b, float *c) {
    extern __shared__ __align__(16) unsigned char shared[];
    Tiles *tiles = reinterpret_cast<Tiles *>(shared);
    const int i = threadIdx.x / 4, j = threadIdx.x % 4 * 4;
    for (long long block = blockIdx.x; block < 4 * batch; block += gridDim.x) {
        const int row = int(block / 2 % 2) * 16, column = int(block % 2) * 16;
        const float *left = a + block / 4 * (20 * 36), *right = b + block / 4 * (36 * 28);
        float sum[4] = {0, 0, 0, 0};
        fetch(tiles, left, right, row, column, 0);
        copy_async_commit();
        for (int tile = 0; tile < 3; ++tile) {
            if (tile < 2) fetch(tiles + (tile + 1) % 2, left, right, row, column, tile * 16 + 16);
            copy_async_commit();  // of the next tile
            copy_async_wait<1>();
            __syncthreads();  // before compute
            const Tiles *now = tiles + tile % 2;
            for (int k = 0; k < 16; ++k)
                for (int n = 0; n < 4; ++n) sum[n] = fma(now->a[i][k], now->b[k][j + n], sum[n]);
            __syncthreads();  // after compute
        }
        if (row + i < 20 && column + j < 28)
            *reinterpret_cast<float4 *>(c + block / 4 * (20 * 28) + (row + i) * 28 + column + j) =
                make_float4(sum[0], sum[1], sum[2], sum[3]);
    }
}
"""

SUMS = """
// y = the sums of rows of 70 numbers, reversed within each set of 32: a warp a row
extern "C" __global__ void __launch_bounds__(64) NAME(long long batch, const float *x, float *y) {
    extern __shared__ __align__(16) unsigned char shared[];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float *own = reinterpret_cast<float *>(shared) + warp * 32;
    for (long long block = blockIdx.x; block < batch; block += gridDim.x) {
        for (int set = warp; set < 3; set += 2) {
            float result = 0;
            for (int row = 0; row < 32; ++row) {
                float part[3] = {0, 0, 0};
                const float *from = x + block * (96 * 70) + (set * 32 + row) * 70;
                for (int n = 0; n < 3; ++n)
                    if (lane + n * 32 < 70) part[n] = from[lane + n * 32];
                float sum = part[0] + part[1] + part[2];
                for (int mask = 16; mask > 0; mask /= 2)
                    sum += __shfl_xor_sync(0xffffffffu, sum, mask);
                if (lane == row) result = sum;
            }
            own[lane] = result;
            __syncwarp();  // before the exchange
            y[block * 96 + set * 32 + lane] = own[31 - lane];
            __syncwarp();  // after the exchange
        }
    }
}
"""

HALVES = """
// c = a b by one warp: a is 16 x 32, b 32 x 8 column by column, c float
extern "C" __global__ void __launch_bounds__(32)
NAME(long long batch, const unsigned short *a, const unsigned short *b, float *c) {
    const int group = threadIdx.x / 4, lane = threadIdx.x % 4;
    for (long long block = blockIdx.x; block < batch; block += gridDim.x) {
        const unsigned *left = reinterpret_cast<const unsigned *>(a + block * (16 * 32));
        const unsigned *right = reinterpret_cast<const unsigned *>(b + block * (32 * 8));
        float sum[4] = {0, 0, 0, 0};
        for (int k = 0; k < 16; k += 8) {  // in pairs
            const unsigned fragment[4] = {
                left[group * 16 + k + lane], left[(group + 8) * 16 + k + lane],
                left[group * 16 + k + lane + 4], left[(group + 8) * 16 + k + lane + 4]};
            const unsigned columns[2] = {right[group * 16 + k + lane],
                                         right[group * 16 + k + lane + 4]};
            multiply_16x8x16(sum, fragment, columns);
        }
        float *to = c + block * (16 * 8);
        for (int i = 0; i < 4; ++i) to[(group + i / 2 * 8) * 8 + lane * 2 + i % 2] = sum[i];
    }
}
"""

CONVERSIONS = """
extern "C" __global__ void __launch_bounds__(128)
NAME(long long batch, const float *x, unsigned short *halves, float *back) {
    for (long long i = blockIdx.x * 128ll + threadIdx.x; i < batch; i += gridDim.x * 128ll) {
        halves[i] = half_of(x[i]);
        back[i] = of_half(halves[i]);
    }
}
"""


@dataclass(frozen=True)
class Fault:
    """A text made wrong: ``old`` becomes ``new``; what the emulator says of it, as a pattern.

    ``results``: also where races are not watched, results differ or the launch fails.
    """

    name: str
    old: str
    new: str
    says: str
    results: bool = True

    def plant(self, text: str) -> str:
        assert text.count(self.old) == 1, self.name
        return text.replace(self.old, self.new)


RACE = "shared memory while another thread|shared memory that nothing has written"
EARLY = "a copy_async .* before waiting for it"
OUTSIDE = "touches memory outside of every array"
UNDEFINED = "does what is undefined"
BARRIER = "at another barrier|in vain"
BLOCKS = "writes what another thread writes"
DIFFERS = "differs"

PRODUCT_FAULTS = (
    Fault("dropped barrier before compute", "__syncthreads();  // before compute", "", RACE),
    Fault("dropped barrier after compute", "__syncthreads();  // after compute",
          "", f"{RACE}|{EARLY}"),
    Fault("warp barrier for a block's", "__syncthreads();  // before compute",
          "__syncwarp();", RACE),
    Fault("dropped wait", "copy_async_wait<1>();", "", EARLY),
    Fault("waits for too few", "copy_async_wait<1>", "copy_async_wait<2>", EARLY),
    Fault("dropped commit", "copy_async_commit();  // of the next tile", "", EARLY),
    Fault("waits before it commits", "copy_async_commit();\n        for", "for", EARLY),
    Fault("wrong buffer read", "tiles + tile % 2", "tiles + (tile + 1) % 2", EARLY),
    Fault("wrong buffer filled", "tiles + (tile + 1) % 2", "tiles + tile % 2", EARLY),
    Fault("barrier in a divergent branch", "__syncthreads();  // before compute",
          "if (i < 8) __syncthreads();", f"{BARRIER}|{RACE}|{EARLY}"),
    Fault("different barriers", "__syncthreads();  // before compute",
          "if (i < 8) __syncthreads();\nelse __syncthreads();", BARRIER),
    Fault("a thread that leaves early", "float sum[4]",
          "if (column + j >= 28) return;\nfloat sum[4]",
          BARRIER),
    Fault("reads a row too many", "row + i < 20 && k", "row + i <= 20 && k", OUTSIDE),
    Fault("reads what is not inside", "k + i < 36 && column + j < 28)", "true)", OUTSIDE),
    Fault("writes a row too many", "row + i < 20 && column", "row + i <= 20 && column", OUTSIDE),
    Fault("writes columns of the next row", "&& column + j < 28)\n", "&& column + j < 32)\n",
          f"{BLOCKS}|{OUTSIDE}"),
    Fault("leaves shared memory unwritten", "copy_async_16(&tiles->b",
          "if (i < 15) copy_async_16(&tiles->b",
          "that nothing has written"),
    Fault("misaligned 16 byte copy", "float a[16][20], b",
          "float a[16][21], b", "misaligns a copy_async"),
    Fault("misaligned vector", "float4 *>(c +", "float4 *>(c + 2 +", f"{UNDEFINED}|{OUTSIDE}"),
    Fault("index beyond a local array", "n < 4", "n < 5", UNDEFINED),
    Fault("copy from a shifted row", "a + (row + i) * 36", "a + (row + (i ^ 1)) * 36", DIFFERS),
    Fault("wrong step", "tile * 16 + 16", "tile * 16", DIFFERS),
)  # fmt: skip

SUMS_FAULTS = (
    Fault("dropped warp barrier before", "__syncwarp();  // before the exchange", "", RACE),
    Fault("dropped warp barrier after", "__syncwarp();  // after the exchange", "", RACE, False),
    Fault("shuffle with the wrong lane", "sum, mask)", "sum, mask ^ 1)", DIFFERS),
    Fault("shuffle without the last lane", "mask > 0", "mask > 1", DIFFERS),
    Fault("shuffle in a divergent branch", "for (int mask",
          "if (lane != 5) for (int mask", BARRIER),
    Fault("shuffle beyond the warp", "int mask = 16", "int mask = 32", "lanes that are not there"),
    Fault("shuffle of half a warp", "0xffffffffu", "0xffffu", "lanes that are not there"),
    Fault("reads a number too many", "n * 32 < 70", "n * 32 < 71", OUTSIDE),
    Fault("shares a row between warps", "+ warp * 32", "+ warp * 31",
          RACE),
    Fault("reads before the shared row", "own[31 - lane]", "own[30 - lane]", f"{OUTSIDE}|{RACE}"),
    Fault("forgets the stride of the grid", "block += gridDim.x", "block += batch", DIFFERS),
    Fault("writes what another block writes", "y[block * 96", "y[block / 2 * 96",
          f"{BLOCKS}|{OUTSIDE}"),
    Fault("shifts too far", "set * 32 + lane] =", "(set << (lane + 31)) * 32 + lane] =", UNDEFINED),
)  # fmt: skip

HALVES_FAULTS = (
    Fault("fragment transposed", "left[(group + 8) * 16 + k + lane],",
          "left[group * 16 + k + lane + 4],", DIFFERS),
    Fault("columns exchanged", "{right[group * 16 + k + lane],",
          "{right[group * 16 + k + lane + 4],", DIFFERS),
    Fault("result transposed", "lane * 2 + i % 2", "lane * 2 + 1 - i % 2", DIFFERS),
    Fault("product in a divergent branch", "multiply_16x8x16(",
          "if (lane) multiply_16x8x16(", BARRIER),
    Fault("odd address of a pair", "(b + block * (32 * 8))",
          "(b + 1 + block * (32 * 8))", UNDEFINED),
    Fault("steps past the depth", "k < 16", "k < 17", OUTSIDE),
)  # fmt: skip
