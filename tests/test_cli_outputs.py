"""What the command writes: files, of which none is lost, and terminals, which obey nothing."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import sklearn_dnn
from sklearn_dnn import _terminal
from sklearn_dnn._terminal import printable, show
from sklearn_dnn.cli import main
from sklearn_dnn.compare import _result
from sklearn_dnn.compare._outputs import as_csv, defused

reads_nul = pytest.mark.skipif(
    pd.read_csv(BytesIO(b"a\0\n1\n")).columns[0] != "a\0",
    reason="older pandas drops them",
)

GOOD = ["good.csv", "--target", "value", "--models", "dummy,ridge", "--cv", "3"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A folder with a table, which commands run in."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    frame["kind"] = rng.choice(["x", "y"], size=60)
    frame["value"] = frame["a"] * 2 + (frame["kind"] == "x") + 0.1 * rng.normal(size=60)
    frame["label"] = np.where(frame["value"] > 0, "high", "low")
    frame.to_csv("good.csv", index=False)


# What is written.


@pytest.fixture
def page(monkeypatch):
    """A report without the seconds of its pictures."""
    monkeypatch.setattr(_result, "html", lambda comparison: f"<p>{comparison.target}</p>" * 999)


WRITES = [*GOOD, "--drop", "label", "--json", "j.json", "--save", "m.joblib", "--report", "r.html"]
WRITTEN = ["j.json", "m.joblib", "r.html"]


@pytest.mark.usefixtures("page")
def test_a_full_disk_leaves_the_files_of_before_and_each_is_told(capsys):
    resource = pytest.importorskip("resource", reason="a limit of POSIX")
    assert main(["compare", *WRITES]) == 0
    assert main(["predict", "m.joblib", "good.csv", "--out", "o.csv"]) == 0
    before = {name: Path(name).read_bytes() for name in [*WRITTEN, "o.csv"]}
    others = sorted(os.listdir("."))
    capsys.readouterr()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limit[1]))
    try:
        assert main(["compare", *WRITES, "--seed", "1"]) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert main(["predict", "m.joblib", "good.csv", "--out", "o.csv"]) == 2
        of_predict = capsys.readouterr().err.splitlines()[-1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert {name: Path(name).read_bytes() for name in before} == before
    assert sorted(os.listdir(".")) == others
    assert last.startswith("sklearn-dnn: Not written: ")
    for option, name in zip(["--json", "--save", "--report"], WRITTEN, strict=True):
        assert f"{option} '{name}': File too large" in last
    assert of_predict == "sklearn-dnn: Not written: --out 'o.csv': File too large."


@pytest.mark.parametrize("fails", range(3))
@pytest.mark.usefixtures("page")
def test_one_output_that_fails_keeps_none_of_the_others(capsys, fails):
    arguments = [word if word != WRITTEN[fails] else "/dev/full" for word in WRITES]
    assert main(["compare", *arguments]) == 2
    output = capsys.readouterr()
    assert "ridge" in output.out
    assert output.err.splitlines()[-1].endswith("'/dev/full': No space left on device.")
    for name in set(WRITTEN) - {WRITTEN[fails]}:
        assert Path(name).stat().st_size > 100


@pytest.mark.usefixtures("page")
def test_a_model_that_breaks_on_all_rows_leaves_the_other_outputs(capsys, monkeypatch):
    def breaks(*_):
        raise MemoryError("no room for 1 GiB\nsecond line")

    monkeypatch.setattr(_result.Comparison, "refit", breaks)
    assert main(["compare", *WRITES]) == 2
    error = capsys.readouterr().err
    assert "Not written: --save 'm.joblib': MemoryError: no room for 1 GiB." in error
    assert [name for name in WRITTEN if Path(name).exists()] == ["j.json", "r.html"]


def test_ctrl_c_while_saving_still_tells_what_failed_before(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_result.Comparison, "refit", interrupted)
    assert main(["compare", *GOOD, "--json", "/dev/full", "--save", "m.joblib"]) == 130
    error = capsys.readouterr().err
    assert "--json '/dev/full': No space left on device" in error
    assert error.splitlines()[-1] == "Interrupted."
    assert not Path("m.joblib").exists()


class Broken(io.StringIO):
    """An output that takes nothing."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 2), (errno.EPIPE, 0)]
)  # a full disk is a failure, and a reader that has seen enough, such as `head`, is none
@pytest.mark.parametrize("json_too", [False, True])
def test_a_standard_output_that_fails_keeps_none_of_the_files(
    capsys, monkeypatch, number, code, json_too
):
    options = ["--json", "-"] if json_too else []
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Broken(OSError(number, os.strerror(number))))
        assert main(["compare", *GOOD, *options, "--drop", "label", "--save", "m.joblib"]) == code
        error = capsys.readouterr().err
        assert ("(standard output): No space left on device" in error) == (code == 2)
        assert main(["predict", "m.joblib", "good.csv"]) == code
    assert joblib.load("m.joblib")["target"] == "value"


