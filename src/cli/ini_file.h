/* ini_file.h: the lines of an INI file, kept with their places so that every error can name file:line. Values are plain
 * text; recipes and sweeps give them their meaning. */
#ifndef GK_CLI_INI_FILE_H
#define GK_CLI_INI_FILE_H

#include "cli.h"

typedef struct gk_ini_item {
    int section, line;
    char *key, *value;
} gk_ini_item;

typedef struct gk_ini_section {
    char *name; /* "" before the first heading */
    int line;
} gk_ini_section;

typedef struct gk_ini {
    const char *path; /* borrowed */
    gk_ini_section *sections;
    gk_ini_item *items;
    int n_sections, n_items;
} gk_ini;

/* Refuses repeated sections and keys. To be freed after a failure, too. */
int gk_ini_read(gk_ini *out, const char *path);
void gk_ini_free(gk_ini *ini);
/* A section's item, or NULL. */
const gk_ini_item *gk_ini_find(const gk_ini *ini, int section, const char *key);

#endif
