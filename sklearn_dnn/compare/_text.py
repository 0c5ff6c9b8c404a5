"""A comparison as plain text, for a terminal."""

from __future__ import annotations

import numpy as np

from .._terminal import printable
from ._figures import Figures
from ._words import score_sign

_TITLES = {
    "neg_root_mean_squared_error": "RMSE",
    "neg_mean_squared_error": "MSE",
    "neg_mean_absolute_error": "MAE",
    "neg_log_loss": "log loss",
    "r2": "R2",
    "roc_auc": "ROC AUC",
}
SIGNIFICANT = 0.05


def title(scorer: str) -> str:
    """A scorer's name as users know it: "RMSE" for "neg_root_mean_squared_error"."""
    return _TITLES.get(scorer, scorer.removeprefix("neg_").replace("_", " "))


def as_text(comparison: Figures) -> str:
    """The table, best first, with what is missing below it.

    Parameters
    ----------
    comparison : Figures

    Returns
    -------
    text : str
    """
    lines = []
    if comparison.scores:
        lines += _table(comparison)
        rows, folds = len(comparison.y), len(comparison.folds)
        first = comparison.scoring[0]
        lines += [
            "",
            f"{comparison.task} of {printable(comparison.target)}: {rows} rows, "
            f"{comparison.X.shape[1]} columns, {folds} folds, seed {comparison.settings['seed']}; "
            "mean ± standard deviation over the folds.",
            f"* differs from the best in {title(first)} with p < {SIGNIFICANT} (corrected "
            "resampled t-test).",
        ]
    if comparison.missing:
        lines += ["Missing:"] if lines else ["Nothing is finished. Missing:"]
        lines += [printable(f"  {name}: {reason}") for name, reason in comparison.missing.items()]
    return "\n".join(lines)


def _table(comparison: Figures) -> list[str]:
    frame = comparison.to_frame()
    first = comparison.scoring[0]
    header = ["model", *map(title, comparison.scoring), "to the best", "fit s", "predict s"]
    columns: list[list[str]] = [[printable(name) for name in frame.index]]
    for scorer in comparison.scoring:
        means, stds = score_sign(scorer) * frame[f"{scorer}_mean"], frame[f"{scorer}_std"]
        digits = _digits(stds.to_numpy())
        columns.append(
            [f"{m:.{digits}f} ± {s:.{digits}f}" for m, s in zip(means, stds, strict=True)]
        )
    differences = score_sign(first) * frame["difference"]
    digits = _digits(frame[f"{first}_std"].to_numpy())
    columns.append(
        [
            "best"
            if name == frame.index[0]
            else f"{difference:+.{digits}f}{'*' if p < SIGNIFICANT else ' '}"
            for name, difference, p in zip(frame.index, differences, frame["p_value"], strict=True)
        ]
    )
    columns.append([f"{seconds:.2f}" for seconds in frame["fit_seconds"]])
    columns.append([f"{seconds:.3f}" for seconds in frame["predict_seconds"]])
    return _aligned(header, columns)


def _digits(spreads: np.ndarray) -> int:
    """Decimals that show two figures of the usual spread."""
    known = spreads[np.isfinite(spreads) & (spreads > 0)]
    if not len(known):
        return 4
    return int(np.clip(1 - np.floor(np.log10(np.median(known))), 0, 6))


def _aligned(header: list[str], columns: list[list[str]]) -> list[str]:
    widths = [max(len(name), *map(len, cells)) for name, cells in zip(header, columns, strict=True)]
    lines = []
    for row in [header, *zip(*columns, strict=True)]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines
