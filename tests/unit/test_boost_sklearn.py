"""Gradient boosting against scikit-learn's on the same rows.

`boost-time` and HistGradientBoostingRegressor minimise the same squared error with the same cuts, leaves and steps: on columns of
few different values, so that both have a bin for each, the predictions for the training rows must be the same but for
rounding. (Between neighbouring values of a node the two put a threshold at different places, so other rows may differ.)
`boost` without masks and HistGradientBoostingClassifier minimise the same log-loss by steps of different length, from different
starts: after enough rounds both must be about equally good on further rows.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))
import learn  # noqa: E402

try:
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
except ImportError as missing:
    print(f"SKIP: {missing}; ./dev test brings scikit-learn")
    sys.exit(77)

failures = []


def check(condition, message):
    print(message)
    if not condition:
        failures.append(message)
        print("FAILED: " + message)


def times():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 40, (1500, 6)).astype(float)
    # Irrational weights: no two cuts are equally good.
    log_time = np.sin(x[:, 0] * x[:, 1] / 97) + (x[:, 2] > 17) * x[:, 3] / 13 + rng.normal(size=1500) / 5
    for depth, leaf, l2, rate, rounds in ((1, 1, 1, 1, 1), (3, 1, 1, 0.3, 1), (4, 5, 2.5, 0.2, 30), (7, 20, 0.5, 0.1, 60)):
        theirs = HistGradientBoostingRegressor(learning_rate=rate, max_iter=rounds, max_leaf_nodes=None, max_depth=depth,
                                               min_samples_leaf=leaf, l2_regularization=l2, early_stopping=False).fit(x, log_time)
        other = np.full(1500, 5.0)
        ours = learn.train("boost-time", x, (log_time > np.log(5)).astype(int), 2, times=np.stack([np.exp(log_time), other], axis=1),
                           scales=np.ones(1500), max_depth=depth, min_leaf=leaf, l2=l2, learning_rate=rate, trees=rounds,
                           row_share=1, column_share=1)
        cost = np.array(ours.cost)
        worst = np.abs(cost[:, 0] - theirs.predict(x)).max()
        check(worst < 2e-3, f"times, depth {depth}, leaf {leaf}, l2 {l2}, {rounds} rounds: differ by {worst:.2g} at most")
        check(np.abs(cost[:, 1] - np.log(5)).max() < 1e-3, "a constant time is learned")


def log_loss(share, y):
    return -np.log(np.maximum(np.array(share)[np.arange(len(y)), y], 1e-12)).mean()


def shares():
    rng = np.random.default_rng(4)
    for classes in (2, 3, 6):
        x = rng.normal(size=(4000, 8))
        score = np.stack([np.sin(2 * x[:, c]) + x[:, c] * x[:, (c + 1) % 8] for c in range(classes)], axis=1)
        y = (score + rng.gumbel(size=score.shape) / 3).argmax(axis=1)
        a, b = slice(0, 3000), slice(3000, 4000)
        theirs = HistGradientBoostingClassifier(learning_rate=0.1, max_iter=100, max_leaf_nodes=None, max_depth=4,
                                                min_samples_leaf=5, l2_regularization=1, early_stopping=False).fit(x[a], y[a])
        ours = learn.train("boost", x[a], y[a], classes, x[b], max_depth=4, min_leaf=5, l2=1, learning_rate=0.1, trees=100,
                           row_share=1, column_share=1)
        loss, expected = log_loss(ours.share[3000:], y[b]), log_loss(theirs.predict_proba(x[b]), y[b])
        same = (np.array(ours.picked[3000:]) == theirs.predict(x[b])).mean()
        check(abs(loss - expected) < 0.08 * expected, f"shares of {classes} classes: log-loss {loss:.4f}, scikit-learn's {expected:.4f}")
        check(same > 0.9, f"shares of {classes} classes: {100 * same:.1f} % chosen alike")


times()
shares()
sys.exit(1 if failures else 0)
