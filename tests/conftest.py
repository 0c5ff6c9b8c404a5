"""What all tests share."""

import os

import numpy as np
import pytest

from sklearn_dnn._core.specification import auto, machine

# examples call plt.show(), which waits for a person where there is a screen
os.environ.setdefault("MPLBACKEND", "Agg")

LEAST_ROWS = auto.LEAST_ROWS
# Tests of a single dial are of plain networks, small tables or large.
auto.LEAST_ROWS = np.inf


@pytest.fixture(autouse=True)
def recipe_where_marked(request, monkeypatch):
    """Let the recipe for tables choose in tests that are marked so.

    With one thread: a second one is a loss where other tests run beside.
    """
    if request.node.get_closest_marker("recipe") is not None:
        monkeypatch.setattr(auto, "LEAST_ROWS", LEAST_ROWS)
        monkeypatch.setattr(machine, "available_threads", lambda: 1)
