"""Draw the house: rooms of the package on their floors, and who imports whom, as the code does.

``python .ci/house.py`` writes ``docs/images/house.svg``; ``--check`` tells whether it is as the
code is, and writes nothing.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, PICTURE = ROOT / "sklearn_dnn", ROOT / "docs" / "images" / "house.svg"

# Floor of each module, by the longest name that it begins with.
FLOORS = {
    "_compat": 0,
    "_version": 0,
    "_threads": 0,
    "_show_versions": 0,
    "_warnings": 0,
    "_files": 0,
    "_terminal": 0,
    "_interruption": 0,
    "_lockstep": 0,
    "_devices": 0,
    "_core": 0,  # the package itself, which holds nothing
    "components.base": 0,
    "components.registry": 0,
    "components": 1,
    "_core.messages": 2,
    "_core.specification": 2,
    "_core.data": 2,
    "_core.network": 3,
    "_core.training": 4,
    "_core.reading": 5,
    "callbacks": 5,
    "_core.fitted": 6,
    "_core.fitting": 7,
    "estimators": 8,
    "neural_network": 9,
    "model_selection": 10,
    "inspection": 10,
    "persistence": 10,
    "presets": 10,
    "datasets": 10,
    "compare": 11,
    "": 12,  # the package itself, which shows its best
    "accelerate": 13,  # commands over all of it
    "cli": 13,
    "__main__": 13,
}
# Modules that are drawn as one room.
ROOMS = {name: "_compat, _threads, ..." for name, floor in FLOORS.items() if floor == 0} | {
    "": "sklearn_dnn",
    "__main__": "cli, accelerate",
    "cli": "cli, accelerate",
    "accelerate": "cli, accelerate",
    "persistence": "presets, datasets, persistence",
    "presets": "presets, datasets, persistence",
    "datasets": "presets, datasets, persistence",
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."):
    path
    for path in sorted(PACKAGE.rglob("*.py"))
}  # fmt: skip


def place(module: str) -> str:
    """The entry of :data:`FLOORS` that a module belongs to."""
    known = [name for name in FLOORS if module == name or (module.startswith(f"{name}.") and name)]
    assert known, f"{module} stands on no floor"
    return max(known, key=len)


def floor(module: str) -> int:
    return FLOORS[place(module)]


def imports(module: str) -> Iterator[tuple[str | None, str]]:
    """(module within the package or None, full name) of everything a module imports."""
    is_package = MODULES[module].name == "__init__.py"
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                here = module.split(".") if is_package else module.split(".")[:-1]
                kept = here[: len(here) - node.level + 1]
                source = ".".join(p for p in ["sklearn_dnn", *kept, source] if p)
            names = [(source, alias.name) for alias in node.names]
        else:
            continue
        for source, name in names:
            top, _, inner = source.partition(".")
            if top != "sklearn_dnn":
                yield None, f"{source}.{name}".rstrip(".")
                continue
            deeper = f"{inner}.{name}".strip(".")
            yield (deeper if deeper in MODULES else inner), f"{source}.{name}"


def room(module: str) -> str:
    name = place(module)
    return ROOMS.get(name, name)


@cache
def rooms() -> dict[str, tuple[int, int, frozenset[str]]]:
    """Of each room its floor, its number of modules, and the rooms that it imports."""
    found: dict[str, tuple[int, int, set[str]]] = {}
    for module in MODULES:
        name = room(module)
        n, used = found.get(name, (0, 0, set()))[1:]
        used |= {room(source) for source, _ in imports(module) if source is not None}
        found[name] = (floor(module), n + 1, used - {name})
    return {name: (level, n, frozenset(used)) for name, (level, n, used) in found.items()}


def needed(name: str) -> frozenset[str]:
    """The rooms that a room imports, without those that one of these imports as well."""
    used = rooms()[name][2]
    return frozenset(u for u in used if not any(u in reached(other) for other in used - {u}))


@cache
def reached(name: str) -> frozenset[str]:
    """All rooms below."""
    used = rooms()[name][2]
    return used.union(*(reached(u) for u in used))


WIDTH, ROW, BOX = 760, 62, 34


def picture() -> str:
    """The drawing, as SVG."""
    levels = sorted({level for level, _, _ in rooms().values()}, reverse=True)
    where: dict[str, tuple[float, float, float]] = {}
    for row, level in enumerate(levels):
        names = sorted(name for name, (on, _, _) in rooms().items() if on == level)
        share = WIDTH / len(names)
        for i, name in enumerate(names):
            width = min(share - 14, max(120.0, 8.0 * len(label(name)) + 20))
            where[name] = (share * (i + 0.5), ROW * row + 20.0, width)
    height = ROW * len(levels) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img" '
        'aria-label="Rooms of the package on their floors; lines go down to what is imported">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for name, (x, y, _) in where.items():
        for other in sorted(needed(name)):
            to_x, to_y, _ = where[other]
            # what passes by rooms between goes around them
            around = 150 if to_y - y > ROW and abs(to_x - x) < 120 else 0
            middle = f"{(x + to_x) / 2 + around:.0f} {(y + BOX + to_y) / 2:.0f}"
            lines.append(
                f'<path d="M {x:.0f} {y + BOX:.0f} Q {middle} {to_x:.0f} {to_y:.0f}" '
                'fill="none" stroke="#7b8794"/>'
            )
    for name, (x, y, width) in where.items():
        fill = "#e8eef7" if name.startswith("_") else "#fbeedb"
        n = rooms()[name][1]
        lines += [
            f'<rect x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" '
            f'rx="4" fill="{fill}" stroke="#52606d"/>',
            f'<text x="{x:.0f}" y="{y + 15:.0f}" text-anchor="middle">{escape(label(name))}</text>',
            f'<text x="{x:.0f}" y="{y + 28:.0f}" text-anchor="middle" font-size="10" '
            f'fill="#52606d">{n} module{"s" * (n > 1)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def label(name: str) -> str:
    return name.replace("_core.", "_core/")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether it is up to date")
    drawn = picture()
    if not parser.parse_args().check:
        PICTURE.write_text(drawn, "utf-8")
    elif not PICTURE.exists() or PICTURE.read_text("utf-8") != drawn:
        print(f"{PICTURE.relative_to(ROOT)}: run `python .ci/house.py`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
