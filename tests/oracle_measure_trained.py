"""Oracle of the measures on trained weights of the three real methods, p = 7 and the composite 6: weights come out of plain
PyTorch (networks) and NumPy (RFM), outputs and Jacobians from PyTorch's autograd, measures from oracle_measure.py.

Writes tests/fixtures/measure_trained.txt: weights METHOD OP P TENSOR COUNT numbers..., and value METHOD OP P NAME number.
"""
import itertools
import os

import numpy as np
import torch

from oracle_measure import measure, root, split_of

torch.set_default_dtype(torch.float64)
WIDTH, D, HEADS, DM = 8, 8, 2, 12
DH = D // HEADS


def one_hot(p, cells):
    x, y = np.divmod(np.asarray(cells), p)
    out = np.zeros((len(x), 2 * p))
    out[np.arange(len(x)), x] = out[np.arange(len(x)), p + y] = 1
    return torch.tensor(out)


def final_m(p):
    i = np.arange(2 * p)
    return (i[:, None] * i) % 7 + 1.0


def draw(seed, shape, scale):
    return torch.tensor(np.random.Generator(np.random.Philox(key=seed)).normal(size=shape) * scale).requires_grad_()


class Trained:
    """What measure() asks of a model."""

    squared, heads = True, 0

    def __init__(self, op, p):
        self.op, self.p, self.final_m = op, p, final_m(p)
        _, cells, labels, train = split_of(op, p)
        self.train_cells, self.train_labels = cells[train], labels[train]

    def fit(self, steps, lr):
        w = list(self.parameters.values())
        target = torch.tensor(self.train_labels)
        optimiser = torch.optim.AdamW(w, lr=lr, weight_decay=0.3)
        for _ in range(steps):
            out = self.forward(one_hot(self.p, self.train_cells))
            loss = ((out - torch.eye(out.shape[1])[target]) ** 2).mean() * self.p if self.squared else (
                torch.nn.functional.cross_entropy(out, target))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.weights = {k: v.detach().numpy() for k, v in self.parameters.items()}
        jacobian = torch.func.vmap(torch.func.jacrev(lambda z: self.forward(z[None])[0, :self.p]))
        j = jacobian(one_hot(self.p, self.train_cells)).detach().numpy()
        self.agop = np.einsum("nca,ncb->ab", j, j) / len(j)
        self.class_traces = (j**2).sum((0, 2)) / len(j)

    def outputs(self, cells):
        return self.forward(one_hot(self.p, cells))[:, :self.p].detach().numpy()

    def bias(self):
        return 0.0


class Mlp(Trained):
    kind = "mlp"

    def __init__(self, op, p):
        super().__init__(op, p)
        self.parameters = {"fc1.weight": draw(1, (WIDTH, 2 * p), 0.4), "out.weight": draw(2, (p, WIDTH), 0.4)}
        self.forward = lambda z: (z @ self.parameters["fc1.weight"].T) ** 2 @ self.parameters["out.weight"].T
        self.fit(400, 0.01)
        w1 = self.weights["fc1.weight"]
        self.neurons = (one_hot(self.p, range(p * p)).numpy() @ w1.T) ** 2
        self.wl, self.embed = self.weights["out.weight"], np.concatenate([w1[:, :p], w1[:, p:]])
        self.nfm = w1.T @ w1

    def from_neurons(self, cells, n):
        return n @ self.wl.T


