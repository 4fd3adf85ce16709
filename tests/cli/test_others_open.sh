#!/bin/sh
# Others open the database: Python's sqlite3 and NumPy and the stock sqlite3 shell, by the very lines of the README; then a
# curve, a matrix, a checkpoint and a split, number by number. What is absent here is skipped with a word.
. "$(dirname "$0")/tap.sh"
readme=$here/README.md
mkdir runs build
export GROKLAB_DB="$dir/runs/groklab.db"
ln -s "$GROKLAB_SQL.so" build/groklab_sql.so 2>/dev/null
settings="--p 13 --train_fraction 0.6 -q --threads 1"
"$GROKLAB" train mlp $settings --width 24 --steps 30 --measure_every 10 --checkpoint_every 10 --name net >/dev/null 2>&1
"$GROKLAB" train rfm $settings --steps 6 --measure_every 2 --checkpoint_every 2 --name kernel >/dev/null 2>&1
same "two runs on one split" "$("$GROKLAB" sql --csv 'SELECT count(*) AS n, count(DISTINCT split_id) AS s FROM run' | tail -1)" 2,1

# A Python with NumPy, not only the first one of the path.
python=
for candidate in "${PYTHON:-python3}" $(which -a python3 2>/dev/null); do
    if "$candidate" -c 'import numpy, sqlite3' 2>/dev/null; then python=$candidate && break; fi
done

# block LANGUAGE PATTERN: the first code block of the README in that language that holds the pattern.
block() {
    awk -v fence="\`\`\`$1" -v pattern="$2" '
        /^```/ && open { if (wanted && text ~ pattern) { printf "%s", text; exit } open = 0; next }
        /^```/ { open = 1; wanted = $0 == fence; text = ""; next }
        open { text = text $0 "\n" }' "$readme"
}

# ---- the README's questions, for runs that are called as there ----
cp runs/groklab.db asked.db
"$GROKLAB" sql --write --db asked.db 'UPDATE run SET name = method' >/dev/null 2>&1
awk '/^```/ { open = !open && $0 == "```sql"; n += open; next } open { print >("readme" n ".sql") }' "$readme"
same "the README asks three questions in SQL" "$(ls readme?.sql | wc -l)" 3
for question in readme?.sql; do
    gk sql --db asked.db --csv --file $question
    [ "$status" -eq 0 ] && [ "$(wc -l <out)" -gt 2 ] && [ ! -s err ]
    ok "$(basename $question .sql) has an answer" $?
    cp out "$(basename $question .sql).csv"
done
same "which measure moved first: every method, in order" "$(sed 1d readme1.csv | tr -d '"' | awk -F, '{
    printf "%s", $1; before = -1
    for (i = 2; i <= NF; i++) { n = split($i, word, " "); if (word[n] + 0 < before) printf " late"; before = word[n] + 0 }
    printf "%s ", (NF > 3 ? "" : " few") }')" "mlp rfm "

# ---- Python and NumPy ----
if [ -n "$python" ]; then
    block python 'import .*sqlite3' >readme.py
    [ -s readme.py ]
    ok "the README has lines of Python" $?
    "$python" readme.py >out 2>err
    ok "the README's Python runs" $?
    grep -q "'fc1.weight': {'dtype': 'F32', 'shape': \[24, 26\]" out
    ok "it prints what is in a checkpoint" $?

    cat >read.py <<'PYTHON'
import io, json, sqlite3, struct, sys, zlib
import numpy as np
db = sqlite3.connect("file:runs/groklab.db?mode=ro", uri=True)
raw = lambda data, size: data if len(data) == size else zlib.decompress(data)
what = sys.argv[1]
if what == "curve":
    rows = db.execute("SELECT step, value FROM metrics WHERE run = 'net' AND name = 'test_accuracy' ORDER BY step").fetchall()
    assert [step for step, _ in rows] == list(range(31)), rows
    assert all(0 <= value <= 1 for _, value in rows)
elif what == "matrix":
    for data, size, n, m, sha in db.execute("SELECT data, raw_size, rows, cols, sha256 FROM matrix"):
        import hashlib
        bytes_ = raw(data, size)
        assert len(bytes_) == size and hashlib.sha256(bytes_).hexdigest() == sha
        a = np.load(io.BytesIO(bytes_))
        assert a.shape == (n, m) == (26, 26) and np.isfinite(a).all()
        assert np.allclose(a, a.T)
elif what == "checkpoint":
    # f = W2 (W1 X)^2 on the test cells must give the stored accuracy: the tensors are what their names say.
    data, size, step = db.execute("SELECT data, raw_size, step FROM checkpoint WHERE kind = 'weights' AND run_id = 1 ORDER BY step DESC").fetchone()
    w = raw(data, size)
    n = struct.unpack("<Q", w[:8])[0]
    head = json.loads(w[8:8 + n])
    def tensor(name):
        at = head[name]["data_offsets"]
        return np.frombuffer(w[8 + n + at[0]:8 + n + at[1]], {"F32": "<f4", "F64": "<f8"}[head[name]["dtype"]]).reshape(head[name]["shape"])
    w1, w2 = tensor("fc1.weight"), tensor("out.weight")
    assert w1.shape == (24, 26) and w2.shape == (13, 24)
    train = np.load(io.BytesIO(db.execute("SELECT train_cells FROM split").fetchone()[0]))
    test = np.setdiff1d(np.arange(169), train)
    x, y = test // 13, test % 13
    f = ((w1[:, x] + w1[:, 13 + y])**2).T @ w2.T
    accuracy = (f.argmax(1) == (x + y) % 13).mean()
    stored = db.execute("SELECT value FROM metrics WHERE run_id = 1 AND name = 'test_accuracy' AND step = ?", (step,)).fetchone()[0]
    assert abs(accuracy - stored) < 1e-9, (accuracy, stored)
