#!/bin/sh
# run: a recipe is read and checked as a whole before anything is trained, and ends with the comparison.
. "$(dirname "$0")/tap.sh"

cat >good.ini <<'R'
# both signs make comments
; and keys above all sections hold for all runs that know them
steps = 10
width = 32
[split]
op = x^2+y^2 ; an expression
p = 13 # a prime
  train_fraction = 0.6
[net]	# a section
method = mlp	# with a tab
seed: 2
[kernel]
method = rfm
steps = 4
R
works "run" run good.ini
prints "run compares on the split" '^2 runs on split 1: x\^2\+y\^2 mod 13, 101 training pairs'
prints "run lists both" '^2 kernel +rfm +iteration +4 '
prints "run has the similarity of the feature matrices" '^pair +cosine +cosine_nodiag'
says "run talks on stderr" '^net  finished at epoch 10'
same "one split for both" "$(query 'SELECT count(*) FROM split')" 1
same "sections name the runs" "$(query 'SELECT group_concat(name) FROM (SELECT name FROM run ORDER BY id)')" "net,kernel"
same "shared settings arrive, own ones win" "$(query "SELECT group_concat(value) FROM (SELECT value FROM param WHERE key IN ('steps', 'width') ORDER BY run_id, key)")" "10,32,4"
same "pairs are stored" "$(query 'SELECT count(*) FROM comparison')" 4
works "run --only --json" run good.ini --only kernel --json --quiet
valid_json "run --json is JSON"
same "--only trains one" "$(query 'SELECT count(*) FROM run')" 3
works "run --set" run good.ini --set steps=3 --set net.width=16 --set kernel.name=other -q
same "a value for all runs, or for one" "$(query "SELECT group_concat(line) FROM (SELECT r.name || ' ' || p.key || ' ' || p.value AS line
    FROM run r JOIN param p ON p.run_id = r.id WHERE r.id > 3 AND p.key IN ('steps', 'width') ORDER BY r.id, p.key)")" "net steps 3,net width 16,other steps 3"
refuses "--set without a value" 2 "'steps' is not key=value" run good.ini --set steps
refuses "--set of a section that is not there" 3 "no section \[nte\]" run good.ini --set nte.steps=3
refuses "--set suggests" 2 '\-\-set: unknown key "widht"; did you mean "width"' run good.ini --set net.widht=3
refuses "--set of one name for two runs" 2 "a name is that of one run" run good.ini --set name=x
refuses "--only suggests" 3 "no section \[kernle\]; did you mean \[kernel\]" run good.ini --only kernle

cat >two.ini <<'R'
p = 11
method = rfm
steps = 3
[a]
op = add
[m]
op = mul
R
works "sections may have splits of their own" run two.ini
prints "several splits are said" '^2 runs on several splits$'

cat >half.ini <<'R'
p = 13
[wild]
method = mlp
lr = 1000
weight_decay = 1000
steps = 200
[calm]
method = rfm
steps = 2
R
gk run half.ini
same "a diverged run does not stop the others: status 1" "$status" 1
says "and is named" "run 'wild' diverged"
prints "the others are compared" 'calm +rfm'

# bad recipes: nothing is trained, the line tells where
runs=$(query 'SELECT count(*) FROM run')
bad() { # NAME PATTERN, recipe on stdin
    cat >bad.ini
    refuses "$1" 2 "$2" run bad.ini
}
bad "unknown key" '^groklab run: bad.ini:3: unknown key "widht"; did you mean "width"\?' <<'R'
[net]
method = mlp
widht = 3
R
bad "unknown key above the sections" 'bad.ini:1: unknown key "stepz"; did you mean "steps"' <<'R'
stepz = 3
[net]
method = mlp
R
bad "a key of another method" 'bad.ini:3: unknown key "kernel"' <<'R'
[net]
method = mlp
kernel = quadratic
R
bad "a bad value" 'bad.ini:3: steps = "many" is not .*accepted: an integer' <<'R'
[net]
method = mlp
steps = many
R
bad "a value out of range" 'bad.ini:2: train_fraction = "1.5" .*from 0 to 1' <<'R'
[split]
train_fraction = 1.5
[net]
method = mlp
R
bad "an unknown family of measures" "bad.ini \[net\]: measures: unknown family 'enforcd', did you mean 'enforced'" <<'R'
[net]
method = mlp
measures = neurons,enforcd
R
bad "unknown method" "bad.ini:2: unknown method 'mpl', did you mean 'mlp'" <<'R'
[net]
method = mpl
R
bad "no method" 'bad.ini:1: section \[net\] has no method' <<'R'
[net]
steps = 3
R
bad "a key that is not the split's" 'bad.ini:2: \[split\] has no key "seed"' <<'R'
[split]
seed = 3
[net]
method = mlp
R
bad "a key twice" 'bad.ini:4: steps is set already, in line 3' <<'R'
[net]
method = mlp
steps = 3
steps = 4
R
bad "a section twice" 'bad.ini:3: section \[net\] is there already, in line 1' <<'R'
[net]
method = mlp
[net]
steps = 4
R
bad "no sense" "bad.ini:3: neither 'key = value'" <<'R'
[net]
method = mlp
what is this
R
bad "no run" 'bad.ini: no section names a run' <<'R'
[split]
p = 13
R
bad "a name for all" 'bad.ini:1: a name belongs' <<'R'
name = x
[net]
method = mlp
R
bad "composite p with mul" 'bad.ini \[net\]: .*(prime|12)' <<'R'
[split]
op = mul
p = 12
[net]
method = mlp
R
{ echo '[net]'; echo 'method = mlp'; printf 'name = %0300d\n' 1; } >long.ini
bad "a line too long" 'bad.ini:3: .*longer than' <long.ini
refuses "no such recipe" 3 "cannot open the recipe none.ini" run none.ini
refuses "a folder is no recipe" 1 "cannot read the recipe" run .
same "bad recipes trained nothing" "$(query 'SELECT count(*) FROM run')" "$runs"

