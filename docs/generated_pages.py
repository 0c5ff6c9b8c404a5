"""Pages that are written when the documentation is built: families, parameters, techniques."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import sklearn_dnn
from sklearn_dnn import components
from sklearn_dnn.components import optimizers
from sklearn_dnn.estimators._parameters import GROUPS, Parameter

HERE = Path(__file__).parent


class Family(NamedTuple):
    """What the page of one family says.

    Parameters
    ----------
    title : str
    parameter : str
        What of the estimators takes it.
    lead : str
        First paragraph.
    """

    title: str
    parameter: str
    lead: str


FAMILIES = {
    "activations": Family(
        "Activations",
        "activation",
        "Functions of the hidden layers: one for all, or a sequence with one a layer. A "
        "function of tensors and a class of ``torch.nn`` are taken, too. The regressor's "
        "``output_activation`` takes those that learn nothing and draw nothing, and ``Bounded``, "
        "which stretches one to other bounds. "
        ":doc:`../auto_examples/networks/plot_activations` draws them.",
    ),
    "initializers": Family(
        "Initializers",
        "initializer",
        "How weights start: one for all layers, or a sequence with one a weight matrix, the "
        'output\'s the last. ``"auto"`` takes the one that the table of :doc:`activations` pairs '
        "with each layer's activation, and Glorot's uniform one for the output. "
        '``bias_initializer`` takes them too, or a number, or ``"prior"``.',
    ),
    "norms": Family(
        "Norms",
        "norm",
        'Normalisation of each hidden layer. ``"auto"`` is batch norm from four hidden layers on, '
        "and none with selu. ``input_scaling`` takes a norm, too, which then stands in front of "
        "the first layer.",
    ),
    "dropouts": Family(
        "Dropouts",
        "dropout",
        "Noise behind the hidden layers while they are trained: a rate, a name (with its default "
        "rate), a component, or a sequence with one a hidden layer. ``input_dropout`` is a rate "
        'alone. ``Scheduled(0.2, "linear")`` in the place of a rate changes it with time '
        "(:ref:`scheduled`).",
    ),
    "embeddings": Family(
        "Embeddings",
        "numeric_embedding",
        "Several numbers in the place of each column of numbers, in front of the first layer and "
        "behind ``input_scaling``. What they learn is neither penalised nor decayed, and is in "
        "``embeddings_``.",
    ),
    "losses": Family(
        "Losses",
        "loss",
        "What is minimised. A loss owns its link, which turns raw outputs into predictions. A "
        "function of raw outputs and targets that gives the loss of each row, and a loss class of "
        "``torch.nn``, are taken, too; see :doc:`../adding_a_loss`.",
    ),
    "optimizers": Family(
        "Optimizers",
        "optimizer",
        "Rules that turn a gradient into a step. The usual rate is what "
        '``learning_rate_init="auto"`` takes. Rules that are not stacked are trained one network '
        "after another where others train many at once; that changes the time only. In short: "
        "plain descent is slow and ends well with a schedule, momentum and Nesterov's are faster "
        "and end as well, Adagrad is fast and may stop too early, RMSprop and Adam's kind are "
        "fast. If one of these makes trouble, try Nesterov's momentum.",
    ),
    "schedules": Family(
        "Schedules",
        "schedule",
        "How a number changes with time: a factor on ``learning_rate_init``, or, in "
        "``Scheduled(value, schedule)``, on a momentum, a rate of dropout or a decay "
        "(:ref:`scheduled`). All times are in epochs. The little curves show the "
        "factor, from 0 up, over 30 epochs, for the defaults; that of ``performance`` is for a "
        "loss that falls for ten epochs. :doc:`../auto_examples/training/plot_schedules` draws "
        "some in full, and a function may be one; see :doc:`../adding_a_schedule`.",
    ),
    "constraints": Family(
        "Constraints",
        "constraint",
        "What each layer's weights are brought back to after every step. Biases are left alone.",
    ),
    "augmentations": Family(
        "Augmentations",
        "augmentation",
        "What happens to each batch before it is learnt from; a sequence is applied in order. A "
        "function of your own may be one. It must keep the target: a six that is turned by 180 "
        "degrees is a nine.",
    ),
    "curricula": Family(
        "Curricula",
        "curriculum",
        "Which rows an epoch draws while training is young, by the ``difficulty`` given to "
        "``fit``, a number for each row.",
    ),
    "topologies": Family(
        "Topologies",
        "topology",
        "How hidden layers are joined to each other and to the output.",
    ),
}

# Pages of this folder that exist only once they are written.
WRITTEN = {"techniques", "families/parameters", *(f"families/{name}" for name in FAMILIES)}

# Each group of parameters: its heading, and the chapters that explain it.
HEADINGS = {
    "network": ("The network", ":doc:`../user_guide/network`"),
    "noise": ("Noise while it learns", ":doc:`../user_guide/regularization`"),
    "learning": (
        "How it learns",
        ":doc:`../user_guide/training`, :doc:`../user_guide/regularization`",
    ),
    "stopping": ("When it ends", ":doc:`../user_guide/early_stopping`"),
    "table": ("How the table is read", ":doc:`../user_guide/tables`, :doc:`../user_guide/data`"),
    "ensemble": ("Several networks", ":doc:`../user_guide/ensembles`"),
    "machine": (
        "The machine, chance, going on",
        ":doc:`../user_guide/estimators`, :doc:`../reproducibility`, :doc:`../performance`",
    ),
}

ESTIMATORS = ("MLPClassifier", "MLPRegressor")


def write(folder: Path) -> list[Path]:
    """Write all pages into `folder`; files that would not change keep their time.

    Returns
    -------
    list of Path
        All files, changed or not.
    """
    pages = {
        "techniques.rst": techniques_page(read_techniques()),
        "families/parameters.rst": parameters_page(),
    }
    for name in FAMILIES:
        pages[f"families/{name}.rst"] = family_page(name)
    for name, cls in _registry("schedules").classes.items():
        pages[f"families/schedule_{name}.svg"] = schedule_picture(cls())
    paths = []
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
        paths.append(path)
    return paths


def _registry(family: str) -> Any:
    return components.FAMILIES[FAMILIES[family].parameter]


def _heading(text: str, line: str) -> list[str]:
    return [text, line * len(text), ""]


def _table(header: list[str], widths: list[int], rows: list[list[str]]) -> list[str]:
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in [header, *rows]:
        for i, cell in enumerate(row):
            text = "\n       ".join(cell.split("\n"))
            lines.append(f"   {'*' if i == 0 else ' '} - {text}".rstrip())
    return [*lines, ""]


# Families of components


def family_page(family: str) -> str:
    """The page of one family, in reStructuredText."""
    about = FAMILIES[family]
    header, widths = COLUMNS.get(family, (["Parameters"], [30]))
    rows = []
    for name, cls in _registry(family).classes.items():
        said = " ".join(inspect.getdoc(cls).split("\n\n")[0].split())
        link = f":class:`~sklearn_dnn.components.{family}.{cls.__name__}`"
        rows.append([f'``"{name}"``', link, said, *CELLS.get(family, _parameters)(cls)])
    lines = [
        *_heading(about.title, "="),
        f"``{about.parameter}``: {about.lead}",
        "",
        *_table(["Name", "Class", "What it is", *header], [14, 18, 40, *widths], rows),
        *_heading("Reference", "-"),
        "The classes are importable from ``sklearn_dnn.components``, too.",
        "",
        f".. automodule:: sklearn_dnn.components.{family}",
        "   :members:",
        "   :show-inheritance:",
        "",
    ]
    return "\n".join(lines)


def _defaults(cls: type) -> str:
    signature = inspect.signature(cls).parameters.values()
    return ", ".join(f"``{p.name}={p.default!r}``" for p in signature) or "none"


def _parameters(cls: type) -> list[str]:
    return [_defaults(cls)]


def _number(value: float) -> str:
    known = {math.inf: "∞", -math.inf: "-∞"}
    return known.get(value, f"{value:.4g}")


def _activation(cls: type) -> list[str]:
    component = cls()
    low, high = component.range
    more = [
        word
        for word, holds in (
            ("learns", bool(component.parameter_starts)),
            ("random", component.noisy),
            ("two inputs a unit", component.inputs_per_unit == 2),
        )
        if holds
    ]
    return [
        f"{_number(low)} to {_number(high)}",
        "yes" if component.smooth else "no",
        component.saturates,
        "odd" if component.odd else "none",
        f"``{component.initializer}``",
        _defaults(cls),
        ", ".join(more) or "-",
    ]


def _loss(cls: type) -> list[str]:
    component = cls()
    kinds = [kind for kind in KINDS if kind in component.kinds]
    links = {kind: component.bind(kind).out_activation for kind in kinds}
    distinct = list(dict.fromkeys(links.values()))
    link = distinct[0] if len(distinct) == 1 else ", ".join(f"{k}: {v}" for k, v in links.items())
    return [", ".join(kinds), link, _defaults(cls)]


KINDS = ("regression", "binary", "multiclass", "multilabel")


def _optimizer(cls: type) -> list[str]:
    component: optimizers.Optimizer = cls()
    rate = "finds its own" if not component.follows_rate else f"{component.default_rate:g}"
    return [rate, _defaults(cls), "yes" if component.stackable else "no"]


def _schedule(cls: type) -> list[str]:
    name = _registry("schedules").name_of(cls())
    picture = f".. image:: schedule_{name}.svg\n   :alt: factor of {name} over 30 epochs"
    return [_defaults(cls), picture]


COLUMNS = {
    "activations": (
        ["Range", "Smooth", "Flat", "Symmetry", "Paired initializer", "Parameters", "Also"],
        [12, 8, 8, 8, 14, 18, 12],
    ),
    "losses": (["Tasks", "Link", "Parameters"], [20, 18, 22]),
    "optimizers": (["Usual rate", "Parameters", "Stacked"], [10, 34, 8]),
    "schedules": (["Parameters", "Factor"], [32, 16]),
}
CELLS = {
    "activations": _activation,
    "losses": _loss,
    "optimizers": _optimizer,
    "schedules": _schedule,
}


def schedule_picture(schedule: Any, n_epochs: int = 30, steps: int = 10) -> str:
    """The curve of a schedule as a small SVG."""
    losses = None
    if schedule.watches_loss:
        losses = [max(1.0 - 0.1 * epoch, 0.0) for epoch in range(n_epochs)]
    factors = schedule.curve(n_epochs, steps, losses)
    x = np.linspace(2, 118, len(factors))
    y = 38 - 36 * factors / max(1.0, factors.max())
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40" viewBox="0 0 120 40">'
        '<path d="M2 2V38H118" fill="none" stroke="#999" stroke-width="1"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="1.5"/></svg>\n'
    )


# Parameters


def parameters_page() -> str:
    """The page of all parameters of the estimators, in reStructuredText."""
    lines = [
        *_heading("All parameters, in seven groups", "="),
        "What the two estimators take, in the order of their signatures, in groups by what a "
        "parameter acts on. Each name leads to its entry in the reference, which says all that it "
        "takes. :doc:`../user_guide/ten_parameters` tells which to set first.",
        "",
    ]
    for group, (title, chapters) in HEADINGS.items():
        rows = [[*_entry(name), _sentence(name, each)] for name, each in GROUPS[group].items()]
        lines += [
            *_heading(title, "-"),
            f"Chapters: {chapters}.",
            "",
            *_table(["Parameter", "Default", "What it is"], [24, 22, 54], rows),
        ]
    assert set(HEADINGS) == set(GROUPS)
    return "\n".join(lines)


def _entry(name: str) -> list[str]:
    """A parameter's name as a link, and its default."""
    signatures = {e: inspect.signature(getattr(sklearn_dnn, e)).parameters for e in ESTIMATORS}
    having = {e: s[name] for e, s in signatures.items() if name in s}
    owner = next(iter(having))
    link = f":ref:`{name} <{parameter_label(owner, name)}>`"
    if len(having) < len(ESTIMATORS):
        link += f"\n({owner.removeprefix('MLP').lower()})"
    defaults = list(dict.fromkeys(f"``{_quoted(p.default)}``" for p in having.values()))
    if len(defaults) > 1:
        defaults[1] = f"of a regressor {defaults[1]}"
    return [link, ", ".join(defaults)]


