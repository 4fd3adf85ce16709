#!/bin/sh
# train, ls, show, log, diff, measure, doctor, resume and interruptions on a small real database.
. "$(dirname "$0")/tap.sh"
small="--p 13 --width 32 --steps 20 --measure_every 5 --checkpoint_every 5"

works "train mlp" train mlp $small --seed=1
same "train prints the id" "$(cat out)" 1
says "train tells the end" '^mlp-add-13  finished at epoch 20 after'
works "train rfm, dashes for underscores" train rfm --p 13 --steps 8 --train-fraction 0.5 --quiet
[ ! -s err ]
ok "--quiet says nothing" $?
works "train transformer" train transformer --p 13 --train_fraction 0.5 --steps 30 --d_model 16 --n_heads 2 --d_mlp 32 --name tiny --eval_every 5
says "events are told" '^tiny  finished'
works "train mlp on mul" train mlp $small --op mul --lr 0.002 --seed 1 -q

works "ls" ls
same "ls lists every run" "$(wc -l <out)" 5
prints "ls has names" ' tiny  +transformer  add  13 '
gk ls --method mlp --csv
same "ls --method" "$(cut -d, -f1 out | tr '\n' ' ')" "run 1 4 "
gk ls --op mul --csv
same "ls --op" "$(cut -d, -f1 out | tail -1)" 4
gk ls --split 1 --csv
same "ls --split" "$(wc -l <out)" 4
works "ls --json" ls --json
valid_json "ls --json is JSON"
same "ls --json has whole uids" "$(sqlite3 :memory: "SELECT length(json_extract(CAST(readfile('out') AS TEXT), '\$[0].uid'))")" 32
works "ls of nothing" ls --status diverged
says "ls of nothing says so" 'no such runs'
gk train mlp --p 1009 --init_file missing.npz
says "what the measures of a large p need is said before" 'all p x p pairs, 8.2 GB'
gk train mlp --p 1009 --init_file missing.npz --measures none
grep -q pairs err
same "but not where there are none" $? 1
refuses "ls: unknown method" 2 "did you mean 'rfm'" ls --method rmf
refuses "ls: unknown status" 2 "'done' is not running, finished" ls --status done

works "show" show tiny
prints "show has settings" '^  d_mlp +32$'
prints "show has the split" '^split_generator +philox$'
prints "show has checkpoints" '^  weights +stored [0-9]+'
works "show --json" show 1 --json
valid_json "show --json is JSON"
same "show --json nests settings" "$(sqlite3 :memory: "SELECT json_extract(CAST(readfile('out') AS TEXT), '\$.settings.width')")" 32
works "show --csv" show @last --csv
prints "show --csv has parts" '^settings,op,mul$'
refuses "show of no run" 3 "." show 99
refuses "show of a misspelt name suggests" 3 "tiny" show tyny

works "log" log 1
same "log has every evaluation" "$(wc -l <out)" 22
works "log --metrics" log 1 --metrics circulance,trace --from 5 --to 15 --csv
same "log --metrics has the measured steps" "$(cut -d, -f1 out | tr '\n' ' ')" "step 5 10 15 "
full=$(sed -n 2p out | cut -d, -f2)
same "log gives numbers in full" "$(query "SELECT abs(value - $full) <= 2.3e-16 * abs(value) FROM metrics
    WHERE run_id = 1 AND name = 'circulance' AND step = 5")" 1
works "log --every" log 1 --every 10 --json
valid_json "log --json is JSON"
works "log --names" log 1 --names
prints "log --names describes" 'test_accuracy .*share of test cells'
refuses "log: unknown metric suggests" 3 "did you mean 'circulance'" log 1 --metrics circulanse
refuses "log: a bad step" 2 "'x' is not an integer" log 1 --from x

gk diff 1 4
same "diff: status 4 where settings differ" "$status" 4
prints "diff has the setting" '^lr +0.001 +0.002$'
prints "diff has the operation" '^op +add +mul$'
same "diff has nothing else" "$(wc -l <out)" 4
[ ! -s err ]
ok "diff says no more" $?
works "diff of equals: status 0" diff 1 1
[ ! -s out ]
ok "diff of equals: nothing" $?
gk diff 1 2 --json
valid_json "diff --json is JSON"