@pytest.mark.parametrize("stream", [Broken(OSError(errno.ENOSPC, "full")), None])
def test_work_goes_on_where_nobody_listens_to_notes(monkeypatch, capsys, stream):
    monkeypatch.setattr("sys.stderr", stream)
    assert main(["compare", *GOOD, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["best"] == "ridge"


def test_the_standard_output_by_another_name_is_the_same(capfd):
    assert main(["compare", *GOOD, "--json", "/dev/stdout"]) == 0
    output = capfd.readouterr()
    assert json.loads(output.out)["best"] == "ridge"
    assert "to the best" in output.err
    assert main(["compare", *GOOD, "--drop", "label", "--save", "m.joblib"]) == 0
    capfd.readouterr()
    assert main(["predict", "m.joblib", "good.csv", "--out", "/dev/stdout"]) == 0
    assert capfd.readouterr().out.startswith("prediction\n")


@pytest.mark.parametrize("name", ["hard", "soft"])
@pytest.mark.parametrize("option", ["--json", "--save", "--report"])
def test_an_output_that_is_the_table_by_another_name_is_refused(capsys, name, option):
    os.link("good.csv", "hard")
    os.symlink("good.csv", "soft")
    before = Path("good.csv").read_bytes()
    assert main(["compare", *GOOD, option, name]) == 2
    assert "is named twice, also as 'good.csv'" in capsys.readouterr().err
    assert Path("good.csv").read_bytes() == before


@pytest.mark.usefixtures("page")
def test_outputs_that_are_one_file_are_refused_and_devices_are_not(capsys):
    Path("a.json").symlink_to("b.json")
    assert main(["compare", *GOOD, "--json", "a.json", "--save", "b.json"]) == 2
    assert "is named twice" in capsys.readouterr().err
    assert main(["compare", *GOOD, "--json", "/dev/null", "--report", "/dev/null"]) == 0


# What reaches the terminal.

ESCAPES = ["\x1b[31mred", "\x9b31m", "a\x07b", "x\rsklearn-dnn: y", "a\u202eb", "a\nNote: b"]


def no_escapes(capsys):
    output = capsys.readouterr()
    for text in (output.out, output.err):
        assert all(line.isprintable() for line in text.split("\n")), text
    return output


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_terminal_obeys_nothing_of_a_table(capsys, escape):
    rng = np.random.default_rng(0)
    n = 40
    frame = pd.DataFrame(
        {
            escape: rng.normal(size=n),
            f"{escape} constant": 1,
            f"{escape} text": [escape, *["1.5", "2", "2.5", "3.5"] * 10][:n],
            f"{escape} id": [f"{escape}{i}" for i in range(n)],
            "y": rng.normal(size=n),
            f"{escape} label": np.where(np.arange(n) % 2, escape, "b"),
            f"{escape} rare": [escape, *"bc" * n][:n],
        }
    )
    frame.to_csv("escapes.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)
    table = ["escapes.csv", "--models", "dummy", "--cv", "2"]
    quick = [[*table, "--target", f"{escape} label"], [*table, "--target", "y"]]
    for arguments in quick:
        assert main(["compare", *arguments]) == 0
        assert printable(escape) in no_escapes(capsys).err
    refused = [
        ["escapes.csv"],
        [*table, "--target", "nothing"],
        [*table, "--target", escape, "--drop", escape],
        [*table, "--target", "y", "--drop", f"{escape} tex"],
        [*table, "--target", f"{escape} constant"],
        [*table, "--target", f"{escape} rare"],
        [*table, "--target", f"{escape} id"],
        [*table, "--target", f"{escape} text", "--task", "regression"],
        [f"{escape}.csv", "--target", "y"],
        [*table, "--target", "y", "--json", f"{escape}/j.json"],
        [*table, "--target", "y", "--models", escape],
        [*table, "--target", "y", "--scoring", escape],
        [*table, "--target", "y", "--task", escape],
    ]
    for arguments in refused:
        assert main(["compare", *arguments]) == 2
        assert no_escapes(capsys).err.startswith("sklearn-dnn: ")
    with pytest.raises(SystemExit):
        main(["compare", "a.csv", f"{escape}.csv"])
    no_escapes(capsys)


def test_a_name_of_several_lines_is_on_one(capsys):
    frame = pd.read_csv("good.csv").rename(columns={"value": "value\nridge  9.9 ± 0.1"})
    frame.to_csv("lines.csv", index=False)
    target = "value\nridge  9.9 ± 0.1"
    options = ["--models", "dummy", "--cv", "2"]
    assert main(["compare", "lines.csv", "--target", target, *options]) == 0
    output = capsys.readouterr()
    assert "regression of value\\nridge  9.9 ± 0.1: 60 rows" in output.out
    assert not [line for line in output.out.splitlines() if line.startswith("ridge")]


def test_predictions_on_a_terminal_and_in_a_pipe(capsys, monkeypatch):
    labels = np.array(["\x1b[31mred", "blue"])[np.arange(60) % 2]
    pd.read_csv("good.csv").assign(label=labels).to_csv("escapes.csv", index=False)
    options = ["--models", "dummy", "--cv", "2", "--save", "m.joblib"]
    assert main(["compare", "escapes.csv", "--target", "label", *options]) == 0
    no_escapes(capsys)
    assert main(["predict", "m.joblib", "escapes.csv"]) == 0
    assert "probability_\x1b[31mred" in capsys.readouterr().out  # data are as they are
    monkeypatch.setattr("sklearn_dnn.cli.is_terminal", lambda _: True)
    assert main(["predict", "m.joblib", "escapes.csv"]) == 0
    assert no_escapes(capsys).out.startswith("prediction,probability_\\x1b[31mred,")


def test_what_a_streams_encoding_has_not_is_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show("Größe ± 1\nZwei\n", stream)
    assert stream.buffer.getvalue() == b"Gr\\xf6\\xdfe \\xb1 1\nZwei\n"


@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
def test_a_part_that_a_disk_has_no_room_for_is_told(unbuffered):
    # Without buffers Python itself drops it without a word.
    program = (
        "import importlib.util, resource, sys\n"
        "spec = importlib.util.spec_from_file_location('terminal', sys.argv[1])\n"
        "terminal = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(terminal)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "try: terminal.write('x' * 2000, sys.stdout)\n"
        "except OSError as error: sys.exit(error.errno)\n"
    )
    with Path("out").open("wb") as out:
        command = [sys.executable, *unbuffered, "-c", program, _terminal.__file__]
        assert subprocess.run(command, check=False, stdout=out).returncode == errno.EFBIG


# Labels that a spreadsheet would run.

RUN_BY_SPREADSHEETS = [
    "=1+1", "=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3+cmd|x", "@SUM(A1)", "\t=1+1", "\r=1+1",
    "\n=1", " =1+1", "\x00=1", "\ufeff=1", "\uff1d1+1", "-1.5 m", "+49 30", '=HYPERLINK("u","a")',
]  # fmt: skip
LEFT_ALONE = [
    "-1", "+1", "-1.5", "1e-5", "-1e5", "-.5", "+", "-", "--", "=", "a=b", "1-2", "it's", "",
    "x@y", "Ünï", " ", "a b", "-inf",
]  # fmt: skip


def test_labels_of_a_formula_are_text_and_all_others_as_they_are():
    for label in RUN_BY_SPREADSHEETS:
        assert defused(label) == f"'{label}"
        assert defused(f"'{label}") == f"''{label}"
    for label in [*LEFT_ALONE, -1.5, -1, True, None]:
        assert defused(label) is label


def test_the_first_apostrophe_less_every_label_is_read_back_from_the_file():
    labels = [
        *RUN_BY_SPREADSHEETS,
        *LEFT_ALONE,
        "'=1",
        "''=1",
        "'a'",
        "'-1",
        "a\r=1",
        "a;=1",
        "a,b",
    ]
    labels = [label for label in labels if label]
    text = as_csv(pd.DataFrame({"prediction": labels, "p": np.arange(len(labels))}))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["prediction", "p"]
    for label, (cell, _) in zip(labels, rows[1:], strict=True):
        assert cell in {label, f"'{label}"}
        assert not cell.startswith(tuple("=+-@\t\r\n")) or cell in LEFT_ALONE


def test_predicted_labels_and_numbers_in_the_file():
    labels = np.array(["=cmd|' /C calc'!A0", "-1"])[np.arange(60) % 2]
    frame = pd.read_csv("good.csv").assign(label=labels)
    frame.assign(a=np.arange(60) % 2 * 1.0).to_csv("f.csv", index=False)
    options = ["--models", "linear", "--cv", "2", "--save", "m.joblib"]
    assert main(["compare", "f.csv", "--target", "label", *options]) == 0
    assert main(["predict", "m.joblib", "f.csv", "--out", "o.csv"]) == 0
    predicted = pd.read_csv("o.csv", dtype={"prediction": str})
    expected = np.where(labels == "-1", "-1", "'" + labels.astype(object))
    assert list(predicted["prediction"]) == list(expected)
    assert list(predicted.columns)[1:] == ["probability_-1", "probability_=cmd|' /C calc'!A0"]

    assert main(["compare", "good.csv", "--target", "value", *options]) == 0
    assert main(["predict", "m.joblib", "good.csv", "--out", "o.csv"]) == 0
    assert pd.read_csv("o.csv")["prediction"].dtype == float
    assert (pd.read_csv("o.csv")["prediction"] < 0).any()


# A target of numbers with cells of text.


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({17: "oops"}, "all but 1 of 60 cells do, not 'oops' in row 18"),
        ({0: "?", 5: "?"}, "all but 2 of 60 cells do, not '?' in row 1"),
        pytest.param({3: "1.5\0"}, "they have marks, such as '1.5\\x00' in row 4", marks=reads_nul),
        ({59: "\x1b[31m"}, "not '\\x1b[31m' in row 60"),
    ],
)
def test_a_bad_cell_of_the_target_is_shown_with_its_row(capsys, cells, said):
    target = pd.read_csv("good.csv")["value"].astype(str)
    for row, cell in cells.items():
        target[row] = cell
    target[10] = None  # a row that is dropped moves no other
    pd.DataFrame({"a": range(60), "y": target}).to_csv("bad.csv", index=False)
    assert main(["compare", "bad.csv", "--target", "y"]) == 2
    error = no_escapes(capsys).err
    assert said.replace("60 cells", "59 cells") in error
    assert "reads as numbers" in error
    assert main(["compare", "bad.csv", "--target", "y", "--task", "regression"]) == 2
    assert "text where numbers are needed: " + said.split("not ")[-1].split("such as ")[-1] in (
        no_escapes(capsys).err
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda v: f"{v:.3f}".replace(".", ","), lambda v: f"{v:.1f}%", lambda v: f"${v:.2f}",
        lambda v: f"{1000 * v:,.1f}", lambda v: f" {v:.3f} €",
        lambda v: f"{v:.2f} kg", lambda v: f"{v:.2f}°C", lambda v: f"{v:.2f} km/h",
        lambda v: f"({abs(v):.2f})" if v < 0 else f"{v:.2f}",
        lambda v: f"$({abs(v):.2f})" if v < 0 else f"${v:.2f}",
        lambda v: f"{v:.2f}".replace("-", "\u2212"), lambda v: f"{v:.2f}".replace("-", "\u2013"),
        lambda v: f"{abs(v):.2f}{'-' if v < 0 else ''}", lambda v: f"{v:.2f} €/kg",
    ],
)  # fmt: skip
def test_marks_in_the_target_are_shown(capsys, change):
    values = pd.read_csv("good.csv")["value"].map(change)
    pd.DataFrame({"a": range(60), "y": values}).to_csv("marks.csv", index=False)
    assert main(["compare", "marks.csv", "--target", "y"]) == 2
    error = capsys.readouterr().err
    first = next(v for v in values if not re.fullmatch(r"-?\d+\.\d+", v))
    assert f"they have marks, such as {first!r} in row {list(values).index(first) + 1} " in error


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ([f"name {i}" for i in range(60)], "'name 0' in row 1 "),
        ([f"{i}.5 {'kg' if i % 2 else 'lb'}" for i in range(60)], "'0.5 lb' in row 1 "),
        ([f"{i}.5" if i % 5 else f"site {i}" for i in range(1, 61)], "'site 5' in row 5 "),
        (["n" * 90 + str(i) for i in range(60)], f"{'n' * 40!r}... in row 1 "),
    ],
)
def test_too_many_classes_show_a_cell(capsys, target, said):
    pd.DataFrame({"a": range(60), "y": target}).to_csv("many.csv", index=False)
    assert main(["compare", "many.csv", "--target", "y"]) == 2
    error = capsys.readouterr().err
    assert f"distinct values in 60 rows, too many for classes, such as {said}" in error


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%Y-%m-%d %H:%M"])
@pytest.mark.parametrize("period", [60, 28])
def test_a_target_of_dates_as_text_is_refused(capsys, form, period):
    days = pd.date_range("2021-03-01", periods=period).strftime(form)
    target = [days[i % period] for i in range(60)]
    pd.DataFrame({"a": range(60), "y": target}).to_csv("dates.csv", index=False)
    assert main(["compare", "dates.csv", "--target", "y"]) == 2
    error = capsys.readouterr().err
    assert f"The target 'y' is text of dates or times: such as {days[0]!r} in row 1 " in error
    assert "pandas.to_datetime" in error
    assert "--task multiclass" in error


