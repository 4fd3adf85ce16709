/* help.c: the overview, the help of one command, and the configuration keys, from the tables. */
#include "cli.h"

#include <math.h>
#include <string.h>

const gk_command *gk_help_find(const gk_command *const *commands, const char *name)
{
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0) return *commands;
    return NULL;
}

int gk_help_unknown(const gk_command *const *commands, const char *name)
{
    const char *names[64];
    int n = 0;
    for (; commands[n] && n < 63; n++) names[n] = commands[n]->name;
    names[n] = NULL;
    const char *near = gk_text_nearest(name, names);
    if (near) return gk_error(GK_USAGE, "unknown command '%s'; did you mean '%s'?", name, near);
    return gk_error(GK_USAGE, "unknown command '%s'; 'groklab help' lists them", name);
}

void gk_help_overview(FILE *out, const gk_command *const *commands)
{
    fputs("groklab trains an MLP, a transformer and a Recursive Feature Machine on the same split of the same modular\n"
          "arithmetic, keeps what each of them did in one SQLite file, and compares them.\n\n"
          "usage: groklab [--db FILE] COMMAND [words and options]\n\ncommands\n",
          out);
    for (; *commands; commands++) fprintf(out, "  %-9s %s\n", (*commands)->name, (*commands)->summary);
    fputs("\n'groklab help COMMAND' or 'groklab COMMAND --help' explains one; 'groklab help --keys' lists the settings;\n"
          "'groklab --version' prints the version. A run is named by its id, a unique prefix of its uid, its name or @last.\n"
          "The database is --db FILE, $GROKLAB_DB or runs/groklab.db. Data goes to stdout, talk to stderr.\n"
          "exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 differs, 5 database busy or too new, 130/143 interrupted\n",
          out);
}

static void print_options(FILE *out, const gk_cli_option *rows)
{
    for (; rows && rows->name; rows++) {
        char left[64];
        snprintf(left, sizeof left, "%s%c%s--%s%s%s", rows->letter ? "-" : " ", rows->letter ? rows->letter : ' ',
                 rows->letter ? ", " : "  ", rows->name, rows->value ? " " : "", rows->value ? rows->value : "");
        fprintf(out, "  %-26s %s\n", left, rows->help);
    }
}

void gk_help_command(FILE *out, const gk_command *c)
{
    fprintf(out, "groklab %s: %s\n\nusage: groklab %s %s\n", c->name, c->summary, c->name, c->usage);
    if (c->detail) fprintf(out, "\n%s\n", c->detail);
    fputs("\noptions\n", out);
    print_options(out, c->options);
    if (c->listing) print_options(out, gk_cli_listing);
    print_options(out, gk_cli_common);
    if (c->keys) {
        fputs("\nsettings, each as --key value or --key=value\n", out);
        gk_help_keys(out);
    }
}

/* "real 0 .. 1", "a|b|c", "text". */
static void range_of(const gk_key *k, char *out, size_t room)
{
    const char *type = k->type == GK_KEY_INT ? "integer" : "real";
    if (k->type == GK_KEY_CHOICE) snprintf(out, room, "%s", k->choices);
    else if (k->type == GK_KEY_TEXT) snprintf(out, room, "text");
    else if (k->max >= 1e12) snprintf(out, room, "%s, %.6g or more", type, k->min);
    else snprintf(out, room, "%s, %.6g to %.6g", type, k->min, k->max);
}

static void print_keys(FILE *out, const gk_key *keys)
{
    for (; keys && keys->name; keys++) {
        char range[160];
        range_of(keys, range, sizeof range);
        fprintf(out, "  %-17s %s (%s; default %s)\n", keys->name, keys->help, range,
                keys->value[0] ? keys->value : "empty");
    }
}

void gk_help_keys(FILE *out)
{
    fputs("every method\n", out);
    print_keys(out, gk_shared_keys);
    for (const char *const *name = gk_method_names; *name; name++) {
        const gk_method *m = gk_registry_method(*name, GK_F32);
        fprintf(out, "%s: %s; a step is one %s\n", m->name, m->summary, m->unit);
        print_keys(out, m->keys);
    }
}
