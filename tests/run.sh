#!/bin/sh
# Runs tests that speak TAP and counts what passed: tests/run.sh COMMAND... [--alone COMMAND...]
# Each COMMAND is one shell word list. $JOBS of them (default: as many as there are processors) run at a time, started and printed
# in the order given, the output of each kept whole; those after --alone run one by one when the others have ended.
# Good lines are counted, never the absence of bad ones: a program that dies, prints no plan, or prints fewer results than it
# planned is a failure of its own. Closing line: N passed, N failed
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export CMOCKA_MESSAGE_OUTPUT=TAP
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
# Threads of tests side by side outnumber the processors: one that waits must sleep, not spin.
[ "$jobs" -le 1 ] || export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

# walk ALONE COMMAND...: runs those commands of the part before (no) or after (yes) --alone that no other worker has taken, and
# says the number of each on stdout when $tmp/N.log and $tmp/N.end (exit status, seconds) are there.
walk() {
    wanted=$1 part=no n=0
    shift
    for command; do
        n=$((n + 1))
        [ "$command" != --alone ] || part=yes
        [ "$command" != --alone ] && [ "$part" = "$wanted" ] && mkdir "$tmp/$n.taken" 2>/dev/null || continue
        start=$(date +%s)
        # a shell's background jobs ignore these two, and what they start would inherit that
        env --default-signal=INT,QUIT sh -c "$command" >"$tmp/$n.log" 2>&1 </dev/null
        echo "$? $(($(date +%s) - start))" >"$tmp/$n.end"
        echo "$n"
    done
}

work() {
    for _ in $(seq "$jobs"); do walk no "$@" & done
    wait
    walk yes "$@"
}

# judge N COMMAND: counts the results of a command and prints its line, after its output if something failed.
judge() {
    log=$tmp/$1.log command=$2
    [ -e "$tmp/$1.end" ] && read -r status seconds <"$tmp/$1.end" || { status=unknown seconds=0; : >>"$log"; }
    # cmocka 1.1.5 says "not ok N # SKIP" of a skipped test
    sed -i -E 's/^not (ok [0-9]+ # SKIP)/\1/' "$log"
    good=$(grep -cE '^ok [0-9]+' "$log")
    skip=$(grep -cE '^ok [0-9]+.*# [Ss][Kk][Ii][Pp]' "$log")
    bad=$(grep -cE '^not ok [0-9]+' "$log")
    planned=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    missing=0
    if [ "$planned" -eq 0 ] || [ $((good + bad)) -lt "$planned" ] || { [ "$status" != 0 ] && [ "$bad" -eq 0 ]; }; then missing=1; fi
    passed=$((passed + good - skip))
    skipped=$((skipped + skip))
    failed=$((failed + bad + missing))
    word=ok
    if [ $((bad + missing)) -gt 0 ]; then
        word=FAILED
        cat "$log"
        [ "$missing" -eq 0 ] || echo "# $command: exit $status, $((good + bad)) of $planned planned results"
    fi
    echo "$word: $command ($good of $planned, $seconds s)"
    grep -E '^ok [0-9]+.*# [Ss][Kk][Ii][Pp]' "$log" | sed 's/^/    /'
}

# report COMMAND...: judges each command in its turn. Reading ends when the workers have, so that one that died holds nothing up.
report() {
    passed=0 failed=0 skipped=0 n=0
    for command; do
        n=$((n + 1))
        [ "$command" != --alone ] || continue
        while [ ! -e "$tmp/$n.end" ] && read -r _; do :; done
        judge $n "$command"
    done
    tail="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || tail="$tail, $skipped skipped"
    echo "$tail"
    [ "$failed" -eq 0 ]
}

work "$@" | report "$@"
