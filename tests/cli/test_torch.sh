#!/bin/sh
# Exported weights in PyTorch: a module with TransformerLens's names takes the file as it is and gives groklab's logits, and what
# PyTorch saves comes back. Skipped with a word where PyTorch is absent.
. "$(dirname "$0")/tap.sh"
python=
for candidate in "${PYTHON:-python3}" $(which -a python3 2>/dev/null); do
    if "$candidate" -c 'import torch, numpy' 2>/dev/null; then python=$candidate && break; fi
done
if [ -z "$python" ]; then
    skip "exported weights in PyTorch" "no PyTorch here"
    finish
fi
settings="--p 23 --d_model 32 --n_heads 2 --d_mlp 64 --steps 60 --checkpoint_every 20"
"$GROKLAB" train transformer $settings -q --name relu >/dev/null
"$GROKLAB" train transformer $settings --activation gelu -q --name gelu >/dev/null
"$GROKLAB" train transformer $settings --dtype float64 -q --name double >/dev/null
"$GROKLAB" train mlp --p 23 --width 32 --steps 40 -q --name net >/dev/null

# logits NAME RUN ACTIVATION [OPTIONS]: exported and compared
logits() {
    what=$1 run=$2 activation=$3
    shift 3
    "$GROKLAB" export "$run" "$@" -o w.safetensors && "$GROKLAB" export "$run" "$@" --outputs -o outputs.npy
    "$python" "$here/tests/peers/logits_torch.py" w.safetensors outputs.npy "$activation" >out 2>err
    status=$?
    ok "$what" $status
}
logits "a transformer's logits to 1e-5" relu relu
logits "at an earlier step" relu relu --step 20
logits "with gelu" gelu gelu
logits "in double" double relu
sed 's/^.*largest difference \([^ ]*\) .*/\1/' out >difference
same "in double to 1e-12" "$(awk '{ print ($1 < 1e-12) }' difference)" 1
"$GROKLAB" export relu --step 40 -o w.safetensors
"$python" "$here/tests/peers/logits_torch.py" w.safetensors outputs.npy >out 2>err
ok "the logits of other weights are seen to differ" $((! $?))

"$GROKLAB" export net -o net.npz && "$GROKLAB" export net --outputs -o net.npy
"$python" - <<'PYEND' >out 2>err
import numpy as np, torch
from torch import nn

class Net(nn.Module):
    def __init__(self, p, width):
        super().__init__()
        self.fc1, self.out = nn.Linear(2 * p, width, bias=False), nn.Linear(width, p, bias=False)

    def forward(self, x):
        return self.out(self.fc1(x) ** 2)

net = Net(23, 32)
net.load_state_dict({k: torch.tensor(v) for k, v in np.load("net.npz").items()})
cells = torch.arange(23 * 23)
x = torch.cat([nn.functional.one_hot(cells // 23, 23), nn.functional.one_hot(cells % 23, 23)], 1).float()
ours = torch.tensor(np.load("net.npy"))
assert (net(x) - ours).abs().max() < 1e-5 * ours.abs().max()
with torch.no_grad():
    for w in net.parameters():
        w.mul_(-2)
np.savez("back.npz", **{k: v.numpy() for k, v in net.state_dict().items()})
np.save("expected.npy", net(x).detach().numpy())
PYEND
ok "an MLP's state dict, and its outputs" $?
works "a state dict comes back" import back.npz --method mlp --p 23 --width 32 --name back -q
"$GROKLAB" export back --outputs -o back.npy
"$python" -c 'import numpy as np; a, b = np.load("back.npy"), np.load("expected.npy"); assert abs(a - b).max() < 1e-5 * abs(b).max()'
ok "with PyTorch's outputs" $?
finish
