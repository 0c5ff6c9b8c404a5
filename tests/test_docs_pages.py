"""The documentation's front door: what it lists is all there is, and its first programs run."""

from __future__ import annotations

import importlib
import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

from sklearn_dnn import MLPRegressor

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def load_gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gallery_has_a_place_for_every_program():
    gallery = load_gallery()
    for group, names in gallery.GROUPS.items():
        folder = ROOT / "examples" / group
        assert {path.stem for path in folder.glob("*.py")} == set(names), group
        assert (folder / "README.rst").is_file()
    programs = [path.name for path in (ROOT / "examples").glob("*/*.py")]
    assert sorted(map(gallery.place, programs)) == list(range(len(programs)))


@pytest.mark.parametrize(
    "name", ["callbacks", "compare", "datasets", "inspection", "model_selection"]
)
def test_the_reference_names_all_that_is_public(name):
    text = (DOCS / "api.rst").read_text("utf-8")
    public = importlib.import_module(f"sklearn_dnn.{name}").__all__
    assert not [one for one in public if not re.search(rf"\b{one}\b", text)]


def run_programs(page):
    """Run the Python blocks of a page as one program; how many there were."""
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)
    names = {}
    for block in blocks:
        exec(textwrap.dedent(block), names)
    return len(blocks)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_programs_of_getting_started_run(capsys):
    assert run_programs("getting_started.rst") == 4
    assert "sklearn_dnn" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_ten_that_matter():
    text = (DOCS / "user_guide/ten_parameters.rst").read_text("utf-8")
    numbered = re.findall(r"^\d+\. ``(\w+)``", text, re.MULTILINE)
    assert len(numbered) == 10
    assert set(numbered) <= set(MLPRegressor().get_params())
    assert run_programs("user_guide/ten_parameters.rst") == 1
