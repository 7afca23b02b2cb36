"""Forests against scikit-learn's: on the same rows, labels and settings, both must be about equally good on further rows. Draws
differ, so no tree is alike; what must agree is the share of right labels and the loss of the shares, over three seeds.
The trees on costs have no peer there but the mean of ExtraTreesRegressor's, on costs without gaps.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))
import learn  # noqa: E402

try:
    import numpy as np
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier
except ImportError as missing:
    print(f"SKIP: {missing}; ./dev test brings scikit-learn")
    sys.exit(77)

SEEDS = 3
failures = []


def check(condition, message):
    print(message)
    if not condition:
        failures.append(message)
        print("FAILED: " + message)


def rows(classes, seed):
    """Columns of few values, as shapes have; labels with noise."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 30, (3000, 9)).astype(float)
    score = np.stack([np.sin(x[:, c] * x[:, c + 1] / 60) + x[:, (c + 4) % 9] / 20 for c in range(classes)], axis=1)
    return x, score + rng.gumbel(size=score.shape) / 6


def accuracy_and_loss(share, y):
    share = np.array(share)
    return (share.argmax(axis=1) == y).mean(), -np.log(np.clip(share[np.arange(len(y)), y], 1e-2, 1)).mean()


def labels():
    a, b = slice(0, 2000), slice(2000, 3000)
    peers = (("forest", RandomForestClassifier, {}), ("extra-trees", ExtraTreesClassifier, {"row_share": 1}))
    for name, peer, extra in peers:
        for classes, leaf in ((2, 1), (4, 1), (4, 6)):
            ours, theirs = [], []
            for seed in range(SEEDS):
                x, score = rows(classes, seed)
                y = score.argmax(axis=1)
                grown = learn.train(name, x[a], y[a], classes, x[b], max_depth=64, min_leaf=leaf, trees=60, column_share=3 / 9,
                                    **extra)
                ours.append(accuracy_and_loss(grown.share[2000:], y[b]))
                model = peer(60, min_samples_leaf=leaf, max_features=3, random_state=seed).fit(x[a], y[a])
                theirs.append(accuracy_and_loss(model.predict_proba(x[b]), y[b]))
            (right, loss), (expected, peer_loss) = np.mean(ours, axis=0), np.mean(theirs, axis=0)
            what = f"{name}, {classes} classes, leaves of {leaf}"
            check(abs(right - expected) < 0.02, f"{what}: {100 * right:.1f} % right, scikit-learn's {100 * expected:.1f} %")
            check(abs(loss - peer_loss) < 0.05 * peer_loss, f"{what}: loss {loss:.4f}, scikit-learn's {peer_loss:.4f}")


def costs():
    a, b = slice(0, 2000), slice(2000, 3000)
    x, score = rows(4, 9)
    times = np.exp(-score)
    cost = np.minimum(np.log(times / times.min(axis=1, keepdims=True)), 1)
    ours = learn.train("regret-forest", x[a], times[a].argmin(axis=1), 4, x[b], times=times[a], scales=np.ones(2000), max_depth=64,
                       min_leaf=3, trees=60, column_share=1, row_share=1, l2=1e-9)
    theirs = ExtraTreesRegressor(60, min_samples_leaf=3, random_state=0).fit(x[a], cost[a]).predict(x[b])
    error, expected = (np.sqrt(((np.array(p) - cost[b]) ** 2).mean()) for p in (ours.cost[2000:], theirs))
    check(abs(error - expected) < 0.03 * expected, f"regret-forest: error {error:.4f}, scikit-learn's {expected:.4f}")


labels()
costs()
sys.exit(1 if failures else 0)
