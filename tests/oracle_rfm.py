"""Oracle of the Recursive Feature Machine: float64, dense, gradients by automatic differentiation of the predictor, from
the definitions of Mallinar et al. 2024 only. Writes tests/fixtures/rfm.txt; run from the repository root.

Each case is a line `name op p n steps kernel bandwidth ridge power centering`, a line of train cells, then M [2p,2p],
alpha [n,p], G [2p,2p] after `steps` iterations, the outputs on all cells [p*p,p], one array a line.

tests/fixtures/rfm_two.txt has the same for two tasks at once (a line `name op second p n steps ...`; points have one more
coordinate t, cells of the second task are p*p + x*p + y): M [2p+1,2p+1], alpha, G without the last coordinate [2p,2p] and
the outputs on all 2 p*p cells."""
import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def inverse(y, p):
    return next((b for b in range(p) if y * b % p == 1), None)


def label(op, x, y, p):
    if op == "div":
        b = inverse(y, p)
        return None if b is None else x * b % p
    return {"add": x + y, "sub": x - y, "mul": x * y, "x^2+y^2": x * x + y * y}[op] % p


def kernel_matrix(kernel, bandwidth, a, b, m):
    """k(a_i, b_j) [n,m]. Equal points have distance 0 and, for laplace, no gradient."""
    g = a @ m @ b.T
    qa, qb = ((a @ m) * a).sum(1)[:, None], ((b @ m) * b).sum(1)[None, :]
    if kernel == "quadratic":
        return g**2
    if kernel == "general_quadratic":
        return g**2 + (qa - 1) * (qb - 1) / 2
    d2 = qa + qb - 2 * g
    if kernel == "gaussian":
        return torch.exp(-d2 / (2 * bandwidth**2))
    same = d2.detach() < 1e-12
    d = torch.sqrt(torch.where(same, torch.ones_like(d2), d2))
    return torch.where(same, torch.ones_like(d2), torch.exp(-d / bandwidth))


def run(ops, p, cells, steps, kernel, bandwidth, ridge, power, centering):
    """ops: one operation, or two learned at once."""
    eye = torch.eye(p)

    def point(c):
        return torch.cat([eye[c // p % p], eye[c % p], torch.tensor([float(c // p**2)] * (len(ops) - 1))])

    points = torch.stack([point(c) for c in cells])
    grid = torch.stack([point(c) for c in range(len(ops) * p * p)])
    y = torch.stack([eye[label(ops[c // p**2], c // p % p, c % p, p)] for c in cells])
    n, d = len(cells), points.shape[1]
    m = torch.eye(d)
    for t in range(steps + 1):
        k = kernel_matrix(kernel, bandwidth, points, points, m)
        alpha = torch.linalg.solve(k + ridge * torch.eye(n), y)
        jacobian = torch.empty(n, p, d)
        for c in range(p):
            z = points.clone().requires_grad_(True)
            f = kernel_matrix(kernel, bandwidth, z, points, m) @ alpha[:, c]
            jacobian[:, c, :] = torch.autograd.grad(f.sum(), z)[0]
        if centering:
            jacobian = jacobian - jacobian.mean(0, keepdim=True)
        agop = torch.einsum("nci,ncj->ij", jacobian, jacobian) / n
        if t < steps:
            values, vectors = torch.linalg.eigh(agop)
            m = vectors @ torch.diag(values.clamp(min=0) ** power) @ vectors.T
    outputs = kernel_matrix(kernel, bandwidth, grid, points, m) @ alpha
    return m, alpha, agop, outputs


CASES = [
    # name, op, p, train fraction, steps, kernel, bandwidth, ridge, power, centering
    ("quadratic", "add", 5, 0.7, 4, "quadratic", 2.5, 0, 0.5, 1),
    ("quadratic_raw", "mul", 5, 0.7, 4, "quadratic", 2.5, 0.02, 0.5, 0),
    ("quadratic_ridge", "sub", 5, 0.6, 4, "quadratic", 2.5, 0.3, 0.5, 1),
    ("quadratic_div", "div", 5, 0.7, 3, "quadratic", 2.5, 0.01, 0.7, 1),
    ("gaussian", "add", 5, 0.7, 4, "gaussian", 2.5, 0, 0.5, 1),
    ("gaussian_raw", "x^2+y^2", 5, 0.7, 3, "gaussian", 1.5, 0.1, 0.5, 0),
    ("laplace", "add", 5, 0.7, 4, "laplace", 2.5, 0, 0.5, 1),
    ("laplace_raw", "div", 5, 0.7, 3, "laplace", 1.5, 0.05, 0.8, 0),
    ("general", "add", 5, 0.7, 4, "general_quadratic", 2.5, 0, 0.5, 1),
    ("general_raw", "sub", 5, 0.7, 3, "general_quadratic", 2.5, 0.2, 0.5, 0),
    ("even", "add", 6, 0.5, 3, "quadratic", 2.5, 0.1, 0.5, 1),
]

TWO_CASES = [
    # name, op, second, p, train fraction, steps, kernel, bandwidth, ridge, power, centering
    ("gaussian", "add", "sub", 5, 0.7, 3, "gaussian", 2.5, 0, 0.5, 1),
    ("gaussian_raw", "add", "div", 5, 0.7, 2, "gaussian", 1.5, 0.1, 0.5, 0),
    ("quadratic", "add", "x^2+y^2", 5, 0.7, 3, "quadratic", 2.5, 0.1, 0.5, 1),
    ("quadratic_raw", "mul", "add", 5, 0.6, 2, "quadratic", 2.5, 0.05, 0.5, 0),
    ("laplace", "add", "mul", 5, 0.7, 3, "laplace", 2.5, 0, 0.5, 1),
    ("general", "sub", "mul", 5, 0.6, 2, "general_quadratic", 2.5, 0.2, 0.5, 1),
]


def draw(op, p, fraction):
    pairs = [c for c in range(p * p) if label(op, c // p, c % p, p) is not None]
    order = np.argsort(np.random.Philox(key=7).random_raw(len(pairs)), kind="stable")
    return sorted(pairs[i] for i in order[: int(fraction * len(pairs))])


with open("tests/fixtures/rfm_two.txt", "w") as out:
    for name, op, second, p, fraction, steps, *rest in TWO_CASES:
        cells = draw(op, p, fraction)
        known = [p * p + c for c in cells if label(second, c // p, c % p, p) is not None]
        m, alpha, agop, outputs = run((op, second), p, cells + known, steps, *rest)
        print(name, op, second, p, len(cells), steps, *rest, file=out)
        print(*cells, file=out)
        for a in (m, alpha, agop[: 2 * p, : 2 * p], outputs):
            print(*(f"{v:.13e}" for v in a.reshape(-1).tolist()), file=out)

with open("tests/fixtures/rfm.txt", "w") as out:
    for name, op, p, fraction, steps, kernel, bandwidth, ridge, power, centering in CASES:
        cells = draw(op, p, fraction)
        arrays = run((op,), p, cells, steps, kernel, bandwidth, ridge, power, centering)
        print(name, op, p, len(cells), steps, kernel, bandwidth, ridge, power, centering, file=out)
        print(*cells, file=out)
        for a in arrays:
            print(*(f"{v:.13e}" for v in a.reshape(-1).tolist()), file=out)