elif what == "split":
    cells, n_train, seed, sha = db.execute("SELECT train_cells, n_train, seed, sha256 FROM split").fetchone()
    train = np.load(io.BytesIO(cells))
    assert train.dtype == np.int32 and len(train) == n_train == int(0.6 * 169)
    assert (train == np.sort(np.argsort(np.random.Philox(key=seed).random_raw(169), kind="stable")[:n_train])).all()
    import hashlib
    part = np.isin(np.arange(169), train)
    csv = "x,y,z,part\n" + "".join(f"{c // 13},{c % 13},{(c // 13 + c % 13) % 13},{'train' if part[c] else 'test'}\n" for c in range(169))
    assert hashlib.sha256(csv.encode()).hexdigest() == sha
PYTHON
    for what in curve matrix checkpoint split; do
        "$python" read.py "$what" >out 2>err
        ok "Python and NumPy read a $what" $?
    done
else
    skip "Python and NumPy" "no Python with NumPy here"
fi

# ---- the stock shell ----
if command -v sqlite3 >/dev/null; then
    same "a curve" "$(sqlite3 "file:runs/groklab.db?mode=ro" "SELECT count(*) FROM metrics WHERE run = 'net' AND name = 'test_loss'")" 31
    { block '' 'sqlite3 runs/groklab.db'; block sh 'sqlite3 runs/groklab.db'; } | grep '^sqlite3 ' >readme.sh
    [ -s readme.sh ]
    ok "the README has lines for the sqlite3 shell" $?
    lines=0
    while read -r line; do
        lines=$((lines + 1))
        case $line in *.load*)
            if [ -z "$GROKLAB_SQL" ] || ! sqlite3 :memory: -cmd ".load build/groklab_sql" 'SELECT 1' >out 2>err; then
                skip "the README's line $lines for the shell" "no loadable extension here"
                continue
            fi ;;
        esac
        sh -c "$line" >out 2>err
        status=$?
        [ $status -eq 0 ] && [ -s out ] && [ ! -s err ]
        ok "the README's line $lines for the shell" $?
    done <readme.sh
    same "a matrix is npy" "$(head -c 6 m.npy 2>/dev/null | tail -c 5)" NUMPY
    [ "$(sqlite3 :memory: "SELECT json_valid(CAST(substr(readfile('w.safetensors'), 9, instr(readfile('w.safetensors'), x'7d7d') - 7) AS TEXT))")" = 1 ]
    ok "a checkpoint is safetensors" $?
    same "every blob opens with sqlar_uncompress" "$(sqlite3 runs/groklab.db "SELECT count(*) = 0 FROM
        (SELECT data, raw_size FROM matrix UNION ALL SELECT data, raw_size FROM checkpoint)
        WHERE length(sqlar_uncompress(data, raw_size)) <> raw_size")" 1
    same "a split" "$(sqlite3 runs/groklab.db "SELECT n_train, n_test, substr(hex(train_cells), 3, 10) FROM split")" "101|68|4E554D5059"
    if [ -n "$GROKLAB_SQL" ] && sqlite3 :memory: -cmd ".load build/groklab_sql" 'SELECT 1' >out 2>err; then
        sqlite3 runs/groklab.db -cmd ".load build/groklab_sql" "SELECT round(mat_norm(data), 9), round(mat_trace(data), 9) FROM matrix ORDER BY id" >loaded
        "$GROKLAB" sql --csv "SELECT round(mat_norm(data), 9) || '|' || round(mat_trace(data), 9) AS x FROM matrix ORDER BY id" | tail -n +2 >linked
        cmp -s loaded linked && [ -s loaded ]
        ok "the loaded functions are the linked ones" $?
    else
        skip "the loaded functions are the linked ones" "no loadable extension here"
    fi
else
    skip "the stock shell" "no sqlite3 here"
fi

# ---- Python's load_extension: a Python that was built with it ----
loader=
for candidate in $(which -a python3 2>/dev/null); do
    if "$candidate" -c 'import sqlite3; sqlite3.Connection.enable_load_extension' 2>/dev/null; then loader=$candidate && break; fi
done
if [ -n "$GROKLAB_SQL" ] && [ -n "$loader" ]; then
    "$loader" -c "
import sqlite3
db = sqlite3.connect('runs/groklab.db')
db.enable_load_extension(True)
db.load_extension('build/groklab_sql')
assert db.execute('SELECT count(*) FROM matrix m, mat_eig(m.data) e WHERE e.n = 0 AND e.value > 0').fetchone()[0] > 3
assert db.execute('SELECT mat_png(data) FROM matrix').fetchone()[0][:4] == b'\\x89PNG'
try:
    db.execute('SELECT mat_rows(3)').fetchone()
    raise SystemExit('no error')
except sqlite3.OperationalError as e:
    assert 'matrix blob' in str(e)
" >out 2>err
    ok "Python loads the extension" $?
else
    skip "Python loads the extension" "no Python that loads extensions here"
fi
finish
