"""What all tests share."""

import os

import numpy as np
import pytest

from sklearn_dnn._core.specification import auto, machine

# examples call plt.show(), which waits for a person where there is a screen
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Run tests as users run the package, but for those that are marked ``plain``.

    What is marked so is of one parameter of a plain network, on small tables or large: "auto"
    stands for the plain values there. Around the whole of a test, since fixtures of a module are
    set up before those of a test.
    """
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("plain") is not None:
            patch.setattr(auto, "LEAST_ROWS", np.inf)
        else:
            # a second thread is a loss where other tests run beside
            patch.setattr(machine, "available_threads", lambda: 1)
        return (yield)
