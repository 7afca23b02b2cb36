"""Networks of the seed's experiment were measured each on its own: a layer shape that several networks share, or that one network
has twice, has other times in each place. `convwise validate --seed-mode` must score every network by its own times, in whatever
order, from however many tables and by whatever way the networks came into the store. Totals are computed anew here.
"""
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

CONVWISE = (Path(os.environ.get("CW_BUILD", "build/release")) / "convwise").resolve()
HEADS = "network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us".split(",")
OPERATORS = [("gemm", "Conv", "conv"), ("direct", "Directconv", "direct"), ("winograd", "Winogradconv", "winograd")]
REPORTED = ("network,classifier,mode,precision,conv_us,conv_n,direct_us,direct_n,winograd_us,winograd_n,predicted_us,predicted_n,"
            "layers_n,oracle_us,best_static_us,best_static_name,accuracy_pct,speedup_pct").split(",")
PRECISIONS = {"fp32": "f32", "uint8": "u8"}
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)
        print(f"FAILED: {message}")


# ---- Tables ----

SHARED = [(3, 64, 3, 16, 1, 1), (16, 32, 3, 32, 1, 1), (32, 16, 3, 32, 1, 1), (32, 16, 1, 64, 1, 0)]  # cin, h, kernel, cout, stride, pad
ONLY = {"pine": [(64, 8, 5, 48, 1, 2)], "quince": [(24, 20, 3, 40, 2, 1), (40, 10, 1, 8, 1, 0)], "rowan": [(8, 12, 3, 8, 1, 1)]}


def make_rows(seed):
    """Lines of a table of layers. pine has a shape three times, each with other times, and one twice with the same; quince has other
    layers in uint8 than in fp32; rowan is there in fp32 alone. Every network shares layers with the others."""
    draw = random.Random(seed)
    lists = {("pine", p): SHARED + [SHARED[1], SHARED[2], SHARED[2]] + ONLY["pine"] for p in PRECISIONS}
    lists["quince", "fp32"] = [SHARED[0]] + ONLY["quince"] + SHARED[1:3] + [SHARED[2]]
    lists["quince", "uint8"] = [SHARED[0], SHARED[3], ONLY["quince"][1], SHARED[0]]
    lists["rowan", "fp32"] = SHARED[1:] + ONLY["rowan"]
    rows = []
    for (network, precision), shapes in lists.items():
        for at, (cin, h, kernel, cout, stride, pad) in enumerate(shapes):
            times = [str(draw.randint(1000, 9999)) for _ in OPERATORS]
            if kernel != 3 or stride != 1 or precision == "uint8" or at == 2:
                times[2] = ""
            if at == 4:
                times[1] = ""
            rows.append([network, precision] + [str(v) for v in (cin, h, h, kernel, cout, stride, pad)] + times)
    twins = [row for row in rows if row[:3] + row[5:6] == ["pine", "fp32", "32", "3"]]
    twins[1][9:] = twins[2][9:]  # alike in all but the first
    return rows


def write_csv(path, heads, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads] + rows)
    Path(path).write_text(text.getvalue(), encoding="utf-8")


def write_labels(path):
    lines = ["@RELATION convolution"] + [f"@ATTRIBUTE tensor_{i} INTEGER" for i in range(1, 8)]
    lines += [f"@ATTRIBUTE {name} INTEGER" for name in ("tuner", "precision", "architecture")]
    lines += ["@ATTRIBUTE class {conv,directconv,winogradconv}", "@DATA"]
    for channels in (8, 16, 24, 32, 40):
        for size in (7, 14, 28):
            for precision in (0, 1):
                lines.append(f"{channels},{size},{size},1,{channels},1,0,0,{precision},0,conv")
                lines.append(f"{channels},{size},{size},3,{channels},1,1,0,{precision},0,{'directconv' if precision else 'winogradconv'}")
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def totals(rows):
    """What the authors' scoring gives, by network and precision."""
    result = {}
    for network, precision in sorted({(row[0], row[1]) for row in rows}):
        times = [[int(t) if t else None for t in row[9:]] for row in rows if row[:2] == [network, precision]]
        sums = [[t[k] for t in times if t[k] is not None] for k in range(3)]
        whole = {k: sum(s) for k, s in enumerate(sums) if len(s) == len(times)}
        best = min(whole, key=whole.get)
        result[network, precision] = {"operators": [(sum(s), len(s)) for s in sums], "layers": len(times), "best": best,
                                      "oracle": sum(min(v for v in t if v is not None) for t in times), "best_us": whole[best]}
    return result


def write_reported(path, expected):
    rows = []
    for (network, precision), t in expected.items():
        operators = [x for pair in t["operators"] for x in pair]
        rows.append([network, "RandomForest", "ALL", precision] + operators + [t["best_us"], t["layers"], t["layers"], t["oracle"],
                    t["best_us"], OPERATORS[t["best"]][1], 0, 0])
    write_csv(path, REPORTED, rows)


