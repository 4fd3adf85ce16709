/* gk_config.h: typed settings. A key is one row of a table; options, help, validation, the JSON in the
 * database and the recipe reader all follow from the rows. Lives in src/base. */
#ifndef GK_CONFIG_H
#define GK_CONFIG_H

#include "gk_base.h"

typedef enum gk_key_type { GK_KEY_INT, GK_KEY_REAL, GK_KEY_CHOICE, GK_KEY_TEXT } gk_key_type;

typedef struct gk_key {
    const char *name;
    gk_key_type type;
    const char *value;   /* default, as text */
    double min, max;     /* inclusive range of a number */
    const char *choices; /* "a|b|c" for GK_KEY_CHOICE, else NULL */
    const char *help;    /* one line */
} gk_key;

typedef struct gk_setting {
    const gk_key *key;
    char *text; /* canonical: numbers in their shortest form */
    int64_t integer;
    double real;
} gk_setting;

enum { GK_CONFIG_MAX = 64 };

typedef struct gk_config {
    gk_setting settings[GK_CONFIG_MAX];
    int n;
    const char *(*owner)(const char *key); /* for the error line: whose setting an unknown key is, or NULL; may be NULL */
} gk_config;

/* Starts empty. */
void gk_config_init(gk_config *c);
/* Adds every row of a table that ends with a NULL name; a row whose name is there already replaces it
 * (that is how a method overrides a shared default). */
int gk_config_add(gk_config *c, const gk_key *table);
/* Parses, checks range or choice and stores. `where` is "recipe.ini:12" or "--lr" for the error line, which
 * names the value, the place and what would be accepted; an unknown key names the nearest one. GK_USAGE. */
int gk_config_set(gk_config *c, const char *key, const char *text, const char *where);
void gk_config_free(gk_config *c);
int gk_config_copy(gk_config *to, const gk_config *from); /* deep; `to` need not be initialised */

/* Borrowed row, or NULL. */
const gk_setting *gk_config_find(const gk_config *c, const char *key);

/* The value of a key that the reader knows to be there (asserted). Text is borrowed. */
int64_t gk_config_int(const gk_config *c, const char *key);
double gk_config_real(const gk_config *c, const char *key);
const char *gk_config_text(const gk_config *c, const char *key);
bool gk_config_is(const gk_config *c, const char *key, const char *choice);

/* {"key":value,...} sorted by key, numbers unquoted; malloc'ed. Equal settings give equal bytes. */
char *gk_config_json(const gk_config *c);

#endif
