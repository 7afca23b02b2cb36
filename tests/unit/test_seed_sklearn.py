"""The seed's experiment against scikit-learn: the same purge, the same random 80 %, the same settings, written anew here.

Naive Bayes must choose alike for every layer of every network, precision, split and mode. The tree draws among equally good
splits: what every one of scikit-learn's trees of many seeds says must be among what `convwise validate --seed-mode` calls possible,
and where only one answer is possible all must give it. The split itself is compared by its number of rows here and, index by
index, through what is learnt from it.
"""
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.naive_bayes import GaussianNB
    from sklearn.tree import DecisionTreeClassifier
except ImportError as missing:
    print(f"SKIP: {missing}; ./dev test brings scikit-learn")
    sys.exit(77)

CONVWISE = Path(os.environ.get("CW_BUILD", "build/release")) / "convwise"
DATA = Path("../shared/data/mali-t860")
SEEDS = 12
NAMES = {"conv": "armcl.gemm", "directconv": "armcl.direct", "winogradconv": "armcl.winograd"}
TIMES = {"armcl.gemm": "gemm_us", "armcl.direct": "direct_us", "armcl.winograd": "winograd_us"}
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)
        print(f"FAILED: {message}")


def read_labels():
    lines = [line.strip().split(",") for line in (DATA / "dataset.arff").read_text().splitlines() if line[:1].isdigit()]
    return np.array([[int(v) for v in line[:10]] for line in lines]), np.array([NAMES[line[10]] for line in lines])


def shape(layer):
    """As the data set has it: channels in, height, width, kernel, channels out, stride, pad."""
    return tuple(int(layer[key]) for key in ("cin", "h", "w", "kernel", "cout", "stride", "pad"))


def near(row):
    return row[0], row[3], row[4], row[5]


def training_rows(x, layers, split):
    if split == "network":
        held = {shape(layer) for layer in layers}
        return np.array([tuple(row[:7]) not in held for row in x.tolist()])
    held = {near(shape(layer)) for layer in layers}
    return np.array([near(row) not in held for row in x.tolist()])


def problem(layer):
    """What convwise calls the layer."""
    ic, h, w, k, oc, s, p = shape(layer)
    assert h == w
    return ic, h, oc, k, s, p, layer["precision"] == "uint8"


def parse(text):
    """The fields that a problem of these tables has, from convwise's text."""
    letters = dict.fromkeys(("ic", "ih", "oc", "oh", "kh", "sh", "ph"), 0)
    letters["sh"] = 1
    body, *conditions = text.split(",")
    key = number = ""
    for c in body + "$":
        if c.isdigit():
            number += c
        else:
            if number:
                letters[key], key, number = int(number), "", ""
            key += c
    return (letters["ic"], letters["ih"], letters["oc"], letters["kh"], letters["sh"], letters["ph"], "u8" in conditions)


def run_convwise(folder):
    store = f"{folder}/seed.db"
    for kind, name in (("arff", "dataset.arff"), ("layers", "layers.csv")):
        subprocess.run([CONVWISE, "import", kind, DATA / name, "--store", store, "--preset", "mali-t860"], check=True,
                       stdout=subprocess.DEVNULL)
    command = [CONVWISE, "validate", "--store", store, "--seed-mode", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def check_layers(groups, layers):
    """Times and repeats are those of the file."""
    for (network, precision), group in groups.items():
        expected = {}
        for layer in layers:
            if (layer["network"], layer["precision"]) == (network, {"f32": "fp32", "u8": "uint8"}[precision]):
                times = {name: float(layer[key]) if layer[key] else None for name, key in TIMES.items()}
                repeats = expected.get(problem(layer), (0, None))[0]
                expected[problem(layer)] = (repeats + 1, times)
        got = {parse(layer["problem"]): (layer["repeats"], layer["us"]) for layer in group["layers"]}
        check(got == expected, f"{network} {precision}: other layers, repeats or times than the file's")


def main():
    if not DATA.exists():
        print(f"SKIP: {DATA} is absent")
        return 77
    x, y = read_labels()
    with open(DATA / "layers.csv", newline="") as file:
        layers = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        report = run_convwise(folder)
    groups = {(g["network"], g["precision"]): g for g in report["groups"]}
    check(len(groups) == 10, f"{len(groups)} groups, not 10")
    check_layers(groups, layers)
    compared = drawn = unsettled = 0
    for contender in report["contenders"]:
        if not contender["split"]:
            continue
        for scored in contender["groups"]:
            network = scored["network"]
            label = f"{contender['name']}, {contender['split']}, {contender['mode']}, {network}, {scored['precision']}"
            kept = training_rows(x, [layer for layer in layers if layer["network"] == network], contender["split"])
            rows, labels = x[kept], y[kept]
            if contender["mode"] == "CV":
                rows, _, labels, _ = train_test_split(rows, labels, test_size=0.20, random_state=5)
            check(scored["rows"] == len(rows), f"{label}: {scored['rows']} rows, scikit-learn {len(rows)}")
            asked = [parse(layer["problem"]) for layer in groups[network, scored["precision"]]["layers"]]
            every = np.array([[ic, h, h, k, oc, s, p, 0, int(u8), 0] for ic, h, oc, k, s, p, u8 in asked])
            if contender["name"] == "bayes":
                theirs = GaussianNB(var_smoothing=180e-9).fit(rows, labels).predict(every)
                wrong = sum(a != b for a, b in zip(theirs, scored["chosen"]))
                check(wrong == 0, f"{label}: {wrong} of {len(asked)} choices differ")
                compared += len(asked)
                continue
            for seed in range(SEEDS):
                theirs = DecisionTreeClassifier(random_state=seed).fit(rows, labels).predict(every)
                for text, says, possible in zip(asked, theirs, scored["possible"]):
                    check(possible is None or says in possible, f"{label}: {text}: seed {seed} says {says}, not in {possible}")
            check(all(p is None or c in p for c, p in zip(scored["chosen"], scored["possible"])), f"{label}: ours is not possible")
            drawn += len(asked)
            unsettled += sum(p is None or len(p) > 1 for p in scored["possible"])
    check(compared == 4 * sum(len(g["layers"]) for g in groups.values()), f"{compared} choices of naive Bayes compared")
    check(0 < unsettled < drawn / 10, f"{unsettled} of {drawn} layers are not settled")
    total = math.fsum(float(layer["gemm_us"]) for layer in layers if layer["precision"] == "fp32")
    always = next(c for c in report["contenders"] if c["name"] == "always gemm")
    check(always["pooled"]["f32"]["published_us"] == total, "the sum of GEMM's times differs from the file's")
    print(f"naive Bayes: {compared} choices equal; tree: {drawn} layers by {SEEDS} seeds, {unsettled} not settled")
    return 1 if failures else 0


sys.exit(main())
