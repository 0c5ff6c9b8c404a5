"""What becomes of each column of a table: decided by the rows that train, and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from .order import medians, normal_scores, quantiles, steps
from .scaling import CHUNK_BYTES, Scaling, Table, fit_scaling, is_sparse

# A level of fewer training rows is rare: it shares slot 0 with what training never saw.
MIN_COUNT = 2
# Slots of a column at most, the one of rare and unknown levels among them.
MAX_LEVELS = 1024
# Up to so many known levels have a column of zeros and ones each; more become codes.
ONE_HOT_LEVELS = 9
# Numbers that a column's distribution is kept by, at most.
MOST_KNOTS = 512
# Rows, at equal steps, that medians and quantiles are found from in longer tables.
SEEN_ROWS = 2**16

# Scalings whose numbers are found in the table; None and norms leave that to the network.
SCALINGS = ("standard", "robust", "quantile", "quantile_robust")


@dataclass(frozen=True, eq=False)
class Columns:
    """The plan of a table with ``p`` raw columns, ``c`` of them categories.

    A raw table has numbers, codes of levels for categories (-1 for a level that reading did not
    know), and NaN for gaps in both.

    Attributes
    ----------
    categorical : ndarray of bool, shape (p,)
    fill : ndarray of shape (p,)
        What stands for a gap in a column of numbers: the median. NaN for categories, and for
        columns without any number, which are left out.
    gaps : ndarray of bool, shape (p,)
        Columns of numbers that had gaps, and so have an indicator.
    scaling : {"standard", "robust", "quantile", "quantile_robust"} or None
    center, scale : ndarray of shape (p,) or None
        Of "standard" and the robust ones: ``(x - center) / scale``; NaN where there is no number.
    knots, scores : ndarray of shape (k, p) or None
        Of the quantile ones: numbers in rising order and what becomes of them, the last repeated
        where there are fewer.
    slots : list of ndarray of int, c of shape (n_levels + 2,)
        The slot of an unknown level, of each code, and of a gap.
    widths : ndarray of int, shape (c,)
        The number of columns of zeros and ones that a category becomes; -1 for a column of slots.
    """

    categorical: np.ndarray
    fill: np.ndarray
    gaps: np.ndarray
    scaling: str | None
    center: np.ndarray | None
    scale: np.ndarray | None
    knots: np.ndarray | None
    scores: np.ndarray | None
    slots: list[np.ndarray]
    widths: np.ndarray

    @cached_property
    def numbers(self) -> np.ndarray:
        """Raw positions of the columns of numbers."""
        return np.flatnonzero(~np.isnan(self.fill))

    @cached_property
    def is_plain(self) -> bool:
        """Whether all columns are numbers without gaps, standardised or as they are."""
        return (
            self.scaling in {None, "standard"}
            and len(self.numbers) == len(self.fill)
            and not self.gaps.any()
        )

    @property
    def n_passed(self) -> int:
        """Indicators of gaps, numbers scaled in a second way, and levels with a column each."""
        again = len(self.numbers) if self.scaling == "quantile_robust" else 0
        return int(self.gaps.sum() + again + self.widths[self.widths > 0].sum())

    @property
    def levels(self) -> tuple[int, ...]:
        """Slots of each column of codes."""
        coded = zip(self.slots, self.widths, strict=True)
        return tuple(int(slots.max()) + 1 for slots, width in coded if width < 0)

    @property
    def width(self) -> int:
        """Columns of the network's input."""
        return len(self.numbers) + self.n_passed + len(self.levels)

    @property
    def left_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Raw positions of the columns without any number, and of those without a known level."""
        empty = np.flatnonzero(np.isnan(self.fill) & ~self.categorical)
        return empty, np.flatnonzero(self.categorical)[self.widths == 0]

    def new_gaps(self, X: Table) -> np.ndarray:
        """Raw positions of the columns of numbers with gaps in X, but none in rows that trained."""
        without = self.numbers[~self.gaps[self.numbers]]
        return without[[bool(np.isnan(X[:, j]).any()) for j in without]]

    @property
    def plain_scaling(self) -> Scaling | None:
        """Means and scales of "standard"."""
        if self.scaling != "standard":
            return None
        assert self.center is not None
        assert self.scale is not None
        return Scaling(self.center, self.scale)

    @cached_property
    def key(self) -> bytes:
        """The same for plans that make the same of every row."""
        digest = sha256(repr((self.scaling, len(self.fill))).encode())
        arrays = (self.center, self.scale, self.knots, self.scores)
        for array in (self.categorical, self.fill, self.gaps, self.widths, *arrays, *self.slots):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.digest()

    def as_dict(self) -> dict[str, Any]:
        """All but `categorical` and the numbers of "standard", to be kept."""
        if self.is_plain:
            return {"scaling": self.scaling, "fill": self.fill}
        robust = self.scaling in {"robust", "quantile_robust"}
        return {
            "scaling": self.scaling,
            "fill": self.fill,
            "gaps": self.gaps,
            "center": self.center if robust else None,
            "scale": self.scale if robust else None,
            "knots": self.knots,
            "scores": self.scores,
            "slots": list(self.slots),
            "widths": self.widths,
        }

    @classmethod
    def from_dict(
        cls, kept: Mapping[str, Any], categorical: np.ndarray | None, scaling: Scaling | None
    ) -> Columns:
        """The plan again, from what :meth:`as_dict` gave and the rest of it."""
        nothing: dict[str, Any] = {
            "gaps": np.zeros(len(kept["fill"]), dtype=bool),
            "center": None,
            "scale": None,
        }
        nothing |= {"knots": None, "scores": None}
        nothing |= {"slots": [], "widths": np.zeros(0, dtype=np.int64)}
        parts = nothing | dict(kept)
        if categorical is None:
            categorical = np.zeros(len(parts["fill"]), dtype=bool)
        if scaling is not None:
            parts["center"], parts["scale"] = scaling
        return cls(categorical=categorical, **parts)


def fit_columns(
    X: Table,
    rows: np.ndarray | None,
    sample_weight: np.ndarray | None,
    *,
    scaling: str | None,
    categorical: np.ndarray | None = None,
    n_levels: Sequence[int] = (),
    gappy: bool = True,
) -> Columns:
    """The plan that the rows to train on ask for, without a copy of X.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p)
    rows : ndarray of int or None
        The rows to take; None for all.
    sample_weight : ndarray of shape (n,) or None
        Positive where a row is taken.
    scaling : {"standard", "common", "robust", "quantile", "quantile_robust"} or None
        "common" is a plan of "standard" with means of 0 and one scale for all: the root of the
        numbers' mean square.
    categorical : ndarray of bool, shape (p,), or None
    n_levels : sequence of int
        Codes of each categorical column.
    gappy : bool
        Whether X may have gaps.
    """
    p = X.shape[1]
    if categorical is None:
        categorical = np.zeros(p, dtype=bool)
    column = _Reader(X, rows, sample_weight)
    fill, gaps = _fill(column, ~categorical, gappy=gappy)
    numbers = np.flatnonzero(~np.isnan(fill))
    center = scale = knots = scores = None
    if scaling in {"standard", "common"}:
        plain = len(numbers) == p and not gaps.any()
        found = fit_scaling(X, rows, sample_weight, None if plain else np.nan_to_num(fill))
        if scaling == "common":
            found, scaling = _common(found, numbers), "standard"
        missing = np.isnan(fill)
        center, scale = (np.where(missing, np.nan, array) for array in found)
        center, scale = (found.mean, found.scale) if plain else (center, scale)
    elif scaling in {"robust", "quantile_robust"}:
        center, scale = _robust(column, numbers, fill)
    if scaling in {"quantile", "quantile_robust"}:
        knots, scores = _scores(column, numbers, p)
    found_slots = [
        _slots(*column.all_of(j), n)
        for j, n in zip(np.flatnonzero(categorical).tolist(), n_levels, strict=True)
    ]
    slots = [found[0] for found in found_slots]
    widths = np.array([found[1] for found in found_slots], dtype=np.int64)
    return Columns(categorical, fill, gaps, scaling, center, scale, knots, scores, slots, widths)


class _Reader:
    """Columns of the rows that train, with their weights."""

    def __init__(self, X: Table, rows: np.ndarray | None, sample_weight: np.ndarray | None) -> None:
        n = X.shape[0] if rows is None else len(rows)
        few = steps(n, SEEN_ROWS)
        self.rows = slice(None) if rows is None else rows
        self.few = few if rows is None else rows[few]
        self.X, self.weight = X, sample_weight
        self.by_column = X[self.few].tocsc() if is_sparse(X) else None

    def all_of(self, j: int) -> tuple[np.ndarray, np.ndarray | None]:
        """A column and its weights; of a sparse table at most some rows."""
        if self.by_column is not None:
            return self._sparse(j)
        return self.X[self.rows, j], None if self.weight is None else self.weight[self.rows]

    def seen(self, j: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The numbers of a column that are known, at most some, and their weights."""
        values, weight = self.all_of(j)
        known = np.flatnonzero(~np.isnan(values))
        known = known[steps(len(known), SEEN_ROWS)]
        return values[known], None if weight is None else weight[known]

    def medians(self) -> np.ndarray:
        """Of all columns of a table without gaps or weights, from some rows."""
        n, p = self.X.shape
        step = max(1, CHUNK_BYTES // (8 * min(n, SEEN_ROWS)))
        starts = range(0, p, step)
        return np.concatenate([medians(self.X[self.few, i : i + step]) for i in starts])

    def _sparse(self, j: int) -> tuple[np.ndarray, np.ndarray | None]:
        assert self.by_column is not None
        values = self.by_column[:, [j]].toarray().ravel()
        return values, None if self.weight is None else self.weight[self.few]


def _fill(column: _Reader, is_number: np.ndarray, *, gappy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Medians of the columns of numbers, and which of them have gaps."""
    fill = np.where(is_number, 0.0, np.nan)
    gaps = np.zeros(len(fill), dtype=bool)
    if column.by_column is not None:  # a sparse table has zeros for gaps
        return fill, gaps
    positions = np.flatnonzero(is_number)
    whole = column.weight is None and len(positions) == len(fill)
    if whole and not gappy:
        return column.medians(), gaps
    for j in positions.tolist():
        if gappy:
            missing = np.isnan(column.all_of(j)[0])
            gaps[j] = missing.any() and not missing.all()
            if missing.all():
                fill[j] = np.nan
                continue
        values, weight = column.seen(j)
        fill[j] = quantiles(values, weight, [0.5])[0]
    return fill, gaps


def _common(own: Scaling, numbers: np.ndarray) -> Scaling:
    """One scale for all columns, and no offset."""
    spread = np.where(own.scale == 1.0, 0.0, own.scale)  # a constant column has none
    sizes = np.concatenate([own.mean[numbers], spread[numbers]])
    largest = np.max(np.abs(sizes), initial=0.0) or 1.0
    size = largest * np.sqrt(np.sum((sizes / largest) ** 2) / max(1, len(numbers)))
    return Scaling(np.zeros_like(own.mean), np.full_like(own.scale, size or 1.0))


def _robust(
    column: _Reader, numbers: np.ndarray, fill: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Medians and inter-quartile ranges, of the numbers that are known.

    Where the range is 0, half of that from the smallest to the largest number takes its place,
    and for a constant column infinity, so that it has no effect (Holzmueller et al., 2024).
    """
    center, scale = np.full(len(fill), np.nan), np.full(len(fill), np.nan)
    for j in numbers:
        low, first, middle, third, high = quantiles(*column.seen(j), [0, 0.25, 0.5, 0.75, 1])
        center[j] = column.X.dtype.type(middle)  # x - center is then the same in a wider type
        scale[j] = (third - first) or 0.5 * (high - low) or np.inf
    return center, scale


def _scores(column: _Reader, numbers: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Knots and normal scores of all columns, as many rows as the longest needs."""
    found = {j: normal_scores(*column.seen(j), MOST_KNOTS) for j in numbers}
    k = max([2, *(len(own) for own, _ in found.values())])
    both = np.full((2, k, p), np.nan)
    for j, own in found.items():
        for array, values in zip(both, own, strict=True):
            array[:, j] = np.pad(values, (0, k - len(values)), mode="edge")
    return both[0], both[1]


def _slots(codes: np.ndarray, weight: np.ndarray | None, n_levels: int) -> tuple[np.ndarray, int]:
    """Slots of a column's codes, and the columns of zeros and ones that it becomes.

    Frequent levels come first, of equals the one that appears first: names, or the order of
    codes, play no part.
    """
    missing = np.isnan(codes)
    at = np.where(missing, n_levels, codes).astype(np.int64)
    # a weight above 1 stands for several rows; one below, such as a class weight's, for one
    several = None if weight is None else np.maximum(weight, 1.0)
    count = np.bincount(at, several, minlength=n_levels + 1)
    first = np.full(n_levels + 1, len(at))
    first[at[::-1]] = np.arange(len(at))[::-1]  # of several values the last one written stays
    enough = count >= MIN_COUNT
    enough[n_levels] = count[n_levels] > 0
    order = np.lexsort((first, -count, ~enough))
    order = order[enough[order]]
    if len(order) >= MAX_LEVELS:
        order = order[: MAX_LEVELS - 1]
        if enough[n_levels] and n_levels not in order:
            order[-1] = n_levels
    slots = np.zeros(n_levels + 2, dtype=np.int64)
    slots[order + 1] = np.arange(1, len(order) + 1)
    if missing.all():
        return np.zeros_like(slots), 0
    if len(order) > ONE_HOT_LEVELS:
        return slots, -1
    is_binary = len(order) == 2 and not np.any(slots[at + 1] == 0)
    return slots, 1 if is_binary else len(order)
