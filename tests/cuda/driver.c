/* A CUDA driver of the tests: the functions that cuda-core calls, on the memory of the host.
 * What it is asked to do it does at once, and writes a line of it to $FAKE_LOG.
 * Two GPUs of compute capability $FAKE_CAPABILITY; the function $FAKE_FAILS fails with $FAKE_STATUS.
 * Kernels take (long long batch, const float *x, float *y): y = x + 1, 4 numbers a sample. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Status;
typedef unsigned long long Pointer;
enum { DEVICES = 2, DEPTH = 16 };

static long contexts[DEVICES]; /* a primary context is an address in here */
static __thread void *stack[DEPTH + 1];
static __thread int depth;

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static Status done(const char *function, const char *format, ...)
{
    const char *path = getenv("FAKE_LOG"), *fails = getenv("FAKE_FAILS");
    if (path && format) {
        FILE *log = fopen(path, "a");
        va_list values;
        va_start(values, format);
        fprintf(log, "%s ", function);
        vfprintf(log, format, values);
        fputc('\n', log);
        va_end(values);
        fclose(log);
    }
    return fails && !strcmp(fails, function) ? number("FAKE_STATUS", 700) : 0;
}

#define DONE(...) return done(__func__, __VA_ARGS__)

static Status cuInit(unsigned flags) { (void)flags; DONE(NULL); }
static Status cuDriverGetVersion(int *version) { *version = number("FAKE_VERSION", 13000); return 0; }
static Status cuDeviceGetCount(int *count) { *count = DEVICES; return 0; }
static Status cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
static Status cuDeviceGetName(char *name, int size, int device)
{
    snprintf(name, size, "Fake %d", device);
    return 0;
}
static Status cuDeviceGetAttribute(int *value, int kind, int device)
{
    int capability = number("FAKE_CAPABILITY", 80);
    (void)device;
    *value = kind == 75 ? capability / 10 : kind == 76 ? capability % 10 : kind == 97 ? 166912 : kind == 16 ? 108 : 1;
    return 0;
}
static Status cuDevicePrimaryCtxRetain(void **context, int device)
{
    *context = &contexts[device];
    DONE(NULL);
}
static Status cuDevicePrimaryCtxRelease(int device) { (void)device; return 0; }
static Status cuCtxGetCurrent(void **context) { *context = stack[depth]; return 0; }
static Status cuCtxSetCurrent(void *context) { stack[depth] = context; return 0; }
static Status cuCtxPushCurrent(void *context) { stack[++depth] = context; return 0; }
static Status cuCtxPopCurrent(void **context) { *context = stack[depth--]; return 0; }
static Status cuCtxGetDevice(int *device) { *device = (long *)stack[depth] - contexts; return 0; }
static Status cuCtxSynchronize(void) { return 0; }
static Status cuStreamGetCtx(void *stream, void **context)
{
    (void)stream;
    *context = stack[depth];
    return 0;
}
static Status cuStreamIsCapturing(void *stream, int *is) { (void)stream; *is = 0; return 0; }
static Status cuStreamSynchronize(void *stream) { DONE("%lu", (unsigned long)stream); }
static Status cuEventCreate(void **event, unsigned flags)
{
    (void)flags;
    *event = malloc(1);
    return 0;
}
static Status cuEventDestroy(void *event) { free(event); return 0; }
static Status cuEventRecord(void *event, void *stream)
{
    (void)event;
    DONE("%lu", (unsigned long)stream);
}
static Status cuStreamWaitEvent(void *stream, void *event, unsigned flags)
{
    (void)event, (void)flags;
    DONE("%lu", (unsigned long)stream);
}
static Status cuDeviceGetDefaultMemPool(void **pool, int device) { *pool = &contexts[device]; return 0; }
static Status cuDeviceGetMemPool(void **pool, int device) { *pool = &contexts[device]; return 0; }
static Status cuMemPoolGetAttribute(void *pool, int kind, void *value)
{
    (void)pool, (void)kind;
    *(unsigned long long *)value = 0;
    return 0;
}
static Status cuMemPoolSetAttribute(void *pool, int kind, void *value)
{
    (void)pool, (void)kind, (void)value;
    return 0;
}
static Status cuMemPoolCreate(void **pool, const void *properties)
{
    (void)properties;
    *pool = contexts;
    return 0;
}
static Status cuMemPoolDestroy(void *pool) { (void)pool; return 0; }
static Pointer memory(size_t size)
{
    void *made = NULL;
    return posix_memalign(&made, 512, size) ? 0 : (Pointer)made;
}
static Status cuMemAllocFromPoolAsync(Pointer *made, size_t size, void *pool, void *stream)
{
    (void)pool;
    *made = memory(size);
    DONE("%zu %lu", size, (unsigned long)stream);
}
static Status cuMemAllocAsync(Pointer *made, size_t size, void *stream)
{
    return cuMemAllocFromPoolAsync(made, size, NULL, stream);
}
static Status cuMemFreeAsync(Pointer given, void *stream)
{
    free((void *)given);
    DONE("%lu", (unsigned long)stream);
}
static Status cuMemAlloc(Pointer *made, size_t size)
{
    *made = memory(size);
    DONE("%zu", size);
}
static Status cuMemFree(Pointer given) { free((void *)given); DONE(""); }
static Status cuPointerGetAttribute(void *value, int kind, Pointer at)
{
    if (kind == 9) /* device ordinal */
        *(int *)value = number("FAKE_ORDINAL", 0);
    else if (kind == 2) /* memory type: device */
        *(int *)value = 2;
    else
        *(int *)value = 0;
    (void)at;
    DONE(NULL);
}
static Status cuPointerGetAttributes(unsigned count, int *kinds, void **values, Pointer at)
{
    for (unsigned i = 0; i < count; i++)
        cuPointerGetAttribute(values[i], kinds[i], at);
    return 0;
}
static Status cuMemcpyDtoDAsync(Pointer to, Pointer from, size_t size, void *stream)
{
    memcpy((void *)to, (void *)from, size);
    DONE("%zu %lu", size, (unsigned long)stream);
}
static Status cuMemcpyHtoDAsync(Pointer to, const void *from, size_t size, void *stream)
{
    memcpy((void *)to, from, size);
    DONE("%zu %lu", size, (unsigned long)stream);
}
static Status cuMemcpyDtoHAsync(void *to, Pointer from, size_t size, void *stream)
{
    memcpy(to, (void *)from, size);
    DONE("%zu %lu", size, (unsigned long)stream);
}
static Status cuLibraryLoadData(void **library, const void *code, void *a, void *b, unsigned c, void *d,
                                void *e, unsigned f)
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    *library = malloc(1);
    DONE("%.3s", (const char *)code + 1);
}
static Status cuLibraryUnload(void *library) { free(library); return 0; }
static Status cuLibraryGetKernel(void **kernel, void *library, const char *name)
{
    (void)library;
    *kernel = strdup(name);
    DONE("%s", name);
}
static Status cuKernelSetAttribute(int kind, int value, void *kernel, int device)
{
    DONE("%d %d %s %d", kind, value, (const char *)kernel, device);
}
struct Config {
    unsigned grid[3], block[3], shared;
    void *stream, *attributes;
    unsigned count;
};
static Status cuLaunchKernelEx(const struct Config *config, void *kernel, void **given, void **extra)
{
    long long batch = *(long long *)given[0];
    const float *x = *(float **)given[1];
    float *y = *(float **)given[2];
    Status status = done(__func__, "%s %u,%u,%u %u,%u,%u %u %lu %lld %d", (char *)kernel,
                         config->grid[0], config->grid[1], config->grid[2], config->block[0],
                         config->block[1], config->block[2], config->shared,
                         (unsigned long)config->stream, batch, (int)((long *)stack[depth] - contexts));
    (void)extra;
    for (long long i = 0; !status && i < 4 * batch; i++)
        y[i] = x[i] + 1;
    return status;
}
static Status cuGetErrorName(int status, const char **text)
{
    *text = status == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : status == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_OTHER";
    return 0;
}
static Status cuGetErrorString(int status, const char **text) { return cuGetErrorName(status, text); }

