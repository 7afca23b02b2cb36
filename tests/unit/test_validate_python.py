"""An independent reckoning of validation: reads the store with sqlite3 alone, and computes the baselines of the splits
network and near anew. No code is shared with the library; the definitions are those of docs/validating.md."""
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile

BUILD = os.environ["CW_BUILD"]
KIND = "kh kw kd sh sw sd dh dw dd prec zp layout dir".split()
SHAPE = "mb g ic ih iw oc kh kw sh sw dh dw pt pl pb pr layout".split()
WIDENED = (["kh", "kw", "kd"], ["sh", "sw", "sd", "dh", "dw", "dd"])
NEAR = "ic kh kw oc sh sw".split()
NETS = ["resnet18", "squeezenet1_1", "mobilenet_v1", "googlenet"]


def read_store(path):
    """rows: {problem id: {"prec", "shape", "near", "times": {impl: us}, "library": impl or None}}, family of impl,
    layers: {net: {row: count}}"""
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    rows, family = {}, {}
    for r in db.execute(
        "SELECT p.*, i.name AS impl, i.family AS family, m.time_ns + m.src_reorder_ns + m.dst_reorder_ns AS ns,"
        " m.library_choice AS library FROM measurement m JOIN problem p ON p.id = m.problem JOIN impl i ON i.id = m.impl"
        " WHERE m.state IN ('ok', 'cut off') AND i.candidate"
        " AND m.id = (SELECT max(n.id) FROM measurement n WHERE n.problem = m.problem AND n.impl = m.impl)"
    ):
        row = rows.setdefault(r["id"], {"prec": r["prec"], "zp": r["zp"], "times": {}, "library": None})
        row["shape"] = tuple(r[k] for k in SHAPE)
        grouping = 0 if r["g"] == 1 else 2 if r["g"] == r["ic"] else 1
        row["kind"] = (grouping, *(r[k] for k in KIND))
        row["near"] = tuple(r[k] for k in NEAR)
        row["times"][r["impl"]] = r["ns"] / 1e3
        family[r["impl"]] = r["family"]
        if r["library"]:
            row["library"] = r["impl"]
    layers = {}
    for r in db.execute("SELECT n.name AS net, l.* FROM net_layer l JOIN net n ON n.id = l.net"):
        for key, row in rows.items():
            if row["shape"] == tuple(r[k] for k in SHAPE) and row["zp"] == (r["zp"] if row["prec"] else 0):
                counts = layers.setdefault(r["net"], {})
                counts[key] = counts.get(key, 0) + 1
    return rows, family, layers


def static_order(rows, training, family, prec):
    chosen = [rows[k]["times"] for k in training if rows[k]["prec"] == prec]
    penalty = dict.fromkeys(sorted(family), 0.0)
    for times in chosen:
        best, slowest = min(times.values()), max(times.values())
        for impl in penalty:
            penalty[impl] += math.log(times.get(impl, slowest) / best)
    rest = sorted(penalty, key=lambda impl: (penalty[impl], impl))
    order = []
    while chosen:

        def with_fall_back(impl):
            return sum(math.log(times.get(impl, next(times[i] for i in rest if i in times))) for times in chosen)

        first = min(rest, key=with_fall_back)
        order.append(first)
        rest.remove(first)
        chosen = [times for times in chosen if first not in times]
    return order + rest


def seen_of(seen, kind):
    """What may be chosen: seen on the kind, or known to half as many kinds of a wider one as its best known is."""
    if kind in seen:
        return seen[kind]
    for left_out in (WIDENED[0], WIDENED[0] + WIDENED[1]):
        alike = [i for i, field in enumerate(["grouping"] + KIND) if field not in left_out]
        near = [seen[other] for other in seen if all(other[i] == kind[i] for i in alike)]
        known = {impl: sum(impl in runs for runs in near) for runs in near for impl in runs}
        if known:
            return {impl for impl in known if 2 * known[impl] >= max(known.values())}
    return None


def choices(row, order, family, seen):
    """What each baseline chooses for a row. seen: what may be chosen by kind; None = what has a time."""
    may = row["times"] if seen is None else seen_of(seen, row["kind"]) or order
    runs = [impl for impl in order if impl in may]
    made = {"oracle": min(row["times"], key=row["times"].get), "best static": runs[0]}
    made["library"] = row["library"] or runs[0]
    for kind in sorted(set(family.values())):
        made["always " + kind] = next((impl for impl in runs if family[impl] == kind), runs[0])
    return made


def reckon(rows, family, layers, split, mask):
    """{(baseline, net or None, precision): [layers, chosen, oracle, sum of logs, right]}"""
    sums = {}
    for net, tests in layers.items():
        held = set(tests)
        for key in rows:
            for test in tests:
                same = rows[key]["shape"] == rows[test]["shape"]
                if same or (split == "near" and rows[key]["near"] == rows[test]["near"]):
                    held.add(key)
        training = [key for key in rows if key not in held]
        seen = None if mask == "record" else {}
        for key in training if mask == "kind" else []:
            seen.setdefault(rows[key]["kind"], set()).update(rows[key]["times"])
        for prec in (0, 1):
            order = static_order(rows, training, family, prec)
            for key, count in tests.items():
                if rows[key]["prec"] != prec:
                    continue
                times = rows[key]["times"]
                best = min(times.values())
                for name, impl in choices(rows[key], order, family, seen).items():
                    taken = times.get(impl, max(times.values()))
                    for group in (net, None):
                        s = sums.setdefault((name, group, prec), [0, 0.0, 0.0, 0.0, 0])
                        s[0] += count
                        s[1] += count * taken
                        s[2] += count * best
                        s[3] += count * math.log(taken / best)
                        s[4] += count * (times.get(impl) == best)
    return sums


def compare(what, figures, sums):
    layers, chosen, oracle, logs, right = sums
    expected = {
        "layers": layers,
        "chosen_us": chosen,
        "oracle_us": oracle,
        "regret": chosen / oracle - 1,
        "geomean": math.exp(logs / layers),
        "accuracy": right / layers,
    }
    wrong = [k for k, v in expected.items() if not math.isclose(figures[k], v, rel_tol=1e-9, abs_tol=1e-12)]
    for key in wrong:
        print(f"{what}: {key} is {figures[key]}, {expected[key]} by Python")
    return not wrong


def main():
    good = True
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "made.db")
        tables = [f"data/nets/{net}.txt" for net in NETS]
        subprocess.run([f"{BUILD}/tests/make_store", store, "rule", *tables], check=True)
        rows, family, layers = read_store(store)
        assert len(layers) == len(NETS) and len(rows) > 100, (len(layers), len(rows))
        for split, mask in (("network", "record"), ("near", "record"), ("near", "kind")):
            command = [f"{BUILD}/convwise", "validate", "--store", store, "--split", split, "--mask", mask, "--json"]
            report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            sums = reckon(rows, family, layers, split, mask)
            for baseline in report["baselines"]:
                name = baseline["baseline"]
                for prec, text in enumerate(("f32", "u8")):
                    good &= compare(f"{split}, {name}, {text}", baseline["precisions"][text], sums[name, None, prec])
                for group in baseline["groups"]:
                    prec = ("f32", "u8").index(group["precision"])
                    what = f"{split}, {name}, {group['name']}, {group['precision']}"
                    good &= compare(what, group, sums[name, group["name"], prec])
                    compared += 1
    print(f"{compared} groups compared")
    return 0 if good and compared == 3 * 2 * len(NETS) * 7 else 1


if __name__ == "__main__":
    sys.exit(main())
