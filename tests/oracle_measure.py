"""Oracle of the measures: plain NumPy float64, dense projections and explicit sums, nothing of the library.

Writes tests/fixtures/measure.csv: op,p,kind,name,value. The models are tables of Philox numbers that tests/measure.h
builds in the same way; kind is net (attention, cross entropy), mlp (squared error) or rfm (outputs and a metric only).
"""
import itertools
import os

import numpy as np

WIDTH, ROWS, D = 6, 12, 4
CASES = [("add", 11), ("sub", 11), ("mul", 11), ("div", 11), ("add", 12), ("x+y^3", 11), ("x^2+y^2", 11)]
KEYS = {False: [1, 3], True: [2, 5]}


def inverse(a, p):
    return pow(a, p - 2, p) if a % p else None


def label(op, x, y, p):
    if op == "add":
        return (x + y) % p
    if op == "sub":
        return (x - y) % p
    if op == "mul":
        return x * y % p
    if op == "div":
        return x * inverse(y, p) % p if y % p else None
    if op == "x+y^3":
        return (x + y**3) % p
    if op == "x^2+y^2":
        return (x * x + y * y) % p
    raise ValueError(op)


def uv(op, p):
    """u and v with label = u(x) + v(y), or u(x) v(y)."""
    a = range(p)
    if op == "add":
        return "sum", list(a), list(a)
    if op == "sub":
        return "sum", list(a), [-y % p for y in a]
    if op == "x+y^3":
        return "sum", list(a), [y**3 % p for y in a]
    if op == "x^2+y^2":
        return "sum", [x * x % p for x in a], [y * y % p for y in a]
    if op == "mul":
        return "product", list(a), list(a)
    return "product", list(a), [inverse(y, p) or 0 for y in a]


def dlogs(p):
    for root in range(2, p):
        powers = [pow(root, i, p) for i in range(p - 1)]
        if len(set(powers)) == p - 1:
            return {v: i for i, v in enumerate(powers)}
    raise ValueError(p)


