// Runs a block: its threads are fibers, in random order.
//
// A thread runs until a barrier, or until it is stopped at some access to shared memory; what
// copy_async brings lands at once, at a later stop, or at the wait. The first thing that a GPU
// would not forgive, or not forgive always, ends the launch with a message.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "emulator.h"
#include "fibers.h"
#include "memory.h"

constexpr int MOST_THREADS = 1024;
constexpr unsigned MOST_SHARED = 228 * 1024;
constexpr unsigned MOST_STEPS = 64;  // accesses to shared memory before a thread may be stopped
constexpr int EXCHANGE = -1, MULTIPLY = -2;  // in place of a barrier's line

alignas(128) unsigned char shared[MOST_SHARED];
uint3 threadIdx, blockIdx, blockDim, gridDim;

extern "C" {
struct Given {  // an array
    unsigned char *begin;
    unsigned long long bytes;
};
using Kernel = void (*)(long long, void *, void *, void *, void *, void *, void *, void *, void *);
struct Launch {
    Kernel kernel;
    long long batch;
    void *pointers[8];
    Given arrays[16];
    unsigned grid, threads, shared, watched, seconds;
    unsigned long long seed;
};
}

struct Copy {
    unsigned char *to;
    const void *from;  // null: zeros
    int bytes, group;
    bool landed;

    void land() {
        if (landed) return;
        from ? (void)std::memcpy(to, from, bytes) : (void)std::memset(to, 0, bytes);
        landed = true;
    }
};

struct Thread {
    Fiber fiber;
    std::vector<Copy> copies;
    int groups, exchanges;
    unsigned long long value[2];
    float a[2][8], b[2][4];  // of a matrix product
};

struct Meeting {  // of threads at a barrier
    int arrived = 0, line = 0;
};

struct Warp {
    Meeting meeting;
    std::uint32_t epoch = 0;
};

Launch launch;
Thread threads[MOST_THREADS];
Warp warps[MOST_THREADS / WARP];
SharedWord words[MOST_SHARED / 2];
std::vector<Array> arrays;
std::vector<int> ready;
Meeting whole_block;
Fiber scheduler;
unsigned char *all_stacks;
int current, finished;
unsigned steps;
std::uint64_t epoch, launch_began, block_began, random_state;
char failure[400];
volatile int too_late;

unsigned random_below(unsigned limit) {  // splitmix64
    std::uint64_t z = random_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return unsigned(((z ^ (z >> 31)) >> 32) * limit >> 32);
}

void stop() { Fiber::change(threads[current].fiber, scheduler); }

[[noreturn]] void fail(const char *what, int line = 0) {
    char at[40] = "";
    if (line) std::snprintf(at, sizeof at, " (line %d)", line);
    std::snprintf(failure, sizeof failure, "block %u, thread %d %s%s", blockIdx.x, current, what,
                  at);
    stop();
    abort();
}

Moment now() { return {epoch, warps[current / WARP].epoch, current}; }

int lanes_of(int warp) { return min(WARP, int(launch.threads) - warp * WARP); }

// Waits for `count` threads from `first` on; true for the last one, who lets all go on.
bool meet(Meeting &meeting, int first, int count, int line) {
    if (meeting.arrived && meeting.line != line) fail("is at another barrier than others", line);
    meeting.line = line;
    const bool last = ++meeting.arrived == count;
    if (last) {
        meeting.arrived = 0;
        for (int thread = first; thread < first + count; ++thread) ready.push_back(thread);
    }
    return last;
}

void meet_warp(int line) {
    const int warp = current / WARP;
    if (meet(warps[warp].meeting, warp * WARP, lanes_of(warp), line) && line > 0)
        ++warps[warp].epoch;  // a shuffle or a product orders no memory
    stop();
}

// Whether the address is of the library that holds the kernels: a constant table.
bool is_constant(const unsigned char *at) {
    Dl_info own, its;
    return dladdr(&launch, &own) && dladdr(at, &its) && own.dli_fbase == its.dli_fbase;
}

Array &array_at(unsigned char *at, std::size_t bytes, bool write) {
    for (Array &array : arrays)
        if (array.holds(at, bytes)) return array;
    if (write || !is_constant(at)) fail("touches memory outside of every array");
    const std::uintptr_t page = 4096;  // whose further constants are found sooner
    arrays.push_back({at - reinterpret_cast<std::uintptr_t>(at) % page, page, {}});
    return array_at(at, bytes, write);
}

void access_global(unsigned char *at, std::size_t bytes, bool write) {
    Array &array = array_at(at, bytes, write);
    if (!launch.watched) return;
    if (const char *wrong = array.access(at, bytes, write, now(), launch_began, block_began))
        fail(wrong);
}

void access_shared(const unsigned char *at, std::size_t bytes, bool write) {
    if (at - shared + bytes > launch.shared) fail("touches shared memory beyond its size");
    if (!launch.watched) return;
    const Moment moment = now();
    for (std::size_t word = (at - shared) / 2; word <= (at - shared + bytes - 1) / 2; ++word) {
        const char *wrong =
            write ? words[word].writes(moment, block_began) : words[word].reads(moment, block_began);
        if (wrong) fail(wrong);
    }
}

bool is_shared(const unsigned char *at) { return at >= shared && at < shared + MOST_SHARED; }

void access(void *pointer, std::size_t bytes, bool write, bool aligned = true) {
    if (too_late) fail("does not end");
    auto *at = static_cast<unsigned char *>(pointer);
    unsigned char *stack = all_stacks + current * STACK_BYTES;
    if (at >= stack && at < stack + STACK_BYTES) return;
    if (aligned && reinterpret_cast<std::uintptr_t>(at) % bytes) fail("misaligns an access");
    if (!is_shared(at)) return access_global(at, bytes, write);
    if (steps-- == 0) {
        steps = random_below(MOST_STEPS);
        ready.push_back(current);
        stop();
    }
    access_shared(at, bytes, write);
}

void run_thread() {
    void **p = launch.pointers;  // a call ignores the arguments that a kernel does not take
    launch.kernel(launch.batch, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]);
    ++finished;
    stop();
}

void resume(int thread) {
    current = thread;
    threadIdx.x = thread;
    for (Copy &copy : threads[thread].copies)
        if (!random_below(4)) copy.land();
    Fiber::change(scheduler, threads[thread].fiber);
}

void run_block() {
    std::memset(shared, 0xff, launch.shared);  // NaN in every float type
    block_began = ++epoch;
    whole_block = {};
    finished = 0;
    ready.clear();
    for (unsigned i = 0; i < launch.threads; ++i) {
        Thread &thread = threads[i];
        warps[i / WARP].meeting = {};
        thread.copies.clear();
        thread.groups = thread.exchanges = 0;
        thread.fiber.start(all_stacks + i * STACK_BYTES, run_thread);
        ready.push_back(i);
    }
    while (!ready.empty() && !*failure) {
        std::swap(ready[random_below(ready.size())], ready.back());
        const int thread = ready.back();
        ready.pop_back();
        resume(thread);
    }
    if (!*failure && finished < int(launch.threads))
        std::snprintf(failure, sizeof failure, "block %u: a barrier waits for threads in vain",
                      blockIdx.x);
}
