"""What scripts need to train with src/learn: runs learn_cli (learn_cli.c says what it reads and writes) and builds what it
emits. Needs no package."""
import array
import ctypes
import json
import os
import subprocess
import tempfile
from pathlib import Path

BUILD = Path(os.environ.get("CW_BUILD", "build/release"))
STRICT = ["-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]


class Trained:
    """picked: class per row; cost, share, ns: class-wise rows, flattened; state: parsed JSON; code: emitted C."""


def train(learner, rows, labels, classes, further=(), times=None, scales=None, **options):
    """rows, further: sequences of equally long sequences of numbers; times: one sequence a row."""
    columns = len(rows[0])
    data = array.array("d", [len(rows), columns, classes, len(further), 1 if times is not None else 0])
    for row in rows:
        data.extend(map(float, row))
    for row in further:
        data.extend(map(float, row))
    data.extend(map(float, labels))
    if times is not None:
        for row in times:
            data.extend(map(float, row))
        data.extend(map(float, scales))
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        (at / "in").write_bytes(data.tobytes())
        extra = [f"{key}={value}" for key, value in options.items()]
        files = [f"{name}={at / name}" for name in ("state", "emit", "thresholds")]
        subprocess.run([BUILD / "tests" / "learn_cli", learner, at / "in", at / "out", *extra, *files], check=True)
        out = array.array("d", (at / "out").read_bytes())
        result = Trained()
        width = 1 + 3 * classes
        table = [out[i:i + width] for i in range(0, len(out), width)]
        result.picked = [int(row[0]) for row in table]
        result.cost = [row[1:1 + classes] for row in table]
        result.share = [row[1 + classes:1 + 2 * classes] for row in table]
        result.ns = [row[1 + 2 * classes:] for row in table]
        result.state = json.loads((at / "state").read_text())
        result.code = (at / "emit").read_text()
        edges = (line.split() for line in (at / "thresholds").read_text().splitlines())
        result.thresholds = [(int(column), float(value)) for column, value in edges]
    return result


def build_pick(code, folder, compiler):
    """Compiles emitted code with all warnings as errors; returns pick(row, allowed)."""
    source, library = Path(folder) / f"{compiler}.c", Path(folder) / f"{compiler}.so"
    source.write_text(code + "\nint pick(const double *x, const unsigned char *allowed);\n"
                      "int pick(const double *x, const unsigned char *allowed) {\n    return oracle_pick(x, allowed);\n}\n")
    subprocess.run([compiler, *STRICT, "-shared", "-fPIC", "-o", library, source], check=True)
    function = ctypes.CDLL(str(library)).pick

    def pick(row, allowed=None):
        x = (ctypes.c_double * len(row))(*row)
        return function(x, None if allowed is None else (ctypes.c_ubyte * len(allowed))(*allowed))
    return pick
