/* comparing_words.c: what a comparison's numbers say, in a few sentences made from them. */
#include "comparing.h"

#include "gk_similarity.h"
#include "gk_structure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 8, COSINE_NODIAG = 1 };

/* The run's name where it tells the run from the others, else its label. */
static const char *name_of(const gk_comparison *c, int i)
{
    const gk_compared_run *r = &c->runs[i];
    bool unique = r->at.step < 0;
    for (int k = 0; k < c->n; k++) unique = unique && (k == i || strcmp(c->runs[k].row.name, r->row.name) != 0);
    return unique ? r->row.name : r->label;
}

/* ---- who generalised, and when ---- */

static void say_when(const gk_compared_run *r)
{
    const gk_cell *memorised = &r->facts[GK_FACT_MEMORISED], *grokked = &r->facts[GK_FACT_GROKKED];
    printf(" at %s %lld", r->row.step_unit, (long long)grokked->integer);
    if (memorised->type != GK_CELL_INTEGER) return;
    const long long delay = (long long)r->facts[GK_FACT_DELAY].integer;
    if (memorised->integer == 0)
        fputs(" (its training data fitted from the start)", stdout);
    else if (delay > 0)
        printf(" (%lld after memorising)", delay);
    else
        fputs(" (while memorising)", stdout);
}

static void say_why_not(const gk_compared_run *r)
{
    const gk_cell *best = &r->facts[GK_FACT_BEST];
    if (best->type == GK_CELL_REAL) printf(" (best test accuracy %.2g)", best->real);
}

static void say_generalised(const gk_comparison *c)
{
    int yes = 0, said = 0;
    bool earlier = false;
    for (int i = 0; i < c->n; i++) {
        yes += c->runs[i].facts[GK_FACT_GROKKED].type == GK_CELL_INTEGER;
        earlier = earlier || c->runs[i].at.step >= 0;
    }
    printf("%d of %d run%s %s", yes, c->n, c->n == 1 ? "" : "s", earlier ? "had generalised by then" : "generalised");
    for (int i = 0; i < c->n && yes <= NAMES_MAX; i++) {
        if (c->runs[i].facts[GK_FACT_GROKKED].type != GK_CELL_INTEGER) continue;
        printf("%s%s", said++ ? ", " : ": ", name_of(c, i));
        say_when(&c->runs[i]);
    }
    for (int i = 0, no = 0; i < c->n && c->n - yes <= NAMES_MAX; i++) {
        if (c->runs[i].facts[GK_FACT_GROKKED].type == GK_CELL_INTEGER) continue;
        printf("%s%s", no++ ? ", " : "; not ", name_of(c, i));
        say_why_not(&c->runs[i]);
    }
    puts(".");
}

/* ---- how alike the features are ---- */

static void say_pair(const gk_comparison *c, const gk_compared_pair *pair)
{
    printf("%s ~ %s (%.2g)", name_of(c, pair->a), name_of(c, pair->b), pair->values[COSINE_NODIAG]);
}

static void say_alike(const gk_comparison *c)
{
    int counts[GK_SIMILARITY_LEVELS + 1] = {0}, known = 0;
    const gk_compared_pair *most = NULL, *least = NULL;
    for (int i = 0; i < c->n_pairs; i++) {
        const gk_compared_pair *pair = &c->pairs[i];
        const double v = pair->values[COSINE_NODIAG];
        counts[gk_similarity_level(v)]++;
        if (isnan(v)) continue;
        known++;
        if (!most || v > most->values[COSINE_NODIAG]) most = pair;
        if (!least || v < least->values[COSINE_NODIAG]) least = pair;
    }
    if (known == 0) return;
    fputs("Feature matrices off their diagonals, by cosine: ", stdout);
    if (known > NAMES_MAX) {
        fputs("most alike ", stdout);
        say_pair(c, most);
        fputs(", least ", stdout);
        say_pair(c, least);
    }
    for (int l = 0, said = 0; l < GK_SIMILARITY_LEVELS; l++) {
        if (counts[l] == 0) continue;
        if (known > NAMES_MAX)
            printf("; %d of %d pairs %s", counts[l], known, gk_similarity_word(l));
        else
            printf("%s%s: ", said++ ? "; " : "", gk_similarity_word(l));
        for (int i = 0, k = 0; i < c->n_pairs && known <= NAMES_MAX; i++) {
            if (gk_similarity_level(c->pairs[i].values[COSINE_NODIAG]) != l) continue;
            if (k++) fputs(", ", stdout);
            say_pair(c, &c->pairs[i]);
        }
    }
    puts(".");
}

/* ---- what their blocks are made of ---- */

/* The function of the two inputs that a block in this order depends on. */
static const char *function_of(const char *ordering)
{
    static const char *const words[][2] = {{"toeplitz", "x - y"},
                                           {"hankel", "x + y"},
                                           {"toeplitz_dlog", "log x - log y"},
                                           {"hankel_dlog", "log x + log y"}};
    for (int i = 0; i < 4; i++)
        if (strcmp(ordering, words[i][0]) == 0) return words[i][1];
    return ordering;
}

static void say_structure(const gk_comparison *c)
{
    int said = 0;
    for (int by_chance = 0; by_chance < 2; by_chance++)
        for (int i = 0; i < c->n && c->n <= NAMES_MAX; i++) {
            const gk_compared_run *r = &c->runs[i];
            const gk_cell *order = &r->facts[GK_FACT_ORDERING], *share = &r->facts[GK_FACT_BEST_CIRCULANCE];
            if (order->type != GK_CELL_TEXT || share->type != GK_CELL_REAL) continue;
            if (gk_circulance_by_chance(share->real, r->split.task.p) != by_chance) continue;
            printf(said++ ? ", " : "Off-diagonal blocks: ");
            if (by_chance)
                printf("%s's has no structure (%.0f %% by chance)", name_of(c, i), 100 * share->real);
            else
                printf("%.0f %% of %s's is a function of %s", 100 * share->real, name_of(c, i),
                       function_of(order->text));
        }
    if (said) puts(".");
}

void gk_comparison_say(const gk_comparison *c)
{
    putchar('\n');
    say_generalised(c);
    if (c->wanted[COSINE_NODIAG]) say_alike(c);
    say_structure(c);
}