def test_few_dates_are_classes_and_said(capsys):
    target = [f"2021-{1 + i % 6:02d}-01" for i in range(60)]
    pd.DataFrame({"a": range(60), "y": target}).to_csv("dates.csv", index=False)
    options = ["--target", "y", "--models", "dummy", "--cv", "2"]
    assert main(["compare", "dates.csv", *options]) == 0
    said = "6 distinct texts or categories that read as dates or times: such as '2021-01-01' in row"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("index", [False, True])
def test_another_mark_between_the_columns_is_named(capsys, mark, decimal, index):
    frame = pd.read_csv("good.csv")
    frame.to_csv("other.csv", sep=mark, decimal=decimal, index=index)
    assert main(["compare", "other.csv", "--target", "value"]) == 2
    error = no_escapes(capsys).err
    assert f"has {mark!r} between its columns; save it with commas" in error
    renamed = frame.rename(columns={"a": "a, m", "value": "value, EUR"})
    renamed.to_csv("other.csv.gz", sep=mark, decimal=decimal, index=index)
    for target in ["label", "value, EUR"]:
        assert main(["compare", "other.csv.gz", "--target", target]) == 2
        assert f"has {mark!r} between its columns" in no_escapes(capsys).err


@pytest.mark.parametrize(
    "text",
    [
        "a;b;y\n1;2;3\n1,5;2,5;3,5\n",  # the first row has no comma
        "a;b;y\n1,5;2,5;3,5;\n1,5;2,5;3,5;\n",  # a mark ends the lines
        "a;b\n1;1,5;2,5\n2;1,5;2,5\n",  # rows begin with their names
        '"a";"y"\n"x, z";1,5\n',
    ],
)
def test_semicolons_in_other_files_are_named(capsys, text):
    Path("other.csv").write_text(text)
    assert main(["compare", "other.csv", "--target", "y"]) == 2
    assert "has ';' between its columns; save it with commas" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["a,y\n1;2,3\n4;5,6\n", "a;b,y\n1,3\n2,4\n", '"a;b",y\n"1;2",3\n"1;3",4\n']
)
def test_marks_within_cells_and_names_are_no_separators(capsys, text):
    Path("within.csv").write_text(text)
    main(["compare", "within.csv", "--target", "y", "--models", "dummy"])
    assert "between its columns" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (",,y", "'' (an empty name); rename"),
        (" , ,y", "' ' (an empty name); rename"),
        ("a b,a b,y", "'a b'; rename"),
        (",,y,y", "'' (an empty name), 'y'; rename"),
    ],
)
def test_repeated_names_are_shown(capsys, header, said):
    Path("names.csv").write_text(header + "\n1,2,3,4"[: 2 * header.count(",") + 2] + "\n")
    assert main(["compare", "names.csv", "--target", "y"]) == 2
    assert f"Column names appear more than once: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["7" * 401, "x" * 5000, "\x1b" * 60])
