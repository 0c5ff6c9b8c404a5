"""The words of the pictures and the page: names of scores, and text of the data made harmless."""

from __future__ import annotations

from html import escape

NAMES = {
    "r2": "R²",
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC (one against rest)",
    "roc_auc_ovo": "ROC AUC (one against one)",
    "f1": "F1",
    "f1_macro": "F1 (macro)",
    "f1_micro": "F1 (micro)",
    "f1_weighted": "F1 (weighted)",
}


def score_name(scorer: str) -> str:
    """The name of a scorer as people say it: ``neg_log_loss`` is the log loss."""
    return NAMES.get(scorer, scorer.removeprefix("neg_").replace("_", " "))


def score_sign(scorer: str) -> int:
    """-1 for scikit-learn's negated losses, which are shown as they were before negation."""
    return -1 if scorer.startswith("neg_") else 1


def score_hint(scorer: str) -> str:
    """Which direction is the good one."""
    return "lower is better" if score_sign(scorer) < 0 else "higher is better"


def shorten(text: object, length: int = 24) -> str:
    """One line of at most ``length`` characters, the middle left out where it is longer."""
    line = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(text).split())
    )
    if len(line) <= length:
        return line
    head = (length - 1) // 2
    return f"{line[:head]}…{line[len(line) - (length - 1 - head) :]}"


def escaped(value: object) -> str:
    """Text of the data as harmless HTML, on one line."""
    return escape(shorten(value, 400))
