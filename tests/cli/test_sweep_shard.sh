#!/bin/sh
# sweep under an engine: which share each rank takes from its environment, that the shares make the whole, and that their merged
# files equal the sweep of one process; under mpirun for real where there is one.
. "$(dirname "$0")/tap.sh"
unset GROKLAB_BUSY_MS # a sweep has the patience that it needs on a busy machine
unset SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MIN \
    SLURM_ARRAY_TASK_STEP SLURM_CPUS_PER_TASK OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE PMI_RANK PMI_SIZE ENVIRONMENT

cat >map.ini <<'R'
p = 13
[sweep]
train_fraction = 0.5, 0.6
[net]
method = mlp
seeds = 5
width = 32
steps = 20
[kernel]
method = rfm
kernel = quadratic
steps = 4
R

# shares NAME NUMBERS [ENV...] -- [WORDS...]: the plan numbers that a rank with this environment lists.
shares() {
    name=$1 wanted=$2
    shift 2
    vars=
    while [ "$1" != -- ]; do
        vars="$vars $1"
        shift
    done
    shift
    env $vars "$GROKLAB" sweep map.ini --list --csv "$@" >out 2>err </dev/null
    status=$?
    same "$name" "$(sed 1d out | cut -d, -f1 | tr '\n' ' ')" "$wanted "
}
shares "one process takes all" "1 2 3 4 5 6 7 8 9 10 11 12" --
shares "--shard 1/3" "1 4 7 10" -- --shard 1/3
shares "--shard 3/3" "3 6 9 12" -- --shard 3/3
shares "srun" "2 5 8 11" SLURM_PROCID=1 SLURM_NTASKS=3 --
shares "a batch script of three tasks is one process" "1 2 3 4 5 6 7 8 9 10 11 12" SLURM_PROCID=0 SLURM_NTASKS=3 ENVIRONMENT=BATCH --
shares "srun inside it" "1 4 7 10" SLURM_PROCID=0 SLURM_NTASKS=3 SLURM_STEP_NUM_TASKS=3 ENVIRONMENT=BATCH --
shares "a Slurm array" "3 7 11" SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0 --
shares "numbered from 1" "4 8 12" SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 --
shares "in steps of 10" "2 4 6 8 10 12" SLURM_ARRAY_TASK_ID=15 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_STEP=10 --
shares "an array of srun steps" "4 8 12" SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=0 SLURM_PROCID=1 SLURM_NTASKS=2 --
shares "Open MPI" "2 4 6 8 10 12" OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 --
shares "Open MPI under Slurm: its own rank counts" "1 4 7 10" OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=3 SLURM_PROCID=1 SLURM_NTASKS=2 --
shares "PMI (MPICH)" "3 6 9 12" PMI_RANK=2 PMI_SIZE=3 --
shares "--shard wins" "1 7" OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 -- --shard 1/6
works "more ranks than runs" sweep map.ini --shard 13/13 --csv --db spare.db
prints "leave the last with nothing to do" '^0,0,0,0,'
refuses "a share outside the whole" 2 "'4/3' is not I/N with I from 1 to N" sweep map.ini --shard 4/3
refuses "a share that is none" 2 "'x' is not I/N" sweep map.ini --shard x
SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 refuses "an array with gaps" 2 "use an array without gaps" sweep map.ini
PMI_RANK=3 PMI_SIZE=3 refuses "a rank outside its world" 2 "PMI_RANK=3 is not below PMI_SIZE=3" sweep map.ini

# All numbers that a sweep leaves but for the memory it took; runs by name.
leaves() {
    sqlite3 "$1" "SELECT r.name, n.name, m.step, format('%!.17g', m.value) FROM metric m JOIN run r ON r.id = m.run_id
          JOIN metric_name n ON n.id = m.metric_id ORDER BY 1, 2, 3;
        SELECT r.name, e.kind, e.step, e.detail FROM event e JOIN run r ON r.id = e.run_id WHERE e.kind <> 'peak_memory' ORDER BY 1, 2, 3;
        SELECT r.name, r.status, r.config_sha256, s.sha256, count(*) FROM run r JOIN split s ON s.id = r.split_id GROUP BY 1 ORDER BY 1"
}
works "the sweep of one process" sweep map.ini --jobs 2 --db whole.db
leaves whole.db >whole.txt

for i in 1 2 3; do works "shard $i" sweep map.ini --shard $i/3 --db map.db --csv; done
prints "has its part" '^4,4,0,0,'
says "and says which" '^shard 3 of 3 \(--shard\): 4 of 12 runs into map.shard-3-of-3.db'
says "and how to merge" 'groklab merge map.db map.shard-\*-of-3.db$'
works "merge" merge merged.db map.shard-*-of-3.db
leaves merged.db >merged.txt
cmp -s whole.txt merged.txt
ok "merged shards equal the sweep of one process" $?
refuses "without the name of the whole" 2 'map.shard-1-of-3.db is one of the shards' merge map.shard-*-of-3.db
works "merging again" merge merged.db map.shard-*-of-3.db --csv
prints "changes nothing" ',0,0,4$'
rm map.shard-*
cp merged.db map.db
works "a shard whose runs are in the merged file" sweep map.ini --shard 2/3 --db map.db --csv
prints "trains nothing" '^4,0,4,'

# mpi NAME MPIRUN: two real ranks.
mpi() {
    if ! command -v "$2" >/dev/null; then
        skip "$1: merged ranks equal the sweep of one process" "there is no $2"
        return
    fi
    rm -f mpi.*db*
    env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
        "$2" -n 2 "$GROKLAB" sweep map.ini --db mpi.db >out 2>err </dev/null
    status=$?
    ok "$1: two ranks" "$status"
    prints "$1: on a core each" '^ *6 .* 1 +[0-9.e-]+ +[0-9.e-]+ +[0-9.e-]+$'
    same "$1: a file each" "$(ls mpi.*db | tr '\n' ' ')" "mpi.shard-1-of-2.db mpi.shard-2-of-2.db "
    works "$1: merge" merge mpi.db mpi.shard-1-of-2.db mpi.shard-2-of-2.db
    leaves mpi.db >mpi.txt
    cmp -s whole.txt mpi.txt
    ok "$1: merged ranks equal the sweep of one process" $?
}
openmpi=mpirun.openmpi mpich=mpirun.mpich
command -v $openmpi >/dev/null || { mpirun --version 2>/dev/null | grep -q 'Open MPI' && openmpi=mpirun; }
command -v $mpich >/dev/null || { mpirun --version 2>/dev/null | grep -q HYDRA && mpich=mpirun; }
mpi "Open MPI" $openmpi
mpi "MPICH" $mpich
finish
