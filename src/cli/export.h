/* export.h: what cmd_export.c and its writers share. */
#ifndef GK_CLI_EXPORT_H
#define GK_CLI_EXPORT_H

#include "cli.h"

/* One member of an .npz archive: a whole .npy stream. */
typedef struct gk_npz_member {
    const char *name; /* without .npy */
    const unsigned char *npy;
    size_t size;
} gk_npz_member;

/* A ZIP archive of stored (uncompressed) members, as numpy.savez writes it; under 4 GiB in all. */
int gk_npz_write(FILE *out, const gk_npz_member *members, int n);

#endif
