/* progress.c: one line that is redrawn on a terminal, a line now and then otherwise. */
#include "cli.h"
#include "gk_plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HISTORY = 128, SPARK = 16 };

struct gk_cli_progress {
    const char *unit;
    char *label;
    bool quiet, terminal, drawn;
    double next; /* seconds of training at which the next line is due */
    /* Evaluations for the sparklines. A full history keeps every other one, and takes every other one from then on. */
    double loss[HISTORY], accuracy[HISTORY];
    double last_loss, last_accuracy;
    int n, seen, every;
};

int gk_cli_progress_new(gk_cli_progress **out, const char *label, const char *unit, bool quiet)
{
    gk_cli_progress *p = gk_calloc(1, sizeof *p);
    *out = p;
    if (!p) return GK_FAILED;
    p->label = gk_text("%s", label);
    p->unit = unit;
    p->quiet = quiet;
    p->terminal = isatty(STDERR_FILENO) != 0;
    p->next = p->terminal ? 0 : 2;
    p->every = 1;
    return p->label ? GK_OK : GK_FAILED;
}

static void clear_line(gk_cli_progress *p)
{
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

void gk_cli_progress_free(gk_cli_progress *p)
{
    if (!p) return;
    clear_line(p);
    free(p->label);
    free(p);
}

/* Seconds as 12s, 3:05 or 2:03:09. */
static void clock_text(double seconds, char *out, size_t room)
{
    const long long s = isfinite(seconds) && seconds < 1e9 ? (long long)(seconds + 0.5) : -1;
    if (s < 0) snprintf(out, room, "?");
    else if (s < 60) snprintf(out, room, "%llds", s);
    else if (s < 3600) snprintf(out, room, "%lld:%02lld", s / 60, s % 60);
    else snprintf(out, room, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

/* A line that wraps could not be redrawn. */
static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 120;
}

/* A step after which loss and accuracy are other than before was an evaluation. */
static void remember(gk_cli_progress *p, const gk_progress *now)
{
    if (isnan(now->test_loss) || (p->seen > 0 && now->test_loss == p->last_loss && now->test_accuracy == p->last_accuracy)) return;
    p->last_loss = now->test_loss;
    p->last_accuracy = now->test_accuracy;
    if (p->seen++ % p->every != 0) return;
    if (p->n == HISTORY) {
        for (int i = 0; i < HISTORY / 2; i++) {
            p->loss[i] = p->loss[2 * i];
            p->accuracy[i] = p->accuracy[2 * i];
        }
        p->n = HISTORY / 2;
        p->every *= 2;
    }
    p->loss[p->n] = now->test_loss;
    p->accuracy[p->n++] = now->test_accuracy;
}

/* Test loss (its logarithm) and test accuracy (0 to 1) in what room is left on the line; "" where it is too small. */
static void sparks(const gk_cli_progress *p, int room, char *out, size_t size)
{
    char loss[3 * SPARK + 1], accuracy[3 * SPARK + 1];
    const int width = (room - 12) / 2 < SPARK ? (room - 12) / 2 : SPARK; /* 12: the words and the blanks */
    *out = '\0';
    if (width < 4 || p->n < 2) return;
    gk_plot_sparkline(loss, p->loss, p->n, width, true, NAN, NAN);
    gk_plot_sparkline(accuracy, p->accuracy, p->n, width, false, 0, 1);
    snprintf(out, size, "  loss %s acc %s", loss, accuracy);
}

static int on_progress(void *context, const gk_progress *now)
{
    gk_cli_progress *p = context;
    if (p->quiet) return GK_OK;
    if (p->terminal) remember(p, now);
    if (now->seconds < p->next) return GK_OK;
    /* Lines of a log thin out: after 2, 4, 8 ... seconds, then once a minute. */
    p->next = p->terminal ? now->seconds + 0.1 : now->seconds + (now->seconds < 60 ? now->seconds : 60);
    char left[32], scores[160] = "", line[512];
    clock_text((double)(now->steps - now->step) / now->steps_per_second, left, sizeof left);
    if (!isnan(now->train_loss))
        snprintf(scores, sizeof scores, "  train %.2e (%.3f)  test %.2e (%.3f)", now->train_loss, now->train_accuracy,
                 now->test_loss, now->test_accuracy);
    snprintf(line, sizeof line, "%s  %s %lld/%lld  %.3g/s  ETA %s%s", p->label, p->unit, (long long)now->step,
             (long long)now->steps, now->steps_per_second, left, scores);
    if (p->terminal) {
        char curves[6 * SPARK + 32];
        const int columns = terminal_columns() - 1;
        sparks(p, columns - (int)strlen(line), curves, sizeof curves);
        fprintf(stderr, "\r%.*s%s\033[K", columns, line, curves);
    } else fprintf(stderr, "%s\n", line);
    p->drawn = p->terminal;
    fflush(stderr);
    return GK_OK;
}

static void on_event(void *context, int64_t step, const char *kind, const char *detail)
{
    gk_cli_progress *p = context;
    if (p->quiet) return;
    clear_line(p);
    if (step < 0) fprintf(stderr, "%s  no longer %s\n", p->label, kind);
    else fprintf(stderr, "%s  %s at %s %lld%s%s\n", p->label, kind, p->unit, (long long)step, detail ? ": " : "",
                 detail ? detail : "");
}

static bool on_stop(void *context)
{
    (void)context;
    return gk_cli_signal() != 0;
}

gk_lab_hooks gk_cli_progress_hooks(gk_cli_progress *p)
{
    return (gk_lab_hooks){.context = p, .progress = on_progress, .event = on_event, .stop = on_stop};
}
