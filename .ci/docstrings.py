"""Write the estimators' sections of parameters and attributes into their docstrings.

``python .ci/docstrings.py`` writes them, from the tables in ``sklearn_dnn/estimators``, as literal
text, which editors show; ``--check`` tells whether they stand there, and writes nothing.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sklearn_dnn import MLPClassifier, MLPRegressor  # noqa: E402 - of this checkout
from sklearn_dnn.estimators._attributes import ATTRIBUTES  # noqa: E402 - of this checkout
from sklearn_dnn.estimators._parameters import GROUPS  # noqa: E402 - of this checkout

WIDTH = 96
TEN = ":doc:`/user_guide/ten_parameters` has the ten to begin with."
BEGIN, END = "    Parameters stand in groups: ", "    See Also\n    --------\n"


def entry(head: str, text: str) -> str:
    """One entry of a section, indented as in the class."""
    filled = textwrap.fill(" ".join(text.split()), WIDTH - 8)
    return f"    {head}\n{textwrap.indent(filled, ' ' * 8)}\n"


def grouped(cls: Any) -> str:
    """The first and the last parameter of each group."""
    spans = []
    for name, group in GROUPS.items():
        own = [parameter for parameter in group if parameter in cls._parameters]
        spans.append(f"{name} (`{own[0]}` to `{own[-1]}`)")
    text = f"{BEGIN.strip()} {', '.join(spans[:-1])} and {spans[-1]}; {TEN}"
    return textwrap.indent(textwrap.fill(text, WIDTH - 4), " " * 4) + "\n"


def sections(cls: Any) -> str:
    """What is written of one estimator: the groups, and both sections."""
    signature = inspect.signature(cls).parameters
    parts = [grouped(cls), "\n    Parameters\n    ----------\n"]
    for name, parameter in cls._parameters.items():
        head = f"{name} : {parameter.kind}, default={signature[name].default!r}"
        parts += [entry(head, parameter.text), "\n"]
    parts.append("    Attributes\n    ----------\n")
    for attribute in ATTRIBUTES:
        if attribute.only in {None, cls.__name__}:
            parts.append(entry(f"{attribute.name} : {attribute.kind}", attribute.text))
    return "".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether they stand there")
    check = parser.parse_args().check
    stale = []
    for cls in (MLPClassifier, MLPRegressor):
        path = Path(inspect.getfile(cls))
        source = path.read_text("utf-8")
        begin = source.index(BEGIN, source.index(f"class {cls.__name__}"))
        new = source[:begin] + sections(cls) + source[source.index(END, begin) :]
        if new != source:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(new, "utf-8")
    if check and stale:
        print(f"{', '.join(map(str, stale))}: run `python .ci/docstrings.py`.", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
