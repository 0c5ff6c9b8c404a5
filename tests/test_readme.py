"""Every Python block of the README, and every example, runs as it stands."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from matplotlib import pyplot

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
EXAMPLES = sorted((ROOT / "examples").glob("*/*.py"))

# Short fits, as a reader wants them, do not converge.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # what some examples show
    pytest.mark.filterwarnings("ignore:input_scaling=None, but columns of X:UserWarning"),
]


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    pyplot.close("all")


def test_there_is_something_to_run():
    assert len(BLOCKS) >= 4
    assert EXAMPLES


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readme_block(block, capsys):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip()


# The documentation runs all of them, too.
BY_DEFAULT = ("plot_gradient_clipping", "plot_iris", "plot_raw_table", "plot_xor")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in BY_DEFAULT else pytest.mark.slow)
        for path in EXAMPLES
    ],
)
def test_example(path, capsys, monkeypatch):
    monkeypatch.setenv("SKLEARN_DNN_QUICK", "1")
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()
