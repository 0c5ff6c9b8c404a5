"""The documentation's front door: what it lists is all there is, and its first programs run."""

from __future__ import annotations

import importlib
import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_programs_of_getting_started_run(capsys):
    text = (DOCS / "getting_started.rst").read_text("utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)
    names = {}
    for block in blocks:
        exec(textwrap.dedent(block), names)  # one program, its parts in order
    assert len(blocks) == 4
    assert "sklearn_dnn" in capsys.readouterr().out
