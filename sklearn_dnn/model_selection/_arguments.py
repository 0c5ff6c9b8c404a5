"""Types of what searches are asked, as scikit-learn takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sklearn.model_selection as searches

Scoring: TypeAlias = str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None
Grid: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Folds: TypeAlias = (
    int | searches.BaseCrossValidator | searches.BaseShuffleSplit | Iterable[Any] | None
)
