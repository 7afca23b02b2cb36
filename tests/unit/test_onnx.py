"""ONNX against onnxruntime. What is written is run by it, what scikit-learn, LightGBM and XGBoost users write is read: on training
rows, on others, and on both sides of every threshold the same class must win. And what is broken is refused."""
import itertools
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))
try:
    import numpy as np
    import onnx
    import onnxruntime
    import predict
    from predict import convwise
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)
warnings.filterwarnings("ignore")

NETS = ["data/nets/resnet18.txt", "data/nets/mobilenet_v1.txt", "data/nets/squeezenet1_1.txt"]
COLUMNS, ROWS = 5, 400
FEATURES = "ic,oc,ih,kh,macs"  # any five: models are asked about rows, not problems
failures = 0


def check(what, truth, more=""):
    global failures
    if not truth:
        failures += 1
        print(f"FAILED {what} {more}")


def attributes(path, op):
    """The attributes of all nodes of that operator, lists as numpy arrays."""
    for node in onnx.load(path).graph.node:
        if node.op_type.startswith(op):
            yield {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def near_thresholds(path, rows, rng, dtype=np.float32):
    """Rows with one value replaced by a threshold or a neighbour of it."""
    out = []
    for a in attributes(path, "TreeEnsemble"):
        values = a.get("nodes_values")
        if values is None:
            values = onnx.numpy_helper.to_array(a["nodes_values_as_tensor"])
        pairs = {(int(c), float(v)) for c, v, m in zip(a["nodes_featureids"], values, a["nodes_modes"]) if m != b"LEAF"}
        for column, value in sorted(pairs):
            for x in (np.float32(value), np.nextafter(np.float32(value), np.float32(np.inf)),
                      np.nextafter(np.float32(value), np.float32(-np.inf))):
                row = rows[rng.integers(len(rows))].copy()
                row[column] = x
                out.append(row)
    return np.array(out if out else rows[:1], dtype=dtype)


def run(path, rows, outputs=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(outputs, {session.get_inputs()[0].name: rows})


# ---- Written here ----


def store_rows(folder, rng):
    """A store of made-up times, and rows of its features."""
    store = folder / "convwise.db"
    subprocess.run([predict.BUILD / "tests" / "make_store", store, "rule", *NETS], check=True, stdout=subprocess.DEVNULL)
    arff = convwise("store", "export", store, "--format", "arff", "--features", "engineered")[1]
    lines = arff.split("@DATA" if "@DATA" in arff else "@data")[1].split("\n")
    rows = np.array([line.split(",")[:-1] for line in lines if line.strip()], dtype=np.float64)
    return store, np.vstack([rows, rows * rng.uniform(0.5, 2, rows.shape)])


def check_export(learner, store, rows, folder, rng, *settings):
    model, written, again, back = (folder / f"{learner}{end}" for end in (".json", ".onnx", "2.onnx", "2.json"))
    code, _, err = convwise("train", "--store", store, "--learner", learner, "--validate", "none", "-o", model, *settings)
    check(f"{learner} trains", code == 0, err)
    code, _, err = convwise("emit", "--format", "onnx", "--model", model, "-o", written)
    check(f"{learner} is written", code == 0, err)
    onnx.checker.check_model(onnx.load(written), full_check=True)
    described = json.loads(model.read_text())
    rows = np.vstack([rows.astype(np.float32), near_thresholds(written, rows.astype(np.float32), rng)])
    won, costs = run(written, rows, ["class", "costs"])
    metadata = {p.key: json.loads(p.value) for p in onnx.load(written).metadata_props}
    order = described["static_order"]
    check(f"{learner} names", metadata["convwise.classes"] == [described["classes"][c] for c in order])
    check(f"{learner} features", metadata["convwise.features"] == described["features"])
    ours = predict.costs(model, rows)
    if learner == "tree":
        check("tree costs", np.array_equal(costs, ours[:, order].astype(np.float32)))
    else:
        check(f"{learner} costs", np.array_equal(costs.astype(np.float64) * metadata["convwise.unit"], ours[:, order]))
    theirs = [metadata["convwise.classes"][i] for i in won]
    check(f"{learner} classes", theirs == predict.picks(model, rows))
    check(f"{learner} comes back", convwise("convert", written, "-o", back)[0] == 0 and back.read_bytes() == model.read_bytes())
    convwise("emit", "--format", "onnx", "--model", back, "-o", again)
    check(f"{learner} round trip", again.read_bytes() == written.read_bytes())
    print(f"written: {learner}: {len(rows)} rows of onnxruntime equal, {len(set(theirs))} classes win")


# ---- Read here ----


def problems(rng):
    x = rng.integers(0, 20, (ROWS, COLUMNS)).astype(np.float32)
    x[:, 4] = rng.normal(size=ROWS)
    y = (x[:, 0] + x[:, 1] > 15).astype(int) + (x[:, 2] * x[:, 4] > 2)
    costs = np.abs(np.stack([x[:, 0] - 5, x[:, 1] * x[:, 4], x[:, 2] - 3], 1))
    return x, y, costs


def converted():
    """(name, model as ONNX, its type of input)"""
    import lightgbm
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from skl2onnx import to_onnx
    from sklearn import ensemble, multioutput, tree

    x, y, costs = problems(np.random.default_rng(1))
    two, names = y > 0, np.array(["own.gemm", "own.direct", "own.tile"])[y]
    single = dict(random_state=0)
    for name, learner, target in [
        ("tree", tree.DecisionTreeClassifier(**single), y), ("tree of 2", tree.DecisionTreeClassifier(**single), two.astype(int)),
        ("tree of names", tree.DecisionTreeClassifier(max_depth=4, **single), names),
        ("forest", ensemble.RandomForestClassifier(10, **single), y),
        ("forest of 2", ensemble.RandomForestClassifier(10, max_depth=5, **single), two.astype(int)),
        ("extra trees", ensemble.ExtraTreesClassifier(7, **single), y),
        ("boosting", ensemble.GradientBoostingClassifier(n_estimators=8, **single), y),
        ("boosting of 2", ensemble.GradientBoostingClassifier(n_estimators=8, **single), two.astype(int)),
        ("regression tree", tree.DecisionTreeRegressor(max_depth=6, **single), costs),
        ("regression forest", ensemble.RandomForestRegressor(9, max_depth=6, **single), costs),
        ("regression extra trees", ensemble.ExtraTreesRegressor(9, max_depth=6, **single), costs),
        ("boosting side by side", multioutput.MultiOutputRegressor(ensemble.GradientBoostingRegressor(n_estimators=9, **single)), costs),
    ]:
        learner.fit(x, target)
        for opset in ({"": 15, "ai.onnx.ml": 1}, {"": 15, "ai.onnx.ml": 3}):
            options = {"zipmap": False} if opset["ai.onnx.ml"] == 3 and hasattr(learner, "classes_") else None
            yield f"scikit-learn {name} {opset['ai.onnx.ml']}", to_onnx(learner, x[:1], target_opset=opset, options=options), np.float32
    kind = [("X", FloatTensorType([None, COLUMNS]))]
    for name, target in (("of 3", y), ("of 2", two.astype(int))):
        learner = lightgbm.LGBMClassifier(n_estimators=10, num_leaves=9, verbose=-1, n_jobs=1).fit(x, target)
        for zipmap in (True, False):
            yield f"LightGBM {name}", onnxmltools.convert_lightgbm(learner, initial_types=kind, zipmap=zipmap), np.float32
        learner = xgboost.XGBClassifier(n_estimators=10, max_depth=4, n_jobs=1).fit(x, target)
        yield f"XGBoost {name}", onnxmltools.convert_xgboost(learner, initial_types=kind), np.float32


def made(rng, op, mode, classes, weights="any", transform="NONE", base=True, doubles=False, **more):
    """An ensemble of random trees. doubles: its lists are double, thresholds lie between floats."""
    lists = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    leaf = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    put = lambda at, *values: [at[k].append(v) for k, v in zip(at, values)]  # noqa: E731
    for t in range(12):
        for n in range(15):
            inner = n < 7
            which = mode if mode != "mixed" else rng.choice(["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])
            put(lists, t, n, int(rng.integers(COLUMNS)) if inner else 0, float(np.float32(rng.integers(20))) if inner else 0.0,
                which if inner else "LEAF", 2 * n + 1 if inner else 0, 2 * n + 2 if inner else 0)
            for c in range(classes) if not inner else ():
                put(leaf, t, n, c, float(np.float32(rng.uniform(0 if weights == "shares" else -1, 1))))
    prefix = "class" if op.endswith("Classifier") else "target"
    given = {f"nodes_{k}": v for k, v in lists.items()} | {f"{prefix}_{k}": v for k, v in leaf.items()} | more
    if base:
        given["base_values"] = [float(np.float32(v)) for v in rng.uniform(-1, 1, classes)]
    if doubles:
        given["nodes_values"] = list(rng.normal(10, 5, len(lists["values"])))
        for name in ("nodes_values", f"{prefix}_weights", "base_values"):
            values = given.pop(name)
            given[f"{name}_as_tensor"] = onnx.helper.make_tensor(name, onnx.TensorProto.DOUBLE, [len(values)], values)
    outputs = ["Y"]
    if prefix == "class":
        given["classlabels_int64s"] = list(range(classes))
        outputs = ["label", "Y"]
    else:
        given["n_targets"] = classes
    node = onnx.helper.make_node(op, ["X"], outputs, name="trees", domain="ai.onnx.ml", post_transform=transform, **given)
    values = [onnx.helper.make_tensor_value_info(o, onnx.TensorProto.INT64 if o == "label" else onnx.TensorProto.FLOAT, None)
              for o in outputs]
    graph = onnx.helper.make_graph([node], "made", [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.DOUBLE if doubles else onnx.TensorProto.FLOAT,
                                                                                  ["N", COLUMNS])],
                                   values)
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 15),
                                                                      onnx.helper.make_opsetid("ai.onnx.ml", 3)])


