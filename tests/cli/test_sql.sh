#!/bin/sh
# sql: formats, reading only, several statements, files, errors.
. "$(dirname "$0")/tap.sh"
"$GROKLAB" train mlp --p 13 --width 16 --steps 4 -q --name 'a, "quoted" näme' >/dev/null

works "a query" sql "SELECT 1 AS one, 'x' AS two, NULL AS three, 2.5 AS four"
same "a table" "$(cat out)" "one  two  three  four
  1  x            2.5"
gk sql "SELECT name, 0.1 AS x, NULL AS n, '' AS e FROM run" --csv
same "CSV quotes, tells NULL from empty" "$(tail -1 out)" '"a, ""quoted"" näme",0.1,,""'
gk sql "SELECT name, 0.1 AS x, NULL AS n, 1e999 AS i, x'00ff' AS b, char(10, 9) AS c FROM run" --json
valid_json "JSON"
same "JSON escapes" "$(tr -d '\n' <out)" '[ {"name":"a, \"quoted\" näme","x":0.1,"n":null,"i":null,"b":"<blob 2 bytes>","c":"\n\u0009"}]'
gk sql "SELECT CAST(x'ff41' AS TEXT) AS t" --json
valid_json "JSON survives bytes that are no UTF-8"
gk sql "SELECT 1 AS a, 'é' AS b" --box
same "box" "$(cat out)" "┌───┬───┐
│ a │ b │
├───┼───┤
│ 1 │ é │
└───┴───┘"
gk sql "SELECT 1 AS a, 'b' AS b" --md
same "Markdown" "$(cat out)" "| a | b |
|---|---|
| 1 | b |"
gk sql "SELECT 'x|y' AS 'a|b', 2 AS c" --md
same "Markdown cells keep their bars" "$(cat out)" "| a\|b | c |
|------|---|
| x\|y | 2 |"
gk sql "SELECT 1 AS a WHERE 0" --json
same "no rows are an empty list" "$(tr -d '\n' <out)" "[]"
gk sql "SELECT 1 AS a UNION ALL SELECT mat_rows(x'00')" --json
[ "$status" -eq 2 ] && [ "$(sqlite3 :memory: "SELECT json_valid(CAST(readfile('out') AS TEXT))")" = 0 ] && [ "$(tail -c 1 out | wc -l)" -eq 1 ]
ok "a query that fails half-way: no whole JSON, but whole lines" $?
gk sql "SELECT 1 AS a WHERE 0" --csv
same "no rows have a header" "$(cat out)" "a"
works "statements" sql "SELECT 1 AS a; -- a; comment
    SELECT ';' AS b /* ; */;" --csv
same "one after the other" "$(tr '\n' ' ' <out)" "a 1 b ; "

echo "-- a question
SELECT name FROM run;" >q.sql
works "a file" sql --file q.sql --csv
same "a file is run" "$(head -1 out)" name
"$GROKLAB" sql --csv <q.sql >out 2>err
same "standard input is run" "$(head -1 out)" name
works "a plan" sql --plan "SELECT value FROM metric WHERE run_id = 1 AND metric_id = 1 ORDER BY step"
prints "a plan is shown" 'SEARCH metric USING PRIMARY KEY'
works "a command with a dot" sql .tables --csv
prints "a command with a dot answers" '^view,run_summary$'
refuses "an unknown one suggests" 2 "did you mean .tables" sql .tabels
printf '.mode csv\nSELECT 1 AS a;\n-- a comment; then\nSELECT 2\n AS b; .mode json\nSELECT 3 AS c\n;\n.quit\nSELECT 4;\n' |
    "$GROKLAB" sql >out 2>err
