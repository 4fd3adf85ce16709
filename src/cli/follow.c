/* follow.c: log --follow. */
#include "follow.h"

#include "picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const char *const metrics[] = {"train_loss", "test_loss", "train_accuracy", "test_accuracy"};
enum { METRICS = 4, SPARK = 24 };

static double value_at(const gk_plot_curve *c, double step)
{
    for (int i = c ? c->n : 0; i-- > 0 && c->step[i] >= step;)
        if (c->step[i] == step) return c->value[i];
    return NAN;
}

/* Rows of steps after *shown, which moves on. */
static void print_rows(const gk_picture *p, double *shown)
{
    const gk_plot_curve *of[METRICS], *longest = NULL;
    for (int m = 0; m < METRICS; m++) {
        of[m] = gk_plot_run_curve(&p->run, metrics[m]);
        if (of[m] && (!longest || of[m]->n > longest->n)) longest = of[m];
    }
    for (int i = 0; longest && i < longest->n; i++) {
        if (longest->step[i] <= *shown) continue;
        printf("%.0f", longest->step[i]);
        for (int m = 0; m < METRICS; m++) {
            char text[32] = "";
            const double v = value_at(of[m], longest->step[i]);
            if (!isnan(v)) gk_text_from_real(v, text);
            printf(",%s", text);
        }
        putchar('\n');
        *shown = longest->step[i];
    }
}

/* The newest value, "–" before there is one. */
static void newest(const gk_plot_curve *c, const char *format, char out[32])
{
    snprintf(out, 32, "–");
    for (int i = c ? c->n : 0; i-- > 0;) {
        if (isnan(c->value[i])) continue;
        snprintf(out, 32, strcmp(format, "loss") == 0 ? "%.2e" : "%.3f", c->value[i]);
        return;
    }
}

static void draw_line(const gk_picture *p)
{
    struct winsize size;
    const int columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
    char head[160];
    snprintf(head, sizeof head, "%.60s  %s %.0f", p->label, p->run.unit, p->run.last);
    printf("\r%.*s", columns - 1, head);
    int room = columns - 1 - (int)strlen(head);
    static const char *const names[] = {"loss", "acc"};
    for (int k = 0; k < 2; k++) { /* 24: the name, two numbers and blanks */
        const gk_plot_curve *train = gk_plot_run_curve(&p->run, metrics[2 * k]),
                            *test = gk_plot_run_curve(&p->run, metrics[2 * k + 1]);
        const int width = room / (2 - k) - 28 < SPARK ? room / (2 - k) - 28 : SPARK;
        char spark[3 * SPARK + 1] = "", a[32], b[32];
        if (width < 4) break;
        if (test) gk_plot_sparkline(spark, test->value, test->n, width, k == 0, k == 0 ? NAN : 0, k == 0 ? NAN : 1);
        newest(train, names[k], a);
        newest(test, names[k], b);
        printf("  %s %s train %s test %s", names[k], spark, a, b);
        room -= width + 28;
    }
    printf("\033[K");
}

static int look(const gk_cli *cli, int64_t run, bool terminal, double *shown, bool *training)
{
    gk_store *s = NULL;
    gk_picture p = {0};
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK) code = gk_picture_load(&p, s, run);
    for (int m = 0; m < METRICS && code == GK_OK; m++) code = gk_picture_add_curve(&p, s, metrics[m]);
    code = gk_cli_close(s, code);
    if (code == GK_OK) {
        *training = strcmp(p.row.status, "running") == 0;
        if (terminal)
            draw_line(&p);
        else
            print_rows(&p, shown);
        fflush(stdout);
        if (!*training)
            fprintf(stderr, "%s%s: %s at %s %.0f\n", terminal ? "\n" : "", p.label, p.row.status, p.run.unit,
                    p.run.last);
    }
    gk_picture_free(&p);
    return code;
}

int gk_cli_follow(const gk_cli *cli, const char *run)
{
    gk_store *s = NULL;
    int64_t id;
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK) code = gk_store_find_run(s, run, &id);
    code = gk_cli_close(s, code);
    if (code != GK_OK) return code;
    double shown = -1;
    gk_cli_signals_catch();
    if (!terminal) puts("step,train_loss,test_loss,train_accuracy,test_accuracy");
    for (bool training = true;;) {
        code = look(cli, id, terminal, &shown, &training);
        if (code != GK_OK || !training) return code;
        for (int i = 0; i < 10 && !gk_cli_signal(); i++) nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        if (!gk_cli_signal()) continue;
        if (terminal) putchar('\n');
        return gk_error(GK_INTERRUPTED, "stopped following; the run goes on");
    }
}