def test_long_cells_are_cut_in_messages(capsys, cell):
    frame = pd.read_csv("good.csv")
    frame["a"] = [cell, *map(str, range(59))]
    frame.to_csv("long.csv", index=False)
    assert main(["compare", "long.csv", *GOOD[1:]]) == 0
    error = no_escapes(capsys).err
    assert f"{printable(cell[:40])}...)" in error.replace("'...", "...")
    assert cell[:41] not in error
    for target, said in [([cell] * 60, "in every row"), ([cell, *["b", "c"] * 29, "b"], "one row")]:
        frame.assign(label=target).to_csv("long.csv", index=False)
        assert main(["compare", "long.csv", "--target", "label"]) == 2
        error = no_escapes(capsys).err
        assert said in error
        assert len(error) < 400


@pytest.mark.parametrize("links", [1, 2])
def test_a_link_into_a_missing_folder_is_told_with_the_folder(capsys, tmp_path, links):
    Path("0.json").symlink_to(tmp_path / "missing" / "real.json")
    if links == 2:
        Path("1.json").symlink_to("0.json")
    name = f"{links - 1}.json"
    assert main(["compare", *GOOD, "--json", name]) == 2
    error = capsys.readouterr().err
    assert f"There is no folder {str(tmp_path / 'missing')!r}, to which {name!r} leads" in error


