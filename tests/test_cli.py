"""The command, as a user types it: results, refusals, Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pandas as pd
import pytest

import sklearn_dnn
from sklearn_dnn.cli import main

# SIGINT may have been ignored where the tests were started, and children inherit that.
RUN = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('sklearn_dnn', run_name='__main__')"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of tables, good and bad."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 60
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "kind": rng.choice(["x", "y"], size=n),
        }
    )
    frame["value"] = frame["a"] * 2 + (frame["kind"] == "x") + 0.1 * rng.normal(size=n)
    frame["label"] = np.where(frame["value"] > 0, "high", "low")
    frame.to_csv("good.csv", index=False)
    frame.assign(value=1.0).to_csv("constant.csv", index=False)
    frame.assign(value=np.nan).to_csv("gaps.csv", index=False)
    frame.assign(value=frame["value"].where(frame.index > 4)).to_csv("some_gaps.csv", index=False)
    frame.assign(a=np.inf).to_csv("infinite.csv", index=False)
    frame[:0].to_csv("no_rows.csv", index=False)
    frame.drop(columns="kind").to_csv("no_kind.csv", index=False)
    frame.assign(a="text").to_csv("text.csv", index=False)
    frame.assign(id=range(n)).to_csv("id.csv", index=False)
    frame[["value"]].to_csv("only.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "twice.csv").write_text("a,value,a\n1,2,3\n4,5,6\n")
    (tmp_path / "ragged.csv").write_text("a,value\n1,2\n1,2,3,4\n")
    (tmp_path / "binary.csv").write_bytes(b"a,value\n\xff\xfe\xfa,1\n")
    (tmp_path / "not.parquet").write_text("no parquet")
    (tmp_path / "not.csv.gz").write_text("not packed")
    (tmp_path / "table.txt").write_text("a,value\n1,2\n")
    (tmp_path / "not.model").write_text("no model")
    joblib.dump({"other": 1}, "other.model")
    return tmp_path


GOOD = ["good.csv", "--target", "value", "--models", "dummy,ridge", "--cv", "3"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.csv", "--target", "value"], "There is no file 'nowhere.csv'."),
        ([".", "--target", "value"], "is a folder"),
        (["table.txt", "--target", "value"], "ends in '.txt'"),
        (["empty.csv", "--target", "value"], "is empty"),
        (["no_rows.csv", "--target", "value"], "has columns but no rows"),
        (["twice.csv", "--target", "value"], "appear more than once: 'a';"),
        (["ragged.csv", "--target", "value"], "can't be read as a table"),
        (["binary.csv", "--target", "value"], "not text in UTF-8"),
        (["not.csv.gz", "--target", "value"], "can't be read as a table"),
        (["not.parquet", "--target", "value"], "arquet"),
        (["good.csv"], "Say which column to predict by --target"),
        (["good.csv", "--target", "valu"], "did you mean 'value'?"),
        (["good.csv", "--target", "zzz"], "There is no column 'zzz'"),
        (["only.csv", "--target", "value"], "no column besides the target"),
        (["constant.csv", "--target", "value"], "is 1.0 in every row"),
        (["gaps.csv", "--target", "value"], "missing in every row"),
        (["infinite.csv", "--target", "value"], "Column 'a' has infinite values"),
        (["good.csv", "--target", "label", "--task", "regression"], "text where numbers"),
        ([*GOOD, "--task", "clasification"], "task must be one of"),
        ([*GOOD, "--task", "multiclass"], "too many for classes"),
        ([*GOOD, "--models", "rige"], "did you mean 'ridge'?"),
        ([*GOOD, "--scoring", "roc_ac"], "did you mean 'roc_auc'?"),
        ([*GOOD, "--cv", "1"], "cv must be from 2"),
        ([*GOOD, "--cv", "1000"], "cv must be from 2"),
        ([*GOOD, "--seed", "-1"], "seed must be"),
        ([*GOOD, "--max-time", "-1"], "max_time must be"),
        ([*GOOD, "--drop", "kinds"], "did you mean 'kind'?"),
        ([*GOOD, "--drop", "value"], "is the target"),
        ([*GOOD, "--json", "nowhere/figures.json"], "There is no folder 'nowhere'"),
        ([*GOOD, "--save", "."], "is a folder"),
        ([*GOOD, "--report", "nowhere/report.html"], "There is no folder 'nowhere'"),
        ([*GOOD, "--max-time", "1e-9"], "No model has a result"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_refusals_of_compare(capsys, arguments, sentence):
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith("sklearn-dnn: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.model", "good.csv"], "There is no file 'nowhere.model'."),
        (["not.model", "good.csv"], "is not a model that `compare --save` wrote"),
        (["other.model", "good.csv"], "is not a model that `compare --save` wrote"),
        ([".", "good.csv"], "is a folder"),
        (["saved.model", "nowhere.csv"], "There is no file 'nowhere.csv'."),
        (["saved.model", "no_kind.csv"], "lacks columns that the model was fitted on: kind."),
        (["saved.model", "text.csv"], "Column 'a' has text where numbers are needed"),
        (["saved.model", "infinite.csv"], "can't predict this table"),
        (["saved.model", "good.csv", "--out", "nowhere/x.csv"], "There is no folder 'nowhere'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_refusals_of_predict(capsys, arguments, sentence):
    if "saved.model" in arguments:
        assert main(["compare", *GOOD, "--drop", "label", "--save", "saved.model"]) == 0
        capsys.readouterr()
    assert main(["predict", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("sklearn-dnn: ")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["compare", "--cv", "x"], ["compute"]])
def test_refusals_of_the_parser(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_compare_then_predict_numbers(folder, capsys):
    options = ["--drop", "label", "--json", "figures.json", "--save", "saved.model"]
    assert main(["compare", *GOOD, *options]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].split()[:3] == ["model", "RMSE", "R2"]
    assert lines[2].split()[0] == "ridge"
    assert "best" in lines[2]
    assert lines[3].split()[0] == "dummy"
    assert "*" in lines[3]
    assert "ridge (model 2 of 2), fold 3 of 3" in output.err
    assert "Note: Task regression" in output.err
    figures = json.loads((folder / "figures.json").read_text())
    assert figures["best"] == "ridge"
    assert len(figures["models"]["dummy"]["scores"]["r2"]) == 3

    assert main(["predict", "saved.model", "good.csv", "--out", "out.csv"]) == 0
    predicted = pd.read_csv("out.csv")
    truth = pd.read_csv("good.csv")["value"]
    assert list(predicted.columns) == ["prediction"]
    assert np.corrcoef(predicted["prediction"], truth)[0, 1] > 0.95


@pytest.mark.usefixtures("folder")
def test_compare_then_predict_classes(capsys):
    options = ["--drop", "value", "--models", "linear", "--cv", "2", "--save", "saved.model"]
    assert main(["compare", "good.csv", "--target", "label", *options]) == 0
    assert "ROC AUC" in capsys.readouterr().out
    assert main(["predict", "saved.model", "good.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "prediction,probability_high,probability_low"
    assert len(lines) == 61
    assert joblib.load("saved.model")["columns"] == ["a", "b", "kind"]


@pytest.mark.usefixtures("folder")
def test_json_on_the_standard_output_stands_alone(capsys):
    assert main(["compare", *GOOD, "--json", "-", "--scoring", "r2"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["scoring"] == ["r2"]
    assert "to the best" in output.err


@pytest.mark.usefixtures("folder")
def test_notes_are_said(capsys):
    options = ["--target", "value", "--models", "dummy"]
    assert main(["compare", "id.csv", *options]) == 0
    assert "like an identifier; drop if it is one: id." in capsys.readouterr().err
    assert main(["compare", "some_gaps.csv", *options]) == 0
    assert "5 of 60 rows dropped" in capsys.readouterr().err


def test_no_table_is_california_housing(capsys):
    assert main(["compare", "--models", "dummy", "--cv", "2"]) == 0
    output = capsys.readouterr()
    assert "California housing" in output.err
    assert "regression of median_house_value: 20640 rows" in output.out


def test_version_of_the_module():
    command = [sys.executable, "-m", "sklearn_dnn", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"sklearn-dnn {sklearn_dnn.__version__}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_keeps_what_is_finished(tmp_path):
    # scikit-learn's network takes Ctrl-C for the end of training and would go on as if nothing
    # had happened.
    options = ["compare", "--models", "dummy,sklearn_mlp,knn", "--json", "figures.json"]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stderr:
            if line.startswith("dummy"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    lines = output.splitlines()
    assert lines[2].startswith("dummy")
    assert "  sklearn_mlp: interrupted after 0 of 5 folds" in lines
    assert "  knn: interrupted" in lines
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["interrupted"]
    assert list(figures["models"]) == ["dummy"]


def test_files_of_one_command_have_names_of_their_own(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("a,y\n" + "\n".join(f"{i},{i * 2.5}" for i in range(30)))
    before = table.read_text()
    code = main(["compare", str(table), "--target", "y", "--json", str(table)])
    assert code == 2
    assert "is named twice" in capsys.readouterr().err
    assert table.read_text() == before


def test_the_figures_say_the_command_that_repeats_them(tmp_path, capsys):
    table = tmp_path / "my table.csv"
    table.write_text("a,b,y\n" + "\n".join(f"{i},{i % 7},{i * 2.5}" for i in range(40)))
    arguments = ["compare", str(table), "--target", "y", "--models", "dummy,ridge", "--cv", "2"]
    assert main([*arguments, "--drop", "b", "--json", "-"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    again = shlex.split(settings["command"])
    assert again[0] == "sklearn-dnn"
    assert {str(table), "--drop", "b", "--models", "dummy,ridge"} <= set(again)
    assert (settings["task"], settings["used_columns"]) == ("regression", ["a"])
