/* page.c: the self-contained comparison page: its data as JSON, its behaviour and looks from page*.js and page.css,
 * which the Makefile turns into the bytes included below. */
#include "plot.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char script[] = {
#include "src/plot/page.js.inc"
#include "src/plot/page_charts.js.inc"
#include "src/plot/page_cells.js.inc"
#include "src/plot/page_matrices.js.inc"
};
static const unsigned char style[] = {
#include "src/plot/page.css.inc"
};

/* What curves may take together, in bytes, and about how many a point takes. */
enum { CURVE_BYTES = 1300000, POINT_BYTES = 26, MOST_POINTS = 2000 };

/* [[steps],[values],N]: what a linear or a logarithmic axis would show of the curve. */
static int put_curve(plot_buffer *b, const gk_plot_curve *c, int most)
{
    size_t n = (size_t)c->n;
    int *index = gk_alloc(2 * n + 2, sizeof *index);
    bool *keep = gk_calloc(n + 1, sizeof *keep);
    if (!index || !keep) {
        free(index);
        free(keep);
        return GK_FAILED;
    }
    double last = n ? c->step[n - 1] : 1, first = 1;
    for (size_t i = n; i-- > 0;)
        if (c->step[i] > 0) first = c->step[i];
    plot_scale scales[2] = {{PLOT_LINEAR, 0, last > 0 ? last : 1, false},
                            {PLOT_LOG, first, fmax(last, first * 2), true}};
    for (int s = 0; s < 2; s++) {
        int kept = c->n <= most ? c->n : plot_thin(c->step, c->value, c->n, &scales[s], most / 8, index);
        for (int i = 0; i < kept; i++) keep[c->n <= most ? i : index[i]] = true;
    }
    plot_puts(b, "{\"s\":[");
    for (size_t i = 0, any = 0; i < n; i++) {
        if (!keep[i]) continue;
        if (any++) plot_puts(b, ",");
        plot_put_real(b, c->step[i]);
    }
    plot_puts(b, "],\"v\":[");
    for (size_t i = 0, any = 0; i < n; i++) {
        if (!keep[i]) continue;
        if (any++) plot_puts(b, ",");
        plot_put_real(b, c->value[i]);
    }
    plot_putf(b, "],\"n\":%d}", c->n);
    free(index);
    free(keep);
    return GK_OK;
}

static bool is_symmetric(const gk_plot_frame *f)
{
    if (f->rows != f->cols) return false;
    double most = 0, apart = 0;
    size_t n = (size_t)f->rows;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            most = fmax(most, fabs(f->data[i * n + j]));
            apart = fmax(apart, fabs(f->data[i * n + j] - f->data[j * n + i]));
        }
    }
    return apart <= 1e-6 * most;
}

/* Diagonal in full, the rest as signed integers of `bits` bits, little-endian, in units of max / (2^(bits-1) - 1); a
 * symmetric matrix as its lower triangle. NaN is the lowest integer. */
static int put_frame(plot_buffer *b, const gk_plot_frame *f, int bits)
{
    size_t rows = (size_t)f->rows, cols = (size_t)f->cols, n = 0;
    bool symmetric = is_symmetric(f);
    double most = 0, top = bits == 8 ? 127 : 32767;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            if (i != j && isfinite(f->data[i * cols + j])) most = fmax(most, fabs(f->data[i * cols + j]));
    unsigned char *bytes = gk_alloc(rows * cols * 2 + 1, 1);
    if (!bytes) return GK_FAILED;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < (symmetric ? i : cols); j++) {
            double v = f->data[i * cols + j];
            long q = i == j || most == 0 ? 0 : isfinite(v) ? lround(v / most * top) : (long)-top - 1;
            bytes[n++] = (unsigned char)(q & 255);
            if (bits == 16) bytes[n++] = (unsigned char)(q >> 8 & 255);
        }
    }
    plot_putf(b, "{\"step\":%.17g,\"rows\":%d,\"cols\":%d,\"sym\":%s,\"bits\":%d,\"max\":", f->step, f->rows, f->cols,
              symmetric ? "true" : "false", bits);
    plot_put_real(b, most);
    plot_puts(b, ",\"diag\":[");
    for (size_t i = 0; i < rows && i < cols; i++) {
        char text[32];
        /* six digits are more than the colours and the other entries show */
        double v = f->data[i * cols + i];
        snprintf(text, sizeof text, isfinite(v) ? "%s%.6g" : "%snull", i ? "," : "", v);
        plot_puts(b, text);
    }
    plot_puts(b, "],\"data\":\"");
    plot_put_base64(b, bytes, n);
    plot_puts(b, "\"}");
    free(bytes);
    return GK_OK;
}

