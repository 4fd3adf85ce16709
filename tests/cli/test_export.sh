#!/bin/sh
# export and import: weights, matrices and metrics out, weights in.
. "$(dirname "$0")/tap.sh"
"$GROKLAB" train mlp --p 13 --width 16 --steps 20 --checkpoint_every 5 -q --name net >/dev/null
"$GROKLAB" train rfm --p 13 --steps 3 -q --name kernel >/dev/null

works "safetensors" export net -o w.safetensors
same "its bytes are those that the database vouches for" "$(sha256sum <w.safetensors | cut -d' ' -f1)" \
    "$(query "SELECT sha256 FROM checkpoint WHERE run_id = 1 AND kind = 'weights' ORDER BY step DESC LIMIT 1")"
works "an older step" export net --step 5 -o old.safetensors
same "an older step is another file" "$(sha256sum <old.safetensors | cut -d' ' -f1)" \
    "$(query "SELECT sha256 FROM checkpoint WHERE run_id = 1 AND kind = 'weights' AND step = 5")"
works "npz" export net -o w.npz
works "npy of a tensor" export net --tensor out.weight -o out.npy
works "npy of the outputs" export net --outputs -o outputs.npy
works "npy of a matrix" export kernel --matrix metric -o metric.npy
if python3 -c 'import numpy' 2>/dev/null; then
    python3 - <<'P'
import json, struct, numpy as np
raw = open("w.safetensors", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
head = json.loads(raw[8:8 + n])
z = np.load("w.npz")
assert sorted(z.files) == ["fc1.weight", "out.weight"], z.files
for name in z.files:
    a, b = head[name]["data_offsets"]
    w = np.frombuffer(raw[8 + n + a:8 + n + b], "<f4").reshape(head[name]["shape"])
    assert (w == z[name]).all() and w.dtype == z[name].dtype
assert z["fc1.weight"].shape == (16, 26) and (np.load("out.npy") == z["out.weight"]).all()
cells = np.arange(169)
x = np.zeros((169, 26))
x[cells, cells // 13] = x[cells, 13 + cells % 13] = 1
f = (x @ z["fc1.weight"].T.astype(float)) ** 2 @ z["out.weight"].T.astype(float)
outputs = np.load("outputs.npy")
assert outputs.shape == (169, 13) and abs(outputs - f).max() < 1e-5 * abs(f).max()
m = np.load("metric.npy")
assert m.shape == (26, 26) and np.allclose(m, m.T)
P
    ok "NumPy reads npz and npy, and they are the safetensors" $?
else
    skip "NumPy reads npz and npy" "no NumPy here"
fi
if command -v unzip >/dev/null; then
    unzip -tq w.npz >/dev/null
    ok "unzip finds the archive whole" $?
else
    skip "unzip finds the archive whole" "no unzip here"
fi
works "metrics as CSV" export net --format csv
same "every value" "$(wc -l <out)" "$(($(query 'SELECT count(*) FROM metric WHERE run_id = 1') + 1))"
works "metrics as JSON lines" export net -o m.jsonl
sed '1s/^/[/; $!s/$/,/; $s/$/]/' m.jsonl >all.json
same "each line is JSON" "$(sqlite3 :memory: "SELECT json_array_length(CAST(readfile('all.json') AS TEXT))")" \
    "$(query 'SELECT count(*) FROM metric WHERE run_id = 1')"
works "a tensor as CSV" export net --tensor fc1.weight --format csv
same "its rows" "$(wc -l <out)" 16

works "import" import w.safetensors --method mlp --p 13 --width 16 --name back -q
same "import prints the id" "$(cat out)" 3
same "the weights are the same" "$("$GROKLAB" export back --format npz | sha256sum)" "$("$GROKLAB" export net --format npz | sha256sum)"
same "and score the same" "$(query "SELECT count(DISTINCT test_accuracy) FROM run_summary WHERE run IN ('net', 'back')")" 1
works "it can be compared" compare net back
works "and trained on" train mlp --p 13 --width 16 --steps 2 --init_file w.safetensors -q

refuses "import on another split than theirs" 4 "trained on the split [0-9a-f]{12}, and the settings make the split" \
    import w.safetensors --method mlp --p 13 --width 16 --split_seed 1
works "which is a start like any other" train mlp --init_file w.safetensors --p 13 --width 16 --split_seed 1 --steps 1 -q
refuses "import without a method" 2 "needs --method" import w.safetensors
refuses "import of no file" 3 "none.safetensors" import none.safetensors --method mlp
refuses "import with steps" 2 "takes no step" import w.safetensors --method mlp --steps 3
refuses "weights of another method" 1 "w.safetensors" import w.safetensors --method transformer --p 13 -q
refuses "weights of another shape: the tensor is named" 1 "w.safetensors.*fc1.weight" import w.safetensors --method mlp --p 11 --width 16
head -c 300 w.safetensors >cut.safetensors
gk import cut.safetensors --method mlp --p 13 --width 16
[ "$status" -eq 1 ] || [ "$status" -eq 2 ]
ok "a cut file is refused" $?
says "and named" "cut.safetensors"
same "refused files make no run" "$(query 'SELECT count(*) FROM run')" 5

refuses "unknown format suggests" 2 "did you mean 'safetensors'" export net --format safetensor -o x
refuses "an ending that says no format" 2 "the ending .txt says no format; accepted: .safetensors" export net -o x.txt
works "but a name without one" export net -o ./weights
refuses "npy of what" 2 "needs --matrix KIND, --tensor NAME or --outputs" export net -o x.npy
refuses "a matrix as safetensors" 2 "a single array goes to npy or csv" export net --matrix agop -o x.safetensors
refuses "a matrix and outputs" 2 "exclude each other" export net --matrix agop --outputs -o x.npy
refuses "no such tensor suggests" 3 "did you mean 'fc1.weight'" export net --tensor fc1.weigth -o x.npy
refuses "no such matrix" 3 "." export net --matrix metric -o x.npy
refuses "no such step" 3 "." export net --step 7 -o x.safetensors
[ ! -e x.npy ] && [ ! -e x.safetensors ]
ok "no half files" $?
echo precious >kept.npy
ln -s kept.npy link.npy
gk export net --matrix metric -o kept.npy
same "what stood there survives a failure" "$(cat kept.npy)" precious
works "through a link" export net --matrix agop -o link.npy
[ -L link.npy ] && [ "$(head -c 6 kept.npy | tail -c 5)" = NUMPY ]
ok "the link stays one, and what it leads to is new" $?
mkfifo pipe
timeout 20 cat pipe >through.npy &
gk export net --matrix agop --format npy -o pipe
wait $!
[ "$status" -eq 0 ] && [ -p pipe ] && cmp -s through.npy kept.npy
ok "a pipe is written, and stays one" $?
refuses "a folder" 1 "cannot write .: Is a directory" export net -o .
same "nothing is left beside" "$(ls -a | grep -c 'tmp$')" 0
refuses "nowhere to write" 1 "cannot write no/where.npz" export net -o no/where.npz
finish
