#!/bin/sh
# tag, note, rename, rm, merge, doctor: what people do to runs afterwards.
. "$(dirname "$0")/tap.sh"
settings="--p 13 --width 16 --steps 4 -q"
"$GROKLAB" train mlp $settings --name a >/dev/null
"$GROKLAB" train mlp $settings --seed 2 --name b >/dev/null
"$GROKLAB" train rfm --p 13 --steps 2 -q --name c >/dev/null

# ---- tag ----
works "tags" tag a figure=3 'why=a = b, "so"' baseline
same "are stored, all that stands after the first =" "$(query "SELECT group_concat(key || ':' || value, ';') FROM
    (SELECT * FROM tag WHERE run_id = 1 ORDER BY key)")" 'baseline:;figure:3;why:a = b, "so"'
works "a new value" tag a figure=4
same "replaces the old one" "$(query "SELECT value FROM tag WHERE key = 'figure'")" 4
works "tags of a run" tag a --csv
same "are listed" "$(sed -n 3p out)" "1,a,figure,4"
"$GROKLAB" tag b figure=4
works "all tags" tag --json
valid_json "as JSON"
same "of all runs" "$(grep -c '"run"' out)" 4
works "runs by tag" ls --tag figure --csv
same "that have it" "$(cut -d, -f3 out | tr '\n' ' ')" "name a b "
works "runs by tag and value" ls --tag figure=4 --method mlp --csv
same "that have that value" "$(cut -d, -f3 out | tr '\n' ' ')" "name a b "
gk ls --tag figure=3 --csv
same "another value has none" "$(wc -l <out)" 1
works "groups by tag" ls --tag figure --group-by all-but-seed --csv
same "are counted" "$(wc -l <out)" 2
works "taking tags away" tag a --remove why --remove baseline new=1
same "takes them away" "$(query "SELECT group_concat(key) FROM (SELECT key FROM tag WHERE run_id = 1 ORDER BY key)")" "figure,new"
refuses "a tag that is not there" 3 "no tag 'why'" tag a more=1 --remove why
same "and then nothing changes" "$(query "SELECT count(*) FROM tag WHERE key = 'more'")" 0
refuses "a tag without a key" 2 "needs a key" tag a =3
refuses "a tag on nothing" 3 "nobody" tag nobody x=1
refuses "--remove from nothing" 2 "needs a RUN" tag --remove x

# ---- note, rename ----
works "a note" note a "the seed that
never groks"
works "printed" note a
same "as it was written" "$(cat out)" "the seed that
never groks"
same "it is a tag" "$(query "SELECT count(*) FROM tag WHERE run_id = 1 AND key = 'note'")" 1
works "show has it" show a
prints "among the tags" '^ +note +the seed'
works "taking it away" note a --remove
works "no note" note a
says "is said" "run 1 has no note"
refuses "an empty note" 2 "empty note" note a ""
refuses "text and --remove" 2 "exclude each other" note a text --remove
works "rename" rename b 'better, "b"'
same "the new name is stored" "$(query "SELECT name FROM run WHERE id = 2")" 'better, "b"'
works "and found" show 'better, "b"'
works "a name that another run has" rename 1 twin
works "is given" rename 2 twin
says "and told" "2 runs are named 'twin' now; say which by its number"
works "back" rename 1 a
works "again" rename 2 'better, "b"'
refuses "a name that is a number" 2 "no name for a run" rename a 7
refuses "a name that begins with @" 2 "no name for a run" rename a @last
refuses "renaming nobody" 3 "nobody" rename nobody x
refuses "no new name" 2 "usage: groklab rename RUN NAME" rename a

# ---- rm ----
"$GROKLAB" compare a c --across-splits >/dev/null 2>&1
before=$(sha256sum <"$GROKLAB_DB")
works "rm --dry-run" rm 1 a c --dry-run --csv
same "counts each run once" "$(tail -n +2 out | cut -d, -f1,2 | tr '\n' ' ')" "1,a 3,c "
same "what belongs to it" "$(sed -n 2p out | cut -d, -f4-9)" "$(query "SELECT (SELECT count(*) FROM metric WHERE run_id = 1) || ',' ||
    (SELECT count(*) FROM event WHERE run_id = 1) || ',' || (SELECT count(*) FROM matrix WHERE run_id = 1) || ',' ||
    (SELECT count(*) FROM checkpoint WHERE run_id = 1) || ',' || (SELECT count(*) FROM comparison WHERE 1 IN (run_a, run_b)) || ',' ||
    (SELECT sum(length(data)) FROM (SELECT data FROM matrix WHERE run_id = 1 UNION ALL SELECT data FROM checkpoint WHERE run_id = 1))")"
