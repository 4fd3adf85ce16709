/* manual.c: groklab.1 and the bash completion, from the table of commands. */
#include "cli.h"

#include <ctype.h>
#include <string.h>

/* ---- troff ---- */

/* Text with what troff would read as its own escaped: backslashes, dashes that must stay ASCII, leading dots. */
static void troff(FILE *out, const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) fputs("\\&", out);
        if (*text == '\\') fputs("\\e", out);
        else if (*text == '-') fputs("\\-", out);
        else fputc(*text, out);
        line_start = *text == '\n';
    }
}

static void troff_options(FILE *out, const gk_cli_option *rows)
{
    for (; rows && rows->name; rows++) {
        fputs(".TP\n", out);
        if (rows->letter) fprintf(out, ".BR \\-%c \", \" ", rows->letter);
        else fputs(".B ", out);
        fputs("\\-\\-", out);
        troff(out, rows->name);
        if (rows->value) fprintf(out, " %s", rows->value);
        fputc('\n', out);
        troff(out, rows->help);
        fputc('\n', out);
    }
}

static void troff_keys(FILE *out, const gk_key *keys)
{
    for (; keys && keys->name; keys++) {
        fprintf(out, ".TP\n.B %s\n", keys->name);
        troff(out, keys->help);
        if (keys->choices) fprintf(out, " (%s)", keys->choices);
        if (keys->value[0]) {
            fputs("; default ", out);
            troff(out, keys->value);
        }
        fputs(".\n", out);
    }
}

static void troff_command(FILE *out, const gk_command *c)
{
    fputs(".SS ", out);
    troff(out, c->name);
    fputc(' ', out);
    troff(out, c->usage);
    fputc('\n', out);
    fputc(toupper((unsigned char)c->summary[0]), out);
    troff(out, c->summary + 1);
    fputs(".\n", out);
    if (c->detail) {
        fputs(".PP\n", out);
        troff(out, c->detail);
        fputc('\n', out);
    }
    troff_options(out, c->options);
    if (c->listing) troff_options(out, gk_cli_listing);
}

void gk_manual_page(FILE *out, const gk_command *const *commands)
{
    fputs(".TH GROKLAB 1 \"\" \"groklab " GK_VERSION "\" \"User Commands\"\n"
          ".SH NAME\ngroklab \\- a laboratory for sudden generalisation\n"
          ".SH SYNOPSIS\n.B groklab\n[\\fB\\-\\-db\\fR FILE] COMMAND [words and options]\n"
          ".SH DESCRIPTION\nTrains a two-layer network, a one-layer transformer and a Recursive Feature Machine on the "
          "same split of the same modular arithmetic, keeps what each of them did in one SQLite database, and compares "
          "them.\n.PP\nA run is named by its id, a unique prefix of its uid, its name, or @last. Data goes to standard "
          "output, talk to standard error.\n.SH OPTIONS\nOf every command:\n",
          out);
    troff_options(out, gk_cli_common);
    fputs(".SH COMMANDS\n", out);
    for (; *commands; commands++) troff_command(out, *commands);
    fputs(".SH SETTINGS\nKeys of recipes and options of\n.BR \"groklab train\" .\n.SS Every method\n", out);
    troff_keys(out, gk_shared_keys);
    for (const char *const *name = gk_method_names; *name; name++) {
        const gk_method *m = gk_registry_method(*name, GK_F32);
        fprintf(out, ".SS %s\n", m->name);
        troff(out, m->summary);
        fprintf(out, "; a step is one %s.\n", m->unit);
        troff_keys(out, m->keys);
    }
    fputs(".SH EXIT STATUS\n"
          ".TP\n.B 0\nall went well\n.TP\n.B 1\nfailed, or a run diverged\n.TP\n.B 2\nusage: a word, option, key or value "
          "is wrong\n.TP\n.B 3\nno such run, split, checkpoint or database\n.TP\n.B 4\nthings differ: runs that share no "
          "split, settings in \\fBdiff\\fR\n.TP\n.B 5\nthe database is busy, or newer than this program\n"
          ".TP\n.BR 130 \", \" 143\ninterrupted by SIGINT or SIGTERM, after a clean checkpoint\n"
          ".SH ENVIRONMENT\n"
          ".TP\n.B GROKLAB_DB\nthe database where \\-\\-db is not given\n"
          ".TP\n.B GROKLAB_BUSY_MS\nhow long to wait for a locked database, in milliseconds (60000)\n"
          ".TP\n.B GROKLAB_ISA\nthe networks' instruction set in place of the best that this CPU has: base, v3, v4 or amx\n"
          ".TP\n.B OPENBLAS_CORETYPE\nwhere it is unset and OpenBLAS would mistake this CPU for an older one, groklab sets "
          "it and executes itself again\n"
          ".TP\n.B NO_COLOR\nno colours\n.SH FILES\n.TP\n.I runs/groklab.db\nthe default database\n"
          ".TP\n.I runs/*.ini\nrecipes\n",
          out);
}

