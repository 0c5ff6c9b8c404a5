"""A comparison as one self-contained HTML page, which loads nothing and runs no script."""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from .._compat import offers
from ._figures import Figures
from ._pictures import pictures
from ._style import require_matplotlib
from ._words import escaped, score_hint, score_name, score_sign

NOISE = 0.05  # the p-value above which a difference is called noise
LONGEST_REPR = 20_000


def html(comparison: Figures) -> str:
    """Write a comparison as one page.

    Parameters
    ----------
    comparison : Figures
        Such as `compare_models` returns.

    Returns
    -------
    page : str
        HTML5 with its style and its pictures (SVG) within it: it loads nothing from elsewhere and
        holds no script. Some pictures fit the best model and ours again, which takes about as
        long as two more folds of each.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    """
    require_matplotlib()
    title = f"Comparison of models on {escaped(comparison.target)}"
    style = files(__package__).joinpath("_report.css").read_text(encoding="utf-8")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Should a name ever slip through unescaped, the browser would still not run it.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">",
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
        f"<h1>{title}</h1>\n{_facts(comparison)}",
        *_results(comparison),
        _notes(comparison),
        _settings(comparison),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _results(comparison: Figures) -> list[str]:
    if not comparison.ranking:
        return ['<section class="headline"><p>No model has a result.</p></section>']
    return [_headline(comparison), _table(comparison), pictures(comparison)]


def _number(value: float, like: float | None = None) -> str:
    """Four figures, or as many decimals as ``like`` has; a dash where there is no number."""
    if not np.isfinite(value):
        return "\N{EN DASH}"
    size = abs(value if like is None or not np.isfinite(like) else like)
    decimals = 4 if size < 1 else max(0, 3 - int(np.log10(size)))
    if 0 < size < 1e-3:
        return f"{value:.2g}"
    return f"{value:,.{decimals}f}"


def _three(value: float) -> str:
    return _number(value) if not 0 <= value < 10 else f"{value:.3f}"


