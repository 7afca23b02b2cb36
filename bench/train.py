"""Times training by convwise, scikit-learn and XGBoost on the same rows, by turns, and writes docs/training.md. bench/train.sh
makes the rows and calls this; bench_train.c says what its files hold."""
import argparse
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
import xgboost
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

ROUNDS, DEPTH, TREES = 80, 7, 100
COLUMNS, CLASSES = 12, 4  # of the made rows on which growth is measured


class Matrix:
    def __init__(self, name, path):
        self.name, self.path = name, path
        data = np.fromfile(path)
        rows, columns, self.classes = map(int, data[:3])
        self.x = data[3:3 + rows * columns].reshape(rows, columns)
        labels = data[3 + rows * columns:3 + rows * columns + rows]
        # XGBoost wants the labels that there are to be 0, 1, 2 ...
        self.y = np.unique(labels, return_inverse=True)[1]


# ---- Who is compared: learner of ours, settings, what the row is called, the peer's name, its model ----

def tree(depth):
    return lambda threads: DecisionTreeClassifier(max_depth=depth, random_state=0)


def forest(kind):
    return lambda threads: kind(n_estimators=TREES, n_jobs=threads, random_state=0)


def boosting(threads):
    return xgboost.XGBClassifier(n_estimators=ROUNDS, max_depth=DEPTH, tree_method="hist", n_jobs=threads, random_state=0)


def pairs(columns):
    share = f"column_share={int(math.sqrt(columns)) / columns:.6f}"  # scikit-learn's default
    grown = [f"trees={TREES}", "min_leaf=1", "temperature=0", share]
    boosted = [f"trees={ROUNDS}", f"max_depth={DEPTH}", "learning_rate=0.3", "l2=1", "min_leaf=1", "column_share=1",
               "row_share=1"]
    return [
        ("tree", [], "tree", "scikit-learn", tree(None)),
        ("tree", ["max_depth=8"], "tree, depth 8", "scikit-learn", tree(8)),
        ("forest", grown, f"forest of {TREES}", "scikit-learn", forest(RandomForestClassifier)),
        ("extra-trees", grown, f"extra-trees, {TREES}", "scikit-learn", forest(ExtraTreesClassifier)),
        ("boost", boosted, f"boost, {ROUNDS} rounds, depth {DEPTH}", "XGBoost", boosting),
    ]


def size_of(model):
    if hasattr(model, "tree_"):
        return model.tree_.node_count
    if hasattr(model, "estimators_"):
        return sum(tree.tree_.node_count for tree in model.estimators_)
    return sum(tree.count("\n") for tree in model.get_booster().get_dump())


# ---- Measuring ----

def ours(program, *arguments):
    """Seconds, nodes, peak memory over the matrix, and what of it is the model."""
    out = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), int(out[2]), float(out[3]), float(out[4])


def theirs(make, matrix, threads):
    model = make(threads)
    start = time.perf_counter()
    model.fit(matrix.x, matrix.y)
    return time.perf_counter() - start, model


def spread(times):
    return f"{digits(statistics.median(times))} ({digits(min(times))}–{digits(max(times))})"


def digits(x):
    return f"{x:.3g}" if x < 100 else f"{x:.0f}"


def compare(matrix, options, learners):
    rows, columns = matrix.x.shape
    yield f"## {matrix.name}: {rows:,} rows, {columns} columns, {matrix.classes} classes\n"
    yield "| learner | convwise, s | nodes | memory | model | peer | peer, s | nodes | peer / convwise |"
    yield "|---|---:|---:|---:|---:|---|---:|---:|---:|"
    known = [pair for pair in pairs(columns) if pair[0] in learners]
    known += [(name, [], name, None, None) for name in learners]
    for learner, settings, label, peer, make in known:
        mine, other, size, model, most, held = [], [], 0, None, 0.0, 0.0
        # By turns, so that what disturbs the machine disturbs both.
        for _ in range(options.runs):
            threads = f"threads={options.threads}"
            # Labels against labels; by default learners take times, where they can.
            what = "labels" if make else "time"
            seconds, size, most, held = ours(options.program, what, matrix.path, learner, *settings, threads)
            mine.append(seconds)
            if make:
                seconds, model = theirs(make, matrix, options.threads)
                other.append(seconds)
            print(f"{matrix.name}: {label}: {mine[-1]:.3f} s", f"{peer}: {other[-1]:.3f} s" if make else "", file=sys.stderr)
        if make:
            # Each run's own ratio: the two were measured side by side.
            ratios = [b / a for a, b in zip(mine, other)]
            yield (f"| {label} | {spread(mine)} | {size:,} | {most:.1f} | {held:.1f} | {peer} | {spread(other)} | "
                   f"{size_of(model):,} | "
                   f"**{statistics.median(ratios):.1f}** ({min(ratios):.1f}–{max(ratios):.1f}) |")
        else:
            yield f"| {label}, default settings | {spread(mine)} | {size:,} | {most:.1f} | {held:.1f} | | | | |"
    yield ""


