"""Programs that use scikit-learn's networks, run as they are with those of the engine.

``python -m sklearn_dnn.accelerate script.py [arguments]`` runs a script in which
``sklearn.neural_network.MLPClassifier`` and ``MLPRegressor`` are those of
:mod:`sklearn_dnn.neural_network`; :func:`accelerate` does so for what a notebook imports from
then on. Nothing else of scikit-learn is touched.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from sklearn import neural_network as theirs

from . import neural_network as ours

NAMES = ("MLPClassifier", "MLPRegressor")


def accelerate() -> None:
    """Put the engine's networks in place of scikit-learn's, for imports to come; says so."""
    for name in NAMES:
        setattr(theirs, name, getattr(ours, name))
    print(
        "sklearn_dnn: MLPClassifier and MLPRegressor of sklearn.neural_network are those of "
        "sklearn_dnn.neural_network.",
        file=sys.stderr,
    )


def restore() -> None:
    """Put scikit-learn's own networks back; objects that were made stay what they are."""
    for name in NAMES:
        setattr(theirs, name, getattr(ours, name).__bases__[-1])


def main(arguments: list[str]) -> int:
    """Run a script with its arguments."""
    if not arguments or not Path(arguments[0]).is_file():
        got = f"Got {arguments[0]!r}, which is no file." if arguments else "Got nothing."
        print(
            f"usage: python -m sklearn_dnn.accelerate script.py [arguments]\n{got}",
            file=sys.stderr,
        )
        return 2
    script = str(Path(arguments[0]).resolve())
    accelerate()
    before = sys.argv, sys.path[:]
    sys.argv, sys.path[0] = [script, *arguments[1:]], str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before
        restore()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
