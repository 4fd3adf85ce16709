/* plotting.c: what the kinds of pictures share. */
#include "plotting.h"

#include <stdlib.h>
#include <string.h>

int gk_plot_job_runs(gk_plot_job *job)
{
    if (!job->runs) job->runs = gk_calloc((size_t)job->n + 1, sizeof *job->runs);
    if (!job->runs) return GK_FAILED;
    for (int i = 0; i < job->n; i++) job->runs[i] = job->pictures[i].run;
    return GK_OK;
}

int gk_plot_split_list(gk_plot_list *out, const char *list)
{
    *out = (gk_plot_list){0};
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        if (length > 0) {
            if (out->n == GK_PLOT_LIST) return gk_error(GK_USAGE, "%s: at most %d entries", list, GK_PLOT_LIST);
            if (!(out->at[out->n] = gk_text("%.*s", (int)length, at))) return GK_FAILED;
            out->n++;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return GK_OK;
}

void gk_plot_list_free(gk_plot_list *l)
{
    for (int i = 0; i < l->n; i++) free((char *)l->at[i]);
    *l = (gk_plot_list){0};
}