for recipe in "$here"/runs/*.ini; do
    if grep -q '^\[sweep\]' "$recipe"; then
        gk sweep "$recipe" --dry-run --db dry.db
        [ "$status" -eq 0 ]
    else
        gk run "$recipe" --only nobody
        [ "$status" -eq 3 ] && grep -q 'no section \[nobody\]' err
    fi
    ok "$(basename "$recipe") is read and checked" $?
done
# the experiments of Mallinar et al., section 5, give their figures
gk sweep "$here/runs/random_circulant.ini" --quiet --db rc.db
ok "random_circulant.ini runs" "$status"
same "random circulant features generalise without learning, in their orientation only" "$(sqlite3 rc.db "
    SELECT count(*) FROM run_summary JOIN param ON param.run_id = run_summary.run_id AND key = 'features'
    WHERE param.value = 'circulant_control' AND test_accuracy < .01
       OR param.value = 'circulant' AND abs(test_accuracy - CASE round(100 * train_fraction) WHEN 15 THEN .05
          WHEN 20 THEN .27 WHEN 25 THEN .61 WHEN 30 THEN .87 WHEN 35 THEN .97 ELSE .997 END) < .04")" 12
gk run "$here/runs/enforced.ini" --only add --quiet --db rc.db
ok "enforced.ini runs" "$status"
gk run "$here/runs/enforced.ini" --only mul --quiet --db rc.db
same "enforced structure is two iterations ahead, for mul one" "$(sqlite3 rc.db "
    SELECT group_concat(ahead) FROM (SELECT min(CASE WHEN name = 'test_accuracy' AND value > .9 THEN step END)
         - min(CASE WHEN name = 'enforced_accuracy' AND value > .9 THEN step END) AS ahead
    FROM metrics WHERE run IN ('add', 'mul') GROUP BY run ORDER BY run)")" "2,1"
bare='measure_every = 0\ncheckpoint_every = 0'
sed "/_every = 100/d; s/^steps = .*/steps = 200\n$bare/" "$here/runs/random_circulant_mlp.ini" >inputs.ini
gk run inputs.ini --quiet --db rc.db
ok "random_circulant_mlp.ini runs, to epoch 200" "$status"
same "on random circulant inputs a network generalises, in their orientation" "$(sqlite3 rc.db "
    SELECT sum(abs(value - CASE run WHEN 'raw' THEN .02 WHEN 'circulant' THEN .96 ELSE .2 END) < .05) || ' of ' || count(*)
    FROM latest_metrics WHERE name = 'test_accuracy' AND run IN ('raw', 'circulant', 'control')")" "3 of 3"
sed "s/^p = .*/p = 31/; s/^train_fraction = .*/train_fraction = 0.5/; s/^steps = .*/&\n$bare\nwidth = 128/" \
    "$here/runs/agop_regularisation.ini" >trace.ini
gk run trace.ini --quiet --db rc.db
ok "agop_regularisation.ini runs, for a smaller p" "$status"
same "a little of the AGOP's trace brings the transition forward, ten times as much prevents it" "$(sqlite3 rc.db "
    SELECT group_concat(run) || ', ' || count(sure) FROM (SELECT run, min(CASE WHEN value > .95 THEN step END) AS sure FROM metrics
    WHERE name = 'test_accuracy' AND run IN ('none', 'little', 'much') GROUP BY run ORDER BY sure IS NULL, sure + 10 * (run = 'little'))
    ")" "little,none,much, 2"
gk run "$here/runs/two_tasks.ini" --only add_sub --quiet --db two.db
ok "two_tasks.ini runs" "$status"
same "both tasks generalise, and the block has a Toeplitz and a Hankel part" "$(sqlite3 two.db "
    SELECT min(CASE WHEN name LIKE '%test_accuracy' THEN value > .95 ELSE value > .15 END) || ' of ' || count(*)
    FROM latest_metrics
    WHERE name IN ('test_accuracy', 'second_test_accuracy', 'circulance', 'circulance_control')")" "1 of 4"
gk run "$here/runs/two_tasks.ini" --only machine --quiet --db two.db
ok "a machine of two tasks runs" "$status"
works "its checkpoints are measured" measure machine --only enforced,structure --db two.db
works "its checkpoint goes out" export machine --format safetensors -o two.safetensors --db two.db
works "and comes in" import two.safetensors --method rfm --p 31 --train_fraction 0.8 --second_op '2*x+2*y' --kernel gaussian --quiet --name back --db two.db
same "with the same accuracy of the second task" "$(sqlite3 two.db "SELECT count(DISTINCT value) || ' ' || count(*) FROM latest_metrics WHERE name = 'second_test_accuracy' AND run IN ('machine', 'back')")" "1 2"
works "two runs of two tasks are compared" compare machine back --db two.db
refuses "the transformer refuses a second task" 2 "transformer does not know second_op" train transformer --p 7 --second_op sub --db two.db
finish
