/* signals.c: Ctrl-C and SIGTERM ask training to stop after a clean checkpoint, and a query of the shell to end. */
#include "cli.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* A handler has no argument of its own: this is the one variable of the program that is not on a stack. The number of
 * the signal and, above it, when it came. */
static volatile sig_atomic_t caught;

enum { NUMBERS = 128, TICKS_A_SECOND = 8, TICKS = 1 << 20 };

static int tick(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int)((t.tv_sec * TICKS_A_SECOND + t.tv_nsec / (1000000000 / TICKS_A_SECOND)) % TICKS);
}

/* A second one ends the process at once; the database bears that. One that follows on its heels is the same once more:
 * timeout(1) and some shells send it to the process and to its group. */
static void on_signal(int number)
{
    if (caught == 0) {
        caught = number + NUMBERS * tick();
    } else if ((tick() - (int)caught / NUMBERS + TICKS) % TICKS > TICKS_A_SECOND / 2) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

void gk_cli_signals_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
        sigemptyset(&action.sa_mask);
        /* Whoever started us with SIGINT ignored (nohup, a background job) meant that. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
}

void gk_cli_signals_release(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    caught = 0;
}

int gk_cli_signal(void) { return (int)caught % NUMBERS; }
