"""Modules stand on floors, and what may be imported where."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import re
import sys
from importlib import resources
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "house.py"
SPEC = importlib.util.spec_from_file_location("house", SCRIPT)
house = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(house)
FLOORS, MODULES, floor, imports = house.FLOORS, house.MODULES, house.floor, house.imports
TOOLS = FLOORS["inspection"]


def test_imports_are_read_as_python_reads_them():
    assert ("_compat", "sklearn_dnn._compat.Interval") in set(imports("components.stopping"))
    core = "sklearn_dnn._core"
    known = set(imports("_core.network.kernels"))
    assert ("_core.specification", f"{core}.specification.FitSpec") in known
    known = set(imports("_core.data.batches"))
    assert ("_core.data.features", f"{core}.data.features.Features") in known
    assert (None, "torch.Tensor") in set(imports("_core.training.step"))


def test_every_floor_is_lived_on():
    assert set(map(house.place, MODULES)) == set(FLOORS)


def test_the_drawing_is_of_the_code(monkeypatch):
    """``python .ci/house.py`` draws it."""
    monkeypatch.setattr(sys, "argv", ["house.py", "--check"])
    assert house.main() == 0


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_floor_or_below(module):
    for source, name in imports(module):
        if source is not None:
            assert source in MODULES, name
            assert floor(source) <= floor(module), f"{module} imports {name} from above"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("components.")])
def test_families_of_components_do_not_import_each_other(module):
    own = module.removeprefix("components.")
    family = f"components.{own.split('.')[0]}"
    allowed = {f"components.{name}" for name in ("base", "foreign", "registry")}
    allowed |= {"_compat", "_warnings"}
    used = {source for source, _ in imports(module) if source is not None} - allowed
    assert all(source == family or source.startswith(f"{family}.") for source in used)


def test_no_imports_run_in_a_circle():
    used = {m: {s for s, _ in imports(m) if s in MODULES and s != m} for m in MODULES}
    graphlib.TopologicalSorter(used).prepare()


def test_tools_do_not_import_each_other():
    for module in (m for m in MODULES if floor(m) == TOOLS):
        others = {
            s.split(".")[0] for s, _ in imports(module) if s is not None and floor(s) == TOOLS
        }
        assert others <= {module.split(".")[0]}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "_compat"])
def test_private_names_of_others_enter_by_one_door(module):
    private = re.compile(r"(^|\.)_(?!_)")
    outside = [name for source, name in imports(module) if source is None]
    assert not [name for name in outside if private.search(name)]
    tops = {name.split(".")[0] for name in outside}
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and private.match(node.attr):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            assert not (isinstance(root, ast.Name) and root.id in tops), ast.unparse(node)


def test_the_estimators_alone_know_scikit_learns_estimator_api():
    for module in MODULES:
        if floor(module) in {1, 3, 4}:
            others = {name for source, name in imports(module) if source is None}
            assert not {name for name in others if name.split(".")[0] == "sklearn"}, module


def test_modules_import_without_extras():
    extras = {"tqdm", "polars", "skops", "dask", "distributed", "matplotlib", "pyarrow"}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {a.name for a in node.names} | {getattr(node, "module", None) or ""}
                assert not {name.split(".")[0] for name in names} & extras, module


def test_package_is_typed():
    assert resources.files("sklearn_dnn").joinpath("py.typed").is_file()