#define ENTRY(name) {#name, (void *)name}
static const struct {
    const char *name;
    void *function;
} entries[] = {
    ENTRY(cuInit), ENTRY(cuDriverGetVersion), ENTRY(cuDeviceGetCount), ENTRY(cuDeviceGet),
    ENTRY(cuDeviceGetName), ENTRY(cuDeviceGetAttribute), ENTRY(cuDevicePrimaryCtxRetain),
    ENTRY(cuDevicePrimaryCtxRelease), ENTRY(cuCtxGetCurrent), ENTRY(cuCtxSetCurrent),
    ENTRY(cuCtxPushCurrent), ENTRY(cuCtxPopCurrent), ENTRY(cuCtxGetDevice), ENTRY(cuCtxSynchronize),
    ENTRY(cuStreamGetCtx), ENTRY(cuStreamIsCapturing), ENTRY(cuStreamSynchronize), ENTRY(cuEventCreate), ENTRY(cuEventDestroy),
    ENTRY(cuEventRecord), ENTRY(cuStreamWaitEvent), ENTRY(cuDeviceGetDefaultMemPool),
    ENTRY(cuDeviceGetMemPool), ENTRY(cuMemPoolGetAttribute), ENTRY(cuMemPoolSetAttribute),
    ENTRY(cuMemPoolCreate), ENTRY(cuMemPoolDestroy), ENTRY(cuMemAllocFromPoolAsync),
    ENTRY(cuMemAllocAsync), ENTRY(cuMemFreeAsync), ENTRY(cuMemAlloc), ENTRY(cuMemFree),
    ENTRY(cuPointerGetAttribute), ENTRY(cuPointerGetAttributes), ENTRY(cuMemcpyDtoDAsync),
    ENTRY(cuMemcpyHtoDAsync), ENTRY(cuMemcpyDtoHAsync), ENTRY(cuLibraryLoadData),
    ENTRY(cuLibraryUnload), ENTRY(cuLibraryGetKernel), ENTRY(cuKernelSetAttribute),
    ENTRY(cuLaunchKernelEx), ENTRY(cuGetErrorName), ENTRY(cuGetErrorString),
};

Status cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long flags, int *status)
{
    (void)version, (void)flags;
    *found = NULL;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (!strcmp(name, entries[i].name))
            *found = entries[i].function;
    if (!strcmp(name, "cuGetProcAddress"))
        *found = (void *)cuGetProcAddress_v2;
    if (status)
        *status = *found ? 0 : 1;
    return *found ? 0 : 500;
}
