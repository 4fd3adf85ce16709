/* train.c: step, evaluate, measure, checkpoint. One loop for every method; it never asks which one it has. */
#include "gk_train.h"

#include <math.h>

static const double MEMORISED_AT = 0.99, GROKKED_AT = 0.95;

typedef struct loop {
    const gk_method *method;
    gk_model *model;
    const gk_split *split;
    const gk_train_hooks *hooks;
    gk_train_state *state;
    int64_t steps, eval_every, measure_every, checkpoint_every, stop_hold;
    double stop_at;
    gk_progress progress;
} loop;

/* A cadence of 0 means only at the end. */
static bool due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

static int say(const loop *l, const char *name, double value)
{
    return l->hooks->metric ? l->hooks->metric(l->hooks->context, l->state->step, name, value) : GK_OK;
}

static int happen(const loop *l, int64_t step, const char *kind)
{
    return l->hooks->event ? l->hooks->event(l->hooks->context, step, kind, NULL) : GK_OK;
}

static int say_reported(void *context, const char *name, double value) { return say(context, name, value); }

static int score_part(loop *l, const int32_t *cells, int n, const char *const names[3], gk_score *score,
                      gk_output_rows *rows)
{
    int code = l->method->score(l->model, cells, n, score, rows);
    if (code != GK_OK) return code;
    if ((code = say(l, names[0], score->loss)) != GK_OK) return code;
    if ((code = say(l, names[1], score->accuracy)) != GK_OK) return code;
    if ((code = say(l, names[2], score->correct_loss)) != GK_OK) return code;
    if (!isfinite(score->loss))
        return gk_error(GK_DIVERGED, "%s is %g at step %lld", names[0], score->loss, (long long)l->state->step);
    return GK_OK;
}

/* The start of the current stretch in which `accuracy` stays at or above `level`, or -1. */
static int64_t stretch(int64_t since, int64_t step, double accuracy, double level)
{
    if (!(accuracy >= level)) return -1;
    return since < 0 ? step : since;
}

/* The second of two tasks: its train cells stand behind the first's. */
static int evaluate_second(loop *l)
{
    static const char *const train_names[] = {"second_train_loss", "second_train_accuracy", "second_train_correct_loss"};
    static const char *const test_names[] = {"second_test_loss", "second_test_accuracy", "second_test_correct_loss"};
    const gk_split *s = l->split;
    gk_score score;
    int code = GK_OK;
    if (s->n_learn > s->n_train)
        code = score_part(l, s->learn + s->n_train, s->n_learn - s->n_train, train_names, &score, NULL);
    return code == GK_OK && s->n_second_test > 0
               ? score_part(l, s->second_test, s->n_second_test, test_names, &score, NULL)
               : code;
}

/* The outputs of the train and test cells may stay in `rows` (NULL allowed). */
static int evaluate(loop *l, gk_output_rows *rows)
{
    static const char *const train_names[] = {"train_loss", "train_accuracy", "train_correct_loss"};
    static const char *const test_names[] = {"test_loss", "test_accuracy", "test_correct_loss"};
    gk_train_state *s = l->state;
    gk_score train, test;
    int code = score_part(l, l->split->train, l->split->n_train, train_names, &train, rows);
    if (code != GK_OK) return code;
    l->progress.train_loss = train.loss;
    l->progress.train_accuracy = train.accuracy;
    if (s->memorised < 0 && train.accuracy >= MEMORISED_AT) {
        s->memorised = s->step;
        if ((code = happen(l, s->step, "memorised")) != GK_OK) return code;
    }
    if (l->split->n_test > 0) {
        code = score_part(l, l->split->test, l->split->n_test, test_names, &test, rows);
        if (code != GK_OK) return code;
        l->progress.test_loss = test.loss;
        l->progress.test_accuracy = test.accuracy;
        int64_t grokked = stretch(s->grokked, s->step, test.accuracy, GROKKED_AT);
        if (grokked != s->grokked) {
            s->grokked = grokked;
            if ((code = happen(l, grokked, "grokked")) != GK_OK) return code;
        }
        s->held_since = stretch(s->held_since, s->step, test.accuracy, l->stop_at);
    }
    if (l->split->two && (code = evaluate_second(l)) != GK_OK) return code;
    return l->method->report ? l->method->report(l->model, say_reported, l) : GK_OK;
}

/* After an evaluation: was stop_at reached and held for stop_hold steps? */
static bool held(const loop *l)
{
    const gk_train_state *s = l->state;
    return l->stop_at > 0 && s->held_since >= 0 && s->step - s->held_since >= l->stop_hold;
}

/* Everything that is due once the model stands at state->step. */
static int visit(loop *l, bool *last)
{
    const gk_train_hooks *h = l->hooks;
    const int64_t step = l->state->step;
    int code = GK_OK;
    const bool ends = step >= l->steps, evaluated = ends || due(step, l->eval_every);
    const bool looked_at = ends || due(step, l->measure_every) || due(step, l->checkpoint_every);
    if (evaluated) {
        gk_output_rows *rows = looked_at && h->outputs ? h->outputs(h->context, step) : NULL;
        if ((code = evaluate(l, rows)) != GK_OK) return code;
    }
    *last = ends || (evaluated && held(l));
    if (h->measure && (*last || due(step, l->measure_every)) &&
        (code = h->measure(h->context, step, l->model, *last)) != GK_OK)
        return code;
    if (h->checkpoint && (*last || due(step, l->checkpoint_every)))
        code = h->checkpoint(h->context, step, l->model, true);
    return code;
}

int gk_train(const gk_method *method, gk_model *model, const gk_config *config, const gk_split *split,
             const gk_train_hooks *hooks, gk_train_state *state)
{
    loop l = {.method = method, .model = model, .split = split, .hooks = hooks, .state = state};
    l.steps = gk_config_int(config, "steps");
    l.eval_every = gk_config_int(config, "eval_every");
    l.measure_every = gk_config_int(config, "measure_every");
    l.checkpoint_every = gk_config_int(config, "checkpoint_every");
    l.stop_at = gk_config_real(config, "stop_at");
    l.stop_hold = gk_config_int(config, "stop_hold");
    l.progress = (gk_progress){.step = state->step, .steps = l.steps, .train_loss = NAN, .train_accuracy = NAN,
                               .test_loss = NAN, .test_accuracy = NAN};
    const double start = gk_seconds();
    const int64_t first = state->step;
    /* A run that ended at its last checkpoint, but was killed before that was written down, must not go on. */
    bool last = state->step >= l.steps || (!state->fresh && due(state->step, l.eval_every) && held(&l));
    int code = GK_OK;
    if (state->fresh) {
        state->fresh = false;
        if ((code = visit(&l, &last)) != GK_OK) return code;
    }
    while (!last) {
        if (hooks->stop && hooks->stop(hooks->context)) {
            if (hooks->checkpoint && (code = hooks->checkpoint(hooks->context, state->step, model, false)) != GK_OK)
                return code;
            return gk_error(GK_INTERRUPTED, "interrupted at step %lld", (long long)state->step);
        }
        if ((code = method->step(model, NULL)) != GK_OK) return code;
        state->step++;
        if ((code = visit(&l, &last)) != GK_OK) return code;
        l.progress.step = state->step;
        l.progress.seconds = gk_seconds() - start;
        l.progress.steps_per_second = (double)(state->step - first) / l.progress.seconds;
        if (hooks->progress && (code = hooks->progress(hooks->context, &l.progress)) != GK_OK) return code;
    }
    return GK_OK;
}