class Transformer(Trained):
    kind, squared, heads = "net", False, HEADS

    def __init__(self, op, p):
        super().__init__(op, p)
        shapes = {"embed.W_E": (p + 1, D), "pos_embed.W_pos": (3, D), "blocks.0.attn.W_Q": (HEADS, D, DH),
                  "blocks.0.attn.W_K": (HEADS, D, DH), "blocks.0.attn.W_V": (HEADS, D, DH),
                  "blocks.0.attn.W_O": (HEADS, DH, D), "blocks.0.mlp.W_in": (D, DM), "blocks.0.mlp.b_in": (DM,),
                  "blocks.0.mlp.W_out": (DM, D),
                  "blocks.0.mlp.b_out": (D,), "unembed.W_U": (D, p + 1)}
        self.parameters = {k: draw(i, s, 0.5) for i, (k, s) in enumerate(shapes.items())}
        self.fit(150, 0.02)
        w, cells = self.weights, np.arange(p * p)
        self.neurons = torch.relu(self.middle(one_hot(self.p, cells)) @ self.parameters["blocks.0.mlp.W_in"]
                                  + self.parameters["blocks.0.mlp.b_in"]).detach().numpy()
        self.wl = (w["blocks.0.mlp.W_out"] @ w["unembed.W_U"])[:, :p].T
        self.embed = w["embed.W_E"][:p].T
        gram = self.embed.T @ self.embed
        self.nfm = np.block([[gram, np.zeros((p, p))], [np.zeros((p, p)), gram]])

    def middle(self, z, without=None):
        """The residual stream at '=' after attention; z holds the one-hot tokens of the first two positions."""
        w = self.parameters
        e = w["embed.W_E"]
        tokens = torch.stack([z[:, :self.p] @ e[:self.p], z[:, self.p:] @ e[:self.p], e[self.p].expand(len(z), D)], 1) + w["pos_embed.W_pos"]
        q, k, v = (torch.einsum("npd,hde->nhpe", tokens, w["blocks.0.attn.W_" + name]) for name in "QKV")
        scores = torch.einsum("nhe,nhpe->nhp", q[:, :, 2], k) / np.sqrt(DH)
        mixed = torch.einsum("nhp,nhpe->nhe", torch.softmax(scores, -1), v)
        each = torch.einsum("nhe,hed->nhd", mixed, w["blocks.0.attn.W_O"])
        keep = [h for h in range(HEADS) if h != without]
        return tokens[:, 2] + each[:, keep].sum(1)

    def forward(self, z, without=None):
        w, mid = self.parameters, self.middle(z, without)
        post = torch.relu(mid @ w["blocks.0.mlp.W_in"] + w["blocks.0.mlp.b_in"])
        return (mid + post @ w["blocks.0.mlp.W_out"] + w["blocks.0.mlp.b_out"]) @ w["unembed.W_U"]

    def from_neurons(self, cells, n):
        w = self.weights
        mid = self.middle(one_hot(self.p, cells)).detach().numpy()
        return ((mid + n @ w["blocks.0.mlp.W_out"] + w["blocks.0.mlp.b_out"]) @ w["unembed.W_U"])[:, :self.p]

    def bias(self):
        return self.weights["blocks.0.mlp.b_out"] @ self.weights["unembed.W_U"][:, :self.p]

    def without_head(self, cells, head):
        return self.forward(one_hot(self.p, cells), head)[:, :self.p].detach().numpy()


class Rfm(Trained):
    """Quadratic kernel; how M and alpha came about does not matter here. A class's AGOP is centred, as it is by default."""

    kind = "rfm"

    def __init__(self, op, p):
        super().__init__(op, p)
        z = one_hot(self.p, self.train_cells).numpy()
        m, targets = np.eye(2 * p), np.eye(p)[self.train_labels]
        for _ in range(4):
            alpha = np.linalg.solve((z @ m @ z.T) ** 2, targets)
            j = np.einsum("ji,ic,ia->jca", 2 * (z @ m @ z.T), alpha, z @ m)
            m = root(np.einsum("jca,jcb->ab", j, j) / len(z))
        alpha = np.linalg.solve((z @ m @ z.T) ** 2, targets)
        j = np.einsum("ji,ic,ia->jca", 2 * (z @ m @ z.T), alpha, z @ m)
        self.class_traces = ((j - j.mean(0)) ** 2).sum((0, 2)) / len(z)
        self.metric, self.alpha, self.z = m, alpha, z
        self.weights = {"M": m, "alpha": alpha}

    def outputs(self, cells):
        return (one_hot(self.p, cells).numpy() @ self.metric @ self.z.T) ** 2 @ self.alpha


def main():
    lines = []
    cases = [("add", 7), ("sub", 7), ("mul", 7), ("div", 7), ("add", 6), ("sub", 6)]
    for method, (op, p) in itertools.product((Mlp, Transformer, Rfm), cases):
        model = method(op, p)
        where = f"{method.__name__.lower()} {op} {p}"
        for tensor, w in model.weights.items():
            lines.append(" ".join(["weights", where, tensor, str(w.size)] + [f"{v:.12g}" for v in w.ravel()]))
        values = measure(op, p, model) | {f"class_trace{c}": t for c, t in enumerate(model.class_traces)}
        for key, value in sorted(values.items()):
            lines.append(f"value {where} {key} {float(value)!r}")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "measure_trained.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