def test_a_link_to_a_file_that_is_not_there_yet_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    Path("l.json").symlink_to(tmp_path / "there" / "real.json")
    assert main(["compare", *GOOD, "--json", "l.json"]) == 0
    assert (tmp_path / "there" / "real.json").is_file()


def test_classes_that_read_as_numbers_are_classes_and_said(capsys):
    stars = [f"{1 + i % 5}" for i in range(58)] + ["?", "?"]
    pd.DataFrame({"a": range(60), "y": stars}).to_csv("stars.csv", index=False)
    options = ["--target", "y", "--models", "dummy", "--cv", "2"]
    assert main(["compare", "stars.csv", *options]) == 0
    error = capsys.readouterr().err
    assert "Task multiclass: the target has 6 distinct texts" in error
    assert "not '?' in row 59 (the first is 1)" in error


def test_a_bad_cell_is_shown_at_predict_too(capsys):
    assert main(["compare", *GOOD, "--drop", "label", "--save", "saved.model"]) == 0
    frame = pd.read_csv("good.csv")
    frame["a"] = frame["a"].astype(object)
    frame.loc[7, "a"] = "1,5"
    frame.to_csv("new.csv", index=False)
    capsys.readouterr()
    assert main(["predict", "saved.model", "new.csv"]) == 2
    assert "Column 'a' has text where numbers are needed: '1,5' in row 8" in capsys.readouterr().err


