#!/bin/sh
# import from npz and npy: what NumPy writes, and what is refused with the tensor's name. Safetensors are in test_export.sh.
. "$(dirname "$0")/tap.sh"
net="--method mlp --p 13 --width 16 -q"
"$GROKLAB" train mlp --p 13 --width 16 --steps 20 -q --name net >/dev/null
"$GROKLAB" train rfm --p 13 --steps 3 -q --name kernel >/dev/null
"$GROKLAB" export net -o w.npz
"$GROKLAB" export net -o w.safetensors
"$GROKLAB" export net --tensor fc1.weight -o fc1.npy
"$GROKLAB" export net --tensor out.weight -o out.npy
"$GROKLAB" export kernel -o kernel.npz
hash=$(query "SELECT sha256 FROM checkpoint WHERE run_id = 1 AND kind = 'weights' ORDER BY step DESC LIMIT 1")
outputs() { "$GROKLAB" export "$1" --outputs --format csv | sha256sum; }
same "outputs are numbers" "$("$GROKLAB" export net --outputs --format csv | grep -cE '^(-?[0-9.e-]+,){12}-?[0-9.e-]+$')" 169

works "npz" import w.npz $net --name npz
same "the outputs are the same" "$(outputs npz)" "$(outputs net)"
works "npy files, one a tensor" import --tensor out.weight=out.npy --tensor fc1.weight=fc1.npy $net --name npy
same "the outputs are the same" "$(outputs npy)" "$(outputs net)"
same "where they came from is stored" "$(query "SELECT value FROM param WHERE key = 'init_file' AND run_id = 4")" \
    "out.weight=out.npy,fc1.weight=fc1.npy"
works "an RFM" import kernel.npz --method rfm --p 13 -q --name machine
same "the outputs are the same" "$(outputs machine)" "$(outputs kernel)"
works "training from npz" train mlp --p 13 --width 16 --steps 2 --init_file w.npz -q
works "and from safetensors" train mlp --p 13 --width 16 --steps 2 --init_file w.safetensors -q
same "goes the same way" "$(query "SELECT count(DISTINCT value) FROM metrics WHERE run_id IN (6, 7) AND name = 'train_loss' AND step = 2")" 1
runs=$(query "SELECT count(*) FROM run")

refuses "another width" 1 "w.npz.*'fc1.weight' is F32 \[16, 26\] and should be F32 \[8, 26\]" import w.npz --method mlp --p 13 --width 8
refuses "another method" 1 "w.npz.*tensor 'fc1.weight' is not one of this model's" import w.npz --method rfm --p 13
refuses "a tensor that is missing" 1 "tensor 'out.weight' is missing" import --tensor fc1.weight=fc1.npy $net
refuses "a tensor that is no tensor of it" 1 "tensor 'b' is not one of this model's" import --tensor fc1.weight=fc1.npy \
    --tensor out.weight=out.npy --tensor b=out.npy $net
refuses "an npy file without a name" 2 "does not say which tensor it is" import fc1.npy $net
refuses "a name without a file" 3 "cannot open 'none.npy'" import --tensor fc1.weight=none.npy $net
refuses "no name" 2 "is not NAME=FILE" import --tensor fc1.npy $net
refuses "both" 2 "either a FILE or --tensor" import w.npz --tensor fc1.weight=fc1.npy $net
refuses "neither" 2 "either a FILE or --tensor" import $net
head -c 1000 w.npz >cut.npz
refuses "a cut archive" 1 "cut.npz.*truncated" import cut.npz $net
cp w.npz hurt.npz
printf '\377' | dd of=hurt.npz bs=1 seek=400 conv=notrunc 2>/dev/null
refuses "a changed number" 1 "hurt.npz.*tensor 'fc1.weight': its checksum is wrong" import hurt.npz $net
head -c 200 fc1.npy >cut.npy
refuses "a cut npy file" 1 "tensor 'fc1.weight' in cut.npy: .*truncated" import --tensor fc1.weight=cut.npy --tensor out.weight=out.npy $net
if python3 -c 'import numpy' 2>/dev/null; then
    python3 - <<'PYEND'
import numpy as np
w = dict(np.load("w.npz"))
save = lambda name, **more: np.savez(name, **{**w, **more})
np.savez_compressed("packed.npz", **w)
save("double.npz", **{"fc1.weight": w["fc1.weight"].astype(float)})
save("half.npz", **{"fc1.weight": w["fc1.weight"].astype(np.float16)})
save("fortran.npz", **{"fc1.weight": np.asfortranarray(w["fc1.weight"])})
save("turned.npz", **{"fc1.weight": np.ascontiguousarray(w["fc1.weight"].T)})
save("object.npz", **{"fc1.weight": np.array([{}], dtype=object)})
PYEND
    works "compressed npz" import packed.npz $net --name packed
    same "the outputs are the same" "$(outputs packed)" "$(outputs net)"
    runs=$((runs + 1))
    refuses "doubles" 1 "'fc1.weight' is F64 \[16, 26\] and should be F32" import double.npz $net
    refuses "halves" 1 "tensor 'fc1.weight': an npy array of type '<f2'" import half.npz $net
    refuses "Fortran's order" 1 "tensor 'fc1.weight': an npy array in Fortran order; write it with np.ascontiguousarray" import fortran.npz $net
    refuses "a transposed matrix" 1 "'fc1.weight' is F32 \[26, 16\] and should be F32 \[16, 26\]" import turned.npz $net
    refuses "pickled objects" 1 "tensor 'fc1.weight': an npy array of type '|O'" import object.npz $net
else
    skip "what NumPy writes" "no NumPy here"
fi
same "what is refused leaves no run" "$(query "SELECT count(*) FROM run")" "$runs"
same "and the given weights are as they were" "$hash" \
    "$(query "SELECT sha256 FROM checkpoint WHERE run_id = 1 AND kind = 'weights' ORDER BY step DESC LIMIT 1")"
finish
