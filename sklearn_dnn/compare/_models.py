"""The rivals: each an unfitted pipeline that prepares the table by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNetCV,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    RidgeCV,
)
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from ..estimators._classifier import MLPClassifier
from ..estimators._regressor import MLPRegressor
from ._cells import shown
from ._columns import category_text
from ._tables import TableProblem, listed

RIVALS = (
    "dummy",
    "linear",
    "ridge",
    "lasso",
    "elastic_net",
    "knn",
    "random_forest",
    "hist_gradient_boosting",
    "sklearn_mlp",
    "sklearn_dnn",
)

GAP = "(missing)"
MAX_CATEGORIES = 50
MAX_NATIVE_CATEGORIES = 250  # histogram gradient boosting has 255 bins

_INNER_FOLDS = 3
_ALPHAS = np.logspace(-3, 4, 15)
_STRENGTHS = np.logspace(-3, 2, 6)
_L1_RATIOS = (0.1, 0.5, 0.9)


def build(
    name: str, task: str, numeric: list[str], categorical: list[str], seed: int, n_rows: int
) -> Pipeline:
    """Make one rival with the preparation it needs.

    Parameters
    ----------
    name : str
        One of `RIVALS`.
    task : {"regression", "binary", "multiclass"}
        What is predicted.
    numeric, categorical : list of str
        The columns to use; others are ignored.
    seed : int
        Seed of all chance in the model.
    n_rows : int
        Rows of the table, for settings that small tables can't bear.

    Returns
    -------
    pipeline : Pipeline
        Unfitted. Its last step is called "model".
    """
    if name == "random_forest":
        prepare = _ordinal(numeric, categorical)
    elif name in {"hist_gradient_boosting", "sklearn_dnn"}:
        prepare = _native(numeric, categorical)
    else:
        prepare = _dense(numeric, categorical)
    if task == "regression":
        model = _regressor(name, len(numeric), len(categorical), seed, n_rows)
    else:
        model = _classifier(name, task, len(numeric), len(categorical), seed, n_rows)
    return Pipeline([("prepare", prepare), ("model", model)])


def _regressor(name: str, n_numeric: int, n_categorical: int, seed: int, n_rows: int) -> Any:
    inner = KFold(_INNER_FOLDS, shuffle=True, random_state=seed)
    return {
        "dummy": DummyRegressor(),
        "linear": LinearRegression(),
        "ridge": RidgeCV(alphas=_ALPHAS),
        "lasso": LassoCV(cv=inner, random_state=seed),
        # Its grid of alphas follows the target's units, but the L2 part does not.
        "elastic_net": _scaled(
            ElasticNetCV(l1_ratio=list(_L1_RATIOS), cv=inner, random_state=seed)
        ),
        "knn": KNeighborsRegressor(n_neighbors=_neighbours(n_rows)),
        "random_forest": RandomForestRegressor(random_state=seed, n_jobs=-1),
        "hist_gradient_boosting": HistGradientBoostingRegressor(
            categorical_features=_last(n_numeric, n_categorical), random_state=seed
        ),
        # It learns little from targets far from unit scale; ours standardises them itself.
        "sklearn_mlp": _scaled(SklearnMLPRegressor(random_state=seed)),
        "sklearn_dnn": MLPRegressor(
            categorical_features=_last(n_numeric, n_categorical), random_state=seed
        ),
    }[name]


def _classifier(
    name: str, task: str, n_numeric: int, n_categorical: int, seed: int, n_rows: int
) -> Any:
    return {
        "dummy": DummyClassifier(),
        "linear": LogisticRegression(C=np.inf, max_iter=300),
        "ridge": _logistic(task, seed, (0.0,)),
        "lasso": _logistic(task, seed, (1.0,)),
        "elastic_net": _logistic(task, seed, _L1_RATIOS),
        "knn": KNeighborsClassifier(n_neighbors=_neighbours(n_rows)),
        "random_forest": RandomForestClassifier(random_state=seed, n_jobs=-1),
        "hist_gradient_boosting": HistGradientBoostingClassifier(
            categorical_features=_last(n_numeric, n_categorical), random_state=seed
        ),
        "sklearn_mlp": SklearnMLPClassifier(random_state=seed),
        "sklearn_dnn": MLPClassifier(
            categorical_features=_last(n_numeric, n_categorical), random_state=seed
        ),
    }[name]


def _logistic(task: str, seed: int, l1_ratios: tuple[float, ...]) -> LogisticRegressionCV:
    """Logistic regression with its penalty chosen on inner folds, by log loss."""
    if l1_ratios == (0.0,):
        solver = "lbfgs"
    elif l1_ratios == (1.0,) and task == "binary":
        solver = "liblinear"  # much faster, but for two classes and one penalty only
    else:
        solver = "saga"
    return LogisticRegressionCV(
        Cs=_STRENGTHS,
        l1_ratios=l1_ratios,
        solver=solver,
        cv=StratifiedKFold(_INNER_FOLDS, shuffle=True, random_state=seed),
        scoring="neg_log_loss",
        tol=1e-3 if solver == "saga" else 1e-4,
        max_iter=50 if solver == "saga" else 200,
        random_state=seed,
        use_legacy_attributes=False,
    )


def _scaled(model: Any) -> TransformedTargetRegressor:
    """`model` on a standardised target."""
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def _neighbours(n_rows: int) -> int:
    return max(1, min(15, n_rows // 4))


def _last(n_numeric: int, n_categorical: int) -> list[int] | None:
    """Where the categories stand behind the numbers."""
    return list(range(n_numeric, n_numeric + n_categorical)) or None


def _dense(numeric: list[str], categorical: list[str]) -> ColumnTransformer:
    """Standardised numbers without gaps, and one column a category."""
    numbers = make_pipeline(
        FunctionTransformer(as_numbers, feature_names_out="one-to-one"),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    texts = make_pipeline(
        FunctionTransformer(as_text, feature_names_out="one-to-one"),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=MAX_CATEGORIES,
            sparse_output=False,
        ),
    )
    return _columns(numbers, numeric, texts, categorical)


def _ordinal(numeric: list[str], categorical: list[str]) -> ColumnTransformer:
    """Numbers without gaps, and categories as numbers, unknown ones -1."""
    numbers = make_pipeline(
        FunctionTransformer(as_numbers, feature_names_out="one-to-one"),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
    )
    texts = make_pipeline(
        FunctionTransformer(as_text, feature_names_out="one-to-one"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    )
    return _columns(numbers, numeric, texts, categorical)


def _native(numeric: list[str], categorical: list[str]) -> ColumnTransformer:
    """Numbers with their gaps, and categories as numbers with theirs."""
    numbers = make_pipeline(
        FunctionTransformer(as_numbers, feature_names_out="one-to-one"), FillEmpty()
    )
    texts = make_pipeline(
        FunctionTransformer(as_text_with_gaps, feature_names_out="one-to-one"),
        OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
            max_categories=MAX_NATIVE_CATEGORIES,
        ),
    )
    return _columns(numbers, numeric, texts, categorical)


class FillEmpty(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Zeros for columns without any number among the training rows; other gaps stay."""

    def fit(self, X: np.ndarray, y: Any = None) -> FillEmpty:
        self.empty_ = np.isnan(X).all(axis=0)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return np.where(self.empty_, 0.0, X)


