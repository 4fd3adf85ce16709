/* signals.c: Ctrl-C and SIGTERM ask training to stop after a clean checkpoint, and a query of the shell to end. */
#include "cli.h"

#include <signal.h>
#include <stddef.h>

/* A handler has no argument of its own: this is the one variable of the program that is not on a stack. */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
    signal(number, SIG_DFL); /* a second one ends the process at once; the database bears that */
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

int gk_cli_signal(void) { return (int)caught; }
