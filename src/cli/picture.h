/* picture.h: runs as the plot room wants them: plain series, matrices and events, read from the store. */
#ifndef GK_PICTURE_H
#define GK_PICTURE_H

#include "cli.h"
#include "gk_plot.h"
#include "gk_structure.h"

/* A run and everything read of it so far. `run` borrows from the rest and is current after each call below. */
typedef struct gk_picture {
    gk_plot_run run;
    gk_run_row row;
    gk_stored_split split;
    bool loaded;
    char *label, *group;
    gk_plot_pair *settings; /* sorted by key, as the run's configuration has them */
    int n_settings;
    gk_plot_curve *curves;
    gk_plot_event *events;
    gk_plot_frame *frames;
    gk_plot_spectrum *spectra;
} gk_picture;

/* Reads the run, its settings and its events; p must be zeroed or freed. */
int gk_picture_load(gk_picture *p, gk_store *s, int64_t run);
void gk_picture_free(gk_picture *p);

/* Reads one curve; one that the run does not have is left out. */
int gk_picture_add_curve(gk_picture *p, gk_store *s, const char *metric);
/* Reads all curves. */
int gk_picture_add_curves(gk_picture *p, gk_store *s);
/* GK_NOTFOUND, with the nearest name, unless some metric in the database is called so. */
int gk_picture_check_metric(gk_store *s, const char *metric);

/* The kind that stands for what the method has learnt: metric of an RFM, sqrt_agop of a network. */
const char *gk_picture_kind(const gk_picture *p);
/* Steps at which a matrix of a kind is stored, ascending; *steps is malloc'ed. */
int gk_picture_matrix_steps(const gk_picture *p, gk_store *s, const char *kind, double **steps, int *n);
/* GK_NOTFOUND for a step that the run has not reached; -1, its last, is always there. */
int gk_picture_check_step(const gk_picture *p, int64_t step);
/* Reads the newest matrix of a kind at or before a step (-1: the last). GK_NOTFOUND. */
int gk_picture_add_frame(gk_picture *p, gk_store *s, const char *kind, int64_t step);
/* Keeps `energy` [n], malloc'ed, also when it fails. */
int gk_picture_put_spectrum(gk_picture *p, const char *source, double step, double *energy, int n);
/* The energies of a feature matrix's off-diagonal block, in the order that the task's operation calls for. */
int gk_picture_add_block_spectrum(gk_picture *p, const gk_plot_frame *frame);

/* Spectra of what a checkpoint gives at each stored step, at most `most` of them: "embed", the squared norms of the
 * embedding (a network's rows, see gk_method) along each frequency, or "outputs", the energies of the outputs on all
 * cells along cos and sin of k (u(x) + v(y)). GK_USAGE if the method has none. In spectra.c. */
int gk_picture_add_spectra(gk_picture *p, gk_store *s, const char *source, int most);

/* A name for each run that tells it from the others, and for runs that differ in seeds only one group. */
int gk_picture_name(gk_picture *pictures, int n, bool each);

#endif
