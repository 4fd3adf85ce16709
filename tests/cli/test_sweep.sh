#!/bin/sh
# sweep: what a recipe of lists means, what is refused, and that a run is trained once whatever it is called.
. "$(dirname "$0")/tap.sh"
unset GROKLAB_BUSY_MS # a sweep has the patience that it needs on a busy machine
unset SLURM_PROCID SLURM_NTASKS SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT OMPI_COMM_WORLD_RANK PMI_RANK

cat >tiny.ini <<'R'
p = 13
[sweep]
method = mlp
width = 32
steps = 12
R

# expands KEY=LIST VALUES: the values of a key in the plan's order, between blanks.
expands() {
    gk sweep tiny.ini --list --csv --set "$1"
    same "$1" "$(sed -nE 's/.*\/[a-z_]+=([^,/]*),.*/\1/p' out | tr '\n' ' ')" "$2 "
}
expands "seed=3,1,2" "3 1 2"
expands "seed=0:4" "0 1 2 3 4"
expands "seed=4:2" "4 3 2"
expands "seed=10:20:5, 7" "10 15 20 7"
expands "train_fraction=0.2:0.6:0.05" "0.2 0.25 0.3 0.35 0.4 0.45 0.5 0.55 0.6"
expands "train_fraction=0.6:0.3:-0.1" "0.6 0.5 0.4 0.3"
expands "lr=1e-4:5e-4:2e-4" "0.0001 0.0003 0.0005"
expands "weight_decay=1e-3:10:log5" "0.001 0.01 0.1 1 10"
expands "weight_decay=0.1:1:log3" "0.1 0.316228 1"
expands "weight_decay=1:0.1:log2" "1 0.1"
expands "width=32:256:log4" "32 64 128 256"
expands "width=2:5:log9" "2 3 4 5"
expands "activation=relu, quadratic" "relu quadratic"
expands "op=x^2+y^2,sub" "x^2+y^2 sub"

# refused PATTERN KEY=LIST...: exit 2 and one line.
refused() {
    pattern=$1
    shift
    refuses "refused: $*" 2 "$pattern" sweep tiny.ini --list "$@"
}
refused "'x' is not a number; accepted: values between commas, a:b" --set seed=0:x
refused "a range 0.1:0.5 needs its step" --set lr=0.1:0.5
refused "steps of 0 never lead" --set lr=0.1:0.5:0
refused "steps of -1 never lead" --set lr=1:2:-1
refused "needs ends above 0" --set lr=0:1:log3
refused "log1 is not log2 or more" --set lr=1:2:log1
refused "logs is not log2" --set lr=1:2:logs
refused 'unknown key "wdith"; did you mean "width"' --set wdith=1,2
refused "is not key=list" --set width
refused 'train_fraction = "1.5" is out of range; accepted: a number from 0 to 1' --set train_fraction=0.5:1.5:0.5
refused "seeds = \"0\"; accepted" --set seeds=0
refused "combine = \"both\"; accepted: grid" --set combine=both
refused "names its runs itself" --set name=x
refused "both a list of seed and seeds" --set seed=1,2 --set seeds=3
refused "more than 1000000 runs" --set seed=0:9999 --set split_seed=0:9999
refused "is paired, but lr has 2 values and width has 3" --set combine=paired --set lr=0.1,0.2 --set width=8,16,32
refused "run mlp/train_fraction=0.0001: .* leaves no train pair" --set train_fraction=0.5,0.0001
refuses "refused: a section that is not there" 3 "no section \[rfm\]" sweep tiny.ini --set rfm.steps=3
refuses "refused: no recipe" 3 "cannot open the recipe none.ini" sweep none.ini
refuses "groklab run names the right command" 2 "many runs: groklab sweep tiny.ini" run tiny.ini
printf '[a]\nwidth = 8\n' >none.ini
refuses "refused: no method" 2 "none.ini:1: section \[a\] has no method" sweep none.ini
printf '[a]\nmethod = mpl\n' >typo.ini
refuses "refused: a wrong method, with its place" 2 "typo.ini:2: unknown method 'mpl', did you mean 'mlp'" sweep typo.ini
printf '[sweep]\nmethod = mlp\nlr = 1:\n' >line.ini
refuses "refused: a bad list, with its place" 2 "line.ini:3: lr: '' is not a number" sweep line.ini
same "nothing was made on the way" "$(find . -name '*.db*' | wc -l)" 0

