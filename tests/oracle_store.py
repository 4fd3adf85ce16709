"""Writes tests/fixtures/store.h (streams as NumPy, zlib and json make them) and store_sql.h (what NumPy says of matrices).

Run from the repository root: python3 tests/oracle_store.py
"""
import io
import json
import struct
import zlib

import numpy as np

out = []


def emit(name, data):
    rows = [", ".join(str(b) for b in data[i:i + 28]) for i in range(0, len(data), 28)]
    out.append(f"static const unsigned char {name}[{len(data)}] = {{\n    " + ",\n    ".join(rows) + "};\n")


def npy(array, version=(1, 0)):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def safetensors(tensors, metadata=None, pad=b" "):
    """tensors: list of (name, dtype word, array)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, word, array in tensors:
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": word, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += pad * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


values = np.array([[1.5, -2.25, 3e-300], [0.1, np.inf, -0.0]])
emit("npy_f8", npy(values))
emit("npy_f4", npy(values.astype("<f4")))
emit("npy_i4", npy(np.array([[0, 1], [-2, 2**31 - 1]], dtype="<i4")))
emit("npy_i8", npy(np.array([2**53, -7], dtype="<i8")))
emit("npy_u1", npy(np.array([0, 7, 255], dtype="u1")))
emit("npy_scalar", npy(np.array(42.0)))
emit("npy_4d", npy(np.arange(24.0).reshape(1, 2, 3, 4)))
emit("npy_empty", npy(np.zeros((0, 3))))
emit("npy_v2", npy(values, version=(2, 0)))
emit("npy_v3", npy(values, version=(3, 0)))
# Refused:
emit("npy_fortran", npy(np.asfortranarray(values)))
emit("npy_big_endian", npy(values.astype(">f8")))
emit("npy_f2", npy(values[:, :2].astype("<f2")))
emit("npy_record", npy(np.zeros(2, dtype=[("a", "<f8"), ("b", "<i4")])))
emit("npy_5d", npy(np.zeros((1, 1, 1, 1, 1))))

rng = np.random.default_rng(0)
ramp = np.tile(np.arange(64.0), 16)
emit("zipped_ramp", zlib.compress(ramp.tobytes()))
out.append("enum { RAMP = %d };\n" % ramp.size)

fc1 = np.arange(6, dtype="<f4").reshape(2, 3) / 4
alpha = np.array([1e-300, -1.0, np.pi])
count = np.array([3, -4], dtype="<i8")
small = np.array(7, dtype="<i4")
emit("safe_good", safetensors([("fc1.weight", "F32", fc1), ("alpha", "F64", alpha), ("count", "I64", count),
                               ("small", "I32", small)], {"step": "12", "method": "ml\u00e9"}))


def hostile(name, header, data=b"\0" * 48, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    emit(name, struct.pack("<Q", len(text) if length is None else length) + text + data)


def entry(dtype="F64", shape=(3,), at=(0, 24), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(at), **more}


hostile("safe_overlap", {"a": entry(), "b": entry(at=(16, 40))})
hostile("safe_same", {"a": entry(), "b": entry()})
hostile("safe_hole", {"a": entry(shape=(2,), at=(0, 16)), "b": entry(at=(24, 48))})
hostile("safe_tail", {"a": entry()})
hostile("safe_range", {"a": entry(at=(0, 24)), "b": entry(at=(24, 49), shape=(3,))})
hostile("safe_far", {"a": entry(at=(2**62, 2**62 + 24))})
hostile("safe_backward", {"a": entry(at=(24, 0))})
hostile("safe_negative", {"a": entry(at=(-24, 0))})
hostile("safe_span", {"a": entry(shape=(6,), at=(0, 24)), "b": entry(at=(24, 48))})
hostile("safe_dtype", {"a": entry(dtype="BF16")})
hostile("safe_no_dtype", {"a": {"shape": [6], "data_offsets": [0, 48]}})
hostile("safe_wild", {"a": entry(shape=(2**40, 2**40), at=(0, 48))})
hostile("safe_big_dim", {"a": entry(shape=(2**31,), at=(0, 48))})
hostile("safe_negative_dim", {"a": entry(shape=(-6,), at=(0, 48))})
hostile("safe_real_dim", {"a": entry(shape=(6.0,), at=(0, 48))})
hostile("safe_rank", {"a": entry(shape=(1, 1, 1, 1, 6), at=(0, 48))})
hostile("safe_shape_word", {"a": {"dtype": "F64", "shape": "6", "data_offsets": [0, 48]}})
hostile("safe_offsets_word", {"a": {"dtype": "F64", "shape": [6], "data_offsets": [0, 24, 48]}})
hostile("safe_not_entry", {"a": 3})
hostile("safe_list", [1, 2])
hostile("safe_not_json", b'{"a": ')
one = b'"a":{"dtype":"F64","shape":[6],"data_offsets":[0,48]}'
hostile("safe_twice", b"{" + one + b"," + one + b"}")
hostile("safe_nul", b'{"a\\u0000b":{"dtype":"F64","shape":[6],"data_offsets":[0,48]}}')
hostile("safe_long_name", {"n" * 64: entry(shape=(6,), at=(0, 48))})
hostile("safe_huge", {"a": entry()}, length=2**63)
hostile("safe_longer", {"a": entry()}, length=500)
hostile("safe_many", {f"t{i}": entry(shape=(0,), at=(0, 0)) for i in range(65)}, data=b"")

with open("tests/fixtures/store.h", "w") as f:
    f.write("/* Made by tests/oracle_store.py: byte streams as NumPy, zlib and json make them. */\n")
    f.write("".join(out))


# ---- the SQL functions: matrices, and what NumPy says of them ----

def circular_groups(n, ordering):
    """Group number of each entry (row, col), and which rows and columns count."""
    index = np.arange(n)
    if ordering.endswith("dlog"):
        root = next(g for g in range(1, n) if len({pow(g, e, n) for e in range(n - 1)}) == n - 1)
        log = {pow(root, e, n): e for e in range(n - 1)}
        index, modulus = np.array([-1] + [log[a] for a in range(1, n)]), n - 1
    else:
        modulus = n
    sign = 1 if ordering.startswith("hankel") else -1
    kept = np.where(index >= 0)[0]
    return (index[kept][:, None] + sign * index[kept][None, :]) % modulus, kept, modulus


def circular(block, ordering):
    """circulant deviation (sum over groups of the mean squared deviation, over the squared norm) and circulance."""
    groups, kept, modulus = circular_groups(len(block), ordering)
    a = block[np.ix_(kept, kept)]
    deviation = sum(a[groups == g].var() for g in range(modulus)) / (a**2).sum()
    projected = np.zeros_like(a)
    for g in range(modulus):
        projected[groups == g] = a[groups == g].mean()
    return deviation, 1 - ((a - projected)**2).sum() / ((a - a.mean())**2).sum()


def reorder(block):
    p = len(block)
    root = next(g for g in range(1, p) if len({pow(g, e, p) for e in range(p - 1)}) == p - 1)
    powers = [pow(root, e, p) for e in range(p - 1)]
    return block[np.ix_(powers, powers)]


out.clear()
p = 7
half = rng.normal(size=(2 * p, 2 * p + 3))
a = half @ half.T
b = rng.normal(size=(2 * p, 2 * p))
b = b + b.T
block = a[p:, :p]
numbers = rng.normal(size=11)


def real(name, value):
    value = np.asarray(value, dtype=float).ravel()
    rows = ", ".join(float(v).hex() for v in value)
    out.append(f"static const double {name}[{value.size}] = {{{rows}}};\n")


emit("sql_a", npy(a))
emit("sql_a_zipped", zlib.compress(npy(a)))
emit("sql_b", npy(b))
emit("sql_wide", npy(rng.normal(size=(3, 5))))
emit("sql_row", npy(np.array([1.5, -2.0, np.nan])))
emit("sql_cube", npy(np.zeros((2, 2, 2))))
real("sql_traces", [np.trace(a), np.trace(b)])
real("sql_norms", [np.linalg.norm(a), np.linalg.norm(b)])
real("sql_cosine", (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))
real("sql_corr", np.corrcoef(a.ravel(), b.ravel())[0, 1])
real("sql_nodiag", a - np.diag(np.diag(a)))
real("sql_block", block)
real("sql_part", a[2:5, 1:12])
real("sql_reordered_block", reorder(block))
real("sql_reordered", np.block([[reorder(a[i:i + p, j:j + p]) for j in (0, p)] for i in (0, p)]))
real("sql_product", a @ b)
values, vectors = np.linalg.eigh(b)
real("sql_sqrt", vectors @ np.diag(np.sqrt(np.clip(values, 0, None))) @ vectors.T)
real("sql_eigenvalues", values[::-1])
for ordering in ("toeplitz", "hankel", "toeplitz_dlog", "hankel_dlog"):
    real("sql_circular_" + ordering, circular(block, ordering))
# Energy of A[i,j] on u + v = 0 (entries that depend on i - j) and u = v (on i + j), frequencies +k and -k together.
f = np.abs(np.fft.fft2(block))**2 / p**2
real("sql_fourier", [[sum(f[u % p, -u % p] for u in {k, -k % p}), sum(f[u % p, u % p] for u in {k, -k % p})]
                     for k in range(p // 2 + 1)])
real("sql_numbers", numbers)
real("sql_statistics", [np.median(numbers), np.median(numbers[:10]), np.std(numbers, ddof=1), np.percentile(numbers, 0),
                        np.percentile(numbers, 33.3), np.percentile(numbers, 90), np.percentile(numbers, 100)])

with open("tests/fixtures/store_sql.h", "w") as file:
    file.write("/* Made by tests/oracle_store.py: matrices as npy, and what NumPy says of them (p = 7). */\n")
    file.write("".join(out))
