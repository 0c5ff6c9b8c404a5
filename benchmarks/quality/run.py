"""How well models predict out of the box, on a folder of real tables, and how long they take.

``python benchmarks/quality/run.py FOLDER OUT.jsonl [--models ours linear ...] [--tables ...]``

``FOLDER`` has tables and ``datasets.json``, a list with, for each of them, ``name``, ``file``,
``format`` ("csv" or "parquet"), ``task`` ("regression", "binary" or "multiclass"), ``target``,
``drop`` and ``categorical`` (lists of columns). Every fit adds a line to ``OUT.jsonl``; one that is
there is not done again. ``report.py`` makes tables of such files. Seconds can be compared only
within one run on a quiet machine.

With ``--text`` numbers with fractions come as text, as from a file that was read so. Only ours take
such frames, and their errors have to be those of numbers.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from models import MODELS
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, root_mean_squared_error
from tables import Split, Table, as_text, split, tables

N_BINS = 15  # of the expected calibration error


def calibration_error(p: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error of the predicted class, by bins of equal width."""
    sure = p.max(axis=1)
    which = np.minimum((sure * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(which, right - sure, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(sure))


def scores(model: Any, table: Table, part: Split) -> dict[str, float]:
    """Error (over the targets' deviation, or of labels), and what probabilities are worth."""
    if table.is_regression:
        predicted = np.ravel(model.predict(part.X_test))
        error = root_mean_squared_error(part.y_test, predicted)
        return {"error": float(error / np.std(part.y_test))}
    labels = np.unique(part.y_train)
    p = np.asarray(model.predict_proba(part.X_test), dtype=float)
    p /= p.sum(axis=1, keepdims=True)
    predicted = labels[p.argmax(axis=1)]
    multiclass = {"multi_class": "ovr", "labels": labels} if len(labels) > 2 else {}
    return {
        "error": 1 - float(accuracy_score(part.y_test, predicted)),
        "logloss": float(log_loss(part.y_test, p, labels=labels)),
        "auc": float(roc_auc_score(part.y_test, p if multiclass else p[:, 1], **multiclass)),
        "ece": calibration_error(p, predicted == part.y_test),
    }


def fit_and_score(name: str, table: Table, seed: int, most_rows: int) -> dict[str, Any]:
    """One line of the results."""
    part = split(table, seed, most_rows)
    row: dict[str, Any] = {
        "dataset": table.name,
        "task": table.task,
        "seed": seed,
        "model": name,
        "n": len(part.X_train),
        "d": part.X_train.shape[1],
    }
    started = perf_counter()
    model = MODELS[name](table, seed).fit(part.X_train, part.y_train)
    row["fit_s"] = round(perf_counter() - started, 3)
    return row | scores(model, table, part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=["ours"])
    parser.add_argument("--tables", nargs="+", help="names; default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000, help="rows to train on at most")
    parser.add_argument("--text", action="store_true", help="numbers come as text")
    arguments = parser.parse_args()
    if arguments.text and any(not name.startswith("ours") for name in arguments.models):
        parser.error("--text is for our models; the others need numbers")
    warnings.simplefilter("ignore")  # of peers that did not converge
    done = set()
    if arguments.out.exists():
        lines = map(json.loads, arguments.out.read_text().splitlines())
        done = {(line["dataset"], line["seed"], line["model"]) for line in lines}
    found = tables(arguments.folder, arguments.tables)
    for table in map(as_text, found) if arguments.text else found:
        for seed in range(arguments.seeds):
            for name in arguments.models:  # in turn, so that a busy moment meets all of them
                if (table.name, seed, name) in done:
                    continue
                row = fit_and_score(name, table, seed, arguments.rows)
                print(json.dumps(row), flush=True)
                with arguments.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
