// What a text calls: barriers, shuffles, asynchronous copies, matrix products.
#pragma once

#include "block.h"
#include "halves.h"

namespace emulator {

void block_barrier(int line) {
    if (meet(whole_block, 0, launch.threads, line)) ++epoch;
    stop();
}

void warp_barrier(int line) { meet_warp(line); }

unsigned long long exchange(unsigned lanes, unsigned long long value, int mask) {
    if (lanes != 0xffffffffu || lanes_of(current / WARP) != WARP || mask < 0 || mask >= WARP)
        fail("shuffles with lanes that are not there");
    Thread &own = threads[current];
    const int turn = own.exchanges++ & 1;  // no lane is more than one exchange ahead
    own.value[turn] = value;
    meet_warp(EXCHANGE);
    return threads[current ^ mask].value[turn];
}

void copy_async(void *to, const void *from, int bytes, bool inside) {
    auto *target = static_cast<unsigned char *>(to);
    auto *source = static_cast<unsigned char *>(const_cast<void *>(from));
    const auto both = reinterpret_cast<std::uintptr_t>(to) |
                      (inside ? reinterpret_cast<std::uintptr_t>(from) : 0);
    if (both % bytes) fail("misaligns a copy_async");
    if (!is_shared(target)) fail("lets a copy_async write elsewhere than to shared memory");
    if (inside) access_global(source, bytes, false);
    access_shared(target, bytes, true);
    for (int i = 0; i < bytes / 2; ++i) words[(target - shared) / 2 + i].copying();
    Thread &own = threads[current];
    own.copies.push_back({target, inside ? from : nullptr, bytes, own.groups, false});
    if (random_below(2)) own.copies.back().land();
}

void copy_async_wait(int left) {
    Thread &own = threads[current];
    std::vector<Copy> others;
    for (Copy &copy : own.copies) {
        if (copy.group >= own.groups - left) {
            others.push_back(copy);
            continue;
        }
        copy.land();
        for (int i = 0; i < copy.bytes / 2; ++i)
            words[(copy.to - shared) / 2 + i].arrived(now());
    }
    own.copies.swap(others);
}

void multiply(float *c, const unsigned *a, const unsigned *b, bool bfloat16) {
    if (lanes_of(current / WARP) != WARP) fail("multiplies matrices with lanes that are not there");
    const auto widen = [=](unsigned pair, int which) {
        const unsigned half = pair >> 16 * which & 0xffff;
        return bfloat16 ? __uint_as_float(half << 16) : halves[half];
    };
    Thread &own = threads[current];
    const int turn = own.exchanges++ & 1;
    for (int i = 0; i < 8; ++i) own.a[turn][i] = widen(a[i / 2], i % 2);
    for (int i = 0; i < 4; ++i) own.b[turn][i] = widen(b[i / 2], i % 2);
    meet_warp(MULTIPLY);
    const int warp = current / WARP * WARP, lane = current % WARP;
    for (int i = 0; i < 4; ++i) {  // PTX ISA, fragments of mma.m16n8k16
        const int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
        double sum = c[i];
        for (int k = 0; k < 16; ++k)
            sum += double(threads[warp + row % 8 * 4 + k % 8 / 2]
                              .a[turn][(row / 8 + k / 8 * 2) * 2 + k % 2]) *
                   threads[warp + column * 4 + k % 8 / 2].b[turn][k / 8 * 2 + k % 2];
        c[i] = float(sum);
    }
}

}  // namespace emulator

void copy_async_commit() { ++threads[current].groups; }
