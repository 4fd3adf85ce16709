#!/bin/sh
# Runs tests that speak TAP and counts what passed: tests/run.sh [--quiet] COMMAND...   Each COMMAND is one shell word list.
# Good lines are counted, never the absence of bad ones: a program that dies, prints no plan, or prints fewer results than it
# planned is a failure of its own. Closing line: N passed, N failed
set -u
passed=0
failed=0
skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
export CMOCKA_MESSAGE_OUTPUT=TAP
for command; do
    start=$(date +%s)
    sh -c "$command" >"$log" 2>&1 </dev/null
    status=$?
    # cmocka 1.1.5 says "not ok N # SKIP" of a skipped test
    sed -i -E 's/^not (ok [0-9]+ # SKIP)/\1/' "$log"
    good=$(grep -cE '^ok [0-9]+' "$log")
    skip=$(grep -cE '^ok [0-9]+.*# [Ss][Kk][Ii][Pp]' "$log")
    bad=$(grep -cE '^not ok [0-9]+' "$log")
    planned=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    missing=0
    if [ "$planned" -eq 0 ] || [ $((good + bad)) -lt "$planned" ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then missing=1; fi
    passed=$((passed + good - skip))
    skipped=$((skipped + skip))
    failed=$((failed + bad + missing))
    word=ok
    if [ $((bad + missing)) -gt 0 ]; then
        word=FAILED
        cat "$log"
        [ "$missing" -eq 0 ] || echo "# $command: exit $status, $((good + bad)) of $planned planned results"
    fi
    echo "$word: $command ($good of $planned, $(($(date +%s) - start)) s)"
    grep -E '^ok [0-9]+.*# [Ss][Kk][Ii][Pp]' "$log" | sed 's/^/    /'
done
tail="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || tail="$tail, $skipped skipped"
echo "$tail"
[ "$failed" -eq 0 ]