# ---- plans ----
cat >methods.ini <<'R'
p = 13
[sweep]
weight_decay = 0.1, 1     ; known to the network alone
train_fraction = 0.5, 0.6
seeds = 2
[net]
method = mlp
width = 32, 64
steps = 10
[kernel]
method = rfm
kernel = quadratic
steps = 4
R
works "sections with their own lists" sweep methods.ini --list --csv
same "a grid of each section" "$(sed 1d out | cut -d, -f3 | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 16 mlp; 4 rfm;"
same "the last list turns fastest, seeds after all" "$(sed -n 2,4p out | cut -d, -f2 | tr '\n' ' ')" \
    "net/weight_decay=0.1/train_fraction=0.5/width=32/seed=0 net/weight_decay=0.1/train_fraction=0.5/width=32/seed=1 net/weight_decay=0.1/train_fraction=0.5/width=64/seed=0 "
works "paired lists" sweep methods.ini --list --csv --set combine=paired
same "walk side by side, for each seed" "$(grep -c 'net/' out) $(grep -c 'weight_decay=1/train_fraction=0.6/width=64/seed=1' out)" "4 1"
works "--set for one section" sweep methods.ini --list --csv --set net.width=16 --set steps=3
same "replaces its list" "$(sed 1d out | wc -l)" 12

works "--dry-run" sweep methods.ini --dry-run --json --jobs 2
valid_json "--dry-run --json is JSON"
prints "counts the runs" '"runs":20,"stored":0,"to_resume":0,"new":20,"jobs":2'
prints "and estimates" '"core_seconds":[0-9.e-]+,"seconds":[0-9.e-]+,"bytes":[1-9][0-9]+'
same "and makes no database" "$(find . -name '*.db*' | wc -l)" 0
estimate=$(sed -nE 's/.*"bytes":([0-9]+).*/\1/p' out)

# ---- training ----
works "a sweep" sweep methods.ini --json --jobs 2
valid_json "its result is JSON"
prints "all finished" '"runs":20,"finished":20,"stored":0,"resumed":0,"diverged":0,"failed":0,"killed":0'
same "is in the database" "$(query "SELECT count(*), count(DISTINCT config_sha256), min(status), count(DISTINCT split_id) FROM run")" "20|20|finished|2"
same "each on one thread" "$(query "SELECT DISTINCT value FROM param WHERE key = 'threads'")" 1
same "keeps the end of a run" "$(query "SELECT count(DISTINCT step), min(step) FROM metric WHERE run_id IN (SELECT id FROM run WHERE method = 'mlp')")" "1|10"
same "and no blobs" "$(query "SELECT (SELECT count(*) FROM matrix) + (SELECT count(*) FROM checkpoint)")" 0
content=$(query "SELECT sum(length(config) + 500) FROM run")
[ "$estimate" -gt $((content / 3)) ] && [ "$estimate" -lt $((content * 6)) ]
ok "the estimated bytes are of the right size" $?
same "the journal is folded in and the lock file gone" "$(ls | grep -c '\.db')" 1

works "train, for comparison" train mlp --db one.db --p 13 --weight_decay 1 --train_fraction 0.6 --width 64 --seed 1 --steps 10 --threads 1
same "a run of a sweep is that run" \
    "$(sqlite3 one.db "ATTACH '$GROKLAB_DB' AS t; SELECT count(*), sum(a.value IS b.value) FROM t.metric a JOIN t.metric_name an ON an.id = a.metric_id
       JOIN metric_name bn ON bn.name = an.name JOIN metric b ON b.metric_id = bn.id AND b.step = a.step
       WHERE a.run_id = (SELECT id FROM t.run WHERE name = 'net/weight_decay=1/train_fraction=0.6/width=64/seed=1')" | awk -F'|' '{ print ($1 > 20 && $1 == $2) }')" 1

