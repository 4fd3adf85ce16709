#!/bin/sh
# compare in depth: every measure of a pair against NumPy, runs over training on one axis, and the sentences at the end.
. "$(dirname "$0")/tap.sh"
split="--p 13 --train_fraction 0.5"
net="--width 32 --steps 30 --measure_every 10 --checkpoint_every 10"
"$GROKLAB" train mlp $split $net -q --name a >/dev/null
"$GROKLAB" train rfm $split --steps 6 --measure_every 2 -q --name m >/dev/null
"$GROKLAB" train mlp $split $net --seed 5 -q --name b >/dev/null
"$GROKLAB" train mlp --p 13 --op div --width 32 --steps 10 -q --name d >/dev/null
"$GROKLAB" train mlp --p 13 --op mul --width 32 --steps 10 -q --name u >/dev/null
"$GROKLAB" train rfm --p 12 --steps 3 -q --name twelve >/dev/null
json() { sqlite3 :memory: "SELECT json_extract(CAST(readfile('out') AS TEXT), '$1')"; }

works "every measure" compare d u twelve --across-splits --deep --json
valid_json "JSON"
mv out other.json
same "tasks of one group can be compared: multiplication mod 13 and addition mod 12" "$(sqlite3 :memory: "SELECT
    typeof(json_extract(j, '\$.pairs[1].cosine_group')), typeof(json_extract(j, '\$.pairs[1].cosine'))
    FROM (SELECT CAST(readfile('other.json') AS TEXT) AS j)")" "real|null"
works "on one split" compare a b m --deep --json
if python3 -c 'import numpy' 2>/dev/null; then
    for k in a b d u; do "$GROKLAB" export $k --matrix sqrt_agop -o $k.npy; done
    "$GROKLAB" export m --matrix metric -o m.npy
    "$GROKLAB" export a -o a.npz
    "$GROKLAB" export b -o b.npz
    python3 - >oracle 2>&1 <<'PYEND'
import io, json, os, sqlite3
import numpy as np

p, failed = 13, []
plain, power = np.arange(p), np.array([pow(2, i, p) for i in range(p - 1)])
inverse = np.array([pow(int(v), -1, p) for v in power])


def near(name, value, want):
    if not (value is not None and abs(value - want) < 1e-9):
        failed.append(f"{name}: {value}, not {want}")


def compare(pair, x, y, order_x, order_y, suffix):
    """All similarities of all blocks in an order of the first input and one of the second; returns the reordered."""
    k = len(order_x[0])
    x, y = (m[np.ix_(o, o)] for m, o in ((x, np.r_[order_x[0], p + order_x[1]]), (y, np.r_[order_y[0], p + order_y[1]])))
    for block, (r, c, n) in {"": (0, 0, 2 * k), "_xx": (0, 0, k), "_yx": (k, 0, k), "_yy": (k, k, k)}.items():
        s, t = x[r:r + n, c:c + n], y[r:r + n, c:c + n]
        for diagonal, kept in (("", np.ones((n, n), bool)), ("_nodiag", ~np.eye(n, dtype=bool))):
            u, v = s[kept], t[kept]
            near("cosine" + diagonal + block + suffix, pair["cosine" + diagonal + block + suffix],
                 u @ v / np.sqrt((u @ u) * (v @ v)))
            near("pearson" + diagonal + block + suffix, pair["pearson" + diagonal + block + suffix], np.corrcoef(u, v)[0, 1])
    return x, y


def variation(s, t):
    return np.abs(s / s.sum() - t / t.sum()).sum() / 2


