/* cmd_merge.c: groklab merge. */
#include "commands.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

/* OUT may stand among the INs, as it does in merge all.db *.db; it has its own runs already. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What a shard of a sweep writes is never where all of them go: OUT was forgotten, and a pattern stands first. */
static bool is_shard(const char *path)
{
    return fnmatch("*.shard-*-of-*", path, 0) == 0;
}

/* A name that is wrong is said before OUT is made or anything is merged. */
static int check_all(const gk_cli_args *args)
{
    int code = GK_OK, others = 0;
    for (int i = 1; i < args->n_words; i++) others += !same_file(args->words[0], args->words[i]);
    if (others == 0)
        return gk_error(GK_USAGE, "%s is all that there is to merge, and is itself where it would go; OUT.db comes first,"
                                  " then the IN.db ...", args->words[0]);
    for (int i = 1; code == GK_OK && i < args->n_words; i++) {
        gk_store *s = NULL;
        code = gk_store_open(&s, args->words[i], GK_STORE_READ);
        if (code == GK_OK) code = gk_store_close(s);
    }
    return code;
}

static int merge_all(gk_store *s, const gk_cli_args *args, gk_list *list)
{
    int code = GK_OK;
    for (int i = 1; code == GK_OK && i < args->n_words; i++) {
        gk_merge_count n;
        if (same_file(args->words[0], args->words[i])) continue;
        if ((code = gk_store_merge(s, args->words[i], &n)) != GK_OK) break;
        const gk_cell cells[] = {gk_cell_text(args->words[i]), gk_cell_int(n.added), gk_cell_int(n.updated),
                                 gk_cell_int(n.unchanged)};
        code = gk_list_row(list, cells);
    }
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    static const char *const names[] = {"file", "added", "updated", "unchanged"};
    gk_store *s = NULL;
    gk_list list = {0};
    (void)cli;
    if (gk_cli_given(args, "db"))
        return gk_error(GK_USAGE, "merge names its databases itself, OUT.db IN.db ...; leave out --db");
    if (is_shard(args->words[0]))
        return gk_error(GK_USAGE, "%s is one of the shards; the database that they go into comes first",
                        args->words[0]);
    int code = check_all(args);
    if (code == GK_OK) code = gk_store_open(&s, args->words[0], GK_STORE_CREATE);
    if (code == GK_OK) code = gk_list_begin(&list, stdout, gk_list_format_of(args), 4, names);
    if (code == GK_OK) code = merge_all(s, args, &list);
    if (list.out) gk_list_end(&list); /* files before one that fails are merged: they are said, too */
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_merge = {
    .name = "merge",
    .summary = "copies the runs of several databases into one",
    .usage = "OUT.db IN.db ...",
    .detail =
        "A run is known by its uid: what OUT has already is left alone, unless IN knows later news of it. Splits are\n"
        "stored once, by their content. Merging again changes nothing. OUT is made if it is missing.\n"
        "example: groklab merge runs/phase.db runs/phase.shard-*-of-8.db",
    .least = 2,
    .most = -1,
    .listing = true,
    .run = run,
};
