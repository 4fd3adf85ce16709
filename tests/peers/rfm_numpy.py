"""The authors' RFM iteration in straightforward NumPy, as a peer for benchmarks: kernel matrix, np.linalg.solve, kernel
matrix of the test points, per-sample gradients of every class as one tensor, their second moment, its square root.

    python3 tests/peers/rfm_numpy.py --p 61 --kernel quadratic --steps 30

Float64 throughout, on whatever BLAS and thread count NumPy has. The split is the generator `philox` of the design (the same
cells as groklab's). Prints one JSON line: milliseconds per iteration (median over the last half of the iterations), test
accuracy at each iteration, and the iteration that first passes .9."""
import argparse
import json
import time

import numpy as np


def make_split(op, p, fraction, seed):
    x, y = np.divmod(np.arange(p * p), p)
    z = {"add": x + y, "sub": x - y, "mul": x * y}.get(op)
    if op == "div":
        defined = y > 0
        x, y = x[defined], y[defined]
        z = x * np.array([pow(int(b), p - 2, p) for b in y])
    z = z % p
    order = np.argsort(np.random.Philox(key=seed).random_raw(len(x)), kind="stable")
    n = int(np.floor(fraction * len(x)))
    train, test = np.sort(order[:n]), np.sort(order[n:])
    points = np.concatenate([np.eye(p)[x], np.eye(p)[y]], axis=1)
    return points[train], z[train], points[test], z[test]


def kernel_matrix(a, b, m, args):
    g = a @ m @ b.T
    if args.kernel == "quadratic":
        return g**2
    qa, qb = ((a @ m) * a).sum(1)[:, None], ((b @ m) * b).sum(1)[None, :]
    k = np.maximum(qa + qb - 2 * g, 0)
    return np.exp(k / (-2 * args.bandwidth**2))


def agop(points, alpha, m, k, args):
    n, d = points.shape
    mapped = points @ m
    step = (alpha[:, :, None] * mapped[:, None, :]).reshape(n, -1)  # [n, classes * d]
    if args.kernel == "quadratic":
        gradient = (2 * (mapped @ points.T)) @ step
        gradient = gradient.reshape(n, -1, d)
    else:
        gradient = (k @ step).reshape(n, -1, d)
        gradient -= (k @ alpha)[:, :, None] * mapped[:, None, :]
        gradient *= 1 / args.bandwidth**2
    gradient -= gradient.mean(0)
    gradient = gradient.reshape(-1, d)
    return gradient.T @ gradient / n


def square_root(g):
    values, vectors = np.linalg.eigh(g)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--op", default="add")
    parser.add_argument("--p", type=int, default=61)
    parser.add_argument("--train-fraction", type=float, default=0.5)
    parser.add_argument("--split-seed", type=int, default=0)
    parser.add_argument("--kernel", default="quadratic", choices=["quadratic", "gaussian"])
    parser.add_argument("--bandwidth", type=float, default=2.5)
    parser.add_argument("--ridge", type=float, default=0)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--metric", help=".npy file to start from instead of the identity")
    args = parser.parse_args()
    x, y, x_test, y_test = make_split(args.op, args.p, args.train_fraction, args.split_seed)
    labels = np.eye(args.p)[y]
    m = np.load(args.metric) if args.metric else np.eye(2 * args.p)
    accuracy, times = [], []
    for step in range(args.steps):
        start = time.perf_counter()
        k = kernel_matrix(x, x, m, args)
        alpha = np.linalg.solve(k + args.ridge * np.eye(len(x)), labels)
        k_test = kernel_matrix(x_test, x, m, args)
        outputs = k_test @ alpha
        accuracy.append(float((outputs.argmax(1) == y_test).mean()))
        m = square_root(agop(x, alpha, m, k, args))
        times.append(1e3 * (time.perf_counter() - start))
    passed = next((i for i, a in enumerate(accuracy) if a > 0.9), None)
    print(json.dumps({"peer": "numpy " + np.__version__, "op": args.op, "p": args.p, "kernel": args.kernel,
                      "ms_per_iteration": round(float(np.median(times[len(times) // 2:])), 3),
                      "first_over_0.9": passed, "test_accuracy": accuracy}))


if __name__ == "__main__":
    main()