same "commands with a dot on standard input, up to .quit" "$(tr '\n' ' ' <out)" 'a 1 b 2 [  {"c":3} ] '
echo '.read itself.sql' >itself.sql
refuses "a file that reads itself" 2 "itself.sql: files that read files" sql --file itself.sql
works "the views" sql "SELECT * FROM run_summary JOIN latest_metrics USING (run_id) LIMIT 1"
works "our functions" sql --functions
prints "our functions are described" '^mat_cosine +'
works "a function over matrices" sql "SELECT round(mat_cosine(data, data), 12) AS c FROM matrix WHERE kind = 'agop' LIMIT 1" --csv
same "its answer" "$(tail -1 out)" 1
works "an aggregate" sql "SELECT median(value) AS m FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 9)" --csv
same "the aggregate's answer" "$(tail -1 out | sed 's/\.0$//')" 2
refuses "a function says what it cannot read" 2 "mat_trace" sql "SELECT mat_trace(x'00')"

before=$(sha256sum <"$GROKLAB_DB")
refuses "nothing is written without --write" 2 "reading only.*--write" sql "DELETE FROM run"
refuses "nor by a pragma or an attached file" 2 "." sql "PRAGMA user_version = 9; CREATE TABLE t(x)"
same "the file is untouched" "$(sha256sum <"$GROKLAB_DB")" "$before"
works "--write" sql --write "INSERT INTO tag VALUES(1, 'note', 'kept')"
[ ! -s out ]
ok "a statement without an answer prints nothing" $?
same "--write writes" "$(query "SELECT value FROM tag")" kept

refuses "a syntax error" 2 "SQL: near \"SELEC\"" sql "SELEC 1"
refuses "an unknown table" 2 "no such table: runs" sql "SELECT * FROM runs"
refuses "a file that is not there" 3 "cannot open none.sql" sql --file none.sql
refuses "a query and a file" 2 "exclude each other" sql "SELECT 1" --file q.sql
cd "$here" || exit 1
gk() { "$GROKLAB" "$@" >"$dir/out" 2>"$dir/err" </dev/null; status=$?; }
gk sql --queries --csv
cd "$dir" || exit 1
same "the ready queries are listed with their questions" "$(tail -n +2 out | grep -vc '^runs/.*[?.]')" 0
works "in a folder without any" sql --queries --csv
file=$(sed -n 's/^\(.*grokked.sql\),.*/\1/p' out)
works "those of the program's own folder can be run" sql --file "$file" --csv
prints "and answer" '^run_id,run,method'
works "how the tables are made" sql .schema
sqlite3 :memory: ".read out" "SELECT type, name, sql FROM sqlite_master ORDER BY name" >made 2>&1
same "can be made so again" "$(cat made)" "$(query "SELECT type, name, sql FROM sqlite_master ORDER BY name")"
if command -v script >/dev/null; then
    printf '.help\n.tables\nSELECT 40 +\n 2 AS answer;\nSELEC;\n.quti\n.quit\n' |
        HOME="$dir" TERM=dumb script -qec "'$GROKLAB' sql" /dev/null >typed 2>&1
    tr -d '\r' <typed >out
    prints "interactive: a statement over two lines" '^ +42$'
    prints "interactive: tables" 'view +run_summary'
    prints "interactive: an error does not end it" 'did you mean .quit'
    # Ctrl-C is a key only once the line editor has the terminal.
    : >typed
    {
        for _ in $(seq 100); do grep -q 'groklab>' typed && break; sleep 0.1; done
        printf 'SELECT 1 +\003SELECT 6 * 7 AS answer;\nSELECT r.na\t FROM run r;\n.tab\t\n.quit\n'
    } | HOME="$dir" TERM=dumb script -qec "'$GROKLAB' sql" /dev/null >typed 2>&1
    tr -d '\r' <typed >out
    prints "interactive: Ctrl-C forgets the line and goes on" '^ *42$'
    prints "interactive: columns are completed behind a dot" '^a, "quoted" näme$'
    prints "interactive: and commands" 'view +run_summary'
    [ -s "$dir/.groklab_history" ]
    ok "interactive: history is kept" $?
else
    skip "interactive" "no script(1) here"
fi
finish
