"""The page on searches: its programs run, and it names what can be stacked."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from sklearn_dnn import model_selection
from sklearn_dnn._core.specification import COLUMNS

PAGE = (Path(__file__).parents[1] / "docs/model_selection.rst").read_text("utf-8")
BLOCKS = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", PAGE)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_programs_of_the_page_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("optuna")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = {"__name__": "page"}
    assert len(BLOCKS) >= 5
    for block in BLOCKS:
        exec(compile(textwrap.dedent(block), "model_selection.rst", "exec"), names)
    assert capsys.readouterr().out.count("{") == 2
    kept = list(Path(names["folder"]).glob("*.pkl"))
    assert len(kept) == 24
    assert len(names["study"].trials) == 16


@pytest.mark.parametrize("name", COLUMNS)
def test_every_number_that_members_may_differ_in_is_named(name):
    assert f"``{name}``" in PAGE


@pytest.mark.parametrize("name", model_selection.__all__)
def test_every_name_is_on_the_page(name):
    assert name in PAGE
