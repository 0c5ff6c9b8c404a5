"""Tables in Markdown of what ``run.py`` wrote: ``python report.py A.jsonl [B.jsonl ...]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

LEAST = 1e-4  # an error of 0 has no logarithm


def geometric(values: pd.DataFrame) -> pd.Series:
    return np.exp(np.log(values.clip(lower=LEAST)).mean())


def show(title: str, table: pd.DataFrame, digits: int) -> None:
    print(f"\n## {title}\n")
    head = [table.index.name or "", *map(str, table.columns)]
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for name, row in table.iterrows():
        cells = ["" if pd.isna(value) else f"{value:.{digits}f}" for value in row]
        print("| " + " | ".join([str(name), *cells]) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--models", nargs="+", help="only these")
    arguments = parser.parse_args()
    rows = pd.concat([pd.read_json(file, lines=True) for file in arguments.files])
    if arguments.models:
        rows = rows[rows["model"].isin(arguments.models)]
    for metric in ("error", "logloss", "ece"):
        if metric not in rows:
            continue
        means = rows.pivot_table(index="dataset", columns="model", values=metric)
        everywhere = means.dropna()
        means.loc["geometric mean"] = geometric(everywhere)
        means.loc["mean rank"] = everywhere.rank(axis=1).mean()
        n_tables, n_seeds = len(everywhere), rows["seed"].nunique()
        show(f"{metric}, {n_seeds} seeds; means over {n_tables} tables that all have", means, 4)
    seconds = rows.pivot_table(index="dataset", columns="model", values="fit_s")
    seconds.loc["sum"] = seconds.dropna().sum()
    show("seconds of a fit", seconds, 2)


if __name__ == "__main__":
    main()
