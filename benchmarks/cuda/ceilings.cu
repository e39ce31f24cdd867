// How many multiply-adds a second the device can do: registers alone, nothing read.

extern "C" __global__ void __launch_bounds__(256) float32_sums(int steps, float *out)
{
    float sums[SUMS];
    const float factor = 0.5f;
    #pragma unroll
    for (int i = 0; i < SUMS; i++) sums[i] = threadIdx.x + i;
    #pragma unroll 1
    for (int step = 0; step < steps; step++) {
        #pragma unroll
        for (int turn = 0; turn < TURNS; turn++) {
            #pragma unroll
            for (int i = 0; i < SUMS; i++) sums[i] = fmaf(sums[i], factor, sums[i]);
        }
    }
    float total = 0.0f;
    #pragma unroll
    for (int i = 0; i < SUMS; i++) total += sums[i];
    out[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

#define SUMS_OF(NAME, TYPE)                                                                       \
    extern "C" __global__ void __launch_bounds__(256) NAME(int steps, float *out)                 \
    {                                                                                             \
        float sums[SUMS / 4][4] = {};                                                             \
        const unsigned a = threadIdx.x, b = a + 1, c = a + 2, d = a + 3;                          \
        _Pragma("unroll 1") for (int step = 0; step < steps; step++)                              \
        {                                                                                         \
            _Pragma("unroll") for (int turn = 0; turn < TURNS; turn++)                            \
            {                                                                                     \
                _Pragma("unroll") for (int i = 0; i < SUMS / 4; i++) asm volatile(                \
                    "mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 "                \
                    "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%4, %5}, {%0, %1, %2, %3};"             \
                    : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])      \
                    : "r"(a), "r"(b), "r"(c), "r"(d));                                            \
            }                                                                                     \
        }                                                                                         \
        float total = 0.0f;                                                                       \
        _Pragma("unroll") for (int i = 0; i < SUMS; i++) total += sums[i / 4][i % 4];             \
        out[blockIdx.x * blockDim.x + threadIdx.x] = total;                                       \
    }

#if __CUDA_ARCH__ >= 800
SUMS_OF(float16_sums, "f16")
SUMS_OF(bfloat16_sums, "bf16")
#endif
