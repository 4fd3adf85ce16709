#!/bin/sh
# The ready queries runs/*.sql on a small real database: each has a question and an answer, and the answers are right.
. "$(dirname "$0")/tap.sh"
settings="--p 31 --train_fraction 0.8 -q --threads 1"
for seed in 0 1; do
    "$GROKLAB" train mlp $settings --seed $seed --width 256 --steps 40 --measure_every 10 --name net$seed >/dev/null 2>&1
done
"$GROKLAB" train rfm $settings --steps 16 --measure_every 4 --name kernel >/dev/null 2>&1
"$GROKLAB" train mlp --p 13 --op mul --train_fraction 0.5 -q --threads 1 --width 16 --steps 3 --name other >/dev/null 2>&1
"$GROKLAB" compare net0 net1 kernel --measure cosine_nodiag,agreement >/dev/null 2>&1
same "four runs, of which three grokked" "$(query 'SELECT count(*), count(DISTINCT split_id), count(grokked_step) FROM run_summary')" "4|2|3"

for file in "$here"/runs/*.sql; do
    title=$(basename "$file")
    head -1 "$file" | grep -qE '^-- .*\?$'
    ok "$title begins with its question" $?
    works "$title runs" sql --file "$file" --csv
    [ "$(wc -l <out)" -ge 2 ]
    ok "$title has an answer" $?
    cp out "$title.csv"
    works "$title as JSON" sql --file "$file" --json
    valid_json "$title is JSON"
    works "$title has a plan" sql --plan --file "$file" --csv
    ! grep -qE 'SCAN (m|metric|checkpoint)$' out
    ok "$title never scans the metrics" $?
done

# ---- answers, held against the tables ----
same "grokked: the events" "$(sed 1d grokked.sql.csv | cut -d, -f1,8 | sort)" \
    "$(query "SELECT r.id || ',' || ifnull((SELECT step FROM event e WHERE e.run_id = r.id AND kind = 'grokked'), '') FROM run r" | sort)"
same "first_over: the first steps" "$(sed 1d first_over.sql.csv | cut -d, -f1,4)" \
    "$(query "SELECT r.id || ',' || ifnull((SELECT min(step) FROM metrics m WHERE m.run_id = r.id AND name = 'test_accuracy' AND value >= 0.5), '') FROM run r ORDER BY 1")"
same "split_mates: three pairs of three runs" "$(sed 1d split_mates.sql.csv | cut -d, -f7,10 | tr '\n' ' ')" "1,2 1,3 2,3 "
same "seeds: two networks are one setting" "$(sed 1d seeds.sql.csv | grep '^mlp,add' | cut -d, -f5)" 2
same "seeds: the mean accuracy" "$(sed 1d seeds.sql.csv | grep '^mlp,add' | cut -d, -f13)" \
    "$("$GROKLAB" sql --csv "SELECT round(avg(test_accuracy), 4) FROM run_summary WHERE run LIKE 'net%'" | tail -1)"
same "delay: all runs are counted" "$(sed 1d delay.sql.csv | cut -d, -f6 | paste -sd+ | tr -d '\n' | xargs -I{} sh -c 'echo $(({}))')" 4
same "similarity: with itself at the end a method is left out" "$(sed 1d similarity.sql.csv | cut -d, -f1,4 | sort -u | tr '\n' ' ')" \
    "kernel,net0 kernel,net1 net0,kernel net1,kernel "
same "similarity: cosines" "$(sed 1d similarity.sql.csv | awk -F, '$6 < -1 || $6 > 1 || $6 == ""' | wc -l)" 0
same "most_circulant: every kind of every run" "$(($(sed 1d most_circulant.sql.csv | wc -l)))" \
    "$(query 'SELECT count(*) FROM (SELECT DISTINCT run_id, kind FROM matrix)')"
same "most_circulant: the most comes first" "$(sed 1d most_circulant.sql.csv | cut -d, -f8 | grep . | sort -rg)" \
    "$(sed 1d most_circulant.sql.csv | cut -d, -f8 | grep .)"
same "moved_first: a place for each measure" "$(sed 1d moved_first.sql.csv | awk -F, '$1 == "net0" { print $3 }' | head -5 | tr '\n' ' ')" "1 2 3 4 5 "
same "moved_first: in order of time" "$(sed 1d moved_first.sql.csv | awk -F, '$1 == "net0" { print $5 }' | sort -n | tr '\n' ' ')" \
    "$(sed 1d moved_first.sql.csv | awk -F, '$1 == "net0" { print $5 }' | tr '\n' ' ')"
query "DELETE FROM metric WHERE run_id = 1 AND metric_id = (SELECT id FROM metric_name WHERE name = 'circulance');
    INSERT INTO metric SELECT 1, id, step, value FROM metric_name, (SELECT 0 AS step, 0.4 AS value UNION ALL
    SELECT 10, 0.05 UNION ALL SELECT 20, 0.5 UNION ALL SELECT 40, 0.7) WHERE name = 'circulance'"
same "moved_first: a way in the wrong direction does not count" "$("$GROKLAB" sql --file "$here/runs/moved_first.sql" --csv |
    awk -F, '$1 == "net0" && $4 == "circulance" { print $5 }')" 40
query "INSERT INTO metric SELECT 1, id, 30, 1.2 FROM metric_name WHERE name = 'circulance'"
same "moved_first: a measure that turns back has no time" "$("$GROKLAB" sql --file "$here/runs/moved_first.sql" --csv |
    grep -c '^net0,.*,circulance,')" 0
same "compared: what compare stored" "$(sed 1d compared.sql.csv | awk -F, '{ print ($7 != "") ($10 != "") }' | sort | tr '\n' ' ')" \
    "01 01 01 10 10 10 "

# On a new, empty database the queries run, too.
rm -f "$GROKLAB_DB"
"$GROKLAB" split make --op add --p 5 --train_fraction 0.5 >/dev/null 2>&1
for file in "$here"/runs/*.sql; do
    works "$(basename "$file") on a database without runs" sql --file "$file" --csv
done
finish
