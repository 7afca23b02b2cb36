"""Model files on rows of features, by tests/predict_cli."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np

BUILD = Path(os.environ.get("CW_BUILD", "build/release"))


def convwise(*arguments):
    """(exit code, standard output, standard error)"""
    done = subprocess.run([BUILD / "convwise", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def costs(model, rows):
    """Costs of each row, in the order of the model's classes."""
    data = np.ascontiguousarray(rows, dtype=np.float64)
    done = subprocess.run([BUILD / "tests" / "predict_cli", model], input=data.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout).reshape(len(data), -1)


def picks(model, rows):
    """Names of the classes that win: least cost, ties by static order."""
    described = json.loads(Path(model).read_text())
    order = described["static_order"]
    best = np.argmin(costs(model, rows)[:, order], axis=1)
    return [described["classes"][order[i]] for i in best]
