// The part of CUDA C++ that our texts use, for a C++ compiler on the host.
//
// A text is compiled with this file included before it and with the compiler's own instruments:
// every load and store outside of registers calls emulator.cpp, which knows each array's bounds.
// Nothing is included here, so that a text compiles in a moment.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

#define VECTOR_TYPES(scalar, name)                                    \
    struct alignas(2 * sizeof(scalar)) name##2 { scalar x, y; };      \
    struct alignas(16) name##4 { scalar x, y, z, w; };                \
    inline name##2 make_##name##2(scalar x, scalar y) { return {x, y}; } \
    inline name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }
VECTOR_TYPES(float, float)
VECTOR_TYPES(int, int)
VECTOR_TYPES(unsigned, uint)
#undef VECTOR_TYPES
struct alignas(16) double2 { double x, y; };
inline double2 make_double2(double x, double y) { return {x, y}; }
struct uint3 { unsigned x, y, z; };

#ifdef EMULATOR
extern uint3 threadIdx, blockIdx, blockDim, gridDim;
#else  // a text sees what is constant for a thread: these are set whenever it goes on
extern const uint3 threadIdx, blockIdx, blockDim, gridDim;
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

// min and max have the overloads of CUDA and no others: mixed arguments are refused here too.
#define ORDER(number)                                                        \
    inline number min(number a, number b) { return b < a ? b : a; }          \
    inline number max(number a, number b) { return a < b ? b : a; }
ORDER(int)
ORDER(unsigned)
ORDER(long long)
ORDER(unsigned long long)
ORDER(float)
ORDER(double)
#undef ORDER

template <class To, class From> inline To bits_as(From value) {
    static_assert(sizeof(To) == sizeof(From), "bits are kept");
    To result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
}
inline unsigned __float_as_uint(float value) { return bits_as<unsigned>(value); }
inline int __float_as_int(float value) { return bits_as<int>(value); }
inline float __uint_as_float(unsigned value) { return bits_as<float>(value); }
inline float __int_as_float(int value) { return bits_as<float>(value); }
template <class Number> inline Number __ldg(const Number *from) { return *from; }
unsigned short half_of(float value);  // float16, to nearest, ties to even
float of_half(unsigned short half);

namespace emulator {
void block_barrier(int line);
void warp_barrier(int line);
unsigned long long exchange(unsigned lanes, unsigned long long value, int mask);
void copy_async(void *to_shared, const void *from, int bytes, bool inside);
void copy_async_wait(int left);
void multiply(float *c, const unsigned *a, const unsigned *b, bool bfloat16);
}  // namespace emulator

// A barrier is known by its line: the compiler may make two calls of one.
#define __syncthreads() emulator::block_barrier(__LINE__)
#define __syncwarp(...) emulator::warp_barrier(__LINE__)
inline int __shfl_xor_sync(unsigned lanes, int value, int mask) {
    return int(emulator::exchange(lanes, unsigned(value), mask));
}
inline unsigned __shfl_xor_sync(unsigned lanes, unsigned value, int mask) {
    return unsigned(emulator::exchange(lanes, value, mask));
}
inline float __shfl_xor_sync(unsigned lanes, float value, int mask) {
    return __uint_as_float(__shfl_xor_sync(lanes, __float_as_uint(value), mask));
}
inline double __shfl_xor_sync(unsigned lanes, double value, int mask) {
    using Bits = unsigned long long;
    return bits_as<double>(emulator::exchange(lanes, bits_as<Bits>(value), mask));
}

inline void copy_async_4(void *to_shared, const void *from, bool inside) {
    emulator::copy_async(to_shared, from, 4, inside);
}
inline void copy_async_8(void *to_shared, const void *from, bool inside) {
    emulator::copy_async(to_shared, from, 8, inside);
}
inline void copy_async_16(void *to_shared, const void *from, bool inside) {
    emulator::copy_async(to_shared, from, 16, inside);
}
void copy_async_commit();
template <int left> inline void copy_async_wait() { emulator::copy_async_wait(left); }

#ifndef HALVES_ARE_BFLOAT16
#define HALVES_ARE_BFLOAT16 0
#endif
inline void multiply_16x8x16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    emulator::multiply(c, a, b, HALVES_ARE_BFLOAT16);
}
