"""What the command writes: checked before the work, all of it tried after, told of together."""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from .._compat import offers
from .._files import check_writable
from ._tables import TableProblem, is_number

_SIGNS = "=+@＝＋－＠\\-"  # noqa: RUF001 - those of full width count, too
# What a spreadsheet runs: a sign, behind what it skips, and more than signs behind it. A tab or
# the end of a line at the start may hide one.
_FORMULA = re.compile(
    rf"'*(?:[\t\r\n]|[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[{_SIGNS}].*[^\s{_SIGNS}])", re.DOTALL
)
# At these a spreadsheet may cut a cell that has no quotes around it.
_CUTS = re.compile(r"[\r;\t]")


class Failures:
    """What could not be written, while the rest still is.

    Attributes
    ----------
    causes : dict of str
        By what was to be written.
    reader_gone : bool
        Whether who read the standard output, such as `head`, ended before us. That is no failure.
    """

    def __init__(self) -> None:
        self.causes: dict[str, str] = {}
        self.reader_gone = False

    @contextmanager
    def trying(self, what: str, *, is_stdout: bool = False) -> Iterator[None]:
        """Go on behind the block, whatever happens within it; only Ctrl-C ends all."""
        try:
            yield
        except BrokenPipeError as error:
            if is_stdout:
                self.reader_gone = True
            else:
                self.causes[what] = _cause(error)
        except Exception as error:  # a model of the user may raise anything
            self.causes[what] = _cause(error)

    def __str__(self) -> str:
        return "; ".join(f"{what}: {cause}" for what, cause in self.causes.items())


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"


def check_outputs(outputs: Iterable[str | None], inputs: Iterable[str | None]) -> None:
    """Refuse before minutes of work what could not be written after it, or would be lost by it."""
    written = [path for path in outputs if path is not None]
    for path in written:
        _check_output(path)
    seen: dict[Any, str] = {}
    for path in [*(path for path in inputs if path is not None), *written]:
        identity = _identity(path)
        if identity is None:
            continue
        if identity in seen:
            other = "" if seen[identity] == path else f", also as {seen[identity]!r}"
            raise TableProblem(
                f"The file {path!r} is named twice{other}; give each file a name of its own."
            )
        seen[identity] = path


def _check_output(path: str) -> None:
    folder = Path(path).absolute().parent
    if Path(path).is_dir():
        raise TableProblem(f"{path!r} is a folder; give a file to write.")
    if not folder.is_dir():
        raise TableProblem(f"There is no folder {str(Path(path).parent)!r} to write {path!r} in.")
    real = Path(os.path.realpath(path)).parent  # of a link, where it leads to
    if not real.is_dir():
        raise TableProblem(
            f"There is no folder {str(real)!r}, to which {path!r} leads, to write it in."
        )
    try:
        check_writable(path)
    except OSError as error:
        raise TableProblem(f"{path!r} may not be written: {_cause(error)}.") from error


def _identity(path: str) -> Any:
    """The same for all names of a file, links of both kinds too; None for pipes and devices."""
    with suppress(OSError):
        found = os.stat(path)
        return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
    return os.path.realpath(path)


def prediction_table(pipeline: Any, X: pd.DataFrame) -> pd.DataFrame:
    """A column of predictions and, for classes, a column of probabilities each."""
    result = pd.DataFrame({"prediction": pipeline.predict(X)})
    if offers(pipeline, "predict_proba"):
        names = [f"probability_{label}" for label in pipeline.classes_]
        chances = pd.DataFrame(pipeline.predict_proba(X), columns=names)
        result = pd.concat([result, chances], axis=1)
    return result


def as_csv(result: pd.DataFrame) -> str:
    """A table as CSV that a spreadsheet can open without running any of it."""
    texts = {
        name: result[name].map(defused)
        for name in result.columns
        if not is_number(result[name]) and result[name].dtype != bool
    }
    whole = result.assign(**texts).rename(columns=defused)
    cut = any(_CUTS.search(str(text)) for text in [*whole.columns, *_different(texts.values())])
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if cut else csv.QUOTE_MINIMAL
    return whole.to_csv(index=False, lineterminator="\n", quoting=quoting)


def _different(columns: Iterable[pd.Series]) -> Iterator[Any]:
    for column in columns:
        yield from column.unique()


def defused(value: Any) -> Any:
    """A label with an apostrophe before it where a spreadsheet would run it as a formula.

    Text that is a number, such as "-1", and text of signs alone, such as "+", stay as they are.
    A label that already is a formula behind apostrophes gets another, so that the label is
    always what remains without the first one.
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text == text.strip()