# ---- once ----
works "the same sweep again" sweep methods.ini --csv
prints "finds all of it stored" '^20,0,20,0,0,0,0,0,0,'
sed 's/\[net\]/[renamed]/' methods.ini >other.ini
works "under other names" sweep other.ini --csv
prints "finds it, too" '^20,0,20,'
works "and as separate lists" sweep methods.ini --csv --set net.width=64,32 --set seed=1 --set seeds=1
prints "finds its part" '^10,0,10,'
same "nothing twice" "$(query "SELECT count(*) FROM run")" 20
works "one more value" sweep methods.ini --csv --set net.width=32,48
prints "trains what is new" '^20,8,12,'
works "--again" sweep methods.ini --csv --again --set net.width=48 --set weight_decay=1
prints "trains anew" '^8,8,0,'
same "beside the old ones" "$(query "SELECT count(*) FROM run")" 36
works "the same value twice in a list" sweep tiny.ini --csv --jobs 2 --set seed=7,7,7,8
prints "is one run" '^4,2,2,'

# ---- ends ----
works "a run that diverges is a result" sweep tiny.ini --csv --jobs 1 --set lr=0.001,1000 --set weight_decay=1000 --set steps=200 --set seed=20
prints "and counted" '^2,1,0,0,1,0,0,0,0,'
says "and said" '^mlp/lr=1000  diverged: '
works "and not tried again" sweep tiny.ini --csv --set lr=0.001,1000 --set weight_decay=1000 --set steps=200 --set seed=20
prints "but stored" '^2,0,2,'
printf 'p = 13\n[a]\nmethod = transformer\nd_model = 15,16\nn_heads = 4\nd_mlp = 16\nsteps = 2\n' >odd.ini
gk sweep odd.ini --csv
same "a run that fails does not stop the others, but says so" "$status" 1
says "and why" "^a/d_model=15  failed: .*(n_heads|d_model)"
same "the others finish" "$(query "SELECT status FROM run WHERE name = 'a/d_model=16'")" finished

cat >early.ini <<'R'
p = 17
method = mlp
[sweep]
width = 256
steps = 300
train_fraction = 0.8
stop_at = 0.99
stop_hold = 10
store = final, events, all
[m]
R
works "runs that stop early, three economies" sweep early.ini --csv
same "end ten epochs after they settled" "$(query "SELECT count(DISTINCT step), max(step) < 290 FROM run WHERE name LIKE 'm/store=%'")" "1|1"
held() { query "SELECT count(*) FROM $1 WHERE run_id = (SELECT id FROM run WHERE name = 'm/store=$2') $3"; }
same "all end with the same values" "$(query "SELECT count(DISTINCT m.value) FROM metric m JOIN run r ON r.id = m.run_id WHERE r.name LIKE 'm/store=%'
    AND m.step = r.step AND m.metric_id = (SELECT id FROM metric_name WHERE name = 'test_loss')")" 1
same "final keeps no blob" "$(held matrix final) $(held checkpoint final)" "0 0"
same "events keeps those of memorised, grokked and the end" "$(held checkpoint events "AND kind = 'weights'")" \
    "$(query "SELECT count(DISTINCT step) FROM (SELECT step FROM event WHERE kind IN ('memorised', 'grokked') AND run_id =
       (SELECT id FROM run WHERE name = 'm/store=events') UNION SELECT step FROM run WHERE name = 'm/store=events')")"
same "and no state" "$(held checkpoint events "AND kind = 'state'") $(held checkpoint all "AND kind = 'state'")" "0 1"
same "the events are the same" "$(query "SELECT count(*), count(DISTINCT e.step) FROM event e JOIN run r ON r.id = e.run_id WHERE r.name LIKE 'm/store=%' AND e.kind = 'grokked'")" "3|1"

