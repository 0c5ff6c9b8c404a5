"""The command: ``sklearn-dnn`` or ``python -m sklearn_dnn``."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shlex
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import joblib

from ._files import is_stream, replacing
from ._terminal import is_terminal, printable, say, show, write
from ._version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from .compare import Comparison
    from .compare._outputs import Failures

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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))  # it may hold the name of a file


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
    except OSError as error:
        where = f" {str(error.filename)!r}" if error.filename else ""
        return _refuse(f"The file{where} can't be read or written: {error.strerror or error}.")
    except KeyboardInterrupt:
        say("")
        say("Interrupted.")
        return 130


def _refuse(sentence: str) -> int:
    say(f"sklearn-dnn: {' '.join(sentence.split())}")
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="sklearn-dnn", description="Is a neural network worth it on your table?")
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
    from .compare._outputs import Failures, check_outputs
    from .compare._progress import ProgressLine
    from .compare._text import as_text

    if arguments.json is not None and is_stream(arguments.json, sys.stdout):
        arguments.json = "-"  # as /dev/stdout is
    outputs = [arguments.json if arguments.json != "-" else None, arguments.save, arguments.report]
    check_outputs(outputs, [arguments.table])
    if arguments.report is not None:
        _check_report()
    X, y = _load(arguments)
    names = RIVALS if arguments.models is None else arguments.models
    progress = ProgressLine(len(names))
    progress.begin(X)
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
    comparison.settings = {"command": _command(arguments)} | comparison.settings
    for note in comparison.notes:
        say(f"Note: {note}")
    failures = Failures()
    # The figures alone on the standard output, so that a program can read them.
    if arguments.json == "-":
        with suppress(OSError):  # nobody listens, and the work goes on
            show(f"{as_text(comparison)}\n", sys.stderr)
    else:
        with failures.trying("the table (standard output)", is_stdout=True):
            show(f"{as_text(comparison)}\n", sys.stdout)
    if not comparison.scores and not comparison.interrupted:
        raise _CommandError("No model has a result; see what is missing above.")
    try:
        _write(comparison, arguments, failures)
    except KeyboardInterrupt:
        _end(failures, 130)
        raise
    return _end(failures, 130 if comparison.interrupted else 0)


def _load(arguments: argparse.Namespace) -> tuple[pd.DataFrame, pd.Series]:
    from .compare._tables import listed, nearest, read_file, split_target
    from .datasets import load_california_housing

    target = arguments.target
    if arguments.table is None:
        frame = load_california_housing()
        target = target or "median_house_value"
        say("No table given: California housing, 1990 census, 20640 rows.")
    else:
        frame = read_file(arguments.table)
    if target is None:
        columns = listed(frame.columns, 20)
        raise _CommandError(f"Say which column to predict by --target; the columns are {columns}.")
    for name in arguments.drop:
        if name not in frame.columns:
            hint = nearest(name, frame.columns) or "."
            raise _CommandError(f"--drop: there is no column {name!r}{hint}")
        if name == target:
            raise _CommandError(f"--drop: {name!r} is the target.")
    return split_target(frame.drop(columns=arguments.drop), target)


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


def _write(comparison: Comparison, arguments: argparse.Namespace, failures: Failures) -> None:
    """Write all that was asked for; after Ctrl-C without a result, only the figures."""
    if arguments.json == "-":
        with failures.trying("the figures (standard output)", is_stdout=True):
            # Of ASCII, since a terminal may be what reads it.
            text = json.dumps(comparison.to_dict(), indent=2, allow_nan=False)
            show(f"{text}\n", sys.stdout)
    elif arguments.json is not None:
        with failures.trying(f"--json {arguments.json!r}"), replacing(arguments.json) as file:
            text = json.dumps(comparison.to_dict(), indent=2, allow_nan=False, ensure_ascii=False)
            # What UTF-8 has not, parts of names that are no text, JSON escapes in the same way.
            file.write(f"{text}\n".encode(errors="backslashreplace"))
    if not comparison.scores:
        return
    if arguments.save is not None:
        with failures.trying(f"--save {arguments.save!r}"):
            _save(comparison, arguments.save)
    if arguments.report is not None:
        with failures.trying(f"--report {arguments.report!r}"):
            say("Writing the report ...")
            comparison.to_html(arguments.report)
            say(f"Report in {arguments.report}.")


def _save(comparison: Comparison, path: str) -> None:
    name = comparison.best
    say(f"Fitting {name} on all rows ...")
    saved = {
        "pipeline": comparison.refit(name),
        "task": comparison.task,
        "target": comparison.target,
        "columns": list(comparison.X.columns),
        "version": __version__,
    }
    with replacing(path) as file:
        joblib.dump(saved, file, compress=3)
    say(f"Saved {name} to {path}.")


def _end(failures: Failures, code: int) -> int:
    """The exit code, after everything was tried."""
    if failures.reader_gone or failures.causes:
        _leave_output()
    return _refuse(f"Not written: {failures}.") if failures.causes else code


def _leave_output() -> None:
    """Nothing more goes to the standard output, not at Python's end either."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or not of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _predict(arguments: argparse.Namespace) -> int:
    from ._core.messages import told
    from .compare._outputs import Failures, as_csv, check_outputs, prediction_table
    from .compare._tables import TableProblem, listed, read_file

    if arguments.out is not None and is_stream(arguments.out, sys.stdout):
        arguments.out = None
    check_outputs([arguments.out], [arguments.model, arguments.table])
    saved = _load_model(arguments.model)
    frame = read_file(arguments.table)
    absent = [name for name in saved["columns"] if name not in frame.columns]
    if absent:
        raise _CommandError(
            f"The table lacks columns that the model was fitted on: {listed(absent)}."
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            text = as_csv(prediction_table(saved["pipeline"], frame[saved["columns"]]))
        except TableProblem:
            raise
        except (ValueError, TypeError) as error:
            raise _CommandError(f"The model can't predict this table: {told(error)}") from error
    for note in dict.fromkeys(str(entry.message) for entry in caught):
        say(f"Note: {' '.join(note.split())}")
    failures = Failures()
    if arguments.out is not None:
        with failures.trying(f"--out {arguments.out!r}"), replacing(arguments.out) as file:
            file.write(text.encode())
        return _end(failures, 0)
    with failures.trying("the predictions (standard output)", is_stdout=True):
        if is_terminal(sys.stdout):
            show(text, sys.stdout)
        else:
            write(text, sys.stdout)
    return _end(failures, 0)


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
        say(f"Note: the model was saved by sklearn_dnn {saved['version']}; this is {__version__}.")
    return saved