def basis(m):
    a = np.arange(m)
    rows = [np.ones(m) / np.sqrt(m)]
    for k in range(1, (m - 1) // 2 + 1):
        rows += [np.sqrt(2 / m) * np.cos(2 * np.pi * k * a / m), np.sqrt(2 / m) * np.sin(2 * np.pi * k * a / m)]
    if m % 2 == 0:
        rows.append((-1.0) ** a / np.sqrt(m))
    return np.array(rows)


def rows_of(k, m):
    return [2 * k - 1] if 2 * k == m else [2 * k - 1, 2 * k]


def cross_entropy(out, labels):
    out = out - out.max(1, keepdims=True)
    return (np.log(np.exp(out).sum(1)) - out[np.arange(len(labels)), labels]).mean()


def mse(out, labels):
    return ((out - np.eye(out.shape[1])[labels]) ** 2).mean()


def gini(v):
    v = np.sort(v)
    n = len(v)
    return ((2 * np.arange(1, n + 1) - n - 1) * v).sum() / (n * v.sum())


def cosine(a, b):
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def nodiag(a):
    return a - np.diag(np.diag(a))


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def root(a):
    w, v = np.linalg.eigh(a)
    return (v * np.sqrt(np.clip(w, 0, None))) @ v.T


def entropy(w):
    w = w / w.sum()
    w = w[w > 0]
    return -(w * np.log(w)).sum()


def circularity(block, rows, cols, m):
    """By explicit groups: within-group sum of squares / (kept rows |A|^2), and 1 - within / total."""
    keep_r, keep_c = [i for i, r in enumerate(rows) if r >= 0], [j for j, c in enumerate(cols) if c >= 0]
    groups = {}
    for i, j in itertools.product(keep_r, keep_c):
        groups.setdefault((rows[i] - cols[j]) % m, []).append(block[i, j])
    everything = np.concatenate([np.array(g) for g in groups.values()])
    within = sum(((np.array(g) - np.mean(g)) ** 2).sum() for g in groups.values())
    total = ((everything - everything.mean()) ** 2).sum()
    return within / (len(keep_r) * (everything**2).sum()), 1 - within / total


class Model:
    """The same draws in the same order as in test_measure.c; uniform on [-.5, .5)."""

    def __init__(self, p, kind):
        self.raw = iter(((np.random.Philox(key=7).random_raw(40000) >> np.uint64(11)) * 2.0**-53 - 0.5).tolist())
        self.p, self.kind = p, kind
        self.base = self.draw(p * p, p)
        self.neurons = self.draw(p * p, WIDTH)
        self.wl = self.draw(p, WIDTH)
        self.embed = self.draw(ROWS, p)
        self.b_out = self.draw(D)
        self.w_u = self.draw(D, p + 1)
        agop, nfm, metric, self.final_m = (self.draw(2 * p, 2 * p) for _ in range(4))
        self.agop, self.nfm, self.metric = agop @ agop.T, nfm @ nfm.T, metric @ metric.T
        a = np.arange(p)
        self.wl += np.cos(2 * np.pi * 2 * a / p)[:, None]
        x, y = np.divmod(np.arange(p * p), p)
        self.base += np.cos(2 * np.pi * 2 * (x[:, None] + y[:, None] - a) / p)
        # neuron 0 is near one frequency (not wholly: over discrete logarithms all would tie), 1 is silent, 2 has .6 of
        # its energy on the frequency without a sine where p is even
        turn = 2 * np.pi / p
        self.neurons[:, 0] = 0.3 * self.neurons[:, 0] + np.cos(turn * (x + y)) + 0.5 * np.sin(turn * x) + 2
        self.neurons[:, 1] = 0.1
        self.neurons[:, 2] += 0.35 * (-1.0) ** (x + y)
        self.w_u = self.w_u.astype(np.float32).astype(float)
        self.weights = {"base": self.base, "out.weight": self.wl, "blocks.0.mlp.b_out": self.b_out}
        self.weights["unembed.W_U"] = self.w_u
        self.squared, self.heads = kind != "net", 2 if kind == "net" else 0

    def draw(self, *shape):
        n = int(np.prod(shape))
        return np.array([next(self.raw) for _ in range(n)]).reshape(shape)

    def bias(self):
        return self.b_out @ self.w_u[:, : self.p]

    def from_neurons(self, cells, n):
        return self.base[cells] + n @ self.wl.T + self.bias()

    def outputs(self, cells):
        return self.base[cells] if self.kind == "rfm" else self.from_neurons(cells, self.neurons[cells])

    def without_head(self, cells, head):
        return self.outputs(cells) * (0.5 + head)


def split_of(op, p):
    """The defined cells, their labels, and which are trained on (seed 3, fraction .4)."""
    pairs = [(x, y) for x in range(p) for y in range(p) if label(op, x, y, p) is not None]
    cells = np.array([x * p + y for x, y in pairs])
    labels = np.array([label(op, x, y, p) for x, y in pairs])
    order = np.argsort(np.random.Philox(key=3).random_raw(len(cells)), kind="stable")
    train = np.zeros(len(cells), bool)
    train[order[: int(0.4 * len(cells))]] = True
    return pairs, cells, labels, train


def measure(op, p, model):
    kind, squared = model.kind, model.squared
    form, u, v = uv(op, p)
    pairs, cells, labels, train = split_of(op, p)
    out = {}

    def losses(name, logits, lab, scale):
        out[name] = cross_entropy(logits / scale, lab)
        if squared:
            out[name.replace("_loss", "_mse") if "_loss" in name else name + "_mse"] = mse(logits, lab)

    L = model.outputs(cells)
    centred = L - L.mean(1, keepdims=True)
    out["output_scale"] = np.sqrt((centred**2).mean())
    scale = out["output_scale"] if squared else 1.0
    out["full_loss"] = cross_entropy(L / scale, labels)
    out["full_loss_train"] = cross_entropy(L[train] / scale, labels[train])
    out["full_loss_test"] = cross_entropy(L[~train] / scale, labels[~train])
    if squared:
        out["full_mse"] = mse(L, labels)
    out["weight_norm_sq"] = sum((w**2).sum() for w in model.weights.values())
    for name, w in model.weights.items():
        out["weight_norm_sq_" + name] = (w**2).sum()

    # ---- structure ----
    M = model.metric if kind == "rfm" else root(model.agop)
    A = M[p:, :p]
    if form == "product":
        d = dlogs(p)
        rows, cols, m = [d.get(a, -1) for a in v], [d.get(a, -1) for a in u], p - 1
    else:
        d = {a: a for a in range(p)}
        rows, cols, m = v, u, p
    out["circulant_deviation"], out["circulance"] = circularity(A, rows, cols, m)
    wrong = [-r % m if r >= 0 else -1 for r in rows]
    out["circulant_deviation_control"], out["circulance_control"] = circularity(A, wrong, cols, m)
    plain = list(range(p))
    orderings = [(plain, plain, p), (plain, [-c % p for c in plain], p)]
    if p in (7, 11):
        log = [dlogs(p).get(a, -1) for a in range(p)]
        orderings += [(log, log, p - 1), (log, [-c % (p - 1) if c >= 0 else -1 for c in log], p - 1)]
    best = [circularity(A, *o)[1] for o in orderings]
    out["best_ordering"], out["best_circulance"] = float(np.argmax(best)), max(best)
    out["effective_rank"] = np.exp(entropy(np.clip(np.linalg.eigvalsh(M), 0, None)))
    out["trace"] = np.trace(M)
    out["agop_alignment"] = cosine(M, model.final_m)
    out["agop_alignment_nodiag"] = cosine(nodiag(M), nodiag(model.final_m))
    out["agop_alignment_block"] = cosine(A, model.final_m[p:, :p])
    if kind != "rfm":
        off = ~np.eye(2 * p, dtype=bool)
        out["nfa_correlation"] = pearson(M, model.nfm)
        out["nfa_correlation_nodiag"] = pearson(M[off], model.nfm[off])

    def ablation(name, sel, logits):
        out["ablation_" + name] = cross_entropy(logits / scale, labels[sel])
        if squared:
            out["ablation_" + name + "_mse"] = mse(logits, labels[sel])

    everything = np.ones(len(cells), bool)
    N = None if kind == "rfm" else model.neurons[cells]
    if kind != "rfm":
        ablation("none", everything, L)
        ablation("mlp_zero", everything, model.from_neurons(cells, 0 * N) - model.bias())
        ablation("mlp_mean", everything, model.from_neurons(cells, np.broadcast_to(N.mean(0), N.shape)))
        ablation("mlp_only", everything, N @ model.wl.T)
        for h in range(model.heads):
            ablation(f"head{h}_zero", everything, model.without_head(cells, h))
    if sorted(u) != plain or sorted(v) != plain and form == "sum":
        return out  # not cyclic: no section 4

    # ---- section 4, over the right group ----
    ex, ey = np.array([d.get(a, -1) for a in u]), np.array([d.get(a, -1) for a in v])
    class_of = np.array([a for a, _ in sorted(d.items(), key=lambda i: i[1])])
    kept = np.array([ex[x] >= 0 and ey[y] >= 0 for x, y in pairs])
    gi = np.array([ex[x] for x, _ in pairs])[kept]
    gj = np.array([ey[y] for _, y in pairs])[kept]
    s = (gi + gj) % m
    assert (labels[kept] == class_of[s]).all()
    F = basis(m)

    def directions(k):
        """Unit directions over the kept cells."""
        if 2 * k == m:
            return [F[m - 1][gi] * F[m - 1][gj]]
        c, n = F[2 * k - 1], F[2 * k]
        return [(c[gi] * c[gj] - n[gi] * n[gj]) / np.sqrt(2), (n[gi] * c[gj] + c[gi] * n[gj]) / np.sqrt(2)]

    def projector(keys):
        q = np.array([w for k in keys for w in directions(k)])
        assert np.allclose(q @ q.T, np.eye(len(q)))
        return q.T @ q

    Lk, lk, tk = L[kept], labels[kept], train[kept]
    keys = KEYS[form == "product" and p == 11]
    for name, ks in [("restricted_loss", keys)]:
        logits = projector(ks) @ Lk + Lk.mean(0)
        losses(name, logits, lk, scale)
        losses(name + "_test", logits[~tk], lk[~tk], scale)
    for name, ks in [("excluded_loss", keys)] + [(f"excluded_loss_k{k}", [k]) for k in keys]:
        losses(name, (Lk - projector(ks) @ Lk)[tk], lk[tk], scale)

    sc = np.arange(m)
    coefficient, tensors = {}, {}
    for k in range(1, m // 2 + 1):
        C = np.cos(2 * np.pi * k * (gi[:, None] + gj[:, None] - sc) / m)
        tensors[k] = C / np.sqrt((C**2).sum())
        coefficient[k] = (Lk[:, class_of] * tensors[k]).sum()
    Lc = Lk[:, class_of]
    explained = sum(coefficient[k] * tensors[k] for k in keys)
    out["logit_fve_raw"] = 1 - ((Lc - explained) ** 2).sum() / (Lc**2).sum()
    Lc = Lc - Lc.mean(1, keepdims=True)
    out["logit_fve"] = 1 - ((Lc - explained) ** 2).sum() / (Lc**2).sum()
    for k in keys:
        out[f"cos_coefficient_k{k}"] = coefficient[k]

    def chosen(strength, rule):
        top = max(strength.values())
        for k in range(1, m // 2 + 1):
            out[f"{rule}_{k}"] = float(strength[k] > top / 4)

    chosen({k: abs(c) for k, c in coefficient.items()}, "key_outputs")

    # the line of the block's 2-D DFT, block in the order of the exponents
    inv = lambda e: np.array([int(np.where(e == a)[0][0]) for a in range(m)])
    B = A[np.ix_(inv(ey), inv(ex))]
    spectrum = np.abs(np.fft.fft2(B)) ** 2 / m**2
    line = np.array([sum(spectrum[q, (-q) % m] for q in {k % m, -k % m}) for k in range(m // 2 + 1)])
    out["line_energy"] = line.sum() / (B**2).sum()
    out["spectrum_entropy"] = entropy(line[1:])
    if kind == "rfm":
        return out

    WL = model.wl[class_of]
    FW = F @ WL
    out["gini_neuron_logit"] = gini(np.linalg.norm(FW, axis=1))
    rows_key = [r for k in keys for r in rows_of(k, m)]
    out["wl_residual"] = np.linalg.norm(WL - F[rows_key].T @ F[rows_key] @ WL) / np.linalg.norm(WL)
    chosen({k: np.linalg.norm(FW[rows_of(k, m)]) for k in range(1, m // 2 + 1)}, "key_weights")
    first = model.embed[:, inv(ex)]
    second = model.embed[:, inv(ex if model.heads else ey)]
    half = len(model.embed) // 2
    E = np.concatenate([first[:half], second[half:]])
    out["gini_embed"] = gini(np.linalg.norm(E @ F.T, axis=0))

    Nk = N[kept]
    Nc = Nk - Nk.mean(0)
    polynomial, best_k, fraction = np.zeros_like(Nk), [], []
    for j in range(Nk.shape[1]):
        energy = (Nc[:, j] ** 2).sum()
        shares = []
        for k in range(1, m // 2 + 1):
            family = [F[0]] + [F[r] for r in rows_of(k, m)]
            q = np.array([a[gi] * b[gj] for a, b in itertools.product(family, family)][1:])
            shares.append(((q @ Nc[:, j]) ** 2).sum() / energy if energy > 1e-20 else 0.0)
        k = int(np.argmax(shares)) + 1
        best_k.append(k)
        fraction.append(max(shares))
        family = [F[0]] + [F[r] for r in rows_of(k, m)]
        q = np.array([a[gi] * b[gj] for a, b in itertools.product(family, family)])
        polynomial[:, j] = q.T @ (q @ Nk[:, j])
    fraction, best_k = np.array(fraction), np.array(best_k)
    out["neurons_explained"] = (fraction > 0.85).mean()
    for k in range(1, m // 2 + 1):
        count = ((fraction > 0.85) & (best_k == k)).sum()
        if count or k in keys:
            out[f"neurons_k{k}"] = float(count)
    for k in range(1, m // 2 + 1):
        out[f"key_neurons_{k}"] = float(any(b == k and f > 0 for b, f in zip(best_k, fraction)))

    P = projector(keys)
    kept_cells = cells[kept]
    ablation("project_on", kept, model.from_neurons(kept_cells, P @ Nk + Nk.mean(0)))
    ablation("project_off", kept, model.from_neurons(kept_cells, Nk - P @ Nk))
    good = fraction > 0.85
    ablation("polynomial", kept, model.from_neurons(kept_cells, np.where(good, polynomial, Nk)))
    ablation("polynomial_all", kept, model.from_neurons(kept_cells, polynomial))
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    lines = ["op,p,kind,name,value"]
    for (op, p), kind in itertools.product(CASES, ["net", "mlp", "rfm"]):
        for name, value in sorted(measure(op, p, Model(p, kind)).items()):
            lines.append(f"{op},{p},{kind},{name},{float(value)!r}")
    with open(os.path.join(here, "fixtures", "measure.csv"), "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