def lines(m):
    """Energies on the lines u = -v and u = v of the block's 2-D transform, by frequency; a point counts once."""
    k = len(m) // 2
    f, seen, out = np.abs(np.fft.fft2(m[k:, :k])) ** 2, set(), []
    for sign in (-1, 1):
        for u in range(1, k // 2 + 1):
            points = {(u, sign * u % k), (-u % k, -sign * u % k)} - seen
            seen |= points
            out.append(sum(f[q] for q in points))
    return np.array(out)


def spectra(pair, x, y):
    s, t = lines(x), lines(y)
    near("line_distance", pair["line_distance"], variation(s, t))
    near("frequency_distance", pair["frequency_distance"], variation(s.reshape(2, -1).sum(0), t.reshape(2, -1).sum(0)))


pairs = {(q["run_a"], q["run_b"]): q for q in json.load(open("out"))["pairs"]}
a, b, m, d, u = (np.load(n + ".npy") for n in "abmdu")
for x, y, pair in ((a, b, pairs[1, 3]), (a, m, pairs[1, 2])):
    compare(pair, x, y, (power, power), (power, power), "_dlog")
    compare(pair, x, y, (plain, plain), (plain, plain), "_group")
    spectra(pair, *compare(pair, x, y, (plain, plain), (plain, plain), ""))
    near("eigen_distance", pair["eigen_distance"], variation(*(np.clip(np.linalg.eigvalsh(v), 0, None) for v in (x, y))))

# Division and multiplication, each in the order of its group: x = g^i, y = g^-i and y = g^i.
pair = json.load(open("other.json"))["pairs"][0]
compare(pair, d, u, (plain, plain), (plain, plain), "")
spectra(pair, *compare(pair, d, u, (power, inverse), (power, power), "_group"))

# Answers of the two networks, W2 (W1 x)^2, on the cells of no training pair.
db = sqlite3.connect(os.environ["GROKLAB_DB"])
train = np.load(io.BytesIO(db.execute("SELECT train_cells FROM split WHERE id = 1").fetchone()[0]))
cells = np.setdiff1d(np.arange(p * p), train)
inputs = np.zeros((len(cells), 2 * p))
inputs[np.arange(len(cells)), cells // p] = inputs[np.arange(len(cells)), p + cells % p] = 1
answers = []
for name in ("a.npz", "b.npz"):
    w1, w2 = (np.load(name)[k].astype(float) for k in ("fc1.weight", "out.weight"))
    answers.append(((inputs @ w1.T) ** 2 @ w2.T).argmax(1))
label, same = (cells // p + cells % p) % p, answers[0] == answers[1]
wrong = (answers[0] != label) & (answers[1] != label)
near("agreement", pairs[1, 3]["agreement"], same.mean())
near("agreement_wrong", pairs[1, 3]["agreement_wrong"], same[wrong].mean())
keys = [set(json.loads(row[0])["frequencies"]) for row in
        db.execute("SELECT detail FROM event WHERE kind = 'key_frequencies' AND run_id IN (1, 3) ORDER BY run_id")]
near("key_overlap", pairs[1, 3]["key_overlap"], len(keys[0] & keys[1]) / len(keys[0] | keys[1]))
print("\n".join(failed) or "all equal")
PYEND
    same "every number is NumPy's" "$(cat oracle)" "all equal"
else
    skip "every number is NumPy's" "no NumPy here"
fi
same "what is printed is what is stored" "$(query "SELECT abs(value - $(json '$.pairs[0].cosine_yx')) <= 1e-15 FROM comparison
    WHERE run_a = 1 AND run_b = 3 AND kind_a = 'sqrt_agop' AND measure = 'cosine_yx'")$(query "SELECT abs(value -
    $(json '$.pairs[0].agreement')) <= 1e-15 FROM comparison WHERE run_a = 1 AND run_b = 3 AND kind_a = 'outputs'
    AND step_b = 30 AND measure = 'agreement'")" 11
works "a run against itself" compare a a --deep --csv --pairs
same "similarities are 1, distances 0, overlap and agreement 1" "$(tail -1 out | cut -d, -f7- | tr , '\n' | awk '
    NF == 0 { next } NR > 48 && NR < 52 { n += $1 == 0; next } { n += $1 > 1 - 1e-12 && $1 < 1 + 1e-12 } END { print n }')" \
    "$(tail -1 out | cut -d, -f7- | tr , '\n' | grep -c .)"
works "for the eye" compare a m b --deep
prints "measures are rows" '^cosine_yx +-?[0-9.e-]+ +-?[0-9.e-]+ +-?[0-9.e-]+$'
works "chosen measures" compare a m --measure line_distance,agreement --pairs --csv
same "alone are there" "$(head -1 out | cut -d, -f7-)" "line_distance,agreement"

# ---- what it says ----
works "a summary" compare a b m
prints "who generalised" '^[0-3] of 3 runs generalised[:;] .*\.$'
prints "how alike their features are" '^Feature matrices off their diagonals, by cosine: .*a ~ b \(-?[0-9.e-]+\)'
prints "what they are made of, and what is chance" '^Off-diagonal blocks: [0-9]+ % of m.s is a function of x - y, a.s has no structure [(][0-9]+ % by chance[)], '
query "DELETE FROM event WHERE run_id IN (1, 2, 3) AND kind IN ('memorised', 'grokked');
    INSERT INTO event VALUES(1, 'memorised', 10, NULL), (1, 'grokked', 20, NULL), (2, 'memorised', 0, NULL),
    (2, 'grokked', 4, NULL), (3, 'memorised', 0, NULL), (3, 'grokked', 30, NULL);
    UPDATE metric SET value = 0.25 WHERE run_id = 3 AND metric_id = (SELECT id FROM metric_name WHERE name = 'test_accuracy')"
gk compare a m b
prints "it is made from the events" \
    '^3 of 3 .*: a at epoch 20 \(10 after memorising\), m at iteration 4 \(its training data fitted from the start\), b at epoch 30'
gk compare a@12 b@29
prints "those of the compared steps" '^0 of 2 runs had generalised by then; not 1 a@12 \(.*\), 3 b@29 \(best test accuracy 0.25\)'
says "a step between two stored ones is said" '^run 1 a@12: its sqrt_agop is that of epoch 10$'

# ---- over training ----
works "by steps" compare a b --align step --csv
same "at the steps that are stored" "$(cut -d, -f2,5,8 out | tail -n +2 | tr '\n' ' ')" "0,0,0 10,10,10 20,20,20 30,30,30 "
same "the last is that of the last matrices" "$(tail -1 out | cut -d, -f9)" "$("$GROKLAB" compare a b --pairs --csv | tail -1 | cut -d, -f8)"
works "by fractions" compare a m --align fraction --points 4 --measure cosine,key_overlap --csv
same "a third of 30 and of 6" "$(sed -n 3p out | cut -d, -f1,5,8)" "fraction,10,2"
same "what is printed is stored" "$(query "SELECT abs(value - $(sed -n 3p out | cut -d, -f9)) < 1e-15 FROM comparison
    WHERE run_a = 1 AND step_a = 10 AND run_b = 2 AND step_b = 2 AND measure = 'cosine'")" 1
works "by phases" compare a b --align phase --measure agreement --json
valid_json "JSON"
same "thirteen points from the start to the end" "$(json '$.over[12].at') $(json '$.over[13]')" "2 "
works "phases" compare a b --align phase --points 4 --csv
same "memorised is 0, grokked is 1" "$(cut -d, -f2,5,8 out | tail -n +2 | tr '\n' ' ')" "-1,0,0 0,10,0 1,20,30 2,30,30 "
works "for the eye" compare a b m --align phase
prints "steps and pairs are columns" '^ *phase  1 a  3 b  2 m +1 ~ 3 +1 ~ 2 +3 ~ 2$'
query "DELETE FROM event WHERE run_id = 3 AND kind = 'grokked'"
works "a run that never grokked" compare a b --align phase
says "is said" '^run 3 b has not grokked; its phases end at 1$'

refuses "a measure that is none suggests" 2 "did you mean 'cosine_yx'" compare a m --measure cosine_yz
refuses "an axis that is none" 2 "step, fraction or phase" compare a m --align epoch
refuses "points of no axis" 2 "points needs --align" compare a m --points 4
refuses "no points" 2 "from 1 to" compare a m --align step --points 0
refuses "a step and an axis" 2 "leave out @STEP" compare a@10 m --align step
refuses "one run over training" 2 "two runs" compare a --align step
refuses "checkpoints and matrices on one axis" 2 "one after the other" compare a m --align step --measure cosine,agreement
refuses "a kind that is not stored, over training" 3 "run 2 m has no stored nfm" compare a m --align step --kind nfm
finish
