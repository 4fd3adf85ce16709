# cluster.sh: read by the tests of this folder. Starts a Slurm of one node (munged, slurmctld, slurmd) in a folder of its own,
# $cluster, on ports of its own, and takes it down at the end. Must be root, as slurmd must.
cluster=$(mktemp -d) || exit 1
export SLURM_CONF=$cluster/slurm.conf
node=$(hostname -s)

start_slurmd() {
    slurmd -f "$SLURM_CONF" -L "$cluster/slurmd.log" "$@" || return 1
}

stop_pid() { [ -s "$1" ] && kill "$2" "$(cat "$1")" 2>/dev/null; }

stop_cluster() {
    scancel --user=root 2>/dev/null
    stop_pid "$cluster/slurmd.pid" -TERM
    stop_pid "$cluster/slurmctld.pid" -TERM
    sleep 1
    stop_pid "$cluster/slurmd.pid" -KILL
    stop_pid "$cluster/slurmctld.pid" -KILL
    stop_pid "$cluster/munged.pid" -TERM
    sleep 0.5
    rm -rf "$cluster"
}

start_cluster() {
    chmod 755 "$cluster"
    mkdir -p "$cluster/munge" "$cluster/state" "$cluster/spool"
    chmod 700 "$cluster/munge"
    dd if=/dev/urandom of="$cluster/munge/key" bs=32 count=1 2>/dev/null
    chmod 400 "$cluster/munge/key"
    munged --key-file="$cluster/munge/key" --socket="$cluster/munge.sock" --pid-file="$cluster/munged.pid" \
        --log-file="$cluster/munged.log" --seed-file="$cluster/munged.seed" --num-threads=2 --force 2>/dev/null || return 1
    cat >"$SLURM_CONF" <<C
ClusterName=one
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$((20000 + $$ % 10000))
SlurmdPort=$((30000 + $$ % 10000))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.sock
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=1
SlurmdTimeout=5
ReturnToService=2
JobRequeue=1
MpiDefault=none
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
    slurmctld -c -f "$SLURM_CONF" -L "$cluster/slurmctld.log" || return 1
    start_slurmd -c || return 1
    wait_for 30 '[ "$(sinfo -h -o %T 2>/dev/null)" = idle ]'
}

# wait_for SECONDS CONDITION: until the condition holds; fails when it does not in time.
wait_for() {
    for _ in $(seq "$(($1 * 5))"); do
        eval "$2" && return 0
        sleep 0.2
    done
    return 1
}
