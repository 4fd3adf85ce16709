/* scale.c: axes. Linear ones tick at 1-2-5, logarithmic ones at decades (at 1-2-5 within few decades). */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The share of a logarithmic axis that the slot of 0 takes. */
#define ZERO_SLOT 0.07

double plot_scale_map(const plot_scale *s, double v)
{
    if (!isfinite(v)) return NAN;
    if (s->kind != PLOT_LOG) return (v - s->lo) / (s->hi - s->lo);
    double slot = s->zero ? ZERO_SLOT : 0;
    if (v <= 0) return s->zero && v == 0 ? 0 : NAN;
    return slot + (1 - slot) * (log(v / s->lo) / log(s->hi / s->lo));
}

plot_scale plot_scale_fit(plot_scale_kind kind, double lo, double hi, double pad)
{
    plot_scale s = {kind, lo, hi, false};
    if (!(lo <= hi)) { /* no data */
        s.lo = kind == PLOT_LOG ? 1 : 0;
        s.hi = kind == PLOT_LOG ? 10 : 1;
        return s;
    }
    if (kind == PLOT_LOG) {
        if (lo == hi) {
            s.lo = lo / 2;
            s.hi = hi * 2;
        } else {
            double grow = pow(hi / lo, pad);
            s.lo = lo / grow;
            s.hi = hi * grow;
        }
        return s;
    }
    if (lo == hi) {
        double by = lo == 0 ? 1 : fabs(lo) / 2;
        s.lo = lo - by;
        s.hi = hi + by;
    } else {
        s.lo = lo - pad * (hi - lo);
        s.hi = hi + pad * (hi - lo);
    }
    return s;
}