def expected(path, rows):
    """Per row: the class that wins, and by how much it leads the second, of onnxruntime's scores."""
    op = next(n.op_type for n in onnx.load(path).graph.node if n.op_type.startswith("TreeEnsemble"))
    out = run(path, rows)
    if op.endswith("Regressor"):
        scores = -np.asarray(out[0], dtype=np.float64)
    else:
        scores = out[1]
        if isinstance(scores, list):
            scores = np.array([[r[k] for k in r] for r in scores])
        scores = np.asarray(scores, dtype=np.float64)
    ordered = np.sort(scores, axis=1)
    return np.argmax(scores, axis=1), ordered[:, -1] - ordered[:, -2]


def check_import(name, model, rows, folder, rng, dtype=np.float32):
    path, out = folder / "their.onnx", folder / "their.json"
    path.write_bytes(model.SerializeToString())
    labels = ["own.gemm", "own.direct", "own.tile", "own.d", "own.e"]
    code, text, err = convwise("convert", path, "--features", FEATURES, "--classes", ",".join(labels), "-o", out, "--json")
    check(f"{name} is read", code == 0, err)
    if code != 0:
        return
    rows = np.vstack([rows, rng.permuted(rows, axis=0), near_thresholds(path, rows, rng)]).astype(np.float32)
    won, margin = expected(path, rows.astype(dtype))
    described = json.loads(out.read_text())
    ours = np.array([described["classes"].index(p) for p in predict.picks(out, rows)])
    # Sums of floats are rounded: a lead of that size is none.
    apart = margin > 4e-6
    check(f"{name}: classes", np.array_equal(ours[apart], won[apart]), f"{np.sum(ours[apart] != won[apart])} rows differ")
    if " tree" in name and "trees" not in name:
        check(f"{name}: a single tree has no rounding", np.array_equal(ours, won))
    again, back = folder / "again.onnx", folder / "again.json"
    convwise("emit", "--model", out, "--format", "onnx", "-o", again)
    convwise("convert", again, "-o", back)
    check(f"{name}: back and forth", back.exists() and back.read_bytes() == out.read_bytes())
    costs, unit = run(again, rows, ["costs"])[0], described["state"]["unit"]
    check(f"{name}: costs as exported", np.array_equal(costs * np.float64(unit), predict.costs(out, rows)))
    print(f"read: {name}: {len(rows)} rows, {np.sum(~apart)} of them ties to rounding, {np.sum(ours != won)} of those decided otherwise; "
          f"to within {json.loads(text)['rounding']:.1e}")