def growth(options, learners):
    yield ("A third of the columns has 8 values, a third 1,024, a third as many as rows; one label in ten is drawn. *over n\n"
           "log n*: time / (rows * log2(rows)), that of the fewest rows = 1. Forests of 2 trees, boosting of 5 rounds: more of them\n"
           "only repeat the same work.\n")
    yield "| learner | rows | s | over n log n | memory | model | nodes |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    cases = [("tree", [], "tree"), ("tree", ["max_depth=8"], "tree, depth 8"), ("forest", ["trees=2"], "forest"),
             ("extra-trees", ["trees=2"], "extra-trees"), ("boost", ["trees=5", f"max_depth={DEPTH}"], f"boost, depth {DEPTH}")]
    for learner, settings, label in cases:
        rows, first, last = 10_000, None, 0.0
        while learner in learners and rows <= options.most and last * 12 <= options.limit:
            command = ("grow", rows, COLUMNS, CLASSES, learner, *settings)
            runs = [ours(options.program, *command) for _ in range(3 if rows < 10**6 else 1)]
            last, size, _, held = sorted(runs)[len(runs) // 2]
            unit = last / (rows * math.log2(rows))
            first = first or unit
            memory = max(run[2] for run in runs)
            print(f"growth: {label}: {rows} rows, {last:.3f} s, memory {memory:.2f}", file=sys.stderr)
            yield f"| {label} | {rows:,} | {digits(last)} | {unit / first:.2f} | {memory:.2f} | {held:.2f} | {size:,} |"
            rows *= 10
    yield ""


def cpu():
    match = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return match[1] if match else platform.processor()


def page(options):
    learners = subprocess.run([options.program, "learners"], check=True, capture_output=True, text=True).stdout.split()
    if options.only:
        learners = [name for name in learners if name in options.only.split(",")]
    before = os.getloadavg()[0]
    if options.growth:
        title = f"Training time as rows grow: made rows, {COLUMNS} columns, {CLASSES} classes, one thread"
        tables, how = list(growth(options, learners)), ""
    else:
        title = "Training time"
        tables = [line for text in options.matrices for line in compare(Matrix(*text.rsplit("=", 1)), options, learners)]
        how = ("Seconds of training, median (least–most) of the runs; convwise and its peer ran by turns on the same rows, and\n"
               "the last column is the median (least–most) of the runs' own ratios. Included: convwise's check of the rows and its\n"
               "binning, scikit-learn's check and conversion to floats, XGBoost's quantile matrix; not included: reading the rows.\n"
               "Equal settings on both sides, and labels on both sides: forests and extra-trees look at as many columns a node as\n"
               "scikit-learn's default does, down to leaves of one row; boosting has learning rate 0.3 and L2 1 (XGBoost's\n"
               "defaults, `hist`), all classes in all rows. The single tree is the same tree on both sides, but for draws among\n"
               "equally good columns. Without a peer: defaults, on times where the learner takes them; boosting then compares only\n"
               "what was a choice for a row.\n")
    runs = f"{options.threads} thread(s); {options.runs} runs; " if not options.growth else ""
    return [
        f"# {title}\n",
        f"Made by `./dev bench train{' --growth' if options.growth else ''}`. {how}",
        "*memory*: the most that training takes beyond its input, the model included, over that of the matrix (rows * columns\n"
        "doubles); *model*: what of it is the model that it returns.\n",
        f"{cpu()}, {os.cpu_count()} CPUs; {runs}load before {before:.1f}, after {os.getloadavg()[0]:.1f}.\n"
        f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}, XGBoost {xgboost.__version__}, numpy "
        f"{np.__version__}.\n",
        *tables,
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/release/bench/bench_train")
    parser.add_argument("--runs", type=int, default=5, help="of each pair (5)")
    parser.add_argument("--threads", type=int, default=1, help="that train, on both sides (1)")
    parser.add_argument("--most", type=int, default=10**7, help="rows of the largest made matrix (10,000,000)")
    parser.add_argument("--limit", type=float, default=300, help="leave out sizes that would take longer, seconds (300)")
    parser.add_argument("--growth", action="store_true", help="how time and memory grow with the rows, not beside others")
    parser.add_argument("--only", help="these learners, with commas between (all)")
    parser.add_argument("--output", help="file to write (docs/training.md, with --growth docs/training-growth.md)")
    parser.add_argument("matrices", nargs="*", help="NAME=FILE")
    options = parser.parse_args()
    text = "\n".join(page(options)).rstrip() + "\n"
    output = options.output or ("docs/training-growth.md" if options.growth else "docs/training.md")
    Path(output).write_text(text)
    print(f"{output} written", file=sys.stderr)


main()