/* 10^e with raised digits. */
static void power_text(char *out, size_t size, int e)
{
    static const char *const digit[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    char plain[16];
    snprintf(plain, sizeof plain, "%d", e);
    snprintf(out, size, "10");
    for (const char *c = plain; *c; c++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s", *c == '-' ? "⁻" : digit[*c - '0']);
    }
}

/* m x 10^e, raised as its neighbours are, also where plot_number would write it plain. */
static void multiple_text(char *out, size_t size, int m, int e)
{
    const int n = snprintf(out, size, "%d×", m);
    power_text(out + n, size - (size_t)n, e);
}

void plot_number(char *out, size_t size, double v)
{
    if (isnan(v)) {
        snprintf(out, size, "–");
        return;
    }
    double a = fabs(v);
    const char *sign = v < 0 ? "−" : "";
    if (a != 0 && (a < 0.001 || a >= 99999.5)) {
        int e = (int)floor(log10(a));
        char power[24];
        double m = a / pow(10, e);
        if (m >= 9.995) {
            m /= 10;
            e++;
        }
        power_text(power, sizeof power, e);
        snprintf(out, size, "%s%.3g×%s", sign, m, power);
    } else if (a >= 999.5) {
        snprintf(out, size, "%s%.0f", sign, a);
    } else {
        snprintf(out, size, "%s%.3g", sign, a);
    }
}

void plot_hundredths(char *out, size_t size, double v)
{
    snprintf(out, size, isnan(v) ? "–" : "%s%.2f", v <= -0.005 ? "−" : "", fabs(v));
}

/* 1, 2 or 5 times a power of ten, at least `v`. */
static double nice(double v)
{
    double e = pow(10, floor(log10(v))), m = v / e;
    return e * (m <= 1.0000001 ? 1 : m <= 2.0000001 ? 2 : m <= 5.0000001 ? 5 : 10);
}

static int put(plot_tick *ticks, int n, double at, bool minor, const char *text)
{
    if (n == PLOT_TICKS) return n;
    ticks[n].at = at;
    ticks[n].minor = minor;
    snprintf(ticks[n].text, sizeof ticks[n].text, "%s", text);
    return n + 1;
}

static int linear_ticks(const plot_scale *s, int labels, plot_tick *ticks)
{
    double step = nice((s->hi - s->lo) / (labels < 1 ? 1 : labels));
    while (floor(s->hi / step + 1e-9) - ceil(s->lo / step - 1e-9) < 1)
        step = nice(step / 2.5); /* two labels at least */
    double largest = fmax(fabs(s->lo), fabs(s->hi));
    int decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0, n = 0;
    const bool fine = step < largest / 100; /* three digits would give neighbours one name */
    for (double i = ceil(s->lo / step - 1e-9); i * step <= s->hi + 1e-9 * step && n < PLOT_TICKS; i++) {
        double v = i * step;
        char text[24];
        if (i == 0)
            snprintf(text, sizeof text, "0");
        else if (largest >= 10000 && step >= 1000)
            snprintf(text, sizeof text, "%s%gk", v < 0 ? "−" : "", fabs(v) / 1000);
        else if ((decimals > 4 || largest >= 1e6) && !fine)
            plot_number(text, sizeof text, v);
        else
            snprintf(text, sizeof text, "%s%.*f", v < 0 ? "−" : "", decimals, fabs(v));
        n = put(ticks, n, v, false, text);
    }
    return n;
}

/* Labels at 1-2-5 where there is room, else at 1-3 where there is room or `threes` insists on it, else at decades. */
static int log_ticks(const plot_scale *s, int labels, bool threes, plot_tick *ticks)
{
    static const int few[] = {1, 2, 5};
    int from = (int)floor(log10(s->lo) + 1e-9), to = (int)ceil(log10(s->hi) - 1e-9), n = 0;
    double decades = log10(s->hi / s->lo);
    if (labels < 2) labels = 2;
    if (s->zero) n = put(ticks, n, 0, false, "0");
    int every = (int)ceil(decades / labels);
    if (every < 1) every = 1;
    bool plain = s->lo > 0.0009 && s->hi < 1.0001e4; /* all labels short as plain numbers */
    bool subdivide = decades * 3 <= labels + 1;      /* room for 1-2-5 */
    /* 3×10² beside 10² is no help to the eye unless one power stands alone */
    threes = !subdivide && (threes || (plain && decades * 2 <= labels + 1));
    for (int e = from; e <= to; e++) {
        for (int m = 1; m < 10; m++) {
            double v = m * pow(10, e);
            if (v < s->lo * (1 - 1e-9) || v > s->hi * (1 + 1e-9)) continue;
            bool major = (m == 1 && ((e % every) + every) % every == 0) || (m == 3 && threes);
            for (int i = 0; i < 3 && subdivide; i++) major = major || m == few[i];
            if (!major && (every > 1 || decades > 8) && m != 1) continue;
            char text[24] = "";
            if (major && m == 1 && !plain)
                power_text(text, sizeof text, e);
            else if (major && !plain)
                multiple_text(text, sizeof text, m, e);
            else if (major)
                plot_number(text, sizeof text, v);
            n = put(ticks, n, v, !major, text);
        }
    }
    return n;
}

static bool has_labels(const plot_tick *ticks, int n)
{
    int labelled = 0;
    for (int i = 0; i < n; i++) labelled += !ticks[i].minor && ticks[i].at != 0;
    return labelled >= 2;
}

int plot_scale_ticks(const plot_scale *s, int labels, plot_tick *ticks)
{
    if (s->kind == PLOT_PHASE) {
        /* a run that never grokked ends at 1: without one that did, that is the end */
        const char *const name[] = {"start", "memorised", s->hi > 1 ? "grokked" : "end", "end"};
        int n = 0;
        for (int i = 0; i < 4; i++)
            if (i - 1 >= s->lo - 1e-9 && i - 1 <= s->hi + 1e-9) n = put(ticks, n, i - 1, false, name[i]);
        return n;
    }
    if (s->kind == PLOT_LINEAR) return linear_ticks(s, labels, ticks);
    int n = log_ticks(s, labels, false, ticks);
    if (has_labels(ticks, n)) return n;
    /* more than a decade holds a 1 and a 3; less has ticks of the linear kind, at their logarithmic places */
    if (s->hi / s->lo > 10) return log_ticks(s, labels, true, ticks);
    return linear_ticks(s, labels < 4 ? labels : 4, ticks);
}