# ---- stopped ----
sed -e 's/^steps = 12/steps = 400000/' -e 's/^width = 32/width = 32, 40, 48/' tiny.ini >long.ini
for signal in INT TERM; do
    env --default-signal=INT "$GROKLAB" sweep long.ini --jobs 2 --db long.db --csv >out 2>err </dev/null &
    pid=$!
    for _ in $(seq 600); do # until both have gone some way
        [ "$(sqlite3 long.db "SELECT count(*) FROM run WHERE status = 'running' AND step > 0" 2>/dev/null)" = 2 ] && break
        sleep 0.1
    done
    kill -$signal $pid
    sleep 0.01
    kill -$signal $pid 2>/dev/null # as timeout(1) does: to the process, and to its group
    wait $pid
    status=$?
    same "SIG$signal: its exit status" "$status" "$([ $signal = INT ] && echo 130 || echo 143)"
    prints "SIG$signal: two runs are interrupted, one is not begun" '^3,0,0,[02],0,0,0,0,2,1,'
    says "SIG$signal: and the way on is said" '^groklab sweep: stopped; the same command goes on from here$'
done
same "with a state to go on from" "$(sqlite3 long.db "SELECT count(*), count(DISTINCT run_id) FROM checkpoint WHERE kind = 'state'")" "2|2"
same "the second time from there" "$(sqlite3 long.db "SELECT count(*), min(step) > 0 FROM event WHERE kind = 'resumed'")" "2|1"
works "--dry-run knows them" sweep long.ini --db long.db --dry-run --csv
prints "as runs to resume" '^3,0,2,1,'

# ---- many ----
works "three hundred runs" sweep tiny.ini --db many.db --set p=31 --set steps=1 --set seed=0:299 --set width=8 --csv
prints "all finished" '^300,300,'
works "and one" sweep tiny.ini --db single.db --set p=31 --set steps=1 --set width=8
per_run=$((($(wc -c <many.db) - $(wc -c <single.db)) / 299))
[ "$per_run" -gt 500 ] && [ "$per_run" -lt 7000 ]
ok "a run fills less than 7 kB, so 10,000 less than 70 MB: $per_run bytes" $?

# ---- groups ----
works "ls --group-by all-but-seed" ls --csv --group-by all-but-seed --method rfm
same "a row a setting" "$(cat out | sed 1d | cut -d, -f1-3)" "$(printf 'rfm,0.5,4\nrfm,0.6,4')"
works "ls --group-by of one setting" ls --csv --group-by store --op add
same "with n, mean, least and most" "$(grep '^mlp,events' out | cut -d, -f3,10,11,13,14)" "$(query "
    SELECT format('1,1,%d,%d,%d', step, step, step) FROM event WHERE kind = 'grokked' AND run_id = (SELECT id FROM run WHERE name = 'm/store=events')")"
query "INSERT INTO event SELECT id, 'grokked', 100 + seed, NULL FROM run WHERE name LIKE 'net/weight_decay=0.1/train_fraction=0.5/width=64/seed=_'"
works "ls --group-by, two seeds" ls --csv --group-by all-but-seed --method mlp
same "and the sample deviation" "$(grep -c ',2,100.5,0.7071067811865476,100,101$' out)" 1
works "the ready query of phase diagrams" sql --csv --file "$here/runs/phase.sql"
same "counts every network once" "$(sed 1d out | awk -F, '{ n += $6 } END { print n }')" "$(query "SELECT count(*) FROM param WHERE key = 'weight_decay'")"
works "the ready query of train fractions" sql --csv --file "$here/runs/fraction.sql"
same "has their mean" "$(grep '^rfm,quadratic,identity,add,13,0.6,' out | cut -d, -f7-10)" "4,0,0,0"
works "the ready query of key frequencies" sql --csv --file "$here/runs/key_frequencies.sql"
same "lists them as the event does" "$(grep ',m/store=final,' out | cut -d, -f5 | tr ' ' ',')" \
    "$(query "SELECT substr(detail, 17, instr(detail, ']') - 17) FROM event WHERE kind = 'key_frequencies' AND run_id = (SELECT id FROM run WHERE name = 'm/store=final')")"
same "and how many are shared" "$(grep ',m/store=' out | cut -d, -f6,7 | sort -u)" "$(grep ',m/store=final,' out | cut -d, -f6 | sed 's/.*/&,&/')"
refuses "an unknown setting suggests the nearest" 2 "did you mean 'seed'" ls --group-by all-but-sede
finish
