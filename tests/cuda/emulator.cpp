// Runs a kernel: its blocks one after the other, in random order.
#define EMULATOR
#include <sys/time.h>

#include <csignal>

#include "instructions.h"

namespace {

void on_signal(int signal) {
    fail(signal == SIGSEGV || signal == SIGBUS
             ? "touches memory that does not exist, or has no stack left"
             : "does what is undefined: a misaligned access, an index beyond a local array, "
               "an overflow, a shift or a division by zero");
}

void on_time(int) { too_late = 1; }

void allow(unsigned seconds) {
    itimerval limit{};
    limit.it_value.tv_sec = seconds;
    setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}

constexpr int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGVTALRM};
constexpr int COUNT = sizeof SIGNALS / sizeof *SIGNALS;

class Signals {  // while a launch runs, a crash is a failure of it
    struct sigaction before[COUNT];
    stack_t stack_before;

  public:
    Signals() {
        static unsigned char stack[1 << 16];
        stack_t own{};
        own.ss_sp = stack;
        own.ss_size = sizeof stack;
        sigaltstack(&own, &stack_before);
        struct sigaction action {};
        action.sa_flags = SA_ONSTACK | SA_NODEFER | SA_RESTART;
        for (int i = 0; i < COUNT; ++i) {
            action.sa_handler = SIGNALS[i] == SIGVTALRM ? on_time : on_signal;
            sigaction(SIGNALS[i], &action, &before[i]);
        }
        too_late = 0;
        allow(launch.seconds);
    }
    ~Signals() {
        allow(0);
        for (int i = 0; i < COUNT; ++i) sigaction(SIGNALS[i], &before[i], nullptr);
        sigaltstack(&stack_before, nullptr);
    }
};

}  // namespace

// --- what the compiler's instruments call -----------------------------------------------------

extern "C" {
#define INSTRUMENT(bytes)                                                                \
    void __tsan_read##bytes(void *at) { access(at, bytes, false); }                      \
    void __tsan_write##bytes(void *at) { access(at, bytes, true); }                      \
    void __tsan_unaligned_read##bytes(void *at) { access(at, bytes, false, false); }     \
    void __tsan_unaligned_write##bytes(void *at) { access(at, bytes, true, false); }
INSTRUMENT(1)
INSTRUMENT(2)
INSTRUMENT(4)
INSTRUMENT(8)
INSTRUMENT(16)
void __tsan_read_range(void *at, std::size_t bytes) { access(at, bytes, false, false); }
void __tsan_write_range(void *at, std::size_t bytes) { access(at, bytes, true, false); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}

// --- what Python calls ------------------------------------------------------------------------

// Null, or what went wrong.
const char *emulated_launch(const Launch *given) {
    launch = *given;
    *failure = 0;
    if (!launch.threads || launch.threads > MOST_THREADS || launch.shared > MOST_SHARED)
        return "a block of these threads and shared bytes cannot be launched";
    const Stacks own_stacks(launch.threads);
    all_stacks = own_stacks.begin;
    random_state = launch.seed;
    arrays.clear();
    for (const Given &array : launch.arrays)
        if (array.begin) arrays.push_back({array.begin, array.bytes, {}});
    for (uint3 *own : {&threadIdx, &blockIdx, &blockDim, &gridDim})  // clang asks for these too
        arrays.push_back({reinterpret_cast<unsigned char *>(own), sizeof *own, {}});
    blockDim = {launch.threads, 1, 1};
    gridDim = {launch.grid, 1, 1};
    launch_began = epoch + 1;
    std::vector<unsigned> order(launch.grid);
    for (unsigned i = 0; i < launch.grid; ++i) order[i] = i;
    const Signals caught;
    for (unsigned i = launch.grid; i-- && !*failure;) {
        std::swap(order[random_below(i + 1)], order[i]);
        blockIdx.x = order[i];
        run_block();
    }
    return *failure ? failure : nullptr;
}
}
