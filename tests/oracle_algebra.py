#!/usr/bin/env python3
"""Writes tests/fixtures/algebra.h: what src/algebra must give, by other ways than its own (NumPy, SciPy, float64).

Run from the repository root: python3 tests/oracle_algebra.py
Inputs are made from SplitMix64 here and in tests/algebra.h alike, so that only results are stored.
"""
import numpy as np
import scipy.linalg as la

MASK = (1 << 64) - 1


def splitmix(seed, n):
    """n doubles in [-1, 1), the same bits as algebra_fill() in tests/algebra.h."""
    out, state = np.empty(n), seed
    for i in range(n):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        out[i] = (z >> 11) * 2.0**-52 - 1.0
    return out


LINES = []


def emit(name, values, kind="double"):
    values = np.asarray(values).ravel()
    text = [repr(float(v)) if kind == "double" else str(int(v)) for v in values]
    body = ", ".join("NAN" if t == "nan" else t for t in text)
    LINES.append(f"static const {kind} {name}[{len(text)}] = {{{body}}};")


# ---- structure ----

def smallest_root(p):
    for g in range(1, p):
        if len({pow(g, k, p) for k in range(p - 1)}) == p - 1:
            return g


def powers(p):
    g = smallest_root(p)
    return [pow(g, k, p) for k in range(p - 1)]


def rolled(a):
    """S(A): row l rolled by l to the left, so that entries with equal column - row share a column."""
    return np.stack([np.roll(row, -l) for l, row in enumerate(a)])


def unrolled(s):
    return np.stack([np.roll(row, l) for l, row in enumerate(s)])


def oriented(a, ordering):
    if ordering >= 2:
        g = powers(len(a))
        a = a[np.ix_(g, g)]
    return a[:, ::-1] if ordering % 2 else a


def circularity(a, ordering):
    a = oriented(a, ordering)
    s = rolled(a)
    deviation = s.var(axis=0).sum() / (a**2).sum()
    projected = unrolled(np.tile(s.mean(axis=0), (len(a), 1)))
    centred = a - a.mean()
    circulance = ((projected - a.mean()) ** 2).sum() / (centred**2).sum()
    return deviation, circulance


def project(a, ordering):
    """The circulant projection in the block's own coordinates (orderings 0 and 1)."""
    b = a[:, ::-1] if ordering else a
    b = unrolled(np.tile(rolled(b).mean(axis=0), (len(a), 1)))
    return b[:, ::-1] if ordering else b


def make_block(kind, p):
    """kind 0 random; 1..4 noise about toeplitz, hankel, toeplitz_dlog, hankel_dlog. As make_block() in the C test."""
    noise = splitmix(1000 * kind + p, p * p).reshape(p, p)
    if kind == 0:
        return noise
    c = splitmix(77 + p, p)
    log = {v: k for k, v in enumerate(powers(p))}
    block = np.empty((p, p))
    for i in range(p):
        for j in range(p):
            if kind == 1:
                key = (i - j) % p
            elif kind == 2:
                key = (i + j) % p
            elif i == 0 or j == 0:
                key = p - 1
            else:
                key = (log[i] - log[j] if kind == 3 else log[i] + log[j]) % (p - 1)
            block[i, j] = c[key]
    return block + 0.25 * noise


def grouped(a, row, column, m):
    """Deviation and circulance for any grouping, spelled out."""
    groups, rows = {}, set()
    for i, r in enumerate(row):
        for j, c in enumerate(column):
            if r >= 0 and c >= 0:
                groups.setdefault((int(r) - int(c)) % m, []).append(a[i, j])
                rows.add(i)
    kept = np.concatenate([np.array(v) for v in groups.values()])
    within = sum(np.var(v) * len(v) for v in groups.values())
    between = sum((np.mean(v) - kept.mean()) ** 2 * len(v) for v in groups.values())
    return within / (len(rows) * (kept**2).sum()), between / ((kept - kept.mean()) ** 2).sum()


primes = [7, 13, 47, 61]
emit("expect_primes", primes, "int")
emit("expect_roots", [smallest_root(p) for p in primes], "int")
emit("expect_circularity", [circularity(make_block(kind, p), o) for p in primes for kind in range(5) for o in range(4)])
for p in primes:  # the two definitions must agree before either judges anything
    a = make_block(1, p)
    n = np.arange(p)
    assert np.allclose(circularity(a, 0), grouped(a, n, n, p), rtol=1e-12)
    assert np.allclose(circularity(a, 1), grouped(a, n, -n % p, p), rtol=1e-12)