def _columns(
    numbers: Any, numeric: list[str], texts: Any, categorical: list[str]
) -> ColumnTransformer:
    blocks = [("numbers", numbers, numeric), ("categories", texts, categorical)]
    return ColumnTransformer(
        [(kind, step, ByName(tuple(names))) for kind, step, names in blocks if names],
        verbose_feature_names_out=False,
    )


@dataclass(frozen=True)
class ByName:
    """Where columns of these names stand in a frame, found at once.

    Given a list of names, ColumnTransformer looks through all columns for each.
    """

    names: tuple[str, ...]

    def __call__(self, X: pd.DataFrame) -> list[int]:
        positions = X.columns.get_indexer(pd.Index(self.names))
        if (positions < 0).any():
            absent = [name for name, at in zip(self.names, positions, strict=True) if at < 0]
            raise TableProblem(f"The table lacks columns: {listed(absent)}.")
        return positions.tolist()

    def __repr__(self) -> str:
        return repr(list(self.names))


def as_numbers(frame: pd.DataFrame) -> np.ndarray:
    """Columns as an array of shape (n, p), gaps as nan."""
    if all(types.is_numeric_dtype(kind) for kind in set(frame.dtypes)):
        return np.ascontiguousarray(frame.to_numpy(dtype=float, na_value=np.nan))
    columns = []
    for name in frame.columns:
        try:
            columns.append(pd.to_numeric(frame[name]).to_numpy(dtype=float, na_value=np.nan))
        except (ValueError, TypeError) as error:
            column = frame[name].reset_index(drop=True)
            wrong = pd.to_numeric(column, errors="coerce").isna() & column.notna()
            cell = f": {shown(column, int(wrong.argmax()))}" if wrong.any() else ""
            raise TableProblem(
                f"Column {name!r} has text where numbers are needed{cell}."
            ) from error
    return np.column_stack(columns)


def converted(X: pd.DataFrame, numeric: list[str], categorical: list[str]) -> pd.DataFrame:
    """The columns of a table as the rivals take them: numbers in one block, categories as text.

    What `as_numbers` and `as_text_with_gaps` make of it is the same as of the table itself, so
    that each fold and model is spared to convert it anew.
    """
    parts = []
    if numeric:
        parts.append(pd.DataFrame(as_numbers(X[numeric]), columns=numeric))
    if categorical:
        texts = as_text_with_gaps(X[categorical])
        parts.append(pd.DataFrame(texts, columns=categorical, dtype=object))
    whole = pd.concat(parts, axis=1)[list(X.columns)]
    whole.columns = whole.columns.astype(object)  # of Arrow's strings each look at a name is slow
    return whole


def as_text_with_gaps(frame: pd.DataFrame) -> np.ndarray:
    """Columns as an array of str of shape (n, p), gaps as nan."""
    return _texts(frame, np.nan)


def as_text(frame: pd.DataFrame) -> np.ndarray:
    """Columns as an array of str of shape (n, p), gaps as a category of their own."""
    return _texts(frame, GAP)


def _texts(frame: pd.DataFrame, gap: Any) -> np.ndarray:
    cells = frame.to_numpy(dtype=object).ravel()
    if types.infer_dtype(cells, skipna=True) == "string":
        codes, different = pd.factorize(cells)  # the code of a gap, -1, is the last place
        texts = np.array([*map(category_text, different), gap], dtype=object)[codes]
    else:  # values that are equal, such as 1.0 and Decimal("1.0"), may be written differently
        texts = np.array([category_text(value) for value in cells], dtype=object)
        texts[pd.isna(cells)] = gap
    return texts.reshape(frame.shape)
