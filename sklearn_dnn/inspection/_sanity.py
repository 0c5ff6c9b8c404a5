"""What to look at before a long fit: does a network of this kind learn from these data at all?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from ._network import MLP, as_columns, free_optimizer, numbers, require_network
from ._start import InitialLoss, TinySubset, initial_loss, overfit_tiny_subset
from ._steps import update_ratios


@dataclass(frozen=True)
class Check:
    """One line of a :class:`SanityReport`.

    Attributes
    ----------
    name : str
    passed : bool
    found : str
        What was measured.
    advice : str
        Empty where it passed.
    """

    name: str
    passed: bool
    found: str
    advice: str


@dataclass(frozen=True)
class SanityReport:
    """What :func:`sanity_check` found.

    Attributes
    ----------
    checks : tuple of Check
    initial_loss : InitialLoss
    tiny_subset : TinySubset
    update_ratios : DataFrame or None
        None where the optimizer takes all rows at once.
    """

    checks: tuple[Check, ...]
    initial_loss: InitialLoss
    tiny_subset: TinySubset
    update_ratios: pd.DataFrame | None

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        lines = []
        for check in self.checks:
            lines.append(f"{'ok  ' if check.passed else 'LOOK'} {check.name}: {check.found}")
            if check.advice:
                lines.append(f"     {check.advice}")
        return "\n".join(lines)


def sanity_check(estimator: MLP, X: Any, y: Any) -> SanityReport:
    """Look at data and network before a long fit.

    Five checks: the columns' scales, the targets, the loss at the start
    (:func:`initial_loss`), a few rows learnt by heart (:func:`overfit_tiny_subset`) and the size
    of the steps (:func:`update_ratios`; left out for an optimizer that takes all rows at once).
    A network that diverges fails checks, and raises no error.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted or not; it is not changed.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)

    Returns
    -------
    SanityReport
        ``print(report)`` shows it.
    """
    require_network(estimator, "sanity_check")
    start = initial_loss(estimator, X, y)
    tiny = overfit_tiny_subset(estimator, X, y)
    checks = [
        _columns_check(estimator, *numbers(estimator, X)),
        _targets_check(estimator, np.asarray(y)),
        Check("initial loss", start.verdict == "ok", str(start).split(". ")[0], start.advice),
        Check("a few rows by heart", tiny.reached, str(tiny).split(". ")[0], tiny.advice),
    ]
    ratios = None
    if not free_optimizer(estimator).full_batch:
        ratios = update_ratios(estimator, X, y)
        checks.append(_steps_check(ratios))
    return SanityReport(tuple(checks), start, tiny, ratios)


def _columns_check(estimator: MLP, x: np.ndarray, at: np.ndarray) -> Check:
    """Columns without spread, and columns far from standard that nothing scales.

    Parameters
    ----------
    x : ndarray of shape (n, q)
        Columns of numbers; NaN for gaps.
    at : ndarray of int, shape (q,)
        Their positions in the table.
    """
    known = x[:, ~np.isnan(x).all(axis=0)]
    at = at[~np.isnan(x).all(axis=0)]
    deviation, mean = np.nanstd(known, axis=0), np.nanmean(known, axis=0)
    constant = at[deviation == 0]
    advice = []
    if len(constant):
        advice.append(f"Columns {constant[:5].tolist()} are constant and teach nothing.")
    spread = deviation[deviation > 0]
    if estimator.input_scaling is None and len(spread):
        far = (deviation > 10) | ((deviation > 0) & (deviation < 0.1)) | (np.abs(mean) > 10)
        if np.any(far):
            advice.append(
                f"Columns {at[far][:5].tolist()} are far from mean 0 and deviation 1 "
                "and nothing scales them: use input_scaling='standard'."
            )
    found = f"{x.shape[1]} columns, {len(constant)} constant"
    if len(spread):
        found += f", deviations {spread.min():.3g} to {spread.max():.3g}"
    return Check("columns", not advice, found, " ".join(advice))


def _targets_check(estimator: MLP, y: np.ndarray) -> Check:
    """Classes that are nearly all one, and numbers far from standard that nothing scales."""
    if is_classifier(estimator):
        columns = as_columns(y)
        largest = max(
            np.unique(columns[:, i], return_counts=True)[1].max() for i in range(columns.shape[1])
        ) / len(y)
        advice = (
            "One class has nearly all rows: accuracy says little. Use class_weight='balanced', or "
            "a score such as 'balanced_accuracy'."
        )
        found = f"largest class has {100 * largest:.1f} % of the rows"
        return Check("targets", largest < 0.95, found, advice if largest >= 0.95 else "")
    deviation = as_columns(y).astype(np.float64).std(axis=0)
    far = np.any((deviation > 10) | (deviation < 0.1))
    found = f"deviations {deviation.min():.3g} to {deviation.max():.3g}"
    if np.any(deviation == 0):
        return Check("targets", False, found, "A constant target leaves nothing to learn.")
    if far and estimator.target_scaling is None:
        advice = "Targets are far from deviation 1: use target_scaling='standard'."
        return Check("targets", False, found, advice)
    return Check("targets", True, found, "")


def _steps_check(ratios: pd.DataFrame) -> Check:
    low, high = ratios["ratio"].min(), ratios["ratio"].max()
    verdicts = set(ratios["verdict"]) - {"ok"}
    advice = {
        frozenset(): "",
        frozenset({"low"}): "Steps are small: raise learning_rate_init.",
        frozenset({"high"}): "Steps are large: lower learning_rate_init, or set clip_norm.",
        frozenset({"diverged"}): "Lower learning_rate_init, or set clip_norm.",
    }.get(frozenset(verdicts), "Layers learn at different speed: look at the initializer.")
    if "diverged" in verdicts:
        found = "the loss is no longer finite"
    else:
        found = f"steps of {low:.1e} to {high:.1e} of the weights, wanted about 1e-3"
    return Check("size of the steps", not verdicts, found, advice)
