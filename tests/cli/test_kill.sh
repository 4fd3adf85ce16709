#!/bin/sh
# Kill -9 at random moments, 50 times for each method: the file opens, doctor is clean, and the resumed run ends with the very
# bits of a straight one. A run is killed again and again, in its first seconds and in its resumes, until the kills are used up.
set -u
kills=${KILLS:-50}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
seed=${KILL_SEED:-$$}
echo "# KILL_SEED=$seed KILLS=$kills"

# final DB RUN: all that a run leaves: its metrics, matrices and last weights
final() {
    "$GROKLAB" sql --db "$1" --csv "
        SELECT n.name, m.step, m.value FROM metric m JOIN metric_name n ON n.id = m.metric_id WHERE m.run_id = $2 ORDER BY 1, 2;"
    "$GROKLAB" sql --db "$1" --csv "SELECT step, kind, sha256 FROM matrix WHERE run_id = $2 ORDER BY 1, 2;"
    "$GROKLAB" sql --db "$1" --csv "SELECT step, kind, sha256 FROM checkpoint WHERE run_id = $2 AND kind = 'weights' ORDER BY 1;"
    "$GROKLAB" sql --db "$1" --csv "SELECT kind, step FROM event WHERE run_id = $2 AND kind IN ('memorised', 'grokked') ORDER BY 1;"
}

n=0
for method in mlp transformer rfm; do
    case $method in
    mlp) settings="--p 61 --steps 200 --measure_every 20 --checkpoint_every 7" ;;
    transformer) settings="--p 31 --steps 400 --measure_every 50 --checkpoint_every 7 --d_model 32 --d_mlp 64 --threads 1 --train_fraction 0.5" ;;
    rfm) settings="--p 31 --steps 60 --checkpoint_every 3 --threads 1" ;;
    esac
    n=$((n + 1))
    "$GROKLAB" train $method $settings --db straight.db --name straight >/dev/null 2>err || { cat err; echo "not ok $n - $method: straight run"; continue; }
    final straight.db "(SELECT max(id) FROM run)" >straight.txt
    done_kills=0
    bad=
    round=0
    while [ $done_kills -lt "$kills" ] && [ -z "$bad" ]; do
        round=$((round + 1))
        rm -f killed.db*
        started=
        while :; do
            if [ -z "$started" ] || [ "$("$GROKLAB" sql --db killed.db "SELECT count(*) FROM run" --csv 2>/dev/null | tail -1)" != 1 ]; then
                "$GROKLAB" train $method $settings --db killed.db --name straight >/dev/null 2>err &
                started=yes
            else
                "$GROKLAB" resume 1 --db killed.db >/dev/null 2>err &
            fi
            pid=$!
            if [ $done_kills -lt "$kills" ]; then
                seed=$(((seed * 1103515245 + 12345) % 2147483648))
                sleep "0.$(printf %03d $((seed / 65536 % 250)))"
                kill -9 $pid 2>/dev/null && done_kills=$((done_kills + 1))
            fi
            wait $pid 2>/dev/null
            code=$?
            if [ -s killed.db ]; then
                "$GROKLAB" doctor --repair --db killed.db >/dev/null 2>&1 # marks the dead run
                "$GROKLAB" doctor --db killed.db >doctor.txt 2>&1 || grep -q 'is an empty file' doctor.txt || { bad="doctor after kill $done_kills"; cat doctor.txt; break; }
            fi
            [ $code -ne 0 ] || break
            ! grep -q 'is finished at step' err || break # the kill came after the last transaction
            [ $code -eq 137 ] || { bad="exit $code after kill $done_kills: $(cat err)"; break; }
        done
        [ -z "$bad" ] || break
        final killed.db 1 >killed.txt
        cmp -s straight.txt killed.txt || { bad="round $round differs from the straight run"; diff straight.txt killed.txt | head -5; }
    done
    if [ -z "$bad" ] && [ -s straight.txt ]; then
        echo "ok $n - $method: $done_kills kills in $round round(s), same bits as the straight run"
    else
        echo "not ok $n - $method: $bad"
    fi
done
echo "1..$n"