works "measure" measure 1 --only weights,circulance
prints "measure tells the time of a family" '^  +1 +structure +[0-9]+ '
works "measure --list" measure --list
prints "measure --list describes" '^structure +circulance'
refuses "measure: unknown measure" 2 "unknown measure .circulanze.*measure --list" measure 1 --only circulanze
works "measure --ablate" measure tiny --ablate
prints "measure --ablate has one family" '^  +3 +ablation +[1-9]'
works "what a class adds to the AGOP, on request" measure 1 tiny rfm-add-13 --only agop_class
same "a matrix and a trace a class at every checkpoint" "$(query "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM matrix
    WHERE kind GLOB 'agop_class*' GROUP BY run_id ORDER BY run_id)")" \
    "$(query "SELECT group_concat(13 * n) FROM (SELECT count(*) AS n FROM checkpoint
    WHERE run_id IN (1, 2, 3) AND kind = 'weights' GROUP BY run_id ORDER BY run_id)")"
gk sql "SELECT run_id, max(abs(part - whole)) < 1e-5 * max(whole) AS ok FROM (SELECT c.run_id, sum(mat_get(c.data, 20, 4)) AS part,
    mat_get(a.data, 20, 4) AS whole FROM matrix c JOIN matrix a USING (run_id, step) WHERE a.kind = 'agop'
    AND c.kind GLOB 'agop_class*' GROUP BY c.run_id, step) GROUP BY 1" --csv
same "classes sum to the AGOP" "$(tr '\n' ' ' <out)" "run_id,ok 1,1 2,1 3,1 "
same "the traces are described" "$(query "SELECT count(*) FROM metric_name WHERE name GLOB 'class_trace*' AND description GLOB 'trace*'")" 13
query "DELETE FROM matrix WHERE kind GLOB 'agop_class*'"
works "one class at one checkpoint" measure 1 --only agop_class7 --step 12
same "is one matrix" "$(query "SELECT group_concat(kind || ' ' || step) FROM matrix WHERE kind GLOB 'agop_class*'")" "agop_class7 10"
query "DELETE FROM checkpoint WHERE run_id = 3 AND step = 0"
refuses "measure: no checkpoint so early" 3 "at or before step 3; the first is of step 30" measure tiny --only weights --step 3
works "a member of a family of names" measure 1 --only excluded_loss_k2
prints "is one value a checkpoint" '^  +1 +progress +5 '
works "measure --key-rule" measure 1 --only key --key-rule neurons
same "the event tells the rule, once, at the last checkpoint" "$(query "SELECT group_concat(step || ' ' || json_extract(detail, '$.rule'))
    FROM event WHERE run_id = 1 AND kind = 'key_frequencies'")" "20 neurons"
works "measure goes back to the default rule" measure 1 --only key
same "and the event with it" "$(query "SELECT group_concat(step || ' ' || json_extract(detail, '$.rule'))
    FROM event WHERE run_id = 1 AND kind = 'key_frequencies'")" "20 neuron_logit"
refuses "measure: unknown rule" 2 "unknown key rule 'neuron'; did you mean 'neurons'" measure 1 --key-rule neuron
refuses "measure: no run" 2 "usage: groklab measure RUN" measure

works "doctor" doctor
says "doctor finds nothing" 'is in order'
works "doctor --json" doctor --json
valid_json "doctor --json is JSON"

# A run is stopped by a signal, leaves a checkpoint, and is resumed to the very weights of a straight run.
# Long enough to be met on its way; sanitizers make the program SLOWER.
epochs=$((400000 / ${SLOWER:-1}))
long="--p 13 --width 32 --steps $epochs --eval_every 100000 --measure_every 0 --checkpoint_every 0"
stop_with() {
    "$GROKLAB" train mlp $long --seed 3 --name "$1" >out 2>err &
    child=$!
    tries=0
    while [ "$(query "SELECT step > 0 FROM run WHERE name = '$1'" 2>/dev/null)" != 1 ] && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill "-$1" $child
    wait $child
    status=$?
}
stop_with TERM
same "SIGTERM: status 143" "$status" 143
says "SIGTERM: says where" '^groklab train: interrupted at step [0-9]+'
same "SIGTERM: interrupted" "$(query "SELECT status FROM run WHERE name = 'TERM'")" interrupted
same "SIGTERM: a checkpoint of the last step" \
    "$(query "SELECT c.step = r.step FROM run r JOIN checkpoint c ON c.run_id = r.id AND c.kind = 'state' WHERE name = 'TERM'")" 1