emit("expect_project", [project(make_block(1, 7), 0), project(make_block(1, 7), 1)])
a13, n13 = make_block(0, 13), np.arange(13)
square = n13**2 % 13
log13 = np.array([-1] + [powers(13).index(v) for v in range(1, 13)])
few = np.where(n13 % 5 == 2, -1, n13)
emit("expect_groupings", [
    grouped(a13, square, square, 13),                                         # x^2 + y^2
    grouped(a13, np.where(log13 < 0, -1, 2 * log13 % 12), log13, 12),         # x y^2
    grouped(a13, few, n13 * 3 % 13, 13),                                      # 3x + y, three rows dropped
])
emit("expect_reorder", make_block(0, 7)[np.ix_(powers(7), powers(7))])

# ---- Fourier ----

def basis(n):
    """Rows from inverse FFTs of unit spectra."""
    rows = [np.fft.ifft(np.eye(n)[0]) * np.sqrt(n)]
    for k in range(1, (n - 1) // 2 + 1):
        wave = np.fft.ifft(np.eye(n)[k]) * n
        rows += [wave.real * np.sqrt(2 / n), wave.imag * np.sqrt(2 / n)]
    if n % 2 == 0:
        rows.append(np.fft.ifft(np.eye(n)[n // 2]) * np.sqrt(n))
    return np.array(rows).real


def lines(a, hankel):
    n = len(a)
    power = np.abs(np.fft.fft2(a)) ** 2 / n**2
    assert np.isclose(power.sum(), (a**2).sum())
    energy = np.zeros(n // 2 + 1)
    for u in range(n):
        energy[min(u, n - u)] += power[u, u if hankel else -u % n]
    return energy


emit("expect_basis7", basis(7))
emit("expect_basis12", basis(12))
for n in (12, 61):
    for hankel in (0, 1):
        emit(f"expect_lines{n}_{hankel}", lines(splitmix(5 + n, n * n).reshape(n, n), hankel))

v = np.abs(splitmix(9, 40))
emit("expect_gini", [np.abs(v[:, None] - v[None, :]).sum() / (2 * len(v) ** 2 * v.mean())])
share = v / v.sum()
emit("expect_entropy", [-(share * np.log(share)).sum()])

# ---- symmetric matrices ----

b = splitmix(21, 36).reshape(6, 6)
definite, indefinite = b @ b.T, b + b.T
positive = (indefinite + la.sqrtm(indefinite @ indefinite).real) / 2  # negative eigenvalues clipped: (A + |A|) / 2
emit("expect_eigenvalues", np.linalg.eigvalsh(indefinite))
emit("expect_sqrt", la.sqrtm(definite))
emit("expect_quarter", la.fractional_matrix_power(definite, 0.25))
emit("expect_power3", np.linalg.matrix_power(definite, 3))
emit("expect_clipped", positive)


def effective_rank(a):
    s = np.linalg.svd(a, compute_uv=False)
    s = s[s > 1e-14 * s[0]] / s.sum()
    return np.exp(-(s * np.log(s)).sum())


emit("expect_effective_rank", [effective_rank(definite), effective_rank(positive), 6.0])

x, y = splitmix(31, 1000), splitmix(32, 1000)
y = 3 + 0.5 * x + y
emit("expect_similarity", [x @ x, x @ y / np.sqrt((x @ x) * (y @ y)), np.corrcoef(x, y)[0, 1]])

# ---- losses, in extended precision ----

def cross_entropy(outputs, labels):
    o = outputs.astype(np.longdouble)
    own = o[np.arange(len(o)), labels]
    others = np.exp(o - own[:, None])
    others[np.arange(len(o)), labels] = 0
    return float(np.log1p(others.sum(axis=1)).mean())


outputs = splitmix(41, 50 * 13).reshape(50, 13) * 4
labels = np.arange(50) * 7 % 13
sharp = outputs.copy()
sharp[np.arange(50), labels] += 40  # a generalised network: loss about 1e-17
far = outputs * 500  # other classes underflow
onehot = np.eye(13)[labels]
emit("expect_losses", [cross_entropy(outputs, labels), cross_entropy(sharp, labels), cross_entropy(far, labels),
                       ((outputs - onehot) ** 2).mean(), (outputs.argmax(axis=1) == labels).mean()])
row = outputs[3].astype(np.longdouble)
emit("expect_log_sum_exp", [float(np.log(np.exp(row).sum()))])

with open("tests/fixtures/algebra.h", "w") as f:
    f.write("/* algebra.h: written by tests/oracle_algebra.py. */\n/* clang-format off */\n" + "\n".join(LINES) + "\n")
