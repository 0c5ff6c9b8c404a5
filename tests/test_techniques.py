"""The table of techniques says what there is, and what it names exists."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from sklearn_dnn import MLPClassifier, MLPRegressor, components
from sklearn_dnn.components import FAMILIES
from sklearn_dnn.components.base import Component
from sklearn_dnn.components.schedules import SCHEDULES

ROOT = Path(__file__).parents[1]
DATA = tomllib.loads((ROOT / "docs/techniques.toml").read_text("utf-8"))
ROWS = [(area, row) for area in DATA["titles"] for row in DATA[area]]
INSIDE = [row for area, row in ROWS if area != "out_of_scope"]
NAMES = sorted({name for row in INSIDE for name in row["by"]})
TESTS = sorted({name for row in INSIDE for name in row["tests"]})
ESTIMATORS = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
REGISTRIES = list(FAMILIES.values())


def load_pages():
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs/generated_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = load_pages()


def parts(name):
    """Dotted name, argument and its value: ``a.b(c='d')`` -> ("a.b", "c", "d")."""
    dotted, argument, value = re.fullmatch(r"([\w.]+)(?:\((\w+)=(.*)\))?", name).groups()
    return dotted, argument, value


def given(value):
    """The value of a parameter as it was written, components included."""
    return eval(
        value, {"__builtins__": {}}, {n: getattr(components, n) for n in components.__all__}
    )


def imported(dotted):
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def attributes(cls):
    """Fitted attributes that the docstring of an estimator tells of."""
    said = inspect.getdoc(cls).split("Attributes\n----------")[1].split("See Also")[0]
    heads = re.findall(r"^(\w+_(?:, \w+_)*) :", said, flags=re.MULTILINE)
    return {name for head in heads for name in head.split(", ")}


def check_estimator(cls, rest, argument, value):
    if not rest:
        assert argument in cls._parameters
        if value:
            cls(**{argument: given(value)})._validate_params()
    elif rest[0].endswith("_"):
        assert rest[0] in attributes(cls)
        assert argument is None
    else:
        method = inspect.getattr_static(cls, rest[0])
        assert not rest[0].startswith("_")
        if argument is not None:
            assert not value
            assert argument in inspect.signature(getattr(method, "fn", method)).parameters


@cache
def text_of(page):
    """A page of the documentation in lower case, with single spaces."""
    path = ROOT / "docs" / f"{page}.rst"
    head, _, family = page.partition("/")
    assert path.is_file() or head == "families"
    text = path.read_text("utf-8") if path.is_file() else PAGES.family_page(family)
    return " ".join(text.lower().split())


def failures(check, names):
    """What is wrong with each of the names for which the check fails."""
    found = {}
    for name in names:
        try:
            check(name)
        except Exception as error:  # of whatever kind: each is a name that leads nowhere
            found[name] = repr(error)
    return found


def test_what_delivers_it_exists():
    assert failures(check_what_delivers, NAMES) == {}


def test_a_name_that_leads_nowhere_is_found():
    wrong = [
        "MLPClassifier(no_such=)",
        "MLPClassifier(norm='no_such')",
        "MLPClassifier.fit(no_such=)",
        "MLPClassifier.no_such_",
        "docs:install(no such words)",
        "example:no_such",
        "sklearn_dnn.no_such.Thing",
        "sklearn_dnn.components.NoSuch",
    ]
    assert list(failures(check_what_delivers, wrong)) == wrong
    assert list(failures(check_what_proves, ["tests/test_techniques.py::test_no_such"]))


def check_what_delivers(name):
    if name.startswith("docs:"):
        page, words = re.fullmatch(r"docs:([\w/]+)\((.+)\)", name).groups()
        assert words.lower() in text_of(page)
        return
    if name.startswith("example:"):
        assert len(list((ROOT / "examples").glob(f"*/{name.removeprefix('example:')}.py"))) == 1
        return
    dotted, argument, value = parts(name)
    root, *rest = dotted.split(".")
    if root in ESTIMATORS:
        check_estimator(ESTIMATORS[root], rest, argument, value)
        return
    assert root in {"sklearn_dnn", "sklearn"}
    if dotted.startswith("sklearn.model_selection.Halving"):
        importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    thing = imported(dotted)
    public = importlib.import_module(dotted.rpartition(".")[0])
    if root == "sklearn_dnn" and public.__name__ != "sklearn_dnn.presets":
        assert rest[-1] in public.__all__
    if argument is not None:
        assert not value
        assert argument in inspect.signature(thing).parameters


@cache
def functions(path):
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_what_proves_it_exists():
    assert failures(check_what_proves, TESTS) == {}


def check_what_proves(name):
    path, _, function = name.partition("::")
    assert path.startswith("tests/")
    assert function.startswith("test_")
    assert function in functions(path)


def test_no_cell_is_empty():
    for area, row in ROWS:
        assert row["what"].strip()
        expected = {"class", "what"} | (set() if area == "out_of_scope" else {"by", "tests"})
        assert set(row) == expected, row
        for cell in ("by", "tests"):
            if area != "out_of_scope":
                assert row[cell]
                assert len(set(row[cell])) == len(row[cell]), row
        assert "planned" not in f"{row}".lower()
    said = [row["what"] for _, row in ROWS]
    assert len(set(said)) == len(said)
    assert set(DATA) == {"counts", "titles", *DATA["titles"]}


def test_counts_by_class():
    assert DATA["counts"] == Counter(row["class"] for _, row in ROWS)
    for area, row in ROWS:
        assert (row["class"] == "out of scope") == (area == "out_of_scope")
        assert (row["class"] == "beyond") == (area == "beyond")


def test_every_parameter_has_a_row():
    named = {parts(n)[1] for n in NAMES if parts_of_estimator(n)}
    wanted = set(MLPClassifier._parameters) | set(MLPRegressor._parameters)
    assert named == wanted, f"docs/techniques.toml: add {wanted - named}, take out {named - wanted}"


def parts_of_estimator(name):
    return re.match(r"(MLPClassifier|MLPRegressor)\(", name) is not None


def named_in_rows(registry):
    """The registered names that rows tell of, by name or by class."""
    names = set()
    for name in NAMES:
        if ":" in name.split("(")[0]:
            continue
        dotted, argument, value = parts(name)
        if dotted.startswith("sklearn_dnn.components."):
            cls = imported(dotted)
            names |= {known for known in registry if registry[known] is cls}
        elif dotted in ESTIMATORS and argument == registry.family and value:
            value = given(value)
            listed = value if isinstance(value, list | tuple) else [value]
            names |= {v for v in listed if isinstance(v, str)}
            names |= {registry.name_of(v) for v in listed if isinstance(v, Component)}
    return names


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda r: r.family)
def test_every_registered_name_has_a_row(registry):
    missing = set(registry) - named_in_rows(registry)
    assert not missing, f"add {missing} to a row of docs/techniques.toml"


def test_every_public_component_and_function_has_a_row():
    text = " ".join(NAMES)
    for module in ("components", "inspection", "callbacks"):
        public = importlib.import_module(f"sklearn_dnn.{module}")
        for name in public.__all__:
            thing = getattr(public, name)
            registered = any(thing in registry.classes.values() for registry in REGISTRIES)
            result = name in RESULTS
            assert registered or result or f"sklearn_dnn.{module}.{name}" in text, name
    for name in importlib.import_module("sklearn_dnn.presets").PRESETS:
        assert f"sklearn_dnn.presets.{name}" in text


def test_every_example_has_a_row():
    programs = {f"example:{path.stem}" for path in (ROOT / "examples").glob("*/plot_*.py")}
    assert programs <= set(NAMES)


# What functions return, and a look at what a function gives already.
RESULTS = {
    "Answers",
    "BiasVariance",
    "Check",
    "Coverage",
    "Diagnosis",
    "InitialLoss",
    "SanityReport",
    "TinySubset",
    "activations",
}


def test_the_page_has_every_row():
    page = PAGES.techniques_page(DATA)
    for _, row in ROWS:
        assert row["what"] in page
    for name in TESTS:
        assert f"``{name}``" in page


@pytest.mark.parametrize("family", PAGES.FAMILIES)
def test_the_page_of_a_family_has_every_name(family):
    page = PAGES.family_page(family)
    registry = FAMILIES[PAGES.FAMILIES[family].parameter]
    assert list(registry) == re.findall(r"\* - ``\"(\w+)\"``", page)
    assert len({registry.family for registry in REGISTRIES}) == len(PAGES.FAMILIES)


def test_pages_are_written_once(tmp_path):
    paths = PAGES.write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in paths}
    assert {p.relative_to(tmp_path).with_suffix("").as_posix() for p in paths} >= PAGES.WRITTEN
    assert {path: path.stat().st_mtime_ns for path in PAGES.write(tmp_path)} == before


def test_pictures_of_schedules_follow_the_factor():
    picture = PAGES.schedule_picture(SCHEDULES["linear"](final_factor=0.0))
    points = [
        tuple(map(float, p.split(","))) for p in re.search(r'points="(.*?)"', picture)[1].split()
    ]
    assert points[0] == (2.0, 2.0)
    assert points[-1][0] == 118.0
    heights = [y for _, y in points]
    assert heights == sorted(heights)  # down in the picture is up in its numbers