def _facts(comparison: Figures) -> str:
    kinds = {"regression": "numbers", "binary": "two classes", "multiclass": "classes"}
    rows, columns = comparison.X.shape
    return (
        f'<p class="facts">{rows:,} rows, {columns:,} columns, a target of '
        f"{kinds[comparison.task]}, {len(comparison.ranking)} models, "
        f"{len(comparison.folds)} folds, sorted by {escaped(score_name(comparison.scoring[0]))} "
        f"({score_hint(comparison.scoring[0])})</p>"
    )


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the folds that have a score."""
    seen = np.asarray(values, dtype=float)
    seen = seen[np.isfinite(seen)]
    mean = seen.mean() if seen.size else np.nan
    return float(mean), float(seen.std(ddof=1)) if seen.size > 1 else np.nan


def _against_best(comparison: Figures, name: str) -> tuple[float, float]:
    """How much worse a model's score is than the best one's (0 or more), and the p-value."""
    frame = comparison.to_frame()
    return abs(float(frame.at[name, "difference"])), float(frame.at[name, "p_value"])


def _verdict(p_value: float) -> str:
    """A p-value in plain words."""
    if not np.isfinite(p_value):
        return "there are too few folds to say whether that is more than noise"
    shown = "p &lt; 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    if p_value > NOISE:
        return f"a difference within the noise of this comparison ({shown})"
    return f"a difference beyond the noise of this comparison ({shown})"


def _headline(comparison: Figures) -> str:
    """Which model is best, by how much, and where our network stands, in plain words."""
    scorer, best, ours = comparison.scoring[0], comparison.best, comparison.ours
    sign, label = score_sign(scorer), escaped(score_name(scorer))
    mean, spread = _spread(sign * np.asarray(comparison.scores[best][scorer]))
    whose = ", a network of this package," if best == ours else ""
    around = f" ± {_number(spread, mean)}" if np.isfinite(spread) else ""
    lines = [
        f"<strong>{escaped(best)}</strong>{whose} predicts <strong>{escaped(comparison.target)}"
        f"</strong> best, with a {label} of {_number(mean)}{around}."
    ]
    if len(comparison.ranking) > 1:
        second = comparison.ranking[1]
        gap, p_value = _against_best(comparison, second)
        lines[0] += f" Next is {escaped(second)}, {_number(gap, mean)} behind: {_verdict(p_value)}."
    if ours is None:
        lines.append("No network of this package took part.")
    elif ours not in comparison.ranking[:2]:
        gap, p_value = _against_best(comparison, ours)
        place = comparison.ranking.index(ours) + 1
        lines.append(
            f"This package's network (<strong>{escaped(ours)}</strong>) is number {place} of "
            f"{len(comparison.ranking)}, {_number(gap, mean)} behind the best: {_verdict(p_value)}."
        )
    dummy = _dummy(comparison)
    if dummy is not None and dummy != best:
        guess, _ = _spread(sign * np.asarray(comparison.scores[dummy][scorer]))
        lines.append(f"A guess that looks at no column ({escaped(dummy)}) gets {_number(guess)}.")
    if comparison.interrupted:
        lines.append("The comparison was interrupted: it holds what was finished by then.")
    paragraphs = "\n".join(f"<p>{line}</p>" for line in lines)
    return f'<section class="headline" aria-label="Result">\n{paragraphs}\n</section>'


def _dummy(comparison: Figures) -> str | None:
    """The best model that looks at no column."""
    for name in comparison.ranking:
        model = comparison.models.get(name)
        for part in (model, getattr(model, "steps", [(None, None)])[-1][1]):
            if isinstance(part, DummyClassifier | DummyRegressor):
                return name
    return None


def _table(comparison: Figures) -> str:
    """All models with the spread of their scores, sorted."""
    heads = [
        f'<th scope="col">{escaped(score_name(scorer))}<small>{score_hint(scorer)}</small></th>'
        for scorer in comparison.scoring
    ]
    ours, rows = comparison.ours, []
    for name in comparison.ranking:
        cells, scale = [], 1.0
        for scorer in comparison.scoring:
            mean, spread = _spread(score_sign(scorer) * np.asarray(comparison.scores[name][scorer]))
            scale = mean if scorer == comparison.scoring[0] else scale
            cells.append(f'{_number(mean)} <span class="spread">± {_number(spread, mean)}</span>')
        if name == comparison.best:
            cells += ["best", ""]
        else:
            gap, p_value = _against_best(comparison, name)
            p_text = "&lt; 0.001" if p_value < 0.001 else _three(p_value)
            cells += [f"{_number(gap, scale)} worse", p_text]
        for seconds in (comparison.fit_seconds, comparison.predict_seconds):
            mean, _ = _spread(seconds[name])
            cells.append(_three(mean))
        marks = [word for word, holds in (("best", name == comparison.best), ("ours", name == ours))
                 if holds]  # fmt: skip
        mark = f' class="{" ".join(marks)}"' if marks else ""
        data = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(
            f'<tr{mark}><th scope="row" title="{escaped(name)}">{escaped(name)}</th>{data}</tr>'
        )
    first = escaped(score_name(comparison.scoring[0]))
    return (
        '<section>\n<h2>All models</h2>\n<div class="scroll" tabindex="0" role="region" '
        'aria-label="Table of all models">\n<table>\n<thead><tr><th scope="col">model</th>'
        f'{"".join(heads)}<th scope="col">difference<small>of {first}</small></th>'
        '<th scope="col">p-value<small>against the best</small></th>'
        '<th scope="col">fit<small>seconds a fold</small></th>'
        '<th scope="col">predict<small>seconds a fold</small></th></tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + '\n</tbody>\n</table>\n</div>\n<p class="facts note">Mean ± standard deviation over the '
        "folds. A p-value is the chance of a difference at least this large between equally good "
        "models; it takes into account that the folds share training rows.</p>\n</section>"
    )


def _notes(comparison: Figures) -> str:
    """What the user should know, and which models are missing."""
    items = [f"<li>{escaped(note)}</li>" for note in comparison.notes]
    items += [
        f"<li><strong>{escaped(name)}</strong> is missing: {escaped(reason)}</li>"
        for name, reason in comparison.missing.items()
    ]
    body = "<ul>\n" + "\n".join(items) + "\n</ul>" if items else "<p>Nothing is missing.</p>"
    return f"<section>\n<h2>Notes and what is missing</h2>\n{body}\n</section>"


def _on_a_line(value: object) -> str:
    """A setting as one line; tables and lists by their entries."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {entry}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def _settings(comparison: Figures) -> str:
    """What repeats the comparison: command, versions, seed and the models' parameters."""
    settings = dict(comparison.settings)
    command = settings.pop("command", None)
    shown = f"<pre><code>{escape(str(command))}</code></pre>" if command else ""
    entries = "\n".join(
        f"<dt>{escaped(str(key).replace('_', ' '))}</dt><dd>{escaped(_on_a_line(value))}</dd>"
        for key, value in settings.items()
    )
    models = []
    for name, model in comparison.models.items():
        if offers(model, "get_params"):
            text = model.__repr__(N_CHAR_MAX=LONGEST_REPR)
        else:
            text = repr(model)
        text = re.sub(r" at 0x[0-9a-f]+", "", text)  # an address differs from run to run
        models.append(
            f"<details>\n<summary>{escaped(name)}</summary>\n<pre><code>{escape(text)}</code></pre>\n"
            "</details>"
        )
    return (
        f"<section>\n<h2>Settings to repeat it</h2>\n{shown}\n<details open>\n<summary>Run"
        f"</summary>\n<dl>\n{entries}\n</dl>\n</details>\n<h3>Parameters of the models "
        "(those not at their defaults)</h3>\n" + "\n".join(models) + "\n</section>"
    )