/* ---- bash ---- */

static void words_of(FILE *out, const gk_cli_option *rows)
{
    for (; rows && rows->name; rows++) fprintf(out, " --%s", rows->name);
}

static bool has_key(const gk_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (strcmp(keys->name, name) == 0) return true;
    return false;
}

/* Every configuration key once. */
static void key_words(FILE *out)
{
    for (const gk_key *k = gk_shared_keys; k->name; k++) fprintf(out, " --%s", k->name);
    for (int m = 0; gk_method_names[m]; m++)
        for (const gk_key *k = gk_registry_method(gk_method_names[m], GK_F32)->keys; k->name; k++) {
            bool seen = has_key(gk_shared_keys, k->name);
            for (int e = 0; e < m; e++) seen = seen || has_key(gk_registry_method(gk_method_names[e], GK_F32)->keys, k->name);
            if (!seen) fprintf(out, " --%s", k->name);
        }
}

/* Does the usage name runs, files or methods? */
static const char *word_kind(const gk_command *c)
{
    if (strncmp(c->usage, "METHOD", 6) == 0) return "methods";
    if (strstr(c->usage, "RUN")) return strncmp(c->usage, "RECIPE", 6) == 0 ? "files" : "runs";
    return "files";
}

void gk_manual_completion(FILE *out, const gk_command *const *commands)
{
    fputs("# bash completion for groklab, made by 'groklab help --completion'\n"
          "_groklab_runs() { groklab ls --csv 2>/dev/null | awk -F, 'NR > 1 { print $1; print $3 }'; echo @last; }\n"
          "_groklab() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} command= i words= kind=files\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n        --db) ((i++)) ;;\n        -*) ;;\n"
          "        *) command=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n"
          "    case $command in\n",
          out);
    fputs("    '') words='--db --help --version", out);
    for (const gk_command *const *c = commands; *c; c++) fprintf(out, " %s", (*c)->name);
    fputs("' kind=none ;;\n", out);
    for (const gk_command *const *c = commands; *c; c++) {
        fprintf(out, "    %s) kind=%s words='", (*c)->name, word_kind(*c));
        words_of(out, gk_cli_common);
        words_of(out, (*c)->options);
        if ((*c)->listing) words_of(out, gk_cli_listing);
        if ((*c)->keys) key_words(out);
        if (strcmp((*c)->name, "help") == 0)
            for (const gk_command *const *other = commands; *other; other++) fprintf(out, " %s", (*other)->name);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n    if [[ $word != -* ]]; then\n        case $kind in\n"
          "        methods) words='",
          out);
    for (const char *const *m = gk_method_names; *m; m++) fprintf(out, "%s ", *m);
    fputs("' ;;\n        runs) words+=\" $(_groklab_runs)\" ;;\n"
          "        files) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n        esac\n    fi\n"
          "    COMPREPLY+=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
          "complete -o filenames -F _groklab groklab\n",
          out);
}
