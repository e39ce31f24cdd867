/*
 * Z_p, p = 2**61 - 1, as the SCALAR of an emitted kernel. Included before the text of a kernel it
 * makes that text C++ over exact residues; the text itself stays as it is, letter by letter.
 *
 * A product of two residues is below 2**122. As 2**61 = 1 (mod p), its high 61 bits are added to
 * its low ones.
 */
#ifndef EXACTCONV_ZP_H
#define EXACTCONV_ZP_H

#include <stddef.h>
#include <stdint.h>

struct Zp {
    static constexpr uint64_t p = (UINT64_C(1) << 61) - 1;
    uint64_t residue;

    Zp() = default;
    constexpr Zp(int64_t n) : residue(n < 0 ? p - (uint64_t)(-(n + 1)) % p - 1 : (uint64_t)n % p) {}

    static constexpr Zp of(uint64_t sum) /* below 2p */
    {
        Zp z(0);
        z.residue = sum >= p ? sum - p : sum;
        return z;
    }
    constexpr Zp power(uint64_t n) const
    {
        Zp result(1);
        for (Zp square = *this; n != 0; n >>= 1, square = square * square)
            if (n & 1)
                result = result * square;
        return result;
    }
    friend constexpr Zp operator+(Zp a, Zp b) { return of(a.residue + b.residue); }
    friend constexpr Zp operator-(Zp a) { return of(p - a.residue); }
    friend constexpr Zp operator-(Zp a, Zp b) { return a + -b; }
    friend constexpr Zp operator*(Zp a, Zp b)
    {
        unsigned __int128 product = (unsigned __int128)a.residue * b.residue;
        return of((uint64_t)(product & p) + (uint64_t)(product >> 61));
    }
    Zp &operator+=(Zp other) { return *this = *this + other; }
};

/* a/b, the inverse by Fermat: b**(p - 2) */
template <int64_t a, int64_t b> struct ZpRatio {
    static_assert(Zp(b).residue != 0, "a denominator that p divides");
    static constexpr Zp value = Zp(a) * Zp(b).power(Zp::p - 2);
};

template <int N> struct ZpVector {
    Zp lane[N];

    Zp &operator[](ptrdiff_t i) { return lane[i]; }
    const Zp &operator[](ptrdiff_t i) const { return lane[i]; }
    ZpVector &operator+=(const ZpVector &other)
    {
        for (int i = 0; i < N; i++)
            lane[i] += other.lane[i];
        return *this;
    }
    friend ZpVector operator+(ZpVector a, const ZpVector &b) { return a += b; }
    friend ZpVector operator-(const ZpVector &a, const ZpVector &b) { return a + -b; }
    friend ZpVector operator-(const ZpVector &vector) { return vector * Zp(-1); }
    friend ZpVector operator*(const ZpVector &vector, Zp scalar)
    {
        ZpVector result;
        for (int i = 0; i < N; i++)
            result.lane[i] = vector.lane[i] * scalar;
        return result;
    }
    friend ZpVector operator*(const ZpVector &a, const ZpVector &b)
    {
        ZpVector result;
        for (int i = 0; i < N; i++)
            result.lane[i] = a.lane[i] * b.lane[i];
        return result;
    }
    friend ZpVector operator+(const ZpVector &vector, Zp scalar)
    {
        ZpVector result;
        for (int i = 0; i < N; i++)
            result.lane[i] = vector.lane[i] + scalar;
        return result;
    }
    friend ZpVector operator*(Zp scalar, const ZpVector &vector) { return vector * scalar; }
};

template <int N, class... Places>
ZpVector<sizeof...(Places)> zp_shuffle(const ZpVector<N> &a, const ZpVector<N> &b, Places... places)
{
    return {{(places < N ? a[places] : b[places - N])...}};
}

#define SCALAR Zp
#define RATIO(a, b) (ZpRatio<(a), (b)>::value)
#define WIDE Zp
#define WIDE_RATIO(a, b) RATIO(a, b)
#define WIDE_VECTOR(name, lanes) VECTOR(name, lanes)
#define VECTOR(name, lanes) typedef ZpVector<(lanes)> name
#define LOOSE_VECTOR(name, lanes) VECTOR(name, lanes)
#define KEEP(vector)
#define __builtin_shufflevector zp_shuffle
#define restrict __restrict

#endif
