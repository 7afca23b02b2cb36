"""The table of bench/portfolio.sh: what a store's times and the reports of `convwise validate --json` say.

    portfolio.py STORE PRECISION THREADS BATCH LAYOUT CACHE FPMATH REPORT...

The rule, for comparison, is written by hand: dense 3x3 layers of stride 1 take our F(6,3), or F(4,3) where an output has fewer than 27
rows; all others what oneDNN takes by itself. Sums of oneDNN's own choice are computed here from the store and must be the reports'.
"""
import json
import sqlite3
import sys

PRECISIONS = ["f32", "u8", "f16", "bf16", "s8"]
SHAPE = "mb g ic ih iw oc kh kw sh sw dh dw pt pl pb pr".split()


def times_of(db, precision, threads, batch, layout, cache, fpmath):
    """{shape and zp: ({implementation: ns}, oneDNN's own choice)}, the fastest of repeats, changes of layout included."""
    rows = db.execute(
        "SELECT %s, p.zp, i.name,"
        "       coalesce(min(iif(m.state = 'ok', m.time_ns + m.src_reorder_ns + m.dst_reorder_ns, NULL)),"
        "                min(m.time_ns + m.src_reorder_ns + m.dst_reorder_ns)),"
        "       max(m.library_choice AND i.name GLOB 'onednn.*')"
        " FROM measurement m JOIN problem p ON p.id = m.problem JOIN impl i ON i.id = m.impl"
        " WHERE m.time_ns IS NOT NULL AND (i.candidate OR (? AND i.name GLOB '*.bf16.*')) AND p.prec = ? AND p.threads = ? AND p.mb = ? AND p.layout = ?"
        "   AND p.cache = ? GROUP BY p.id, i.id" % ", ".join("p." + c for c in SHAPE),
        (fpmath == "bf16", PRECISIONS.index(precision), threads, batch, layout == "nchw", cache == "cold"))
    times = {}
    for row in rows:
        layer = times.setdefault(row[:17], [{}, None])
        layer[0][row[17]] = row[18]
        if row[19]:
            layer[1] = row[17]
    return times


def nets_of(db, precision, batch):
    """{network: [shape and zp of each layer]}"""
    nets = {}
    bit = 1 << PRECISIONS.index(precision)
    for row in db.execute("SELECT net.name, %s, l.zp, l.precs FROM net_layer l JOIN net ON net.id = l.net ORDER BY net.name, position"
                          % ", ".join("l." + c for c in SHAPE)):
        name, shape, zp, precs = row[0], (batch,) + row[2:17], row[17], row[18]
        if precs == 0 or precs & bit:
            nets.setdefault(name, []).append(shape + (zp if precision == "u8" else 0,))
    return nets


def by_rule(shape, layer):
    p = dict(zip(SHAPE, shape))
    times, own_choice = layer
    if (p["g"], p["kh"], p["kw"], p["sh"], p["sw"], p["dh"], p["dw"]) == (1, 3, 3, 1, 1, 0, 0):
        rows = p["ih"] + p["pt"] + p["pb"] - 2
        winograd = "own.winograd_f6x3" if rows >= 27 else "own.winograd_f4x3"
        if winograd in times:
            return times[winograd]
    return times[own_choice]


def main():
    store, precision, threads, batch, layout, cache, fpmath, *names = sys.argv[1:]
    db = sqlite3.connect("file:%s?mode=ro" % store, uri=True)
    threads, batch = int(threads), int(batch)
    times = times_of(db, precision, threads, batch, layout, cache, fpmath)
    nets = nets_of(db, precision, batch)
    reports = [json.load(open(name)) for name in names]
    groups = [r["learners"][0]["groups"] for r in reports]
    print("| network | oneDNN's own choice, ms | best of all, ms | own choice / best | own choice / rule | own choice / learned (least to most)"
          " | of the possible |\n|---|---:|---:|---:|---:|---:|---:|")
    total = [0.0, 0.0, 0.0] + [0.0] * len(reports)

    def row(name, library, best, rule, chosen):
        ratios = [library / c for c in chosen]
        mean = sum(ratios) / len(ratios)
        print("| %s | %.1f | %.1f | %.2f | %.2f | %.2f (%.2f to %.2f) | %.0f %% |" % (
            name, library / 1e3, best / 1e3, library / best, library / rule, mean, min(ratios), max(ratios), 100 * mean * best / library))

    for i, g in enumerate(groups[0]):
        layers = [(shape, times[shape]) for shape in nets[g["name"]] if shape in times]
        own_choice = sum(layer[0][layer[1]] for _, layer in layers) / 1e3
        if abs(own_choice / g["library_us"] - 1) > 1e-6:
            sys.exit("%s: oneDNN's own choice takes %.3f us by the store, %.3f by the report" % (g["name"], own_choice, g["library_us"]))
        values = [g["library_us"], g["oracle_us"], sum(by_rule(*layer) for layer in layers) / 1e3] + [s[i]["chosen_us"] for s in groups]
        total = [a + b for a, b in zip(total, values)]
        row(g["name"], *values[:3], values[3:])
    row("all", *total[:3], total[3:])
    print("\nLearned: `%s`, each network left out in turn, %d seed%s."
          % (reports[0]["learners"][0]["learner"], len(reports), "s" if len(reports) > 1 else ""))


main()
