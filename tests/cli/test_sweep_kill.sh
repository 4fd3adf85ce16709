#!/bin/sh
# Kills a sweep at random moments, 20 times or $KILLS: its scheduler alone, one of its workers, all at once, or politely; with -9
# but for the last. Started again each time, it ends with what an undisturbed sweep leaves, bit for bit, and nothing twice.
. "$(dirname "$0")/tap.sh"
unset GROKLAB_BUSY_MS # a sweep has the patience that it needs on a busy machine
kills=${KILLS:-20}
seed=${KILL_SEED:-$$}
echo "# KILL_SEED=$seed KILLS=$kills"

seeds=4
[ "$kills" -ge 20 ] || seeds=1
cat >maps.ini <<R
[sweep]
train_fraction = 0.5, 0.6
seeds = $seeds
stop_at = 0.99
stop_hold = 10
[ends]
method = mlp
p = 23
width = 64
steps = 150, 250
[moments]
method = mlp
p = 23
width = 128
store = events
steps = 200
[whole]
method = mlp
p = 17
width = 64
store = all
steps = 150
checkpoint_every = 7
[tf]
method = transformer
p = 13
d_model = 16
d_mlp = 32
steps = 150
store = all
checkpoint_every = 10
[kernel]
method = rfm
p = 19
steps = 8
R

# What a sweep leaves but for uids, times, memory, and the diary of its interruptions; runs by name, since their order is chance.
leaves() {
    sqlite3 "$1" "
        SELECT r.name, r.method, r.config_sha256, r.status, r.step, s.sha256, count(*) FROM run r JOIN split s ON s.id = r.split_id
          GROUP BY 1 ORDER BY 1;
        SELECT r.name, n.name, m.step, format('%!.17g', m.value) FROM metric m JOIN run r ON r.id = m.run_id
          JOIN metric_name n ON n.id = m.metric_id ORDER BY 1, 2, 3;
        SELECT r.name, e.kind, e.step, e.detail FROM event e JOIN run r ON r.id = e.run_id
          WHERE e.kind NOT IN ('resumed', 'killed', 'interrupted', 'peak_memory') ORDER BY 1, 2, 3;
        SELECT r.name, m.kind, m.step, m.sha256 FROM matrix m JOIN run r ON r.id = m.run_id ORDER BY 1, 2, 3;
        SELECT r.name, c.kind, c.step, c.sha256 FROM checkpoint c JOIN run r ON r.id = c.run_id ORDER BY 1, 2, 3;
        SELECT count(*) FROM split;"
}

# pick N: a number below N into $picked (not through $(...), which would forget the seed)
pick() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    picked=$((seed / 65536 % $1))
}

works "an undisturbed sweep" sweep maps.ini --jobs 2 --db calm.db
leaves calm.db >calm.txt
same "it trained every run of the plan" "$(sqlite3 calm.db "SELECT count(*), count(DISTINCT name), min(status) FROM run")" "$((12 * seeds))|$((12 * seeds))|finished"

done_kills=0 rounds=0 bad=
while [ "$done_kills" -lt "$kills" ] && [ -z "$bad" ]; do
    rounds=$((rounds + 1))
    rm -f storm.db*
    while :; do
        setsid "$GROKLAB" sweep maps.ini --jobs 2 --db storm.db --quiet >out 2>err </dev/null &
        pid=$!
        if [ "$done_kills" -lt "$kills" ]; then
            pick 300
            sleep "0.$(printf %03d "$picked")"
            pick 4
            case $picked in
            0) kill -9 $pid 2>/dev/null && done_kills=$((done_kills + 1)) ;;
            1) kill -9 -- -$pid 2>/dev/null && done_kills=$((done_kills + 1)) ;;
            2) worker=$(pgrep -P $pid | head -1)
               [ -n "$worker" ] && kill -9 "$worker" 2>/dev/null && done_kills=$((done_kills + 1)) ;;
            3) kill -TERM $pid 2>/dev/null && done_kills=$((done_kills + 1)) ;;
            esac
        fi
        wait $pid 2>/dev/null
        status=$?
        [ "$status" -ne 0 ] || break
        # 1: a worker was killed; 137: the scheduler was; 143: it was asked to stop
        case $status in 1 | 137 | 143) ;; *) bad="exit $status after kill $done_kills: $(cat err)"; break ;; esac
    done
    [ -z "$bad" ] || break
    leaves storm.db >storm.txt
    cmp -s calm.txt storm.txt || { bad="round $rounds differs"; diff calm.txt storm.txt | head -5 | sed 's/^/# /'; }
    [ ! -e storm.db-sweep ] || bad="the lock file stays"
done
status=0
[ -z "$bad" ]
ok "$done_kills kills in $rounds round(s): the same as the undisturbed sweep${bad:+ ($bad)}" $?
works "the file is sound" doctor --db storm.db
finish