def parameter_label(estimator: str, name: str) -> str:
    """The label of a parameter's entry in the reference."""
    return f"{estimator}.{name}".lower()


def _quoted(default: object) -> str:
    return f'"{default}"' if isinstance(default, str) else repr(default)


def _sentence(name: str, parameter: Parameter) -> str:
    """The first sentence of a parameter's text, and where its components are."""
    said = re.split(r"(?<=[.;])\s", " ".join(parameter.text.split()))[0]
    said = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", said.rstrip(".;"))
    families = [family for family, about in FAMILIES.items() if about.parameter == name]
    more = "".join(f" Components: :doc:`{family}`." for family in families)
    return f"{said}.{more}"


# Techniques


def read_techniques() -> dict[str, Any]:
    """The data file as it stands."""
    return tomllib.loads((HERE / "techniques.toml").read_text("utf-8"))


def techniques_page(data: dict[str, Any]) -> str:
    """The page of all techniques, in reStructuredText."""
    counts = data["counts"]
    lines = [
        *_heading("What a course on training deep networks teaches, and where it is here", "="),
        "Courses and books on the training of deep networks agree on most of what there is to "
        "choose. This page goes through it, area by area: what is taught, what delivers it here "
        "(a parameter, a component, a function, a page, or scikit-learn), and the test that "
        f"proves it. Of its rows {counts['core']} are core, without which this would be no "
        f"package for such a course, {counts['expected']} are expected, {counts['further']} go "
        f"further, and {counts['beyond']} are beyond what courses ask for. Where sources "
        "contradict each other or a formula is often quoted wrongly, the definition of the "
        "original paper is here. The page is written from one file, "
        "``docs/techniques.toml``, and a test holds every name in it to the package.",
        "",
    ]
    for area, title in data["titles"].items():
        lines += _heading(title, "-")
        if area == "out_of_scope":
            lines += [f"* {row['what']}" for row in data[area]]
            continue
        rows = [
            [
                row["what"],
                ", ".join(map(_reference, row["by"])),
                ", ".join(f"``{name}``" for name in row["tests"]),
                row["class"],
            ]
            for row in data[area]
        ]
        lines += _table(["Technique", "Here", "Proved by", "Class"], [38, 30, 26, 6], rows)
    return "\n".join(lines) + "\n"


