"""Runs `groklab bench` and the peers by turns, and prints medians and ratios.

    tests/peers/bench.sh GROKLAB [--rounds 3] [--seconds 1] [--only transformer,mlp,rfm-61,...] [--lines FILE]

Each round measures each loop with groklab on one core and on all, then its peers with one thread and with all; a figure
is the median over the rounds of the medians within them, and beside the ratio of medians stands that of the best times,
which a busy machine disturbs less. A peer counts at its best number of threads. Where the environment sets
OPENBLAS_CORETYPE all is done twice: with the environment as it is, and without the variable. Every measurement goes to
FILE as one JSON line, and the RFM's test accuracies are held against NumPy's; at p = 113, where NumPy takes half a minute
an iteration, from the metric of the iteration at which the transition begins. The wanted ratios are those the project
has set itself; missing one is shown, not an error.
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
THREADS = sorted({1, CORES})

# what `groklab bench --only` gets, and the peers' script; the slow ones take part in the first round only, and go on from
# the metric that groklab has come to at iteration `start`
GROUPS = [
    {"name": "transformer", "peer": "transformer_torch.py"},
    {"name": "mlp", "peer": "mlp_torch.py"},
    {"name": "rfm-61", "peer": "rfm_numpy.py", "options": ["--p", "61", "--kernel", "quadratic", "--steps", "18"]},
    {"name": "gaussian-61", "peer": "rfm_numpy.py", "options": ["--p", "61", "--kernel", "gaussian", "--steps", "18"]},
    {"name": "rfm-113", "peer": "rfm_numpy.py", "options": ["--p", "113", "--kernel", "quadratic", "--steps", "3"],
     "slow": True, "start": 11},
    {"name": "gaussian-113", "peer": "rfm_numpy.py", "options": ["--p", "113", "--kernel", "gaussian", "--steps", "3"],
     "slow": True, "start": 11},
]

# loop, variant, our number of cores, wanted ratio
RATIOS = [
    ("transformer-step", "eager", CORES, 10), ("transformer-step", "tuned", CORES, 4),
    ("transformer-test", "eager", CORES, None), ("transformer-test", "tuned", CORES, None),
    ("mlp-256", "eager", 1, 8), ("mlp-256", "tuned", 1, 4),
    ("mlp-1024", "eager", 1, 5), ("mlp-1024", "tuned", 1, 3),
    ("rfm-61", "numpy", CORES, 35), ("rfm-113", "numpy", CORES, 100),
    ("gaussian-61", "numpy", CORES, 12), ("gaussian-113", "numpy", CORES, 25),
]


def run(words, environment):
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench-peers: {' '.join(words)}: exit status {done.returncode}")
    return done.stdout


def ours(groklab, group, seconds, environment):
    words = [groklab, "bench", "--only", group["name"], "--seconds", str(seconds), "--json"]
    for row in json.loads(run(words, environment)):
        yield {**row, "variant": "groklab", "ms_per_step": row["ms"], "threads": row["cores"]}
    if CORES == 1:
        return
    # as many processes at once as there are cores, each on one
    one = [*words, "--cores", "1"]
    for process in [subprocess.Popen(one, env=environment, stdout=subprocess.PIPE) for _ in range(CORES)]:
        for row in json.loads(process.communicate()[0]):
            yield {**row, "variant": "groklab at once", "ms_per_step": row["ms"], "threads": 1}


def torch_lines(group, seconds, environment):
    for threads in THREADS:
        # compiled code is cached with the number of threads that it was made for
        cache = os.path.join("build", "peers", f"inductor-{threads}")
        script = os.path.join(HERE, group["peer"])
        words = [sys.executable, script, "--threads", str(threads), "--seconds", str(seconds)]
        text = run(words, {**environment, "TORCHINDUCTOR_CACHE_DIR": os.path.abspath(cache)})
        yield from map(json.loads, text.splitlines())


def numpy_lines(group, metric, environment):
    for threads in [CORES] if group.get("slow") else THREADS:
        words = [sys.executable, os.path.join(HERE, group["peer"]), *group["options"]]
        words += ["--metric", metric] if "start" in group else []
        line = json.loads(run(words, {**environment, "OPENBLAS_NUM_THREADS": str(threads)}))
        yield {"loop": group["name"], "variant": "numpy", "threads": threads, "ms_per_step": line["ms_per_iteration"],
               "numpy": line["peer"], "test_accuracy": line["test_accuracy"]}


def answers(groklab, group, metric, environment):
    """Our test accuracy at the iterations that the NumPy peer goes through on the same split; the metric that it starts
    from goes to the file `metric`."""
    options = dict(zip(group["options"][::2], group["options"][1::2]))
    start = group.get("start", 0)
    with tempfile.TemporaryDirectory() as folder:
        db = ["--db", os.path.join(folder, "peers.db")]
        run([groklab, "train", "rfm", "-q", "--p", options["--p"], "--kernel", options["--kernel"], "--steps",
             str(start + int(options["--steps"]) - 1), "--measure_every", "0", "--checkpoint_every", str(start), *db],
            environment)
        rows = json.loads(run([groklab, "log", "@last", "--metrics", "test_accuracy", "--json", *db], environment))
        if start:
            run([groklab, "export", "@last", "--step", str(start), "--tensor", "M", "--format", "npy", "-o", metric, *db],
                environment)
    return [row["test_accuracy"] for row in rows if row["step"] >= start]


def measure(chosen, groups, label, environment, folder, keep):
    for turn in range(chosen.rounds):
        for group in groups:
            if turn > 0 and group.get("slow"):
                continue
            print(f"{label}, round {turn + 1} of {chosen.rounds}: {group['name']}", file=sys.stderr)
            for line in ours(chosen.groklab, group, chosen.seconds, environment):
                keep({**line, "environment": label, "round": turn})
            torch = group["peer"].endswith("_torch.py")
            metric = os.path.join(folder, group["name"] + ".npy")
            if turn == 0 and not torch:
                keep({"loop": group["name"], "variant": "groklab trained", "threads": CORES, "ms_per_step": None,
                      "start": group.get("start", 0), "environment": label, "round": 0,
                      "test_accuracy": answers(chosen.groklab, group, metric, environment)})
            peer = torch_lines(group, chosen.seconds, environment) if torch else numpy_lines(group, metric, environment)
            for line in peer:
                keep({**line, "environment": label, "round": turn})


def table(rows, head):
    rows = [head] + [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[c]) for row in rows) for c in range(len(head))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]).rstrip())


def show(lines, label):
    def median(field, **like):
        found = [line[field] for line in lines if line["environment"] == label and line.get(field) is not None
                 and all(line[k] == v for k, v in like.items())]
        return statistics.median(found) if found else None

    def least(**like):
        found = [line.get("best_ms") or line["ms_per_step"] for line in lines if line["environment"] == label
                 and all(line[k] == v for k, v in like.items())]
        return min(found) if found else None

    def time(loop, cores):
        return median("ms_per_step", loop=loop, variant="groklab", threads=cores)

    first = next(line for line in lines if line["environment"] == label and line["variant"] == "groklab")
    blas = f"BLAS kernels {first['blas_core']} (chosen by {first['blas_core_by']})"
    print(f"\n{label}: {first['cpu']}, {CORES} cores, {blas}\n")
    rows = []
    for loop, variant, cores, wanted in RATIOS:
        peers = [(median("ms_per_step", loop=loop, variant=variant, threads=t), t) for t in THREADS]
        peers = [pair for pair in peers if pair[0] is not None]
        mine = time(loop, cores)
        if not peers or mine is None:
            continue
        best, threads = min(peers)
        ratio = best / mine
        quiet = least(loop=loop, variant=variant) / least(loop=loop, variant="groklab", threads=cores)
        rows.append([loop, f"{mine:.4g}", cores, variant, f"{best:.4g}", threads, f"{ratio:.1f}", f"{quiet:.1f}",
                     wanted, None if wanted is None else "yes" if ratio >= wanted else "NO"])
    table(rows, ["loop", "groklab ms", "cores", "peer", "peer ms", "threads", "ratio", "of bests", "wanted", "reached"])
    print()
    alone = []
    for loop in dict.fromkeys(loop for loop, *_ in RATIOS):
        one, every = time(loop, 1), time(loop, CORES)
        if one is None:
            continue
        # runs side by side keep their time each, one run shares its work
        speedup = one / every * (median("runs", loop=loop, variant="groklab", threads=CORES) or 1)
        share = [median("share", loop=loop, variant="groklab", threads=t) for t in THREADS]
        several = median("ms_per_step", loop=loop, variant="groklab at once", threads=1)
        alone.append([loop, f"{one:.4g}", f"{every:.4g}", f"{speedup:.2f}"] + [f"{s:.3f}" for s in share]
                     + [f"{several / one:.2f}" if several else None])
    table(alone, ["groklab alone", "ms on 1", f"ms on {CORES}", "speed-up"] + [f"of peak on {t}" for t in THREADS]
          + [f"{CORES} processes at once"])
    print()
    for loop in sorted({line["loop"] for line in lines if line["variant"] == "groklab trained"}):
        trained, peer = (next(line for line in lines if line["environment"] == label and line["loop"] == loop
                              and line["variant"] == variant) for variant in ("groklab trained", "numpy"))
        mine, theirs, start = trained["test_accuracy"], peer["test_accuracy"], trained["start"]
        worst = max(abs(a - b) for a, b in zip(mine, theirs, strict=True))
        print(f"{loop}: test accuracies of iterations {start} to {start + len(mine) - 1}, {theirs[0]:.3f} to "
              f"{theirs[-1]:.3f}, differ from NumPy's by at most {worst:.4f}")
    step, test = time("transformer-step", CORES), time("transformer-test", CORES)
    if step and test:
        print(f"test loss / training step: {test / step:.2f} on {CORES} cores (wanted: under 0.8)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("groklab")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--only", help="groups, of " + ", ".join(group["name"] for group in GROUPS))
    parser.add_argument("--lines", default="build/peers/lines.jsonl")
    chosen = parser.parse_args()
    names = [group["name"] for group in GROUPS]
    unknown = [name for name in (chosen.only or "").split(",") if name and name not in names]
    if unknown:
        parser.error(f"--only: there is no group {unknown[0]}; there are {', '.join(names)}")
    groups = [group for group in GROUPS if not chosen.only or group["name"] in chosen.only.split(",")]
    if not importlib.util.find_spec("torch"):
        print("bench-peers: the networks are skipped, there is no torch")
        groups = [group for group in groups if not group["peer"].endswith("_torch.py")]
    os.makedirs(os.path.dirname(chosen.lines) or ".", exist_ok=True)
    environments = {"environment as it is": dict(os.environ)}
    if "OPENBLAS_CORETYPE" in os.environ:
        unset = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        environments = {"OPENBLAS_CORETYPE=" + os.environ["OPENBLAS_CORETYPE"]: dict(os.environ),
                        "OPENBLAS_CORETYPE unset": unset}
    lines = []
    with open(chosen.lines, "w", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:

        def keep(line):
            lines.append(line)
            print(json.dumps(line), file=file, flush=True)

        for label, environment in environments.items():
            measure(chosen, groups, label, environment, folder, keep)
    for label in environments:
        if lines:
            show(lines, label)


if __name__ == "__main__":
    main()