# ---- convwise ----

def run(*words):
    done = subprocess.run([str(CONVWISE), *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}")
    return done.stdout


class Store:
    """A store of its own folder with the labels in it."""
    count = 0

    def __init__(self, folder, labels=True):
        Store.count += 1
        self.folder = Path(folder) / str(Store.count)
        self.folder.mkdir()
        self.path = self.folder / "s.db"
        self.tables = 0
        if labels:
            write_labels(self.folder / "labels.arff")
            run("import", "arff", self.folder / "labels.arff", "--store", self.path, "--preset", "mali-t860")

    def layers(self, rows):
        self.tables += 1
        table = self.folder / f"layers{self.tables}.csv"
        write_csv(table, HEADS, rows)
        run("import", "layers", table, "--store", self.path, "--preset", "mali-t860", "--name", f"table {self.tables} of {self.folder.name}")
        return self

    def report(self, expected):
        write_reported(self.folder / "reported.csv", expected)
        return json.loads(run("validate", "--store", self.path, "--seed-mode", "--reported", self.folder / "reported.csv", "--json"))


def check_report(what, report, expected):
    groups = [(g["network"], g["precision"]) for g in report["groups"]]
    check(groups == [(n, PRECISIONS[p]) for n, p in expected], f"{what}: groups {groups}")
    contenders = {c["name"]: c["groups"] for c in report["contenders"] if not c["split"]}
    for at, (group, t) in enumerate(expected.items()):
        if at >= len(groups):
            break
        got = [(contenders[f"always {name}"][at]["published_us"], contenders[f"always {name}"][at]["ran"]) for name, _, _ in OPERATORS]
        check(got == t["operators"], f"{what}: {group}: operators {got}, not {t['operators']}")
        oracle = contenders["oracle"][at]
        got = oracle["layers"], oracle["oracle_us"], oracle["best_static_us"], report["groups"][at]["best_static"]
        wanted = t["layers"], t["oracle"], t["best_us"], f"armcl.{OPERATORS[t['best']][0]}"
        check(got == wanted, f"{what}: {group}: layers, oracle and best static {got}, not {wanted}")
    wrong = [(r["network"], r["precision"]) for r in report["published"] if not r["totals_equal"]]
    check(not wrong and len(report["published"]) == len(expected), f"{what}: totals differ for {wrong}")


def of(rows, *networks, precision=None):
    return [row for row in rows if row[0] in networks and precision in (None, row[1])]


def main():
    rows, other = make_rows(1), make_rows(2)
    interleaved = sorted(rows, key=lambda row: sum(r[:2] == row[:2] for r in rows[:rows.index(row)]))
    expected = totals(rows)
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            "one table": Store(folder).layers(rows),
            "one table, networks line by line": Store(folder).layers(interleaved),
            "one after the other": Store(folder).layers(of(rows, "pine")).layers(of(rows, "quince")).layers(of(rows, "rowan")),
            "the other way round": Store(folder).layers(of(rows, "rowan")).layers(of(rows, "quince")).layers(of(rows, "pine")),
            "uint8 first": Store(folder).layers(of(rows, *ONLY, precision="uint8")).layers(of(rows, *ONLY, precision="fp32")),
            "twice": Store(folder).layers(rows).layers(rows),
            "one of them again": Store(folder).layers(rows).layers(of(rows, "pine")),
            "newer times count": Store(folder).layers(other).layers(rows),
            "a shorter table counts": Store(folder).layers(rows + of(other, "quince", "pine")).layers(rows),
        }
        merged = Store(folder).layers(of(rows, "quince"))
        run("store", "merge", merged.path, Store(folder, labels=False).layers(of(rows, "pine", "rowan")).path)
        stores["merged"] = merged
        carried = Store(folder, labels=False)
        exported = stores["one after the other"].folder / "out.csv"
        run("store", "export", stores["one after the other"].path, "-o", exported)
        run("import", "csv", exported, "--store", carried.path)
        stores["exported and imported"] = carried
        first = None
        for what, store in stores.items():
            report = store.report(expected)
            check_report(what, report, expected)
            first = first or report
            check(report == first, f"{what}: another report than for \"{next(iter(stores))}\"")

        # A network that is measured anew by another table has the new times, the rest what they had.
        changed = of(other, "quince") + of(rows, "pine", "rowan")
        check_report("one measured anew", Store(folder).layers(rows).layers(of(other, "quince")).report(totals(changed)), totals(changed))

        # Everywhere else a network with another list in uint8 is one network too.
        plain = json.loads(run("validate", "--store", stores["one table"].path, "--features", "seed", "--split", "network", "--json"))
        layers = {(g["name"], g["precision"]): g["layers"] for g in plain["learners"][0]["groups"] if g["name"].startswith("quince")}
        check(layers == {("quince", "f32"): 6, ("quince", "u8"): 4}, f"validate: layers {layers}")
    print(f"{len(stores) + 1} stores, {len(expected)} networks and precisions each, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
