#!/bin/sh
# compare: runs side by side, their feature matrices in pairs, stored; and what is refused.
. "$(dirname "$0")/tap.sh"
split="--p 13 --train_fraction 0.5"
"$GROKLAB" train mlp $split --width 32 --steps 30 --measure_every 10 -q --name a >/dev/null
"$GROKLAB" train rfm $split --steps 6 --measure_every 2 -q --name m >/dev/null
"$GROKLAB" train transformer $split --steps 20 --d_model 16 --n_heads 2 --d_mlp 32 -q --name t >/dev/null
"$GROKLAB" train rfm $split --op sub --steps 3 -q --name other >/dev/null

works "three methods" compare a m t
prints "the split is said" '^3 runs on split 1: add mod 13, 84 training pairs \(0.5\)'
prints "the RFM's matrix is its metric" '^2 m +metric '
prints "the networks' is the root of the AGOP" '^3 t +sqrt_agop '
same "three pairs of six measures are stored" "$(query 'SELECT count(*), count(DISTINCT measure) FROM comparison')" "18|6"
before=$(query 'SELECT * FROM comparison')
works "again" compare t m a
same "in another order they are the same rows" "$(query 'SELECT * FROM comparison')" "$before"

works "pairs" compare a m --pairs --csv
cosine=$(tail -1 out | cut -d, -f7)
same "pairs --csv" "$(head -1 out)" "run_a,step_a,kind_a,run_b,step_b,kind_b,cosine,cosine_nodiag,pearson,pearson_nodiag,line_distance,key_overlap"
same "what is printed is what is stored" "$(query "SELECT abs(value - $cosine) <= 1e-15 FROM comparison
    WHERE run_a = 1 AND run_b = 2 AND measure = 'cosine'")" 1
same "a matrix is parallel to itself" "$("$GROKLAB" compare a a --pairs --csv | tail -1 | cut -d, -f7-10 | tr , '\n' |
    awk '{ if ($1 > 1 - 1e-12 && $1 < 1 + 1e-12) n++ } END { print n }')" 4

# The cosine of the two stored matrices, worked out again from their numbers.
"$GROKLAB" export a --matrix sqrt_agop --format csv >a.csv
"$GROKLAB" export m --matrix metric --format csv >m.csv
same "cosine and its like without diagonal, from the exported matrices" "$(paste -d, a.csv m.csv | awk -F, -v cosine="$cosine" \
    -v rest="$(cut -d, -f8 out | tail -1)" '{
        n = NF / 2
        for (j = 1; j <= n; j++) {
            xy += $j * $(n + j); xx += $j * $j; yy += $(n + j) * $(n + j)
            if (j != NR) { uv += $j * $(n + j); uu += $j * $j; vv += $(n + j) * $(n + j) }
        }
    } END {
        d = xy / sqrt(xx * yy) - cosine; e = uv / sqrt(uu * vv) - rest
        print (d < 1e-12 && d > -1e-12 && e < 1e-12 && e > -1e-12)
    }')" 1

works "json" compare a m t --json
valid_json "json is JSON"
json() { sqlite3 :memory: "SELECT json_extract(CAST(readfile('out') AS TEXT), '$1')"; }
same "json has runs" "$(json '$.runs[1].method')" rfm
same "json has pairs" "$(json '$.pairs[2].kind_b')" sqrt_agop
same "json: grokking facts are those of the database" "$(json '$.runs[1].memorised_step')" \
    "$(query "SELECT step FROM event WHERE run_id = 2 AND kind = 'memorised'")"
same "json: final accuracy" "$(json '$.runs[0].test_accuracy')" \
    "$(query "SELECT test_accuracy FROM curves WHERE run_id = 1 AND step = 30")"
same "json: best accuracy" "$(json '$.runs[0].best_test_accuracy')" "$(query "SELECT max(test_accuracy) FROM curves WHERE run_id = 1")"
works "csv" compare a m t --csv
same "csv has the runs" "$(cut -d, -f3 out | tr '\n' ' ')" "name a m t "

works "steps" compare a@10 a@30 m@2 --pairs --csv
same "a run at its steps" "$(cut -d, -f2,5 out | tail -n +2 | tr '\n' ' ')" "10,30 10,2 30,2 "
works "another kind" compare a t --kind nfm --pairs --csv
same "another kind is used" "$(tail -1 out | cut -d, -f3,6)" "nfm,nfm"
works "and what is said of it" compare a t --kind nfm --json
"$GROKLAB" export a --matrix nfm --format csv >nfm.csv
same "is said of that matrix: trace, and share of the block that x - y makes" "$(awk -F, -v trace="$(json '$.runs[0].trace')" \
    -v circulance="$(json '$.runs[0].circulance')" '{
        n = NF; p = n / 2; sum += $NR
        for (j = 1; NR > p && j <= p; j++) { g[(NR - p - j + n) % p] += $j; t += $j; q += $j * $j }
    } END {
        for (k in g) kept += g[k] * g[k] / p
        d = sum / trace - 1; e = (kept - t * t / (p * p)) / (q - t * t / (p * p)) - circulance
        print (d < 1e-9 && d > -1e-9 && e < 1e-9 && e > -1e-9)
    }' nfm.csv)" 1
works "a kind that one lacks" compare a m --kind nfm
says "is said" "run 2 m has no matrix of kind nfm"

refuses "different splits" 4 "runs 1 a and 4 other have different splits .*--across-splits" compare a other
works "--across-splits" compare a other --across-splits
prints "across splits" '^2 runs on several splits'
refuses "no such run" 3 "." compare a nobody
refuses "no such step" 3 "there is no step 99" compare a@99 m
refuses "a negative step" 2 "a step after @ is 0 or more" compare a@-3 m
finish