# ---- Broken ----


def changed(model, name, change):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for a in copy.graph.node[0].attribute:
        if a.name == name:
            change(a)
    return copy


def add_node(model, op, inputs, outputs, domain="", at=None, **attributes):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.node.insert(len(copy.graph.node) if at is None else at,
                           onnx.helper.make_node(op, inputs, outputs, name="extra", domain=domain, **attributes))
    return copy


def broken(rng):
    """(what, model, what the message says)"""
    good = made(rng, "TreeEnsembleRegressor", "BRANCH_LEQ", 3)
    sorts = made(rng, "TreeEnsembleClassifier", "BRANCH_LEQ", 3)

    def put(values, index, value):
        values[index] = value

    for name in ("nodes_treeids", "nodes_featureids", "nodes_truenodeids", "target_treeids", "target_nodeids"):
        yield f"{name} too short", changed(good, name, lambda a: a.ints.pop()), name
    yield "values too short", changed(good, "nodes_values", lambda a: a.floats.pop()), "nodes_values"
    yield "weights too long", changed(good, "target_weights", lambda a: a.floats.append(1)), "target_weights"
    yield "modes too short", changed(good, "nodes_modes", lambda a: a.strings.pop()), "nodes_modes"
    yield "no nodes", changed(good, "nodes_nodeids", lambda a: a.ClearField("ints")), "nodes_treeids has 180"
    yield "cycle", changed(good, "nodes_truenodeids", lambda a: put(a.ints, 3, 0)), "cannot be reached"
    yield "two roots", changed(good, "nodes_modes", lambda a: put(a.strings, 1, b"LEAF")), "two roots"
    yield "cycle aside", changed(changed(good, "nodes_truenodeids", lambda a: put(a.ints, 1, 1)), "nodes_falsenodeids",
                                 lambda a: put(a.ints, 0, 2)), "parents"
    yield "self", changed(good, "nodes_truenodeids", lambda a: put(a.ints, 0, 0)), "cannot be reached"
    yield "shared child", changed(good, "nodes_truenodeids", lambda a: put(a.ints, 0, 2)), "two parents"
    yield "child out of range", changed(good, "nodes_falsenodeids", lambda a: put(a.ints, 0, 99)), "child 99"
    yield "child far out of range", changed(good, "nodes_falsenodeids", lambda a: put(a.ints, 0, -2**63)), "child -9223372036854775808"
    yield "node twice", changed(good, "nodes_nodeids", lambda a: put(a.ints, 1, 0)), "twice"
    yield "column out of range", changed(good, "nodes_featureids", lambda a: put(a.ints, 0, 5)), "nodes_featureids[0] is 5"
    yield "column below 0", changed(good, "nodes_featureids", lambda a: put(a.ints, 0, -1)), "nodes_featureids[0] is -1"
    yield "target out of range", changed(good, "target_ids", lambda a: put(a.ints, 0, 3)), "class 3"
    yield "weight of a branch", changed(good, "target_nodeids", lambda a: put(a.ints, 0, 0)), "no leaf"
    yield "threshold NaN", changed(good, "nodes_values", lambda a: put(a.floats, 0, float("nan"))), "not a number"
    yield "weight NaN", changed(good, "target_weights", lambda a: put(a.floats, 0, float("nan"))), "not finite"
    yield "weight infinite", changed(good, "target_weights", lambda a: put(a.floats, 0, float("inf"))), "not finite"
    yield "base NaN", changed(good, "base_values", lambda a: put(a.floats, 0, float("nan"))), "not finite"
    yield "base too short", changed(good, "base_values", lambda a: a.floats.pop()), "base_values has 2"
    yield "equality", changed(good, "nodes_modes", lambda a: put(a.strings, 0, b"BRANCH_EQ")), "BRANCH_EQ"
    yield "one target", made(rng, "TreeEnsembleRegressor", "BRANCH_LEQ", 1), "has 1 score"
    yield "one class", made(rng, "TreeEnsembleClassifier", "BRANCH_LEQ", 1), "has 1 score"
    yield "no classes", changed(sorts, "classlabels_int64s", lambda a: a.ClearField("ints")), "has 0 scores"
    yield "2000 classes", changed(sorts, "classlabels_int64s", lambda a: a.ints.extend(range(3, 2000))), "more than 1024"
    yield "2^60 targets", changed(good, "n_targets", lambda a: setattr(a, "i", 2**60)), "n_targets"
    yield "a lost target", changed(good, "n_targets", lambda a: setattr(a, "i", 4)), "base_values"
    yield "a class not given", changed(sorts, "classlabels_int64s", lambda a: put(a.ints, 2, 77)), "label 77"
    yield "twins", changed(sorts, "classlabels_int64s", lambda a: put(a.ints, 2, 1)), "twice"
    yield "the smallest", made(rng, "TreeEnsembleRegressor", "BRANCH_LEQ", 3, aggregate_function="MIN"), "MIN"
    yield "probit", made(rng, "TreeEnsembleClassifier", "BRANCH_LEQ", 3, transform="PROBIT"), "PROBIT"
    yield "unknown attribute", made(rng, "TreeEnsembleRegressor", "BRANCH_LEQ", 3, nodes_wisdom=[1]), "nodes_wisdom"
    yield "a node behind", add_node(good, "Neg", ["Y"], ["Z"]), "'extra' (Neg)"
    yield "a node in front", add_node(good, "Scaler", ["X"], ["Z"], "ai.onnx.ml", 0), "'extra' (Scaler)"
    yield "a narrowing cast", add_node(good, "Cast", ["Y"], ["Z"], to=10), "'extra' (Cast)"
    yield "the least likely", add_node(sorts, "ArgMin", ["Y"], ["Z"], axis=1), "least likely"
    yield "over the rows", add_node(good, "ArgMin", ["Y"], ["Z"], axis=0), "of a row"
    yield "no trees", onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])), "no trees"


