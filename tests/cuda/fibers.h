// Fibers: stacks of their own, and a switch that costs a few instructions and no system call.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#if !defined(FIBERS_BY_UCONTEXT) && defined(__linux__) && \
    (defined(__x86_64__) || defined(__aarch64__))
#define FIBERS_BY_SWITCH 1
#else
#define FIBERS_BY_SWITCH 0
#include <ucontext.h>
#endif

constexpr std::size_t STACK_BYTES = 1 << 17;  // most of it is never touched

// One area for the stacks of a launch; the page below each is forbidden. It is given back with the
// launch: each page splits the area, and a process may have 65,530 pieces in all of its libraries.
class Stacks {
    std::size_t bytes;

  public:
    unsigned char *begin;

    explicit Stacks(std::size_t count) : bytes(count * STACK_BYTES) {
        const std::size_t page = sysconf(_SC_PAGESIZE);
        void *area = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) abort();
        begin = static_cast<unsigned char *>(area);
        for (std::size_t i = 0; i < count; ++i) mprotect(begin + i * STACK_BYTES, page, PROT_NONE);
    }
    Stacks(const Stacks &) = delete;
    ~Stacks() { munmap(begin, bytes); }
};

#if FIBERS_BY_SWITCH

// Saves what a call must keep on the old stack, and goes on where the new one was left.
extern "C" void switch_stack(void **old_pointer, void *new_pointer);
#if defined(__x86_64__)
constexpr int SAVED = 6;  // registers below the address to return to
constexpr int RETURNS = 6;
constexpr int ABOVE = 2;  // that address, and one word: as a call would leave the stack
asm(".text\n.globl switch_stack\n.hidden switch_stack\n.type switch_stack, @function\n"
    "switch_stack:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n.size switch_stack, .-switch_stack\n");
#else
constexpr int SAVED = 20;
constexpr int RETURNS = 11;
constexpr int ABOVE = 0;
asm(".text\n.globl switch_stack\n.hidden switch_stack\n.type switch_stack, %function\n"
    "switch_stack:\n"
    "  sub sp, sp, #160\n"
    "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
    "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
    "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
    "  mov x2, sp\n  str x2, [x0]\n  mov sp, x1\n"
    "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
    "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
    "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
    "  add sp, sp, #160\n  ret\n.size switch_stack, .-switch_stack\n");
#endif

struct Fiber {
    void *pointer = nullptr;
    void start(unsigned char *stack, void (*entry)()) {
        auto *words = reinterpret_cast<std::uintptr_t *>(stack + STACK_BYTES) - SAVED - ABOVE;
        for (int i = 0; i < SAVED + ABOVE; ++i) words[i] = 0;
        words[RETURNS] = reinterpret_cast<std::uintptr_t>(entry);
        pointer = words;
    }
    static void change(Fiber &from, Fiber &to) { switch_stack(&from.pointer, to.pointer); }
};

#else

struct Fiber {
    ucontext_t context;
    void start(unsigned char *stack, void (*entry)()) {
        const std::size_t page = sysconf(_SC_PAGESIZE);
        getcontext(&context);
        context.uc_stack.ss_sp = stack + page;
        context.uc_stack.ss_size = STACK_BYTES - page;
        context.uc_link = nullptr;
        makecontext(&context, entry, 0);
    }
    static void change(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }
};

#endif
