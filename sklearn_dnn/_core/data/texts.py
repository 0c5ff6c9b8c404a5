"""What columns of text stand for: numbers, numbers with marks, dates, or names of categories."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

# Share of the cells, or of the levels, from which on a column is nearly of one kind.
NEARLY = 0.9
# Beside so many cells of one kind at least, few others among the levels stand for gaps.
NOT_RARE = 0.2
# So many words at most, such as "n/a" and "?", stand for gaps however few numbers there are.
FEW_WORDS = 2
# Fewer different numbers than these say as much as categories as they do as numbers.
FEW_NUMBERS = 3
# Numbers with letters behind them, such as "12 kg", are measures where there are so many;
# fewer may be names, such as "1st" or "36 months".
FEW_MEASURES = 10
# Cells that are looked at before all levels of a column of many are.
SEEN_CELLS = 1000

# Numbers with marks, and dates, are no longer; patterns take long for what is.
LONGEST = 50

_SHOWN = 40  # characters of a cell in a message

_CURRENCY = r"(?:[$€£¥₹₽₩₺₪฿¢]|USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD)"
_MINUS = "\u2212\u2012\u2013-"  # the keyboard's is the last, as a class of characters needs it
_UNIT = r"[\u00b0\u00b5\u03bc]?[^\W\d_]+(?:/[^\W\d_]+)?(?:[\u00b2\u00b3]|\^?[23])?\.?"
_MARKED = re.compile(
    rf"\(?[+{_MINUS}]?\s?{_CURRENCY}?\s?[(+{_MINUS}]?"
    r"(?P<digits>(?:(?:\d{1,3}(?:[.,'\u2019_\s]\d{3})+|[\d_]*\d)(?:[.,]\d*)?|[.,]\d+)"
    r"(?:e[+-]?\d+)?)"
    rf"\s?(?:(?:%|‰|{_CURRENCY})(?:/[^\W\d_]+)?|(?P<unit>{_UNIT}))?[){_MINUS}]?",
    re.IGNORECASE,
)
_YEAR, _MONTH, _DAY = r"(?:1[6-9]|2[01])\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_NAMED = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = "|".join(
    (
        rf"{_YEAR}([-/.]){_MONTH}\1{_DAY}",
        rf"{_DAY}([-/.]){_MONTH}\2{_YEAR}",
        rf"{_MONTH}([-/.]){_DAY}\3{_YEAR}",
        rf"{_DAY}/{_MONTH}/\d\d",
        rf"{_MONTH}/{_DAY}/\d\d",
        r"(?:0[1-9]|[12]\d|3[01])([-.])(?:0[1-9]|1[0-2])\4\d\d",
        rf"{_YEAR}[-/](?:0[1-9]|1[0-2])",
        rf"{_YEAR}[- ]?q[1-4]",
        rf"{_DAY}(?:st|nd|rd|th)?[ ./-]?{_NAMED}[ ,/-]*(?:{_YEAR}|\d\d)",
        rf"{_NAMED}[ -]?{_DAY}(?:st|nd|rd|th)?[ ,-]+{_YEAR}",
        rf"{_NAMED}[ -]?{_YEAR}",
    )
)
_TIME = r"\d{1,2}:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?\s?(?:[ap]\.?m\.?)?\s?(?:z|utc|[+-]\d\d:?\d\d)?"
_DATED = re.compile(
    rf"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+)?"
    rf"(?:(?:{_DATE})(?:[t ,]+{_TIME})?|{_TIME})",
    re.ASCII | re.IGNORECASE,
)

_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d{1,3}(?:\.\d{3}){2,}")
_STARTS = "+-.0123456789"  # of text that reads as a number

KINDS = {
    "whole": (
        "Text of whole numbers is read as categories: {}. If they are amounts, make numbers of "
        "them by pandas.to_numeric; if they are codes, {}."
    ),
    "marked": (
        "Text of numbers with marks is read as categories: {}. Remove the marks (by str.replace, "
        "or thousands= and decimal= of pandas.read_csv) and make numbers of the rest by "
        "pandas.to_numeric; if they are names, {}."
    ),
    "nearly": (
        "Text of which nearly all cells or levels are numbers is read as categories: {}. Make "
        "numbers of it by pandas.to_numeric(..., errors='coerce'), which makes gaps of such "
        "cells; if they are names, {}."
    ),
    "dated": (
        "Text of dates or times is read as categories: {}. Make numbers of it: of "
        "d = pandas.to_datetime(...) the year, month, day of the week, or "
        "(d - d.min()).dt.total_seconds(); or drop it; if they are names, {}."
    ),
}


class Verdict(NamedTuple):
    """What a column of text stands for.

    Attributes
    ----------
    kind : {"numbers", "whole", "pair", "marked", "nearly", "dated", "names", "nothing"}
        Numbers of which one at least has a fraction; whole numbers; two of them at most, for
        which both readings are the same; numbers with marks beside their digits; nearly nothing
        but numbers; dates or times; names of categories; gaps alone.
    cell : str or None
        One that shows it; of "nearly" one that does not read.
    """

    kind: str
    cell: Any = None


class Kinds(NamedTuple):
    """Which of the different cells of a column are what; each array of bool, shape (n_levels,)."""

    reads: np.ndarray
    marked: np.ndarray
    dated: np.ndarray


class Texts:
    """The different cells of a column of text, or of text beside numbers.

    Parameters
    ----------
    levels : ndarray
        Text, bytes or numbers, without gaps.
    """

    def __init__(self, levels: np.ndarray) -> None:
        self.levels = levels

    @cached_property
    def numbers(self) -> np.ndarray:
        """What they read as: finite numbers, or NaN."""
        return read_numbers(self.levels)

    def verdict(self, count: np.ndarray) -> Verdict:
        """What the column stands for.

        Parameters
        ----------
        count : ndarray of int, shape (n_levels,)
            Rows that train, of each level.
        """
        here = np.flatnonzero(count)
        if not len(here):
            return Verdict("nothing")
        levels, numbers, count = self.levels[here], self.numbers[here], count[here]
        reads = ~np.isnan(numbers)
        if reads.all():
            has_text = levels.dtype == object and any(isinstance(v, str | bytes) for v in levels)
            if not has_text or np.any(numbers != np.round(numbers)):
                return Verdict("numbers")
            kind = "whole" if len(levels) > 2 else "pair"
            return Verdict(kind, next(v for v in levels.tolist() if isinstance(v, str | bytes)))
        return _of_some(levels, numbers, kinds_of(levels, reads, count), count)


def read_numbers(cells: np.ndarray) -> np.ndarray:
    """What cells of text and numbers read as: finite numbers, or NaN.

    Text reads if it is a decimal number with a point, or without, an exponent and spaces around
    it. Words such as "inf" and "nan", digits grouped by "_" and booleans do not.
    """
    if cells.dtype.kind in "iuf":
        found = cells.astype(np.float64)
        return np.where(np.isfinite(found), found, np.nan)
    values = cells.tolist()
    if set(map(type, values)) == {str}:
        together = "".join(values)
        if together.isascii() and "_" not in together:  # what float() reads beyond that
            try:
                found = cells.astype(np.float64)
            except ValueError:
                pass
            else:
                return np.where(np.isfinite(found), found, np.nan)
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    if isinstance(value, bytes):
        value = _text(value)
    if isinstance(value, str):
        start = value.lstrip()[:1]
        if start not in _STARTS or not start or "_" in value or not value.isascii():
            return np.nan
    elif isinstance(value, bool) or not isinstance(value, Real):
        return np.nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return np.nan
    return found if np.isfinite(found) else np.nan


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    text = text.replace("\0", "").strip()
    return pattern.fullmatch(text) if len(text) <= LONGEST else None


def kinds_of(levels: np.ndarray, reads: np.ndarray, count: np.ndarray) -> Kinds:
    """Which cells read as numbers, do but for their marks, or are dates.

    Parameters
    ----------
    levels : ndarray
        The different cells.
    reads : ndarray of bool, shape (n_levels,)
        Which of them read as numbers.
    count : ndarray of int, shape (n_levels,)
        Rows of each.
    """
    if len(levels) > SEEN_CELLS:
        rng = np.random.default_rng(0)  # of what nearly all are, half of some are
        some = np.unique(rng.choice(len(levels), SEEN_CELLS, p=count / count.sum()))
        texts = [_text(v) for v in levels[some].tolist()]
        alike = [bool(_match(_MARKED, t) or _match(_DATED, t)) for t in texts]
        if np.mean(alike) < 0.5:
            neither = np.zeros(len(levels), dtype=bool)
            return Kinds(reads, neither, neither)
    texts = [_text(value) for value in levels.tolist()]
    dated = np.array([_match(_DATED, text) is not None for text in texts])
    return Kinds(reads, _marked(texts, count) & ~reads & ~dated, dated & ~reads)


def _of_some(levels: np.ndarray, numbers: np.ndarray, kinds: Kinds, count: np.ndarray) -> Verdict:
    """What a column stands for in which a cell does not read as a number."""
    cells = levels.tolist()
    reads, marked, dated = kinds
    names = Verdict("names", cells[int(reads.argmin())])
    has_fraction = bool(np.any(numbers[reads] != np.round(numbers[reads])))
    if marked.any() and _are_nearly_all(reads | marked, count):
        return Verdict("marked", cells[int(marked.argmax())])
    if _are_nearly_all(reads, count, FEW_NUMBERS if has_fraction else FEW_MEASURES):
        return Verdict("nearly", names.cell)
    if _are_nearly_all(dated, count):
        return Verdict("dated", cells[int(dated.argmax())])
    return names


def _are_nearly_all(alike: np.ndarray, count: np.ndarray, few: int = FEW_MEASURES) -> bool:
    """Whether the other levels are few, by their cells or, beside many alike, by themselves.

    Parameters
    ----------
    alike : ndarray of bool, shape (n_levels,)
    count : ndarray of int, shape (n_levels,)
    few : int
        Beside fewer alike the others may be categories, however few: "1", "2", "3", "other".
    """
    n_alike, share = alike.sum(), count[alike].sum() / count.sum()
    if share >= NEARLY:
        return bool(n_alike >= FEW_NUMBERS)
    others_are_few = n_alike >= NEARLY * len(alike) or len(alike) - n_alike <= FEW_WORDS
    return bool(n_alike >= few and share >= NOT_RARE and others_are_few)


def _marked(texts: list[str], count: np.ndarray) -> np.ndarray:
    """Which are numbers with marks; letters behind them have to be those of many others."""
    found = [_match(_MARKED, text) for text in texts]
    marked = np.array([match is not None for match in found])
    units = np.array(["" if match is None else match["unit"] or "" for match in found])
    measured = units != ""
    if not measured.any():
        return marked
    names, which = np.unique(units[measured], return_inverse=True)
    unit = names[np.bincount(which, count[measured]).argmax()]
    kept = measured & (units == unit)
    return marked & (~measured | (kept if kept.sum() >= FEW_MEASURES else False))


def without_marks(text: str) -> float:
    """The number that a cell with marks stands for, brackets being a minus; NaN if it is none."""
    match = _match(_MARKED, text)
    if match is None:
        return np.nan
    digits = re.sub(r"['\u2019_\s]", "", match["digits"])
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "") if "," in digits else digits.replace(".", "")
    elif digits.count(",") == 1:  # a decimal comma, beside dots between thousands
        digits = digits.replace(".", "").replace(",", ".")
    around = match.string[: match.start("digits")] + match.string[match.end("digits") :]
    sign = -1 if any(mark in around for mark in f"({_MINUS}") else 1
    return sign * _number(digits)


def shown(cell: Any) -> str:
    """A cell as messages show it: what is long is cut."""
    cell = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(cell, str | bytes):
        return repr(cell) if len(cell) <= _SHOWN else f"{cell[:_SHOWN]!r}..."
    text = repr(cell)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def told(found: Iterable[tuple[str, Verdict]], way_to_keep: str) -> list[str]:
    """What to say of columns of text that are read as categories, one sentence a kind.

    Parameters
    ----------
    found : iterable of (str, Verdict)
        Names of columns as messages show them, and what they stand for.
    way_to_keep : str
        How to have them read as categories without a word, such as "drop it".
    """
    by_kind: dict[str, list[str]] = {}
    for name, (kind, cell) in found:
        example = "but for such as" if kind == "nearly" else "such as"
        by_kind.setdefault(kind, []).append(f"column {name} ({example} {shown(cell)})")
    messages = []
    for kind, text in KINDS.items():
        columns = by_kind.get(kind, [])
        if columns:
            more = f" and {len(columns) - 8} more" if len(columns) > 8 else ""
            messages.append(text.format(", ".join(columns[:8]) + more, way_to_keep))
    return messages
