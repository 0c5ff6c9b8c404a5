"""Settings of the documentation."""

import re
import sys
import warnings
from pathlib import Path

from docutils import nodes

# The gallery looks up what its examples import, also where it does not run them.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sphinx import addnodes

# Short fits, as a reader wants them, do not converge; their warnings would fill the gallery.
warnings.filterwarnings("ignore", message="Maximum iterations")

_root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_root / "docs"))

import gallery  # noqa: E402 - found by the path above
import generated_pages  # noqa: E402

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
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
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

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "subsection_order": [f"../examples/{group}" for group in gallery.GROUPS],
    "within_subsection_order": "gallery.place",
    "default_thumb_file": str(_root / "docs/images/stack.svg"),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib",),
    "min_reported_time": 3600,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_dnn {release}"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sklearn_dnn"},
    # All of the top level stands in the bar, and nothing in a menu called "More".
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
# Pages that have none below them need no column for it.
html_sidebars = {page: [] for page in ("index", "install", "getting_started")}

_foreign_role = re.compile(r":(?:ref|term|doc|arxiv|doi):`([^`<]+?)\s*(?:<[^`>]*>)?`")


def _unlink(*event):
    """Turn links into plain text: inherited docstrings point to pages of scikit-learn's manual."""
    lines = event[-1]
    # A link may run over a line break.
    lines[:] = _foreign_role.sub(r"\1", "\n".join(lines)).split("\n")


def _write_pages(app, _config):
    generated_pages.write(Path(app.srcdir))


def _label_parameters(app, doctree):
    """Let links lead to single parameters of the estimators, which numpydoc only lists."""
    labels = app.env.domains.standard_domain
    for page in doctree.findall(addnodes.desc):
        name = page[0].get("fullname")
        if name not in generated_pages.ESTIMATORS:
            continue
        # of the class itself: its methods, further down, have parameters, too
        listed = [field for part in page[1].children for field in fields_of(part)]
        for term in (term for field in listed for term in field.findall(nodes.term)):
            parameter = term.next_node(nodes.strong).astext()
            label = generated_pages.parameter_label(name, parameter)
            term["ids"].append(label.replace(".", "-"))
            labels.note_hyperlink_target(label, app.env.docname, term["ids"][0], parameter)


def fields_of(part):
    """The fields of a list that have the heading of parameters."""
    fields = part.children if isinstance(part, nodes.field_list) else []
    return [field for field in fields if field[0].astext() == "Parameters"]


def setup(app):
    app.connect("doctree-read", _label_parameters)
    app.connect("config-inited", _write_pages)
    app.connect("autodoc-process-docstring", _unlink)
