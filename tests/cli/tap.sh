# tap.sh: read by tests/cli/test_*.sh. $GROKLAB is the program; each test works in a folder of its own, $dir, with the
# database $dir/t.db. Every check is one TAP line; finish prints the plan, so that a script that dies early is seen.
: "${GROKLAB:?set GROKLAB to the path of the program}"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
here=$(pwd)
cd "$dir" || exit 1
export GROKLAB_DB="$dir/t.db" GROKLAB_BUSY_MS=300 NO_COLOR=1
checks=0 failures=0 status=0

# ok NAME STATUS-OF-A-TEST: one line of TAP; what the program said follows a failure.
ok() {
    checks=$((checks + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $checks - $1"
    else
        failures=$((failures + 1))
        echo "not ok $checks - $1"
        echo "# exit status $status"
        head -c 2000 out 2>/dev/null | sed 's/^/# out: /'
        head -c 2000 err 2>/dev/null | sed 's/^/# err: /'
    fi
}

skip() {
    checks=$((checks + 1))
    echo "ok $checks - $1 # SKIP $2"
}

# gk WORDS...: runs the program; stdout in the file out, stderr in err, exit status in $status.
gk() {
    "$GROKLAB" "$@" >out 2>err </dev/null
    status=$?
}

# works NAME WORDS...: exit status 0.
works() {
    name=$1
    shift
    gk "$@"
    ok "$name" "$status"
}

# prints NAME PATTERN / says NAME PATTERN: the last run's stdout / stderr has a line that matches (grep -E).
prints() {
    grep -qE -- "$2" out
    ok "$1" $?
}
says() {
    grep -qE -- "$2" err
    ok "$1" $?
}

# refuses NAME STATUS PATTERN WORDS...: this exit status, nothing on stdout, and exactly one line on stderr that matches.
refuses() {
    name=$1 wanted=$2 pattern=$3
    shift 3
    gk "$@"
    [ "$status" -eq "$wanted" ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qE -- "$pattern" err
    ok "$name" $?
}

# valid_json NAME: the last run's stdout is JSON.
valid_json() {
    [ "$(sqlite3 :memory: "SELECT json_valid(CAST(readfile('out') AS TEXT))")" = 1 ]
    ok "$1" $?
}

# same NAME A B: two texts are equal, and not because both are empty.
same() {
    [ -n "$3" ] && [ "$2" = "$3" ]
    ok "$1" $?
    [ "$2" = "$3" ] || printf '# %s\n# %s\n' "$2" "$3"
}

query() { sqlite3 "$GROKLAB_DB" "$1"; }

finish() {
    echo "1..$checks"
    [ "$failures" -eq 0 ]
    exit
}
