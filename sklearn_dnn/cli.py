"""The command: ``sklearn-dnn`` or ``python -m sklearn_dnn``."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shlex
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib

from ._compat import offers
from ._version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from .compare import Comparison

_SEED = 0
_KEYS = {"pipeline", "task", "target", "columns", "version"}
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ImportError,
)


class _CommandError(Exception):
    """Why the command can't go on, as one sentence."""


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str or None
        The arguments; None takes those of the process.

    Returns
    -------
    code : int
        0 when done, 2 when it can't go on, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        # They take a second to import, so not for --help and --version.
        from .compare import TableProblem
    except ModuleNotFoundError as error:
        return _refuse(f"The command needs {error.name}: python -m pip install {error.name}.")
    try:
        return _predict(arguments) if arguments.command == "predict" else _compare(arguments)
    except (TableProblem, _CommandError) as error:
        return _refuse(str(error))
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" {str(error.filename)!r}" if error.filename else ""
        return _refuse(f"The file{where} can't be read or written: {error.strerror or error}.")
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _refuse(sentence: str) -> int:
    print(f"sklearn-dnn: {' '.join(sentence.split())}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sklearn-dnn", description="Is a neural network worth it on your table?"
    )
    parser.add_argument("--version", action="version", version=f"sklearn-dnn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    compare = commands.add_parser(
        "compare",
        help="compare a network with its rivals on a table, by cross-validation",
        description="Compare a network with its rivals on a table, by cross-validation. "
        "Without a table, California housing is used. Ctrl-C keeps what is finished.",
    )
    add = compare.add_argument
    add("table", nargs="?", metavar="TABLE", help="a .csv, .csv.gz or .parquet file")
    add("--target", metavar="COLUMN", help="the column to predict")
    add("--task", help="regression, binary or multiclass (default: found from the target)")
    add("--drop", type=_names, default=[], metavar="A,B", help="columns to leave out")
    add("--models", type=_names, metavar="A,B", help="models to run (default: all)")
    add("--cv", type=int, default=5, metavar="K", help="number of folds (default: 5)")
    add("--scoring", type=_names, metavar="A,B", help="scikit-learn's scorers; the first sorts")
    add("--max-time", type=float, metavar="SECONDS", help="start no fit after this time")
    add("--seed", type=int, default=_SEED, help="seed of all chance (default: 0)")
    add("--n-jobs", type=int, default=1, metavar="N", help="folds fitted at once (default: 1)")
    add("--report", metavar="FILE.html", help="write a report, one page by itself")
    add("--json", metavar="FILE", help="write all figures; - is the standard output")
    add("--save", metavar="MODEL", help="fit the best model on all rows and save it")
    predict = commands.add_parser(
        "predict",
        help="predict a table by a saved model",
        description="Predict a table by a model of `compare --save`. A model file runs code when "
        "it is loaded: open only files that you trust.",
    )
    predict.add_argument("model", metavar="MODEL", help="file of `compare --save`; it runs code")
    predict.add_argument("table", metavar="TABLE", help="a .csv, .csv.gz or .parquet file")
    predict.add_argument("--out", metavar="FILE.csv", help="where to (default: standard output)")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _compare(arguments: argparse.Namespace) -> int:
    from .compare import RIVALS, compare_models

    outputs = [arguments.report, arguments.save]
    outputs += [arguments.json] if arguments.json != "-" else []
    for path in outputs:
        _check_output(path)
    _check_apart([arguments.table, *outputs])
    if arguments.report is not None:
        _check_report()
    X, y, notes = _load(arguments)
    progress = _Progress(len(RIVALS if arguments.models is None else arguments.models))
    comparison = compare_models(
        X,
        y,
        models=arguments.models,
        cv=arguments.cv,
        scoring=arguments.scoring,
        task=arguments.task,
        seed=arguments.seed,
        n_jobs=arguments.n_jobs,
        max_time=arguments.max_time,
        progress=progress,
    )
    progress.end()
    comparison.notes[:0] = notes
    comparison.settings = {"command": _command(arguments)} | comparison.settings
    # The figures alone on the standard output, so that a program can read them.
    _print(comparison, sys.stderr if arguments.json == "-" else sys.stdout)
    if not comparison.scores and not comparison.interrupted:
        raise _CommandError("No model has a result; see what is missing above.")
    _write(comparison, arguments)
    return 130 if comparison.interrupted else 0


def _load(arguments: argparse.Namespace) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    from .compare._tables import nearest, read_table, split_target
    from .datasets import load_california_housing

    target = arguments.target
    if arguments.table is None:
        frame = load_california_housing()
        target = target or "median_house_value"
        print("No table given: California housing, 1990 census, 20640 rows.", file=sys.stderr)
    else:
        frame = read_table(arguments.table)
    if target is None:
        columns = ", ".join(map(str, frame.columns[:20]))
        raise _CommandError(f"Say which column to predict by --target; the columns are {columns}.")
    for name in arguments.drop:
        if name not in frame.columns:
            hint = nearest(name, frame.columns) or "."
            raise _CommandError(f"--drop: there is no column {name!r}{hint}")
        if name == target:
            raise _CommandError(f"--drop: {name!r} is the target.")
    return split_target(frame.drop(columns=arguments.drop), target)


