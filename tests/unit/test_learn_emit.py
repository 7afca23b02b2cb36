"""What the learners emit, compiled by gcc and clang with all warnings as errors, picks what predict picks: on training rows,
on other rows, at every threshold and its neighbours, and whatever is allowed. Emitted files as a whole are another test."""
import math
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))
import learn  # noqa: E402

failures = 0


def best(cost, allowed):
    """The class of smallest cost among those allowed, the lower one of equals: place = class in what learn_cli emits."""
    usable = [(value, c) for c, value in enumerate(cost) if allowed is None or allowed[c]]
    return min(usable)[1] if usable else -1


def rows_of(kind, rng, count, columns):
    if kind == "integers":
        return [[float(rng.randrange(7)) for _ in range(columns)] for _ in range(count)]
    return [[rng.gauss(0, 1) * 10 ** rng.choice((-3, 0, 9)) for _ in range(columns)] for _ in range(count)]


def near_thresholds(thresholds, rows, rng):
    """Rows with one value replaced by a threshold or a neighbour of it."""
    for column, value in thresholds:
        for x in (value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)):
            row = list(rng.choice(rows))
            row[column] = x
            yield row


def compare(learner, kind, count, columns, classes, compilers, **options):
    global failures
    rng = random.Random(f"{learner} {kind} {classes}")
    rows = rows_of(kind, rng, count, columns)
    labels = [min(classes - 1, int(abs(sum(row[:2]))) % (classes + 1)) for row in rows]
    labels[0], labels[1] = 0, 1
    times = [[math.nan if rng.random() < 0.3 else rng.uniform(10, 90) for _ in range(classes)] for _ in rows]
    extra = {"times": times, "scales": [1.0] * count} if learner == "tree" else {}
    first = learn.train(learner, rows, labels, classes, **extra, **options)
    further = rows_of(kind, rng, 500, columns) + list(near_thresholds(first.thresholds, rows, rng))
    further += [[value] * columns for value in (0.0, -0.0, 1e300, -1e300, math.inf, -math.inf, math.nan)]
    trained = learn.train(learner, rows, labels, classes, further, **extra, **options)
    assert trained.code == first.code
    asked = 0
    with tempfile.TemporaryDirectory() as folder:
        for compiler in compilers:
            pick = learn.build_pick(trained.code, folder, compiler)
            for row, cost in zip(rows + further, trained.cost):
                some = [rng.randrange(2) for _ in range(classes)]
                for allowed in (None, some, [0] * classes):
                    asked += 1
                    if pick(row, allowed) != best(cost, allowed):
                        failures += 1
                        print(f"FAILED: {learner} {kind} {compiler}: row {row} allowed {allowed}")
                        return
    print(f"{learner} {kind} {columns} columns {classes} classes {options}: {asked} picks equal")


def main():
    compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
    if not compilers:
        print("SKIP: neither gcc nor clang is there")
        sys.exit(77)
    for kind in ("integers", "reals"):
        compare("tree", kind, 400, 5, 4, compilers)
        compare("tree", kind, 400, 3, 3, compilers, depth=1)
        compare("tree", kind, 300, 2, 300, compilers, leaf=5)
        compare("bayes", kind, 400, 5, 4, compilers)
        compare("bayes", kind, 100, 1, 2, compilers)
        compare("bayes", kind, 300, 2, 300, compilers, smooth=1e-3)
    compare("tree", "integers", 20, 1, 2, compilers, leaf=20)  # one leaf
    sys.exit(1 if failures else 0)


main()
