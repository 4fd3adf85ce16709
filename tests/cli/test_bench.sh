#!/bin/sh
# bench: its rows and figures hang together, whatever the machine; bad options are refused.
. "$(dirname "$0")/tap.sh"

# rows QUERY: over the last run's rows, as the table r
rows() {
    sqlite3 :memory: "CREATE TABLE r AS SELECT value ->> 'loop' AS loop, value ->> 'method' AS method,
        value ->> 'cores' AS cores, value ->> 'runs' AS runs, value ->> 'samples' AS samples, value ->> 'ms' AS ms,
        value ->> 'best_ms' AS best_ms, value ->> 'mflop' AS mflop, value ->> 'gflops' AS gflops,
        value ->> 'peak_gflops' AS peak, value ->> 'share' AS share, value ->> 'dtype' AS dtype, value ->> 'isa' AS isa,
        value ->> 'blas_core' AS blas, value ->> 'blas_core_by' AS blas_by
        FROM json_each(CAST(readfile('out') AS TEXT)); $1"
}
# all_mlp NAME CONDITION: holds for as many rows of the MLP as there must be.
all_mlp() { same "$1" "$(rows "SELECT count(*) FROM r WHERE method = 'mlp' AND $2")" $((2 * counts)); }

works "the MLP as JSON" bench --only mlp --seconds 0.1 --json
valid_json "JSON"
same "no talk" "$(wc -c <err | tr -d ' ')" 0
cores=$(rows "SELECT max(cores) FROM r")
counts=$([ "$cores" -gt 1 ] && echo 2 || echo 1)
all_mlp "both widths on each number of cores" "loop IN ('mlp-256', 'mlp-1024')"
same "the peak of both types on each" \
    "$(rows "SELECT count(DISTINCT dtype || cores) FROM r WHERE loop = 'fma-peak' AND gflops > 0")" $((2 * counts))
all_mlp "shares are positive" "share > 0"
all_mlp "times are positive, the best is not over the median" "best_ms > 0 AND best_ms <= ms AND samples >= 3"
all_mlp "flops, time, rate and share agree" \
    "abs(mflop / ms * runs / gflops - 1) < 1e-9 AND abs(gflops / peak / share - 1) < 1e-9"
same "6 batch width p flops a step" \
    "$(rows "SELECT group_concat(DISTINCT round(mflop, 6)) FROM r WHERE method = 'mlp'")" "2.998272,11.993088"
all_mlp "58 steps an epoch fill the time asked for, not more" "samples * 58 * best_ms <= runs * (100 + 4 * 58 * ms)"
all_mlp "several cores: one run on each" "runs = cores"
[ ! -e t.db ]
ok "no database is made" $?

works "the RFM as JSON" bench --only rfm-61 --seconds 0.05 --cores 1 --json
same "an iteration has a share, too" "$(rows "SELECT share > 0 FROM r WHERE method = 'rfm'")" 1

works "--cores" bench --only mlp-256 --seconds 0.05 --cores 1 --csv
same "one row of the loop, two of the peak" "$(cut -d, -f1,3 out | tr '\n' ' ')" \
    "loop,cores fma-peak,1 fma-peak,1 mlp-256,1 "
works "a table" bench --only mlp-256 --seconds 0.05 --cores 1
prints "the machine and its peak" 'FMA peak, GFlop/s: [0-9]+ float32 and [0-9]+ float64 on 1$'
prints "the BLAS kernels" '^BLAS kernels [A-Za-z0-9]+, chosen by '
prints "headings" '^loop +cores +ms +best ms +MFlop +GFlop/s +type +of peak$'
prints "the loop" '^mlp-256 +1 +[0-9.e+-]+ +[0-9.e+-]+ +2\.9983 .* float32 '

GROKLAB_ISA=base OPENBLAS_CORETYPE=Nehalem "$GROKLAB" bench --only mlp-256 --seconds 0.05 --cores 1 --json >out 2>err
ok "an older instruction set" $?
same "the networks' yardstick is theirs" \
    "$(rows "SELECT isa || ' ' || (share > 0) FROM r WHERE method = 'mlp'")" "base 1"
same "a BLAS core of the user's is said to be" "$(rows "SELECT DISTINCT blas_by FROM r")" user
(unset OPENBLAS_CORETYPE && "$GROKLAB" bench --only mlp-256 --seconds 0.05 --cores 1 --json) >out 2>err
ok "without a BLAS core in the environment" $?
same "it is not the user's" "$(rows "SELECT count(*) FROM r WHERE blas_by IN ('openblas', 'groklab')")" 3

works "--list" bench --list --json
same "lists every loop with its flops" "$(rows "SELECT count(*) >= 8 AND count(loop) = count(*) FROM r")" 1
grep -q '"flops":"6 pairs' out
ok "says how flops are counted" $?

refuses "an unknown loop" 2 "no loop 'mpl'; did you mean 'mlp'" bench --only mpl
refuses "one of several is unknown" 2 "no loop 'quux'" bench --only mlp,quux
refuses "no time" 2 "--seconds: '0' is not" bench --seconds 0
refuses "a time that is no number" 2 "--seconds: 'fast' is not" bench --seconds fast
refuses "no core" 2 "--cores: '0' is not an integer from 1" bench --cores 0
refuses "more cores than there are" 2 "--cores: '100000' is not" bench --cores 100000
refuses "a word" 2 "usage: groklab bench" bench mlp
refuses "JSON and CSV" 2 "exclude each other" bench --json --csv
finish
