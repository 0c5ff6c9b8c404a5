"""Reads tables and splits them, the same for every model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

TEST_SHARE, MOST_TEST_ROWS = 0.3, 10_000


@dataclass(frozen=True)
class Table:
    """A table, and which of its columns are categories.

    Attributes
    ----------
    name : str
    task : {"regression", "binary", "multiclass"}
    X : DataFrame
        Numbers as float64, categories as pandas' type for them; both may have gaps.
    y : ndarray
    """

    name: str
    task: str
    X: pd.DataFrame
    y: np.ndarray

    @property
    def is_regression(self) -> bool:
        return self.task == "regression"

    @property
    def categories(self) -> list[str]:
        return list(self.X.select_dtypes("category").columns)

    @property
    def numbers(self) -> list[str]:
        return [name for name in self.X.columns if name not in self.categories]


@dataclass(frozen=True)
class Split:
    """Rows to learn from, and rows to judge by."""

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: np.ndarray
    y_test: np.ndarray


def tables(folder: Path, names: list[str] | None) -> Iterator[Table]:
    """The tables that ``datasets.json`` in the folder names, but those of pictures."""
    for entry in json.loads((folder / "datasets.json").read_text()):
        if entry["format"] != "npz" and (names is None or entry["name"] in names):
            yield _read(folder, entry)


def _read(folder: Path, entry: dict) -> Table:
    read = pd.read_parquet if entry["format"] == "parquet" else pd.read_csv
    frame = read(folder / entry["file"]).dropna(subset=[entry["target"]])
    y = frame[entry["target"]].to_numpy()
    frame = frame.drop(columns=[entry["target"], *entry["drop"]])
    as_text = {name: frame[name].astype("string") for name in entry["categorical"]}
    columns = {
        name: as_text[name].astype("category") if name in as_text else frame[name].astype(float)
        for name in frame.columns
    }
    if entry["task"] == "regression":
        y = y.astype(float)
    return Table(entry["name"], entry["task"], pd.DataFrame(columns), y)


def as_text(table: Table) -> Table:
    """The table with categories, and numbers with fractions, as plain text.

    Whole numbers as text are categories by the estimators' rule, and stay numbers here.
    """

    def text(column: pd.Series) -> pd.Series:
        if column.dtype == "category":
            return column.astype("string")
        known = column.dropna()
        if (known == known.round()).all():
            return column
        return column.map(repr, na_action="ignore").astype(object)

    frame = pd.DataFrame({name: text(table.X[name]) for name in table.X.columns})
    return Table(f"{table.name} as text", table.task, frame, table.y)


def split(table: Table, seed: int, most_rows: int) -> Split:
    """A seeded split, stratified by class; at most so many rows train."""
    share = min(TEST_SHARE, MOST_TEST_ROWS / len(table.X))
    X, X_test, y, y_test = train_test_split(
        table.X,
        table.y,
        test_size=share,
        random_state=seed,
        stratify=None if table.is_regression else table.y,
    )
    if len(X) > most_rows:
        X, _, y, _ = train_test_split(
            X,
            y,
            train_size=most_rows,
            random_state=seed,
            stratify=None if table.is_regression else y,
        )
    return Split(X, X_test, y, y_test)
