#!/bin/sh
# sweep in trouble: a full disk, a database that somebody else has locked, a worker killed by the out-of-memory killer. Each is
# survived or ended with a clear word; what was finished stays, and the same command finishes the rest.
. "$(dirname "$0")/tap.sh"
unset GROKLAB_BUSY_MS # a sweep has the patience that it needs on a busy machine
unset SLURM_PROCID SLURM_ARRAY_TASK_ID OMPI_COMM_WORLD_RANK PMI_RANK
lock_seconds=${LOCK_SECONDS:-3}

cat >map.ini <<'R'
[sweep]
method = mlp
p = 17
width = 64
steps = 30
seeds = 12
store = all
measure_every = 10
R
leaves() {
    sqlite3 "$1" "SELECT r.name, r.status, n.name, m.step, format('%!.17g', m.value) FROM metric m JOIN run r ON r.id = m.run_id
          JOIN metric_name n ON n.id = m.metric_id ORDER BY 1, 3, 4;
        SELECT r.name, c.kind, c.step, c.sha256 FROM checkpoint c JOIN run r ON r.id = c.run_id ORDER BY 1, 2, 3;
        SELECT r.name, m.kind, m.step, m.sha256 FROM matrix m JOIN run r ON r.id = m.run_id ORDER BY 1, 2, 3;"
}
works "an undisturbed sweep" sweep map.ini --jobs 2 --db calm.db
leaves calm.db >calm.txt
size=$(wc -c <calm.db)

# ---- a full disk: a tmpfs of our own, where the kernel lets us have one ----
mkdir disk
cat >disk.sh <<'S'
mount -t tmpfs -o size=$1 tmpfs disk || exit 99
"$GROKLAB" sweep map.ini --jobs 2 --db disk/t.db --csv >full.out 2>full.err
echo $? >full.status
"$GROKLAB" doctor --db disk/t.db >full.doctor 2>&1
sqlite3 disk/t.db "SELECT count(*) FROM run WHERE status = 'finished'" >full.count
mount -o remount,size=64m disk
"$GROKLAB" sweep map.ini --jobs 2 --db disk/t.db --csv >freed.out 2>freed.err
echo $? >freed.status
cp disk/t.db freed.db
S
if unshare -rm sh -c 'mount -t tmpfs -o size=64k tmpfs disk' 2>/dev/null; then
    unshare -rm sh disk.sh $((size * 12 / 10)) >out 2>err
    status=$?
    ok "a disk that fills up in the middle" $status
    same "ends the sweep with a failure" "$(cat full.status)" 1
    grep -qE 'groklab sweep: disk/t.db: (no space is left on the disk|the disk failed).* while .*what was stored before is safe' full.err
    ok "and a clear word" $?
    [ "$(cat full.count)" -ge 1 ] && [ "$(cat full.count)" -lt 12 ]
    ok "finished runs are there: $(cat full.count) of 12" $?
    ! grep -qE 'hash|structure' full.doctor
    ok "and sound" $?
    same "with space again the same command ends well" "$(cat freed.status)" 0
    leaves freed.db >freed.txt
    cmp -s calm.txt freed.txt
    ok "with what an undisturbed sweep leaves" $?
    cat full.err freed.err >err
else
    skip "a disk that fills up in the middle" "no file system of our own can be mounted here"
fi

# A file that may not grow: the same, for everybody.
(
    trap '' XFSZ
    ulimit -f $((size / 1024))
    exec "$GROKLAB" sweep map.ini --jobs 2 --db grown.db --csv >out 2>err
)
status=$?
same "a file that may not grow ends the sweep with a failure" "$status" 1
says "and a clear word" 'groklab sweep: grown.db: (no space is left on the disk|the disk failed)'
(
    trap '' XFSZ
    ulimit -f $((size / 1024))
    exec "$GROKLAB" train mlp --p 31 --steps 200 --checkpoint_every 2 --measure_every 2 --name full --db one.db >out 2>err
)
status=$?
same "it ends a run with a failure" "$status" 1
says "whose step, number and way to go on are said" "full  failed at epoch [0-9]+ .*run 1"
says "as the command that does" "'groklab resume 1' goes on from its last checkpoint"
works "which does, allowed to grow" resume 1 --db one.db
works "and, allowed to grow, the same command ends well" sweep map.ini --jobs 2 --db grown.db
leaves grown.db >grown.txt
cmp -s calm.txt grown.txt
ok "with what an undisturbed sweep leaves" $?