def check_broken(rng, folder):
    path, out, count = folder / "broken.onnx", folder / "none.json", 0
    for what, model, wanted in broken(rng):
        path.write_bytes(model.SerializeToString())
        code, _, err = convwise("convert", path, "--features", FEATURES, "--classes", "a,b,c,d", "-o", out)
        check(what, code in (1, 3) and wanted in err and not out.exists(), f"({code}): {err}")
        count += 1
    good = made(rng, "TreeEnsembleRegressor", "BRANCH_LEQ", 3)
    whole = good.SerializeToString()
    for size in [0, 1, *range(2, len(whole), len(whole) // 60), len(whole) - 1]:
        path.write_bytes(whole[:size])
        code, _, err = convwise("convert", path, "--features", FEATURES, "--classes", "a,b,c", "-o", out)
        check(f"cut off at {size}", code == 1 and not out.exists(), err)
        count += 1
    path.write_bytes(whole)
    for arguments, wanted in (([], "--features"), (["--features", FEATURES], "--classes"),
                              (["--features", "ic,oc", "--classes", "a,b,c"], "the features given are 2"),
                              (["--features", FEATURES, "--classes", "a,b"], "no implementation for label 2"),
                              (["--features", FEATURES, "--classes", "a,b,b"], "twice"),
                              (["--features", "ic,oc,ih,kh,nonsense", "--classes", "a,b,c"], "nonsense")):
        code, _, err = convwise("convert", path, *arguments, "-o", out)
        check(f"{arguments}", code == 1 and wanted in err, err)
        count += 1
    print(f"broken: {count} refused")


def main():
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, rows = store_rows(folder, rng)
        code, _, err = convwise("train", "--store", store, "--validate", "none", "-o", folder / "m.json")
        code, _, err = convwise("emit", "--model", folder / "m.json", "--format", "onnx", "-o", folder / "m.onnx")
        if "built without ONNX" in err:
            print("SKIP: built without ONNX")
            sys.exit(77)
        for learner, *settings in (["tree"], ["forest", "--trees", "10"], ["extra-trees", "--trees", "10"],
                                   ["regret-tree"], ["regret-forest", "--trees", "10"], ["boost", "--trees", "10"],
                                   ["boost-time", "--trees", "10"], ["ensemble", "--trees", "10"]):
            check_export(learner, store, rows, folder, rng, *settings)
        convwise("train", "--store", store, "--learner", "bayes", "--validate", "none", "-o", folder / "bayes.json")
        code, _, err = convwise("emit", "--model", folder / "bayes.json", "--format", "onnx", "-o", folder / "bayes.onnx")
        check("bayes is refused", code == 3 and "no sum of trees" in err and not (folder / "bayes.onnx").exists(), f"({code}) {err}")
        x = problems(rng)[0]
        for name, model, dtype in converted():
            check_import(name, model, x, folder, rng, dtype)
        for op, mode in itertools.product(("TreeEnsembleRegressor", "TreeEnsembleClassifier"),
                                          ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "mixed")):
            check_import(f"made {op} {mode}", made(rng, op, mode, 5), np.rint(x), folder, rng)
        check_import("made average", made(rng, "TreeEnsembleRegressor", "mixed", 3, aggregate_function="AVERAGE"), np.rint(x), folder, rng)
        for op, mode in itertools.product(("TreeEnsembleRegressor", "TreeEnsembleClassifier"), ("BRANCH_LEQ", "mixed")):
            check_import(f"made {op} {mode} of doubles", made(rng, op, mode, 3, doubles=True), x, folder, rng, np.float64)
        check_import("made softmax", made(rng, "TreeEnsembleClassifier", "mixed", 4, transform="SOFTMAX"), np.rint(x), folder, rng)
        check_broken(rng, folder)
    sys.exit(1 if failures else 0)


main()
