/* What a program of tests/codegen/program.py has around its kernels. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef THREADS
#define THREADS 1
#endif

static FILE *numbers;
static void read_all(void);
static long run_all(void);

/* exactly so many bytes; vectors are aligned to the largest power of two that divides them */
static void *room(size_t bytes, size_t alignment)
{
    while (alignment > sizeof(void *) && bytes % alignment)
        alignment /= 2;
    void *made = alignment ? aligned_alloc(alignment, bytes) : malloc(bytes);
    if (bytes)
        memset(made, 0xff, bytes);
    return made;
}

static double *answers(size_t n)
{
    double *made = room(n * sizeof *made, 0);
    if (fread(made, sizeof *made, n, numbers) != n)
        abort();
    return made;
}

static SCALAR *inputs(size_t n)
{
    double *wide = answers(n);
    SCALAR *made = room(n * sizeof *made, 0);
    for (size_t i = 0; i < n; i++)
        made[i] = (SCALAR)wide[i];
    free(wide);
    return made;
}

/* by more than is allowed, nothing unless something is */
static long differs(
    const char *what, const SCALAR *got, const double *answer, const double *allowed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double off = (double)got[i] - answer[i];
        if (!((off < 0 ? -off : off) <= (allowed ? allowed[i] : 0))) {
            printf("%s[%zu] is %g, not %g\n", what, i, (double)got[i], answer[i]);
            return 1;
        }
    }
    return 0;
}

static void *thread(void *unused)
{
    (void)unused;
    return run_all() ? &numbers : NULL;
}

int main(int argc, char **argv)
{
    numbers = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!numbers)
        return 2;
    read_all();
    if (THREADS == 1)
        return thread(NULL) != NULL;
    pthread_t threads[THREADS];
    int wrong = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(threads + i, NULL, thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        void *found;
        pthread_join(threads[i], &found);
        wrong |= found != NULL;
    }
    return wrong;
}