# ---- locked by someone else ----
# lock SECONDS: somebody holds the database for so long
lock() {
    (echo "BEGIN IMMEDIATE;"; sleep "$1"; echo "ROLLBACK;") | sqlite3 locked.db &
    sleep 0.3
}
works "the first half" sweep map.ini --set seeds=6 --db locked.db
lock "$lock_seconds"
export GROKLAB_BUSY_MS=300
gk sweep map.ini --db locked.db
unset GROKLAB_BUSY_MS
same "a lock that outlasts GROKLAB_BUSY_MS ends the sweep as busy" "$status" 5
says "with a clear word" 'groklab sweep: locked.db: locked by another process for more than 0.3 s'
wait
same "finished runs stay" "$(sqlite3 locked.db "SELECT count(*) FROM run WHERE status = 'finished'")" 6
lock "$lock_seconds"
works "a lock of $lock_seconds s is sat out" sweep map.ini --db locked.db
wait
leaves locked.db >locked.txt
cmp -s calm.txt locked.txt
ok "with what an undisturbed sweep leaves" $?

# A sweep that was frozen while another takes over: both end, and nothing is trained twice.
"$GROKLAB" sweep map.ini --db twice.db --set steps=60 --set seeds=20 --jobs 1 >one.out 2>one.err &
gk sweep map.ini --db twice.db --set steps=60 --set seeds=20 --jobs 1
same "two sweeps of one plan at once: the second ends well" "$status" 0
wait $!
ok "so does the first" $?
same "each run was trained once" "$(sqlite3 twice.db "SELECT count(*), count(DISTINCT name), min(status) FROM run")" "20|20|finished"

# ---- the out-of-memory killer ----
cat >hungry.ini <<'R'
[sweep]
method = mlp
p = 31
steps = 1
activation = relu
width = 64, 4000, 65
seeds = 2
R
cat >oom.sh <<'S'
group=$1
echo $$ >"$group/cgroup.procs" || exit 99
"$GROKLAB" sweep hungry.ini --jobs 1 --db oom.db >out 2>err
echo $? >oom.status
S
group=
for at in /sys/fs/cgroup/memory /sys/fs/cgroup; do
    [ -z "$group" ] && mkdir $at/groklab-$$ 2>/dev/null || continue
    for limit in memory.limit_in_bytes memory.max; do
        echo 100M 2>/dev/null >$at/groklab-$$/$limit && group=$at/groklab-$$
    done
    [ -n "$group" ] || rmdir $at/groklab-$$
done
if [ -n "$group" ] && sh oom.sh "$group"; then
    status=$(cat oom.status)
    same "workers killed for memory: the sweep says so in its status" "$status" 1
    says "and names the runs" '^mlp/width=4000/seed=1  killed: its worker was killed by signal 9 .*memory.*; it had used [0-9]+ MB$'
    prints "and counts them" '^ *6 +4 .* 2 +0 +0 +0 +1 '
    same "they are marked, the others finished" "$(sqlite3 oom.db "SELECT status, count(*) FROM run GROUP BY 1" | tr '\n' ' ')" "finished|4 killed|2 "
    same "with an event" "$(sqlite3 oom.db "SELECT count(*) FROM event WHERE kind = 'killed' AND detail LIKE '%signal 9%'")" 2
    works "with more memory the same command finishes them" sweep hungry.ini --db oom.db --csv
    prints "from where they were" '^6,2,4,2,0,0,0,'
else
    skip "workers killed for memory" "no control group with a memory limit can be made here"
fi
[ -z "$group" ] || rmdir "$group"
finish
