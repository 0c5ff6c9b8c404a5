"""Settings of the documentation."""

import re
from pathlib import Path

_root = Path(__file__).resolve().parent.parent

project = "sklearn_dnn"
author = "The sklearn_dnn developers"
project_copyright = f"2026, {author}"
release = re.search(r'"(.+)"\s*$', (_root / "sklearn_dnn/_version.py").read_text("utf-8"))[1]
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = False

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# The members stand on the page itself, in full; a second table of them would only repeat that.
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_dnn {release}"
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}

_foreign_role = re.compile(r":(?:ref|term|doc|arxiv|doi):`([^`<]+?)\s*(?:<[^`>]*>)?`")


def _unlink(*event):
    """Turn links into plain text: inherited docstrings point to pages of scikit-learn's manual."""
    lines = event[-1]
    # A link may run over a line break.
    lines[:] = _foreign_role.sub(r"\1", "\n".join(lines)).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", _unlink)
