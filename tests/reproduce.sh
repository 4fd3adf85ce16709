#!/bin/sh
# The published numbers, on runs of full size: Mallinar et al. 2024 (figures 2 and 5, Gaussian kernel, powers of the AGOP) and
# Nanda et al. 2023 (the mainline transformer). Minutes, so `make reproduce` and not `make test`. Prints TAP.
# Usage: tests/reproduce.sh [DB]   (GROKLAB names the program; the database is kept where DB says)
set -u
db=${1:-$(mktemp -d)/reproduce.db}
seeds=${SEEDS:-"0 1 2"}
n=0

# value SQL: the one row of a query; in one line, as the heading of a column is its SQL
value() { "$GROKLAB" sql --db "$db" --csv "$(printf %s "$1" | tr '\n' ' ')" | tail -n +2; }

# check NAME SQL: passes if the query's one value is 1; what it saw follows from the second column.
check() {
    n=$((n + 1))
    seen=$(value "$2")
    case $seen in
    1*) echo "ok $n - $1 ($seen)" ;;
    *) echo "not ok $n - $1 ($seen)" ;;
    esac
}

train() { "$GROKLAB" train "$@" --db "$db" --quiet >/dev/null || echo "# failed: train $*"; }

# first RUN THRESHOLD: SQL for the first step of a run with test accuracy over a threshold
first() { echo "(SELECT min(step) FROM metrics WHERE run = '$1' AND name = 'test_accuracy' AND value > $2)"; }
at() { echo "(SELECT value FROM metrics WHERE run = '$1' AND name = '$2' AND step = $3)"; }

for op in add sub mul div; do
    for seed in $seeds; do
        run="rfm-$op-$seed"
        train rfm --op $op --p 61 --split_seed "$seed" --measure_every 1 --checkpoint_every 0 --name "$run"
        check "quadratic RFM, $op, split $seed: over .9 at iteration 13 to 17" \
            "SELECT $(first "$run" .9) BETWEEN 13 AND 17, $(first "$run" .9)"
        check "quadratic RFM, $op, split $seed: circulant deviation at 30 under .0005, over .01 the wrong way round" \
            "SELECT $(at "$run" circulant_deviation 30) < .0005 AND $(at "$run" circulant_deviation_control 30) > .01,
                    $(at "$run" circulant_deviation 30), $(at "$run" circulant_deviation_control 30)"
    done
    for seed in $seeds; do
        run="mlp-$op-$seed"
        train mlp --op $op --p 61 --width 1024 --steps 20 --split_seed "$seed" --seed "$seed" --checkpoint_every 0 --name "$run"
        check "network of width 1024, $op, split $seed: over .99 by epoch 20" \
            "SELECT $(first "$run" .99) <= 20, $(first "$run" .99)"
    done
done

for seed in $seeds; do
    train rfm --kernel gaussian --p 61 --split_seed "$seed" --measure_every 0 --checkpoint_every 0 --name "gaussian-$seed"
    check "Gaussian RFM, split $seed: over .9 at iteration 14 to 18" \
        "SELECT $(first "gaussian-$seed" .9) BETWEEN 14 AND 18, $(first "gaussian-$seed" .9)"
done
train rfm --p 61 --agop_power 0.25 --measure_every 0 --checkpoint_every 0 --name power-quarter
check "agop_power .25 never generalises" \
    "SELECT max(value) < .5, max(value) FROM metrics WHERE run = 'power-quarter' AND name = 'test_accuracy'"
train rfm --kernel gaussian --centering off --p 61 --measure_every 0 --checkpoint_every 0 --name uncentred
check "the Gaussian RFM does not generalise without centring" \
    "SELECT max(value) < .9, max(value) FROM metrics WHERE run = 'uncentred' AND name = 'test_accuracy'"

"$GROKLAB" run runs/nanda_mainline.ini --db "$db" --quiet >/dev/null || echo "# failed: runs/nanda_mainline.ini"
check "mainline transformer memorises by epoch 1500" \
    "SELECT memorised_step <= 1500, memorised_step FROM run_summary WHERE run = 'mainline'"
check "mainline transformer generalises between 6,000 and 16,000" \
    "SELECT grokked_step BETWEEN 6000 AND 16000, grokked_step FROM run_summary WHERE run = 'mainline'"
check "restricted loss is about 3 at epoch 1400 and falls through the plateau" \
    "SELECT $(at mainline restricted_loss 1400) BETWEEN 2 AND 4 AND $(at mainline restricted_loss 3000)
          < $(at mainline restricted_loss 1400) - .5, $(at mainline restricted_loss 1400), $(at mainline restricted_loss 3000)"
check "restricted loss is below .5 before the test loss falls below 1" \
    "SELECT (SELECT min(step) FROM metrics WHERE run = 'mainline' AND name = 'restricted_loss' AND value < .5 AND step > 0)
          < (SELECT min(step) FROM metrics WHERE run = 'mainline' AND name = 'test_loss' AND value < 1),
            (SELECT min(step) FROM metrics WHERE run = 'mainline' AND name = 'restricted_loss' AND value < .5 AND step > 0),
            (SELECT min(step) FROM metrics WHERE run = 'mainline' AND name = 'test_loss' AND value < 1)"
check "excluded loss rises over 5 and stays" \
    "SELECT min(value) > 5, min(value) FROM metrics WHERE run = 'mainline' AND name = 'excluded_loss' AND step >=
            (SELECT grokked_step FROM run_summary WHERE run = 'mainline')"
check "weight norm falls from over 3300 to about 1000" \
    "SELECT max(value) > 3300 AND $(at mainline weight_norm_sq 15000) BETWEEN 800 AND 1300, max(value),
            $(at mainline weight_norm_sq 15000) FROM metrics WHERE run = 'mainline' AND name = 'weight_norm_sq' AND step >= 1000"
check "Gini coefficients rise" \
    "SELECT $(at mainline gini_embed 15000) > $(at mainline gini_embed 1000) + .2
        AND $(at mainline gini_neuron_logit 15000) > $(at mainline gini_neuron_logit 1000) + .2,
            $(at mainline gini_embed 1000), $(at mainline gini_embed 15000),
            $(at mainline gini_neuron_logit 1000), $(at mainline gini_neuron_logit 15000)"
check "3 to 7 key frequencies" \
    "SELECT json_array_length(detail, '\$.frequencies') BETWEEN 3 AND 7, detail FROM event JOIN run ON run.id = run_id
      WHERE name = 'mainline' AND kind = 'key_frequencies'"

# Every way to solve gives the same machine, up to p = 61: the slow half of a test program of `make test`.
solvers=$(dirname "$GROKLAB")/release/tests/test_rfm_solvers
if [ -x "$solvers" ]; then
    n=$((n + 1))
    if GROKLAB_SLOW=1 "$solvers" >"$db.solvers" 2>&1; then echo "ok $n - solvers agree at p = 31, 47 and 61"
    else echo "not ok $n - solvers agree at p = 31, 47 and 61"; sed 's/^/# /' "$db.solvers"; fi
fi
echo "1..$n"
