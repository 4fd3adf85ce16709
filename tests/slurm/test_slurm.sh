#!/bin/sh
# sweep under a real Slurm of one node: srun, an array, and an array whose node dies and whose elements are requeued. For
# developers: needs root and slurmctld, slurmd, slurm-client and munge (Debian's packages), else it is skipped.
# Usage: GROKLAB=build/groklab tests/slurm/test_slurm.sh
GROKLAB=$(realpath "${GROKLAB:-build/groklab}")
folder=$(realpath "$(dirname "$0")")
. "$folder/../cli/tap.sh"
for word in munged slurmctld slurmd sbatch srun; do
    if ! command -v $word >/dev/null; then
        skip "sweep under Slurm" "there is no $word"
        finish
    fi
done
if [ "$(id -u)" -ne 0 ]; then
    skip "sweep under Slurm" "slurmd must be root"
    finish
fi
. "$folder/cluster.sh"
trap 'stop_cluster; rm -rf "$dir"' EXIT
export GROKLAB_BUSY_MS=60000
start_cluster
ok "a Slurm of one node is up" $?

cat >map.ini <<'R'
[sweep]
p = 17
seeds = 8
train_fraction = 0.5, 0.6
[ends]
method = mlp
width = 256
steps = 1500
[whole]
method = mlp
width = 64
store = all
steps = 600
checkpoint_every = 20
measure_every = 100
R
leaves() {
    sqlite3 "$1" "SELECT r.name, r.status, n.name, m.step, format('%!.17g', m.value) FROM metric m JOIN run r ON r.id = m.run_id
          JOIN metric_name n ON n.id = m.metric_id ORDER BY 1, 3, 4;
        SELECT r.name, c.kind, c.step, c.sha256 FROM checkpoint c JOIN run r ON r.id = c.run_id ORDER BY 1, 2, 3;
        SELECT r.name, m.kind, m.step, m.sha256 FROM matrix m JOIN run r ON r.id = m.run_id ORDER BY 1, 2, 3;
        SELECT count(*), count(DISTINCT name) FROM run;"
}
works "a sweep without an engine" sweep map.ini --db calm.db
leaves calm.db >calm.txt
started=$(date +%s)

# merged NAME: the shards NAME.shard-*.db make NAME.db, equal to the calm one
merged() {
    works "$1: merge" merge "$1.db" "$1".shard-1-of-2.db "$1".shard-2-of-2.db
    leaves "$1.db" >"$1.txt"
    cmp -s calm.txt "$1.txt"
    ok "$1: merged shards equal the sweep without an engine" $?
}
finished() { sqlite3 "$1.db" "SELECT count(*) FROM run WHERE status = 'finished'" 2>/dev/null || echo 0; }

srun -n 2 "$GROKLAB" sweep map.ini --db steps.db >out 2>err
status=$?
ok "srun -n 2" $status
says "srun: each rank knows its share" '^shard 2 of 2 \(srun\): 16 of 32 runs into steps.shard-2-of-2.db'
prints "srun: one worker a rank" '^ *16 +16 .* 1 +[0-9.]+ +[0-9.]+ +[0-9.]+$'
merged steps

job=$(sbatch --parsable --array=1-2 -n 1 -o array.%a.out --wrap "'$GROKLAB' sweep map.ini --db array.db")
wait_for 600 '[ -z "$(squeue -h -j '"$job"')" ]'
ok "an array of two" $?
merged array

# The node dies as by its power switch, a third of the way through; Slurm notices, requeues, and the node comes back.
job=$(sbatch --parsable --requeue --open-mode=append --array=0-1 -n 1 -o dying.%a.out --wrap "'$GROKLAB' sweep map.ini --db dying.db")
wait_for 300 '[ "$(finished dying.shard-1-of-2)" -ge 4 ]'
ok "a second array is under way" $?
pids=$(scontrol listpids 2>/dev/null | awk 'NR > 1 && $1 > 1 { print $1 }')
for pid in $pids; do # the daemons that hold the steps are their parents
    parent=$(ps -o ppid= -p "$pid" | tr -d ' ')
    case $(ps -o comm= -p "$parent") in slurmstepd) pids="$parent $pids" ;; esac
done
# shellcheck disable=SC2086
kill -9 "$(cat "$cluster/slurmd.pid")" $pids 2>/dev/null
before=$(($(finished dying.shard-1-of-2) + $(finished dying.shard-2-of-2)))
[ "$before" -lt 32 ]
ok "its node is killed with $before of 32 runs finished" $?
wait_for 120 'sinfo -h -o %T | grep -qE "down|idle\*|mixed\*|allocated\*"'
ok "Slurm sees the node go" $?
wait_for 120 'squeue -h -j '"$job"' -o %T | grep -q PENDING'
ok "and requeues its elements" $?
start_slurmd
wait_for 600 '[ -z "$(squeue -h -j '"$job"')" ]'
ok "the node comes back and they end" $?
same "no run was trained anew that had finished" "$(grep -hE '^ *16 ' dying.0.out dying.1.out | awk '{ n += $3 } END { print n + 0 }')" "$before"
merged dying
same "what was killed went on from where it was" "$(sqlite3 dying.db "SELECT count(*) > 0 FROM event WHERE kind = 'resumed'")" 1
echo "# $(($(date +%s) - started)) s under Slurm"
finish
