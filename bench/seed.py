"""The words of docs/seed.md: what the figures of `convwise validate --seed-mode --json` say. Called by bench/seed.sh.

    seed.py REPORT.json ARFF.json
"""
import json
import sys

GEMM = "armcl.gemm"


def percent(x, digits=1):
    return f"{100 * x:+.{digits}f} %"


def main():
    report, arff = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
    found = {(c["name"], c["split"], c["mode"]): c for c in report["contenders"]}
    precs = [p for p in ("f32", "u8") if p in found["oracle", None, None]["pooled"]]
    settings = [("network", "CV"), ("network", "ALL"), ("near", "CV"), ("near", "ALL")]

    def pooled(name, prec, split=None, mode=None):
        return found[name, split, mode]["pooled"][prec]

    layers = [(g, layer) for g in report["groups"] for layer in g["layers"]]
    occurrences = sum(layer["repeats"] for _, layer in layers)
    networks = sorted({g["network"] for g in report["groups"]}, key=str.lower)
    empty = sum(layer["repeats"] * sum(t is None for t in layer["us"].values()) for _, layer in layers)
    close = 0
    for _, layer in layers:
        times = sorted(t for t in layer["us"].values() if t is not None)
        close += layer["repeats"] * (len(times) > 1 and times[1] <= 1.05 * times[0])

    print(f"""# The seed's experiment, from its own measurements

convwise grew from a paper: Perri, Sylos Labini, Gervasi, Tasso, Vella, "Towards a Learning-Based Performance Modeling for
Accelerating Deep Neural Networks", ICCSA 2019. Its authors timed the three convolution operators of the Arm Compute Library (GEMM,
direct, Winograd) on a Mali-T860 through OpenCL, batch 1, in fp32 and uint8, and learned which is fastest from ten raw numbers of a
layer. This page repeats their experiment with their data and says what holds. All of it is made by one command:

```
bench/seed.sh DATA > docs/seed.md
```

which does no more than

```
convwise import arff DATA/dataset.arff --store seed.db --preset mali-t860
convwise import layers DATA/layers.csv --store seed.db --preset mali-t860
convwise validate --store seed.db --seed-mode --reported DATA/reported.csv --markdown
```

Other networks of the same experiment need another table like `layers.csv` and the same commands.

## What is done

- **Learning**: {arff['labels']:,} labels, which name the fastest operator of a layer and have no time, one model for both
  precisions. The tree has scikit-learn's default settings, naive Bayes a variance smoothing of 180e-9.
- **Testing**: {occurrences} layers with times of {len(networks)} networks ({', '.join(networks)}), each network in both precisions and
  by the times of its own lines of the table: the authors measured every network on its own.
- **Split** `network`: labels of a layer equal to one of the network's (height, width, channels, kernel, stride, pad) leave training, in
  both precisions. The authors' split. `near`: so do all with the same channels, kernel and stride.
- **Mode** `ALL`: fitted to all labels that are left. `CV`: to a random 80 % of them, the very rows that scikit-learn's
  train_test_split deals with random_state 5.
- **Score as published**: the time of a chosen operator that has none counts as 0. Speed-up = best static / time * 100 - 100, where
  best static is the operator with the smallest total among those with a time on every layer, which is known only after
  looking at these very layers. **Charged**: such a layer runs with GEMM. Loss = charged time over that of the fastest operators, less one.
- **arm cl**, **arm neon**: what version 20.08 of the Arm library would take by itself, as rules (src/problem/arm_rules.c); newer than
  the times, which are of 2018 or so. The NEON rule is for its processors' functions, not for this GPU; shown for comparison. Where a
  rule takes Winograd and the tables have no time of it, the layer is charged as GEMM, as everybody's is.
""")

    print("## What holds of the claim\n")
    print("The abstract says that the learned choice outperforms every operator picked by hand. Per precision, all networks together:\n")
    for prec in precs:
        best, gemm = pooled("oracle", prec), pooled("always gemm", prec)
        gain = gemm["charged_us"] / best["charged_us"] - 1
        hand = {name: pooled(name, prec) for name in ("always gemm", "always direct", "always winograd")}
        name, by_hand = min(hand.items(), key=lambda item: item[1]["charged_us"])
        print(f"- **{prec}**: always GEMM takes {100 * gain:.1f} % longer than the fastest operator of each layer: that is all there is to "
              f"win. Best by hand, with GEMM where it has no time: {name}, loss {100 * by_hand['regret']:.1f} %.")
        for learner in ("tree", "bayes"):
            parts, wins, losses = [], set(), set()
            for split, mode in settings:
                t = pooled(learner, prec, split, mode)
                parts.append(f"{split}/{mode} {percent(t['speedup_charged'] / 100)}")
            for split, mode in settings[:2]:
                for g in found[learner, split, mode]["groups"]:
                    if g["precision"] == prec and g["speedup_charged"] is not None:
                        (losses if g["speedup_charged"] < -1e-9 else wins).add(g["network"])
            lost = f"; slower than best static on {', '.join(sorted(losses, key=str.lower))}" if losses else \
                "; on no network slower than best static in the authors' split"
            print(f"  {'The tree' if learner == 'tree' else 'Naive Bayes'}, charged, against best static: {', '.join(parts)}{lost}.")
        arm = pooled("arm cl", prec)
        tree = [pooled("tree", prec, s, m)["regret"] for s, m in settings]
        better = sum(arm["regret"] <= t for t in tree)
        print(f"  The Arm library's own rule loses {100 * arm['regret']:.1f} % against the fastest, the tree "
              f"{', '.join(f'{100 * t:.1f} %' for t in tree)} in these four settings: the rule is at least as good in {better} of 4.")
    print()
    verdicts = []
    for prec in precs:
        rival = min(pooled(n, prec)["charged_us"] for n in ("always gemm", "always direct", "always winograd"))
        for learner, name in (("tree", "the tree"), ("bayes", "naive Bayes")):
            speed = [pooled(learner, prec, s, m)["speedup_charged"] for s, m in settings]
            word = "holds" if min(speed) > 0 else "does not hold" if max(speed) <= 0 else "holds in some settings only"
            beaten = sum(pooled(learner, prec, s, m)["charged_us"] < rival for s, m in settings)
            verdicts.append(f"| {name} | {prec} | {word} | in {beaten} of {len(settings)} settings |")
    print("So the claim:\n\n| learner | prec | against the best single operator | against the best operator with GEMM where it has no time |")
    print("|---|---|---|---|")
    print("\n".join(verdicts) + "\n")

    print("## Faults, and their size\n")
    for row in report["published"]:
        group = next((g for g in report["groups"] if (g["network"], g["precision"]) == (row["network"], row["precision"])), None)
        if not group or row["published"]["ran"] >= sum(layer["repeats"] for layer in group["layers"]):
            continue
        at = next(g for g in found["oracle", None, None]["groups"]
                  if (g["network"], g["precision"]) == (row["network"], row["precision"]))
        learner = {"DecisionTree": "tree", "Bayesian": "bayes"}.get(row["classifier"])
        ours = next((g for g in found[learner, "network", row["mode"]]["groups"]
                     if (g["network"], g["precision"]) == (row["network"], row["precision"])), None) if learner else None
        charged = f"; charged it is {ours['speedup_charged']:+.2f} %" if ours else ""
        print(f"- **What cannot run costs nothing.** {row['network']}, {row['precision']}, {row['classifier']}, {row['mode']}: published "
              f"{row['published']['speedup']:+.2f} %, {row['published']['ran']} of {at['layers']} layers ran. The fastest operators "
              f"reach {at['speedup_published']:+.2f} %{charged}.")
    for name in ("always direct", "always winograd"):
        t = pooled(name, "f32")
        print(f"- **Sums over the layers that ran.** {name}, f32: {t['published_us'] / 1e3:,.0f} ms for {t['ran']} of {t['layers']} layers; "
              f"with GEMM on the others {t['charged_us'] / 1e3:,.0f} ms.")
    print(f"- **An empty time says nothing.** {empty} of {occurrences * len(report['groups'][0]['layers'][0]['us'])} times are empty: "
          "unsupported, failed or not measured, the source does not tell.")
    print(f"- **Near ties are hard labels.** On {close} of {occurrences} layers the second fastest operator is within 5 % of the fastest.")
    print(f"- **Labels contradict each other.** {arff['contradictory']} configurations are there with two labels, "
          f"{arff['duplicates']} repeat an earlier one.")
    for prec in precs:
        parts = [f"{mode} {percent(pooled('tree', prec, 'network', mode)['regret'])} to {percent(pooled('tree', prec, 'near', mode)['regret'])}"
                 for mode in ("CV", "ALL")]
        print(f"- **Near copies stay in training.** The tree's loss, {prec}, from split network to near: {', '.join(parts)}.")
    unsettled = sum(p is not None and len(p) > 1 for key, c in found.items() if key[0] == "tree"
                    for g in c["groups"] for p in g["possible"])
    print(f"- **No seed.** The authors' tree draws among equally good splits. {unsettled} choices of the tables below hang on such a draw; the "
          "others are the same for every draw.")
    if report["published"]:
        drawn = [r for r in report["published"] if r["prediction"] == "drawn"]
        tried = [r for r in report["published"] if r["prediction"] != "totals only"]
        print(f"""
## Reproduced

Of {len(report['published'])} published rows {sum(r['totals_equal'] for r in report['published'])} have the same totals (always GEMM, direct, Winograd with
their numbers of layers, the fastest operators, best static and its name). Of the {len(tried)} whose learner is here
{sum(r['prediction'] == 'equal' for r in tried)} have the same time, number of layers that ran, accuracy and speed-up. Not the same because a draw among equally
good splits fell otherwise: {len(drawn)}, listed below layer by layer. Not explained: {sum(r['prediction'] == 'different' for r in tried)}. The forest's rows are compared in their totals only.""")
    print("""
## The tables

Layers are written as channels in, height, width, kernel, channels out, stride, pad.
""")


main()
