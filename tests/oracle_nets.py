"""Loss curves and final weights of both networks after 100 full-batch AdamW steps in float64, by PyTorch's autograd and
its own AdamW. Writes tests/fixtures/nets_oracle.h. Weights start from sines so that the fixture need not hold them."""
import math, os
import numpy as np, torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
P, WIDTH, D, HEADS, DM, STEPS = 7, 10, 8, 2, 12, 100
DH = D // HEADS
cells = np.argsort(np.random.Philox(key=3).random_raw(P * P), kind="stable")[: P * P // 2]
cells = np.sort(cells)
X, Y = torch.tensor(cells // P), torch.tensor(cells % P)
Z = (X + Y) % P


def start(index, shape, scale):
    n = int(np.prod(shape))
    i = np.arange(n, dtype=np.float64)
    return torch.tensor(scale * np.sin(1.7 * i + 0.9 * index + 0.3 * np.sin(i))).reshape(shape).requires_grad_()


def activate(z, name):
    return {"quadratic": lambda: z * z, "relu": lambda: F.relu(z), "gelu": lambda: F.gelu(z), "swish": lambda: F.silu(z),
            "softplus": lambda: F.softplus(z)}[name]()


def loss_of(out, kind):
    if kind == "mse":
        return F.mse_loss(out, F.one_hot(Z, out.shape[1]).double())
    return F.cross_entropy(out, Z)


def mlp(act):
    w = [start(0, (WIDTH, 2 * P), 0.5), start(1, (P, WIDTH), 0.5)]
    inputs = torch.cat([F.one_hot(X, P), F.one_hot(Y, P)], 1).double()
    return w, lambda: activate(inputs @ w[0].T, act) @ w[1].T


def transformer(act):
    shapes = [(P + 1, D), (3, D), (HEADS, D, DH), (HEADS, D, DH), (HEADS, D, DH), (HEADS, DH, D), (D, DM), (DM,), (DM, D),
              (D,), (D, P + 1)]
    w = [start(i, s, 0.4) for i, s in enumerate(shapes)]
    W_E, W_pos, W_Q, W_K, W_V, W_O, W_in, b_in, W_out, b_out, W_U = w
    tokens = torch.stack([X, Y, torch.full_like(X, P)], 1)

    def forward():  # all positions, causal mask, as the papers' code does it
        x = W_E[tokens] + W_pos
        q, k, v = (torch.einsum("bpd,hde->bhpe", x, m) for m in (W_Q, W_K, W_V))
        scores = q @ k.transpose(-1, -2) / math.sqrt(DH)
        scores = scores.masked_fill(~torch.tril(torch.ones(3, 3, dtype=torch.bool)), -1e300)
        mixed = torch.softmax(scores, -1) @ v
        x = x + torch.einsum("bhpe,hed->bpd", mixed, W_O)
        x = x + activate(x @ W_in + b_in, act) @ W_out + b_out
        return (x @ W_U)[:, -1]

    return w, forward


def train(make, act, kind, lr, decay, warmup):
    w, forward = make(act)
    opt = torch.optim.AdamW(w, lr=lr, betas=(0.9, 0.98), eps=1e-8, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda t: min(t / warmup, 1) if warmup else 1)
    curve = []
    for _ in range(STEPS):
        loss = loss_of(forward(), kind)
        curve.append(loss.item())
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
    curve.append(loss_of(forward(), kind).item())
    checks = []
    for t in w:
        v = t.detach().numpy().ravel()
        checks.append((float(np.sqrt((v * v).sum())), float((v * np.cos(np.arange(v.size))).sum())))
    return curve, checks


CASES = [("mlp", mlp, "quadratic", "mse", 1e-2, 1.0, 0), ("mlp", mlp, "gelu", "cross_entropy", 1e-2, 0.5, 10),
         ("mlp", mlp, "relu", "mse", 1e-2, 0.1, 5), ("mlp", mlp, "swish", "mse", 1e-2, 0.0, 0),
         ("mlp", mlp, "softplus", "cross_entropy", 3e-3, 1.0, 3),
         ("transformer", transformer, "relu", "cross_entropy", 1e-2, 1.0, 10),
         ("transformer", transformer, "gelu", "cross_entropy", 1e-2, 0.1, 0),
         ("transformer", transformer, "gelu", "mse", 3e-3, 1.0, 10)]
out = ["/* Written by tests/oracle_nets.py (PyTorch, float64): 100 full-batch AdamW steps from the same weights. */",
       "static const oracle_case oracle_cases[] = {"]
for name, make, act, kind, lr, decay, warmup in CASES:
    curve, checks = train(make, act, kind, lr, decay, warmup)
    out.append(f'    {{"{name}", "{act}", "{kind}", "{lr!r}", "{decay!r}", "{warmup}", {len(checks)},')
    out.append("     {" + ", ".join(f"{{{a!r}, {b!r}}}" for a, b in checks) + "},")
    out.append("     {" + ",\n      ".join(repr(v) for v in curve) + "}},")
out.append("};")
path = os.path.join(os.path.dirname(__file__), "fixtures", "nets_oracle.h")
os.makedirs(os.path.dirname(path), exist_ok=True)
open(path, "w").write("\n".join(out) + "\n")