static void put_pairs(plot_buffer *b, const gk_plot_pair *pairs, int n)
{
    plot_puts(b, "{");
    for (int i = 0; i < n; i++) {
        if (i) plot_puts(b, ",");
        plot_put_json(b, pairs[i].key);
        plot_puts(b, ":");
        plot_put_json(b, pairs[i].value);
    }
    plot_puts(b, "}");
}

/* Frames and spectra by kind, in order of step. */
static int put_frames(plot_buffer *b, const gk_plot_run *run, int bits)
{
    int error = GK_OK;
    plot_puts(b, ",\"frames\":{");
    for (int i = 0, any = 0; i < run->n_frames && !error; i++) {
        bool seen = false;
        for (int j = 0; j < i; j++) seen = seen || strcmp(run->frames[j].kind, run->frames[i].kind) == 0;
        if (seen) continue;
        if (any++) plot_puts(b, ",");
        plot_put_json(b, run->frames[i].kind);
        plot_puts(b, ":[");
        for (int j = i, first = 1; j < run->n_frames && !error; j++) {
            if (strcmp(run->frames[j].kind, run->frames[i].kind) != 0) continue;
            if (!first) plot_puts(b, ",");
            first = 0;
            error = put_frame(b, &run->frames[j], bits);
        }
        plot_puts(b, "]");
    }
    plot_puts(b, "},\"spectra\":[");
    for (int i = 0; i < run->n_spectra; i++) {
        const gk_plot_spectrum *s = &run->spectra[i];
        plot_putf(b, "%s{\"step\":%.17g,\"source\":", i ? "," : "", s->step);
        plot_put_json(b, s->source);
        plot_puts(b, ",\"energy\":[");
        for (int k = 0; k < s->n; k++) {
            if (k) plot_puts(b, ",");
            plot_put_real(b, s->energy[k]);
        }
        plot_puts(b, "]}");
    }
    plot_puts(b, "]");
    return error;
}

static int put_run(plot_buffer *b, const gk_plot_page_run *r, int most, int bits)
{
    int error = GK_OK;
    plot_putf(b, "{\"id\":%lld,\"label\":", (long long)r->id);
    plot_put_json(b, r->run.label);
    plot_puts(b, ",\"method\":");
    plot_put_json(b, r->run.method);
    plot_puts(b, ",\"unit\":");
    plot_put_json(b, r->run.unit);
    plot_puts(b, ",\"uid\":");
    plot_put_json(b, r->uid);
    plot_puts(b, ",\"status\":");
    plot_put_json(b, r->status);
    plot_puts(b, ",\"started\":");
    plot_put_json(b, r->started_at);
    plot_puts(b, ",\"seconds\":");
    plot_put_real(b, r->wall_seconds);
    plot_puts(b, ",\"last\":");
    plot_put_real(b, r->run.last);
    plot_puts(b, ",\"events\":[");
    for (int i = 0; i < r->run.n_events; i++) {
        plot_puts(b, i ? ",{\"kind\":" : "{\"kind\":");
        plot_put_json(b, r->run.events[i].kind);
        plot_puts(b, ",\"step\":");
        plot_put_real(b, r->run.events[i].step);
        plot_puts(b, "}");
    }
    plot_puts(b, "],\"settings\":");
    put_pairs(b, r->settings, r->n_settings);
    plot_puts(b, ",\"curves\":{");
    for (int i = 0; i < r->run.n_curves && !error; i++) {
        if (i) plot_puts(b, ",\n");
        plot_put_json(b, r->run.curves[i].name);
        plot_puts(b, ":");
        error = put_curve(b, &r->run.curves[i], most);
    }
    plot_puts(b, "}");
    if (!error) error = put_frames(b, &r->run, bits);
    plot_puts(b, "}");
    return error;
}

