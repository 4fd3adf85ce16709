/* ini_file.c: reads an INI file. inih reads the lines; what it does not tell its handler (line numbers, where a section
 * begins) is noted by the reader that feeds it. */
#include "ini_file.h"

#include <ini.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    gk_ini *ini;
    FILE *file;
    int line, code;
} reading;

/* Grows an array by one; NULL leaves it as it is. */
static void *one_more(void *array, int n, size_t size)
{
    void *more = realloc(array, (size_t)(n + 1) * size);
    if (!more) gk_error(GK_FAILED, "no memory for a recipe");
    return more;
}

static int add_section(reading *r, const char *name, size_t n)
{
    gk_ini *ini = r->ini;
    for (int i = 0; i < ini->n_sections; i++)
        if (strlen(ini->sections[i].name) == n && strncmp(ini->sections[i].name, name, n) == 0)
            return gk_error(GK_USAGE, "%s:%d: section [%.*s] is there already, in line %d", ini->path, r->line, (int)n,
                            name, ini->sections[i].line);
    gk_ini_section *more = one_more(ini->sections, ini->n_sections, sizeof *more);
    if (!more) return GK_FAILED;
    ini->sections = more;
    more[ini->n_sections] = (gk_ini_section){gk_text("%.*s", (int)n, name), r->line};
    return more[ini->n_sections++].name ? GK_OK : GK_FAILED;
}

/* inih knows comments behind a value that begin with ; and lines that begin with #, but not this. */
static void cut_comment(char *text)
{
    for (char *c = strchr(text, '#'); c; c = strchr(c + 1, '#'))
        if (c > text && (c[-1] == ' ' || c[-1] == '\t')) {
            memcpy(c, "\n", 2);
            return;
        }
}

/* What inih calls for each line, like fgets. Leading space goes, since inih would take an indented line for more of the
 * value above. */
static char *read_line(char *text, int room, void *stream)
{
    reading *r = stream;
    if (r->code != GK_OK || !fgets(text, room, r->file)) return NULL;
    r->line++;
    size_t n = strlen(text);
    if (n + 1 == (size_t)room && text[n - 1] != '\n' && !feof(r->file)) {
        r->code = gk_error(GK_USAGE, "%s:%d: the line is longer than %d characters", r->ini->path, r->line, room - 2);
        return NULL;
    }
    char *start = text;
    if (r->line == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0) start += 3;
    while (*start == ' ' || *start == '\t') start++;
    memmove(text, start, strlen(start) + 1);
    cut_comment(text);
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end) r->code = add_section(r, text + 1, (size_t)(end - text - 1));
    }
    return text;
}

static int take_item(void *user, const char *heading, const char *key, const char *value)
{
    reading *r = user;
    gk_ini *ini = r->ini;
    (void)heading; /* cut off after 49 characters; ours is whole */
    if (r->code != GK_OK) return 1;
    const int at = ini->n_sections - 1;
    const gk_ini_item *old = gk_ini_find(ini, at, key);
    if (old) {
        r->code = gk_error(GK_USAGE, "%s:%d: %s is set already, in line %d", ini->path, r->line, key, old->line);
        return 1;
    }
    gk_ini_item *more = one_more(ini->items, ini->n_items, sizeof *more);
    if (!more) {
        r->code = GK_FAILED;
        return 1;
    }
    ini->items = more;
    more[ini->n_items] = (gk_ini_item){at, r->line, gk_text("%s", key), gk_text("%s", value)};
    if (!more[ini->n_items].key || !more[ini->n_items].value) r->code = GK_FAILED;
    ini->n_items++;
    return 1;
}

int gk_ini_read(gk_ini *out, const char *path)
{
    reading r = {.ini = out};
    *out = (gk_ini){.path = path};
    r.file = fopen(path, "r");
    if (!r.file)
        return gk_error(errno == ENOENT ? GK_NOTFOUND : GK_FAILED, "cannot open the recipe %s: %s", path,
                        strerror(errno));
    r.code = add_section(&r, "", 0);
    const int bad_line = ini_parse_stream(read_line, &r, take_item, &r);
    if (r.code == GK_OK && ferror(r.file)) r.code = gk_error(GK_FAILED, "cannot read the recipe %s", path);
    fclose(r.file);
    if (r.code == GK_OK && bad_line > 0)
        r.code = gk_error(GK_USAGE, "%s:%d: neither 'key = value' nor '[section]' nor a comment", path, bad_line);
    return r.code;
}

void gk_ini_free(gk_ini *ini)
{
    for (int i = 0; i < ini->n_sections; i++) free(ini->sections[i].name);
    for (int i = 0; i < ini->n_items; i++) {
        free(ini->items[i].key);
        free(ini->items[i].value);
    }
    free(ini->sections);
    free(ini->items);
    *ini = (gk_ini){0};
}

const gk_ini_item *gk_ini_find(const gk_ini *ini, int section, const char *key)
{
    for (int i = 0; i < ini->n_items; i++)
        if (ini->items[i].section == section && strcmp(ini->items[i].key, key) == 0) return &ini->items[i];
    return NULL;
}
