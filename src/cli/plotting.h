/* plotting.h: a picture in the making: what cmd_plot.c, plot_maps.c and plot_grid.c share; plotting.c unless said. */
#ifndef GK_PLOTTING_H
#define GK_PLOTTING_H

#include "picture.h"

typedef struct gk_plot_job {
    const gk_cli_args *args;
    gk_store *store;
    int n; /* runs named */
    gk_picture *pictures;
    int64_t *steps;    /* RUN@STEP, -1 without one */
    gk_plot_run *runs; /* views of the pictures, see gk_plot_job_runs */
    gk_plot_options options;
    double dpi;
    gk_plot_figure *figure;
} gk_plot_job;

/* Points job->runs at the pictures as they are now. */
int gk_plot_job_runs(gk_plot_job *job);

enum { GK_PLOT_LIST = 64 };
typedef struct gk_plot_list {
    const char *at[GK_PLOT_LIST + 1]; /* malloc'ed, NULL-terminated */
    int n;
} gk_plot_list;
/* The entries of a comma-separated list (NULL: none). Free also when it fails. */
int gk_plot_split_list(gk_plot_list *out, const char *list);
void gk_plot_list_free(gk_plot_list *l);

/* Makers of job->figure; the others are in cmd_plot.c. */
int gk_plot_make_matrix(gk_plot_job *job); /* plot_maps.c */
int gk_plot_make_compare(gk_plot_job *job);
int gk_plot_make_grid(gk_plot_job *job); /* plot_grid.c */

#endif