works "resume" resume TERM
says "resume tells the end" "^TERM  finished at epoch $epochs"
works "a straight run" train mlp $long --seed 3 --name straight -q
same "resumed and straight end on the same bits" \
    "$(query "SELECT count(DISTINCT c.sha256), count(*) FROM run r JOIN checkpoint c ON c.run_id = r.id AND c.kind = 'weights'
              AND c.step = $epochs WHERE r.name IN ('TERM', 'straight')")" "1|2"
refuses "resume of a finished run" 2 "is finished" resume straight
refuses "resume of no run" 3 "." resume nobody

# A background job of a plain sh ignores SIGINT; a child of its own process group does not.
if command -v setsid >/dev/null && command -v bash >/dev/null; then
    bash -c 'set -m; "$GROKLAB" train mlp '"$long"' --name INT >out 2>err & child=$!
        for i in $(seq 100); do
            [ "$(sqlite3 "$GROKLAB_DB" "SELECT step > 0 FROM run WHERE name = '"'INT'"'" 2>/dev/null)" = 1 ] && break; sleep 0.1
        done
        kill -INT $child; wait $child' 2>/dev/null
    same "SIGINT: status 130" $? 130
fi

works "measures = none" train mlp $small --seed 21 --measures none --name bare -q
same "none: curves and checkpoints, no measure, no matrix" "$(query "SELECT
    count(DISTINCT m.name), (SELECT count(*) FROM matrix WHERE run_id = r.id),
    (SELECT count(*) FROM checkpoint WHERE run_id = r.id AND kind = 'weights')
    FROM run r JOIN metrics m ON m.run_id = r.id WHERE r.name = 'bare'")" "6|0|5"
works "it is measured afterwards" measure bare
works "its twin, measured as it went" train mlp $small --seed 21 --name twin -q
same "the same values" "$(query "SELECT count(*) > 500, count(*) = 2 * count(DISTINCT m.name || m.step || ' ' || printf('%!.17g', value))
    FROM metrics m JOIN run r ON r.id = m.run_id WHERE r.name IN ('bare', 'twin')")" "1|1"
same "the same matrices" "$(query "SELECT count(*), count(DISTINCT kind || sha256) FROM matrix m JOIN run r ON r.id = m.run_id
    WHERE r.name IN ('bare', 'twin')")" "30|15"
same "the same events" "$(query "SELECT count(*), count(DISTINCT e.kind || e.step || e.detail) FROM event e JOIN run r ON r.id = e.run_id
    WHERE r.name IN ('bare', 'twin') AND e.kind IN ('dominant_frequencies', 'key_frequencies')")" "4|2"
works "one step again" measure twin --step 10
same "an event is about the last model" "$(query "SELECT e.step FROM event e JOIN run r ON r.id = e.run_id
    WHERE r.name = 'twin' AND e.kind = 'dominant_frequencies'")" 20
refuses "none stands alone" 2 "unknown family 'none'" train mlp $small --measures none,neurons

refuses "a setting without dashes" 2 "'p=5' is one word too many; usage: groklab train METHOD" train mlp p=5
for name in 12 @last -dash; do
    refuses "a name that would be taken for something else: $name" 2 "'$name' is no name for a run" train mlp $small "--name=$name" -q
done
gk train mlp --p 13 --lr 1000 --weight_decay 1000 --steps 200 --name wild
same "diverged: status 1" "$status" 1
same "diverged: kept with its reason" "$(query "SELECT status, error <> '' FROM run WHERE name = 'wild'")" "diverged|1"
works "doctor after all that" doctor
long=0123456789-lr=0.001-wd=1-width=256-batch_size=32-train_fraction=0.5-activation=relu-seed=7
works "a long name" train rfm --p 13 --steps 1 --name $long -q
gk ls
prints "is whole for programs" " $long "
if command -v script >/dev/null; then
    script -qec "'$GROKLAB' ls" /dev/null >out 2>err </dev/null
    prints "and cut on a terminal" '0123456789-lr=0.001-wd=1-width=256-batch_s…ctivation=relu-seed=7 '
else
    skip "and cut on a terminal" "there is no script(1)"
fi
finish
