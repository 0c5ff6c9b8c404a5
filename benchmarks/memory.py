"""How much the peak of memory rises in a fit of 1,000,000 x 100 float32 over just before it.

Run: ``python benchmarks/memory.py``. Each row is a fresh process; Linux only (the anonymous
and peak memory of a process are read from ``/proc``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import show

ROWS, COLUMNS = 1_000_000, 100

CHILD = """
import sys, threading, time, warnings
from pathlib import Path
import numpy as np
warnings.simplefilter("ignore")
from sklearn_dnn import MLPClassifier, MLPRegressor

kind, path, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])

def status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)

# what the first fit of a process takes for itself is no part of the table
small = np.random.default_rng(0).standard_normal((20_000, 10)).astype(np.float32)
MLPRegressor(max_iter=1).fit(small, small[:, 0])
X = np.load(path, mmap_mode="r" if kind == "memmap" else None)
if kind == "F-order":  # as most data frames are
    X = np.asfortranarray(X)
y = np.ascontiguousarray(X[:, 0] + X[:, 1])
if kind == "classifier":
    y = (y > 0).astype(np.int64)
field = "RssAnon"
before = status(field)
peak, done = before, False

def watch():
    global peak
    while not done:
        peak = max(peak, status(field))
        time.sleep(0.002)

thread = threading.Thread(target=watch)
thread.start()
cls = MLPClassifier if kind == "classifier" else MLPRegressor
start = time.perf_counter()
cls(max_iter=epochs, batch_size=1024).fit(X, y)
seconds = time.perf_counter() - start
done = True
thread.join()
print((peak - before) / X.nbytes, seconds)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    epochs = parser.parse_args().epochs
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.npy"
        make = (
            "import sys, numpy as np; np.save(sys.argv[1], np.random.default_rng(0)"
            f".standard_normal(({ROWS}, {COLUMNS}), dtype=np.float32))"
        )
        subprocess.run([sys.executable, "-c", make, path], check=True)
        for kind in ("array", "F-order", "classifier", "memmap"):
            out = subprocess.run(
                [sys.executable, "-c", CHILD, kind, path, str(epochs)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            rows.append([kind, f"{float(out[0]):.3f}", f"{float(out[1]):.1f}"])
    show(
        f"Rise of anonymous memory in a fit of {ROWS:,} x {COLUMNS} float32 ({epochs} epochs)",
        ["table", "rise / size of the table", "seconds"],
        rows,
    )


if __name__ == "__main__":
    main()
