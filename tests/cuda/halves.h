// float16 by float32: exact one way, rounded to nearest, ties to even, the other way.
#pragma once

#include <cmath>

#include "emulator.h"

class Halves {  // all of them
    float values[1 << 16];

  public:
    Halves() {
        for (int bits = 0; bits < 1 << 16; ++bits) {
            const int exponent = bits >> 10 & 31, units = bits & 1023;
            const float size = exponent == 31 ? (units ? NAN : INFINITY)
                               : exponent     ? std::ldexp(float(1024 + units), exponent - 25)
                                              : std::ldexp(float(units), -24);
            values[bits] = bits >> 15 ? -size : size;
        }
    }
    float operator[](unsigned bits) const { return values[bits]; }
};
const Halves halves;

float of_half(unsigned short half) { return halves[half]; }

unsigned short half_of(float value) {
    const unsigned sign = __float_as_uint(value) >> 16 & 0x8000;
    const float size = std::fabs(value);
    if (std::isnan(value)) return 0x7fff;
    if (size >= 65520) return sign | 0x7c00;
    const int exponent = size < 0x1p-14f ? -14 : std::ilogb(size);
    const auto units = unsigned(std::nearbyint(std::ldexp(size, 10 - exponent)));
    return sign | (units + (exponent + 14) * 1024);  // 1024 units are the next exponent
}
