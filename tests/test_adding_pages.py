"""The pages on adding a component: their programs run, and the files that they name are there."""

from __future__ import annotations

import re
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning

from sklearn_dnn import MLPRegressor

ROOT = Path(__file__).parents[1]
PAGES = {
    "adding_a_loss": ("loss", "cauchy", "Cauchy"),
    "adding_a_schedule": ("schedule", "cooldown", "Cooldown"),
    "adding_an_activation": ("activation", "bent", "BentIdentity"),
}
pages = pytest.mark.parametrize("page", PAGES)


def text_of(page):
    return (ROOT / "docs" / f"{page}.rst").read_text("utf-8")


@pytest.mark.slow
@pages
def test_programs_run_and_the_component_trains(page, tmp_path, monkeypatch):
    family, module, name = PAGES[page]
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text_of(page))
    blocks = [textwrap.dedent(block) for block in blocks]
    own = next(block for block in blocks if f"class {name}(" in block)
    (tmp_path / f"{module}.py").write_text(own, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    names = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for block in blocks:
                if block != own:
                    exec(block, names)  # one program, its parts in order
            component = getattr(__import__(module), name)()
            X, y = make_friedman1(100, random_state=0)
            usual = {"max_iter": 30, "learning_rate_init": 0.01, "random_state": 0}
            model = MLPRegressor(**usual, **{family: component}).fit(X, y)
        assert model.score(X, y) > 0.5
        assert clone(model).get_params()[family].get_params() == component.get_params()
    finally:
        sys.modules.pop(module, None)
    assert len(blocks) >= 3


@pages
def test_files_it_names_are_there(page):
    text = text_of(page)
    family = f"sklearn_dnn/components/{PAGES[page][0]}"
    (folder,) = set(re.findall(r"``(sklearn_dnn/components/\w+/)``", text))
    assert folder.startswith(family)
    found = re.findall(r"``((?:\w+/)*\w+\.py)``", text)
    own = f"{PAGES[page][1]}.py"
    for name in set(found) - {own}:
        there = ROOT / name if "/" in name else ROOT / folder / name
        assert there.is_file(), name