says "and the sum" '^would remove 2 runs with [0-9.]+ MB'
same "and changes nothing" "$(sha256sum <"$GROKLAB_DB")" "$before"
refuses "one that is not there" 3 "nobody" rm a nobody
query "UPDATE run SET status = 'running', pid = $$, host = '$(hostname)', heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = 3"
refuses "one that is being trained" 5 "run 3 is being trained by process $$" rm a c
same "all or nothing" "$(query "SELECT count(*) FROM run")" 3
query "UPDATE run SET status = 'finished' WHERE id = 3"
cp "$GROKLAB_DB" whole.db
works "rm" rm a
same "the run is gone with all its rows" "$(query "SELECT (SELECT count(*) FROM run WHERE id = 1) + (SELECT count(*) FROM metric WHERE run_id = 1)
    + (SELECT count(*) FROM matrix WHERE run_id = 1) + (SELECT count(*) FROM checkpoint WHERE run_id = 1)
    + (SELECT count(*) FROM event WHERE run_id = 1) + (SELECT count(*) FROM tag WHERE run_id = 1)
    + (SELECT count(*) FROM comparison WHERE 1 IN (run_a, run_b))")" 0
same "the others stay, and all splits" "$(query "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM split)")" "2|1"
works "doctor after rm" doctor
works "the room is given back by VACUUM" sql --write VACUUM

# ---- merge ----
works "merge" merge all.db whole.db "$GROKLAB_DB" --csv
same "what was added" "$(tail -n +2 out | cut -d, -f2- | tr '\n' ' ')" "3,0,0 0,0,2 "
works "doctor of the merged" doctor --db all.db
same "one split, three runs" "$(sqlite3 all.db "SELECT (SELECT count(*) FROM split), (SELECT count(*) FROM run)")" "1|3"
before=$(sqlite3 all.db .dump | sha256sum)
works "merging again" merge all.db whole.db
same "changes nothing" "$(sqlite3 all.db .dump | sha256sum)" "$before"
refuses "a file that is not there" 3 "none.db" merge new.db whole.db none.db
[ ! -e new.db ]
ok "leaves no new file" $?
echo "not a database at all, only some text" >text.db
refuses "a file that is no database" 1 "text.db" merge all.db text.db
same "and changes nothing" "$(sqlite3 all.db .dump | sha256sum)" "$before"
refuses "nothing but itself" 2 "all that there is to merge" merge all.db ./all.db
refuses "merge and --db" 2 "leave out --db" merge all.db whole.db --db x.db

# ---- doctor ----
works "--metadata" doctor --metadata
valid_json "is JSON"
same "for the file's name" "$(sqlite3 :memory: "SELECT json_type(CAST(readfile('out') AS TEXT), '$.databases.t.tables.run_summary.description')")" text
refuses "--metadata and --repair" 2 "exclude each other" doctor --metadata --repair
(sleep 100) & gone=$!
kill -9 $gone
wait $gone 2>/dev/null
query "UPDATE run SET status = 'running', pid = $gone, host = '$(hostname)', heartbeat_at = '2020-01-01T00:00:00.000Z' WHERE id = 2"
works "ls with a dead run" ls
says "it is named" "run 2 '.*': its process $gone on .* is gone "
says "with what can be done" "'groklab resume RUN' goes on with one, 'groklab doctor --repair' marks"
gk ls --status finished
[ ! -s err ]
ok "and not where other runs are asked for" $?
gk doctor
same "a dead run: exit status" "$status" 1
prints "is found" "^run 2 '.*': its process $gone on .* is gone"
gk doctor --repair
same "--repair marks it" "$(query "SELECT status FROM run WHERE id = 2")" killed
works "and then all is in order" doctor
query "UPDATE matrix SET data = substr(data, 1, length(data) - 7) WHERE id = (SELECT min(id) FROM matrix)"
blobs=$(query "SELECT sum(length(data)) FROM matrix")
gk doctor --repair
prints "a damaged blob is named" '^matrix [0-9]+ \([a-z_]+ of run [0-9]+ at step [0-9]+\): '
same "and --repair leaves it alone" "$(query "SELECT sum(length(data)) FROM matrix")" "$blobs"
query "PRAGMA foreign_keys = 0; INSERT INTO event VALUES(99, 'grokked', 1, NULL)"
gk doctor --csv
prints "a row that points nowhere" 'reference: a row of event points to a run that is not there'
head -c 20000 "$GROKLAB_DB" >cut.db
refuses "a file cut short, of which doctor itself cannot be the cure" 1 'damaged \(.*\); go back to a copy' doctor --db cut.db
finish