def _check_output(path: str | None) -> None:
    """Refuse before minutes of work what could not be written after it."""
    if path is None:
        return
    if Path(path).is_dir():
        raise _CommandError(f"{path!r} is a folder; give a file to write.")
    if not Path(path).absolute().parent.is_dir():
        raise _CommandError(f"There is no folder {str(Path(path).parent)!r} to write {path!r} in.")
    if not os.access(path if Path(path).exists() else Path(path).absolute().parent, os.W_OK):
        raise _CommandError(f"{path!r} may not be written; give another file.")


def _check_apart(paths: list[str | None]) -> None:
    """Refuse to write one file over another of the same command."""
    given = [Path(path).resolve() for path in paths if path is not None]
    for path in given:
        if given.count(path) > 1:
            raise _CommandError(f"{str(path)!r} is named twice; give each file a name of its own.")


def _command(arguments: argparse.Namespace) -> str:
    """The command that repeats the comparison; where its results go is left out."""
    words = ["sklearn-dnn", "compare"]
    words += [] if arguments.table is None else [arguments.table]
    for name in ("target", "task", "drop", "models", "cv", "scoring", "max_time", "seed", "n_jobs"):
        value = getattr(arguments, name)
        if value is not None and value != []:
            text = ",".join(value) if isinstance(value, list) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return shlex.join(words)


def _check_report() -> None:
    try:
        import_module("matplotlib")
    except ModuleNotFoundError as error:
        raise _CommandError(
            "--report needs matplotlib: python -m pip install matplotlib."
        ) from error


class _Progress:
    """One line on a terminal that is written over; else a line a model."""

    def __init__(self, n_models: int) -> None:
        self.n_models = n_models
        self.terminal = sys.stderr.isatty()

    def __call__(self, told: dict[str, Any]) -> None:
        n_folds = told["n_folds"]
        model = (told["done"] - 1) // n_folds + 1
        text = (
            f"{told['model']} (model {model} of {self.n_models}), fold {told['fold']} of "
            f"{n_folds}, {_duration(told['seconds'])} so far, about "
            f"{_duration(told['seconds_left'])} left"
        )
        if self.terminal:
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
        elif told["fold"] == n_folds:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _print(comparison: Comparison, file: Any) -> None:
    from .compare._text import as_text

    for note in comparison.notes:
        print(f"Note: {note}", file=sys.stderr)
    print(as_text(comparison), file=file, flush=True)


def _write(comparison: Comparison, arguments: argparse.Namespace) -> None:
    """Write what was asked for; after Ctrl-C without a result, only the figures."""
    if arguments.json is not None:
        text = json.dumps(comparison.to_dict(), indent=2, allow_nan=False, ensure_ascii=False)
        if arguments.json == "-":
            print(text)
        else:
            Path(arguments.json).write_text(text + "\n", encoding="utf-8")
    if not comparison.scores:
        return
    if arguments.save is not None:
        name = comparison.best
        print(f"Fitting {name} on all rows ...", file=sys.stderr)
        saved = {
            "pipeline": comparison.refit(name),
            "task": comparison.task,
            "target": comparison.target,
            "columns": list(comparison.X.columns),
            "version": __version__,
        }
        joblib.dump(saved, arguments.save, compress=3)
        print(f"Saved {name} to {arguments.save}.", file=sys.stderr)
    if arguments.report is not None:
        print("Writing the report ...", file=sys.stderr)
        comparison.to_html(arguments.report)
        print(f"Report in {arguments.report}.", file=sys.stderr)


def _predict(arguments: argparse.Namespace) -> int:
    from .compare._tables import TableProblem, listed, read_table
    from .estimators._messages import told

    _check_output(arguments.out)
    _check_apart([arguments.model, arguments.table, arguments.out])
    saved = _load_model(arguments.model)
    frame = read_table(arguments.table)
    absent = [name for name in saved["columns"] if name not in frame.columns]
    if absent:
        raise _CommandError(
            f"The table lacks columns that the model was fitted on: {listed(absent)}."
        )
    X = frame[saved["columns"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = _predictions(saved["pipeline"], X)
        except TableProblem:
            raise
        except (ValueError, TypeError) as error:
            raise _CommandError(f"The model can't predict this table: {told(error)}") from error
    result.to_csv(sys.stdout if arguments.out is None else arguments.out, index=False)
    return 0


def _predictions(pipeline: Any, X: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    result = pd.DataFrame({"prediction": pipeline.predict(X)})
    if offers(pipeline, "predict_proba"):
        names = [f"probability_{label}" for label in pipeline.classes_]
        chances = pd.DataFrame(pipeline.predict_proba(X), columns=names)
        result = pd.concat([result, chances], axis=1)
    return result


def _load_model(path: str) -> dict[str, Any]:
    if not Path(path).exists():
        raise _CommandError(f"There is no file {path!r}.")
    if Path(path).is_dir():
        raise _CommandError(f"{path!r} is a folder; give a file that `compare --save` wrote.")
    try:
        saved = joblib.load(path)
    except _BROKEN as error:
        raise _CommandError(f"{path!r} is not a model that `compare --save` wrote.") from error
    if not isinstance(saved, dict) or not saved.keys() >= _KEYS:
        raise _CommandError(f"{path!r} is not a model that `compare --save` wrote.")
    if saved["version"] != __version__:
        print(
            f"Note: the model was saved by sklearn_dnn {saved['version']}; this is {__version__}.",
            file=sys.stderr,
        )
    return saved
