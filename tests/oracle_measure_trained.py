"""Oracle of the measures on trained weights of the three real methods, p = 7: weights come out of plain PyTorch
(networks) and NumPy (RFM), outputs and Jacobians from PyTorch's autograd, measures from oracle_measure.py.

Writes tests/fixtures/measure_trained.txt: weights METHOD OP TENSOR COUNT numbers..., and value METHOD OP NAME number.
"""
import itertools
import os

import numpy as np
import torch

from oracle_measure import measure, root, split_of

torch.set_default_dtype(torch.float64)
P, WIDTH, D, HEADS, DM = 7, 8, 8, 2, 12
DH = D // HEADS


def one_hot(cells):
    x, y = np.divmod(np.asarray(cells), P)
    out = np.zeros((len(x), 2 * P))
    out[np.arange(len(x)), x] = out[np.arange(len(x)), P + y] = 1
    return torch.tensor(out)


def final_m():
    i = np.arange(2 * P)
    return (i[:, None] * i) % 7 + 1.0


def draw(seed, shape, scale):
    return torch.tensor(np.random.Generator(np.random.Philox(key=seed)).normal(size=shape) * scale).requires_grad_()


class Trained:
    """What measure() asks of a model."""

    squared, heads = True, 0

    def __init__(self, op):
        self.op, self.p, self.final_m = op, P, final_m()
        _, cells, labels, train = split_of(op, P)
        self.train_cells, self.train_labels = cells[train], labels[train]

    def fit(self, steps, lr):
        w = list(self.parameters.values())
        target = torch.tensor(self.train_labels)
        optimiser = torch.optim.AdamW(w, lr=lr, weight_decay=0.3)
        for _ in range(steps):
            out = self.forward(one_hot(self.train_cells))
            loss = ((out - torch.eye(out.shape[1])[target]) ** 2).mean() * P if self.squared else (
                torch.nn.functional.cross_entropy(out, target))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.weights = {k: v.detach().numpy() for k, v in self.parameters.items()}
        jacobian = torch.func.vmap(torch.func.jacrev(lambda z: self.forward(z[None])[0, :P]))
        j = jacobian(one_hot(self.train_cells)).detach().numpy()
        self.agop = np.einsum("nca,ncb->ab", j, j) / len(j)

    def outputs(self, cells):
        return self.forward(one_hot(cells))[:, :P].detach().numpy()

    def bias(self):
        return 0.0


class Mlp(Trained):
    kind = "mlp"

    def __init__(self, op):
        super().__init__(op)
        self.parameters = {"fc1.weight": draw(1, (WIDTH, 2 * P), 0.4), "out.weight": draw(2, (P, WIDTH), 0.4)}
        self.forward = lambda z: (z @ self.parameters["fc1.weight"].T) ** 2 @ self.parameters["out.weight"].T
        self.fit(400, 0.01)
        w1 = self.weights["fc1.weight"]
        self.neurons = (one_hot(range(P * P)).numpy() @ w1.T) ** 2
        self.wl, self.embed = self.weights["out.weight"], np.concatenate([w1[:, :P], w1[:, P:]])
        self.nfm = w1.T @ w1

    def from_neurons(self, cells, n):
        return n @ self.wl.T


class Transformer(Trained):
    kind, squared, heads = "net", False, HEADS

    def __init__(self, op):
        super().__init__(op)
        shapes = {"embed.W_E": (P + 1, D), "pos_embed.W_pos": (3, D), "blocks.0.attn.W_Q": (HEADS, D, DH),
                  "blocks.0.attn.W_K": (HEADS, D, DH), "blocks.0.attn.W_V": (HEADS, D, DH),
                  "blocks.0.attn.W_O": (HEADS, DH, D), "blocks.0.mlp.W_in": (D, DM), "blocks.0.mlp.b_in": (DM,),
                  "blocks.0.mlp.W_out": (DM, D),
                  "blocks.0.mlp.b_out": (D,), "unembed.W_U": (D, P + 1)}
        self.parameters = {k: draw(i, s, 0.5) for i, (k, s) in enumerate(shapes.items())}
        self.fit(150, 0.02)
        w, cells = self.weights, np.arange(P * P)
        self.neurons = torch.relu(self.middle(one_hot(cells)) @ self.parameters["blocks.0.mlp.W_in"]
                                  + self.parameters["blocks.0.mlp.b_in"]).detach().numpy()
        self.wl = (w["blocks.0.mlp.W_out"] @ w["unembed.W_U"])[:, :P].T
        self.embed = w["embed.W_E"][:P].T
        gram = self.embed.T @ self.embed
        self.nfm = np.block([[gram, np.zeros((P, P))], [np.zeros((P, P)), gram]])

    def middle(self, z, without=None):
        """The residual stream at '=' after attention; z holds the one-hot tokens of the first two positions."""
        w = self.parameters
        e = w["embed.W_E"]
        tokens = torch.stack([z[:, :P] @ e[:P], z[:, P:] @ e[:P], e[P].expand(len(z), D)], 1) + w["pos_embed.W_pos"]
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
        mid = self.middle(one_hot(cells)).detach().numpy()
        return ((mid + n @ w["blocks.0.mlp.W_out"] + w["blocks.0.mlp.b_out"]) @ w["unembed.W_U"])[:, :P]

    def bias(self):
        return self.weights["blocks.0.mlp.b_out"] @ self.weights["unembed.W_U"][:, :P]

    def without_head(self, cells, head):
        return self.forward(one_hot(cells), head)[:, :P].detach().numpy()


class Rfm(Trained):
    """Quadratic kernel, uncentred plain Jacobians: only M and alpha matter here, not how they came about."""

    kind = "rfm"

    def __init__(self, op):
        super().__init__(op)
        z = one_hot(self.train_cells).numpy()
        m, targets = np.eye(2 * P), np.eye(P)[self.train_labels]
        for _ in range(4):
            alpha = np.linalg.solve((z @ m @ z.T) ** 2, targets)
            j = np.einsum("ji,ic,ia->jca", 2 * (z @ m @ z.T), alpha, z @ m)
            m = root(np.einsum("jca,jcb->ab", j, j) / len(z))
        alpha = np.linalg.solve((z @ m @ z.T) ** 2, targets)
        self.metric, self.alpha, self.z = m, alpha, z
        self.weights = {"M": m, "alpha": alpha}

    def outputs(self, cells):
        return (one_hot(cells).numpy() @ self.metric @ self.z.T) ** 2 @ self.alpha


def main():
    lines = []
    for method, op in itertools.product((Mlp, Transformer, Rfm), ("add", "sub", "mul", "div")):
        if method is Transformer and op in ("sub", "mul"):
            continue  # the tables' test has them; this one is about the methods' conventions
        model = method(op)
        name = method.__name__.lower()
        for tensor, w in model.weights.items():
            lines.append(" ".join(["weights", name, op, tensor, str(w.size)] + [f"{v:.12g}" for v in w.ravel()]))
        for key, value in sorted(measure(op, P, model).items()):
            lines.append(f"value {name} {op} {key} {float(value)!r}")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "measure_trained.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