def _reference(name: str) -> str:
    """A name of the data file as a link where there is a page to link to."""
    if name.startswith("docs:"):
        return f":doc:`{name.removeprefix('docs:').partition('(')[0]}`"
    if name.startswith("example:"):
        return f":doc:`auto_examples/{_example(name.removeprefix('example:'))}`"
    dotted = re.match(r"[\w.]+", name)[0]
    root, *rest = dotted.split(".")
    if root in ESTIMATORS:
        target = ".".join([f"sklearn_dnn.{root}", *rest[:1]])
        is_method = bool(rest) and not rest[0].endswith("_")
        role, target = ("meth", target) if is_method else ("class", f"sklearn_dnn.{root}")
        return f":{role}:`{name} <{target}>`"
    if dotted.startswith("sklearn_dnn.components."):
        defined = _family_of(rest[-1])
        shown = name.removeprefix("sklearn_dnn.components.")
        return f":class:`{shown} <{defined}>`"
    if dotted.startswith("sklearn_dnn."):
        thing = getattr(importlib.import_module(dotted.rpartition(".")[0]), rest[-1])
        if inspect.isclass(thing) or inspect.isfunction(thing):
            role = "class" if inspect.isclass(thing) else "func"
            return f":{role}:`{name.removeprefix('sklearn_dnn.')} <{dotted}>`"
    return f"``{name}``"


def _example(name: str) -> str:
    """Group and name of a program of the gallery."""
    examples = HERE.parent / "examples"
    return next(examples.glob(f"*/{name}.py")).relative_to(examples).with_suffix("").as_posix()


def _family_of(name: str) -> str:
    """Where the documentation of a component stands: the public module that defines it."""
    module = getattr(components, name).__module__
    return f"{re.sub(r'[.]_.*', '', module)}.{name}"
