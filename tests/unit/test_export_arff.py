"""The ARFF that `convwise store export` writes, read by scipy.io.arff: features and classes equal what the store holds, reckoned
with sqlite3 alone; and a tree that scikit-learn learns from it chooses as one learnt from the store's own rows."""
import os
import sqlite3
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy.io import arff
    from sklearn.tree import DecisionTreeClassifier
except ImportError as missing:
    print(f"SKIP: {missing}; ./dev test brings scipy and scikit-learn")
    sys.exit(77)

BUILD = os.environ["CW_BUILD"]
# attribute: column of table problem
COLUMNS = {name: name for name in "mb g ic ih iw oc kh kw sh sw dh dw pt pl pb pr prec zp threads layout dir cache kd sd dd pf".split()}
COLUMNS["id"] = "depth"


def store_rows(path):
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    found = {}
    for r in db.execute("SELECT p.*, f.impl FROM fastest f JOIN problem p ON p.text = f.problem"):
        found[tuple(float(r[column]) for column in COLUMNS.values())] = r["impl"]
    return found


def main():
    with tempfile.TemporaryDirectory() as folder:
        store, out = f"{folder}/s.db", f"{folder}/s.arff"
        subprocess.run([f"{BUILD}/tests/make_store", store, "rule", "data/nets/resnet18.txt", "data/nets/mobilenet_v2.txt"], check=True)
        subprocess.run([f"{BUILD}/convwise", "store", "export", store, "--format", "arff", "-o", out], check=True)
        data, meta = arff.loadarff(out)
        truth = store_rows(store)
        assert set(meta.names()) == set(COLUMNS) | {"class"}, meta
        assert len(data) == len(truth) > 50
        x = np.array([[row[name] for name in COLUMNS] for row in data])
        y = [row["class"].decode() for row in data]
        assert set(y) <= set(meta["class"][1])
        for features, label in zip(x, y):
            assert truth.pop(tuple(features)) == label, features
        assert not truth
        truth = store_rows(store)
        keys = [tuple(row) for row in x]
        a = DecisionTreeClassifier(random_state=0).fit(x, y)
        b = DecisionTreeClassifier(random_state=0).fit(np.array(keys), [truth[k] for k in keys])
        assert (a.predict(x) == b.predict(x)).all()

        engineered = f"{folder}/e.arff"
        subprocess.run([f"{BUILD}/convwise", "store", "export", store, "--format", "arff", "--features", "engineered", "-o", engineered], check=True)
        data, meta = arff.loadarff(engineered)
        assert len(data) == len(y) and len(meta.names()) > 40
        assert all(np.isfinite([row[n] for n in meta.names()[:-1]]).all() for row in data)


main()