@reads_nul
def test_a_nul_in_a_header_is_refused(capsys):
    Path("nul.csv").write_bytes(b"a\0,y\n" + b"".join(b"%d,%d.5\n" % (i, i) for i in range(30)))
    assert main(["compare", "nul.csv", "--target", "y", "--models", "dummy"]) == 2
    assert r"The column name 'a\x00' holds a NUL character" in no_escapes(capsys).err


def test_a_wide_table_says_that_work_has_begun(capsys):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(12, 1001)), columns=[f"g{j}" for j in range(1001)])
    wide.to_csv("wide.csv", index=False)
    assert main(["compare", "wide.csv", "--target", "g0", "--models", "dummy", "--cv", "2"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "Comparing models on 12 rows and 1,000 columns ..."


def test_what_a_model_warns_of_at_predict_is_said(capsys):
    model = {"pipeline": Warns(), "task": "regression", "target": "y", "columns": ["a"]}
    joblib.dump(model | {"version": sklearn_dnn.__version__}, "m.joblib")
    assert main(["predict", "m.joblib", "good.csv"]) == 0
    output = capsys.readouterr()
    assert output.out == "prediction\n" + "1.0\n" * 60
    assert output.err == "Note: beware of the dog\n"


class Warns:
    def predict(self, X):
        for _ in range(2):
            warnings.warn("beware\nof the dog", stacklevel=1)
        return np.ones(len(X))