/* How many points all curves have when none has more than `most`. */
static long curve_points(const gk_plot_page *page, int most)
{
    long points = 0;
    for (int r = 0; r < page->n; r++)
        for (int c = 0; c < page->runs[r].run.n_curves; c++) {
            int n = page->runs[r].run.curves[c].n;
            points += n < most ? n : most;
        }
    return points;
}

static int put_data(plot_buffer *b, const gk_plot_page *page)
{
    int most = MOST_POINTS, error = GK_OK;
    while (most > 64 && curve_points(page, most) > CURVE_BYTES / POINT_BYTES) most = most * 7 / 8;
    plot_puts(b, "{\"title\":");
    plot_put_json(b, page->title);
    plot_puts(b, ",\"task\":");
    plot_put_json(b, page->task);
    plot_puts(b, ",\"split\":");
    plot_put_json(b, page->split);
    plot_puts(b, ",\"version\":");
    plot_put_json(b, page->version);
    plot_putf(b, ",\"p\":%d,\"refresh\":%d,\"order\":", page->p, page->refresh);
    if (!page->order) plot_puts(b, "null");
    for (int i = 0; page->order && i < page->p - 1; i++) plot_putf(b, "%s%d", i ? "," : "[", (int)page->order[i]);
    if (page->order) plot_puts(b, "]");
    plot_puts(b, ",\"metrics\":{");
    for (int i = 0; i < page->n_metrics; i++) {
        if (i) plot_puts(b, ",");
        plot_put_json(b, page->metrics[i].name);
        plot_puts(b, ":[");
        plot_put_json(b, page->metrics[i].unit);
        plot_puts(b, ",");
        plot_put_json(b, page->metrics[i].description);
        plot_puts(b, "]");
    }
    plot_puts(b, "},\"sql\":");
    put_pairs(b, page->sql, page->n_sql);
    plot_puts(b, ",\"runs\":[");
    for (int r = 0; r < page->n && !error; r++) {
        if (r) plot_puts(b, ",\n");
        error = put_run(b, &page->runs[r], most, page->p > 80 ? 8 : 16);
    }
    plot_puts(b, "]}");
    return error;
}

int gk_plot_page_html(const gk_plot_page *page, char **html, size_t *n)
{
    plot_buffer b = {0};
    *html = NULL;
    /* the policy makes any request an error: the page is all there is */
    plot_puts(&b,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
              "script-src 'unsafe-inline'; img-src data:\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<link rel=\"icon\" href=\"data:,\">\n<title>");
    plot_put_html(&b, page->title ? page->title : "groklab");
    plot_puts(&b, "</title>\n<style>\n");
    plot_put(&b, (const char *)style, sizeof style);
    plot_puts(
        &b, "</style>\n</head>\n<body>\n<noscript>This page draws its figures with the script it carries; scripts are "
            "switched off.</noscript>\n<main id=\"page\"></main>\n<script type=\"application/json\" id=\"data\">");
    int error = put_data(&b, page);
    plot_puts(&b, "</script>\n<script>\n'use strict';\n");
    plot_put(&b, (const char *)script, sizeof script);
    plot_puts(&b, "</script>\n</body>\n</html>\n");
    if (!error && b.failed) error = GK_FAILED;
    if (error) {
        free(b.at);
        return error;
    }
    *html = b.at;
    *n = b.n;
    return GK_OK;
}
