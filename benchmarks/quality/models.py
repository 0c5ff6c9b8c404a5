"""The models that are compared, each with its own defaults.

Boosted trees and networks that take categories get the frame as it is; the others stand behind
medians, one-hot columns and standard scaling. Peers beyond scikit-learn need a virtual environment
of their own: ``pip install lightgbm xgboost catboost pytabkit``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from tables import Table

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.presets import BEST, FAST

N_THREADS = 2
GAP = "missing"
MOST_LEVELS = 255


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as text, with a word for gaps."""
    return frame.astype("string").fillna(GAP).astype(object)


def _prepared(table: Table) -> TransformerMixin:
    """Numbers alone: medians, scaling, one-hot columns."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    categories = make_pipeline(
        FunctionTransformer(_as_text),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10, sparse_output=False),
    )
    return make_column_transformer((numbers, table.numbers), (categories, table.categories))


def _behind(table: Table, estimator: Any) -> Any:
    return make_pipeline(_prepared(table), estimator)


def _scaled(regressor: Any) -> Any:
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def ours(table: Table, seed: int) -> Any:
    """The defaults, on the raw frame."""
    return (MLPRegressor if table.is_regression else MLPClassifier)(random_state=seed)


def ours_fast(table: Table, seed: int) -> Any:
    return (MLPRegressor if table.is_regression else MLPClassifier)(**FAST, random_state=seed)


def ours_best(table: Table, seed: int) -> Any:
    return (MLPRegressor if table.is_regression else MLPClassifier)(**BEST, random_state=seed)


def linear(table: Table, seed: int) -> Any:
    cls = Ridge if table.is_regression else LogisticRegression
    model = cls(max_iter=1000, random_state=seed)
    return _behind(table, model)


def sklearn_mlp(table: Table, seed: int) -> Any:
    if table.is_regression:
        return _behind(table, _scaled(TheirRegressor(random_state=seed)))
    return _behind(table, TheirClassifier(random_state=seed))


def hist_gradient_boosting(table: Table, seed: int) -> Any:
    cls = HistGradientBoostingRegressor if table.is_regression else HistGradientBoostingClassifier
    coder = OrdinalEncoder(  # it takes 255 levels at most
        max_categories=MOST_LEVELS,
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
    )
    text = FunctionTransformer(_as_text)
    codes = make_column_transformer(
        (make_pipeline(text, coder), table.categories), remainder="passthrough"
    )
    model = cls(categorical_features=list(range(len(table.categories))), random_state=seed)
    return make_pipeline(codes, model)


def lightgbm(table: Table, seed: int) -> Any:
    import lightgbm  # noqa: PLC0415 - optional peer

    cls = lightgbm.LGBMRegressor if table.is_regression else lightgbm.LGBMClassifier
    return cls(verbose=-1, n_jobs=N_THREADS, random_state=seed)


class _Numbered(BaseEstimator):
    """Labels as whole numbers from 0 on, which some classifiers insist on."""

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, X: Any, y: Any) -> _Numbered:
        self.labels_ = LabelEncoder().fit(y)
        self.classifier.fit(X, self.labels_.transform(y))
        return self

    def predict(self, X: Any) -> Any:
        return self.labels_.inverse_transform(self.classifier.predict(X))

    def predict_proba(self, X: Any) -> Any:
        return self.classifier.predict_proba(X)


def xgboost(table: Table, seed: int) -> Any:
    import xgboost  # noqa: PLC0415 - optional peer

    how = {"enable_categorical": True, "n_jobs": N_THREADS, "random_state": seed}
    if table.is_regression:
        return xgboost.XGBRegressor(**how)
    return _Numbered(xgboost.XGBClassifier(**how))


def catboost(table: Table, seed: int) -> Any:
    import catboost  # noqa: PLC0415 - optional peer

    cls = catboost.CatBoostRegressor if table.is_regression else catboost.CatBoostClassifier
    model = cls(
        verbose=0,
        random_seed=seed,
        thread_count=N_THREADS,
        cat_features=table.categories,
        allow_writing_files=False,
    )
    fill = make_column_transformer(
        (FunctionTransformer(_without_gaps), table.categories),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return make_pipeline(fill, model)


def realmlp(table: Table, seed: int) -> Any:
    import pytabkit  # noqa: PLC0415 - optional peer

    name = "RealMLP_TD_Regressor" if table.is_regression else "RealMLP_TD_Classifier"
    model = getattr(pytabkit, name)(device="cpu", random_state=seed, n_threads=N_THREADS)
    fill = make_column_transformer(
        (SimpleImputer(strategy="median", keep_empty_features=True), table.numbers),
        (FunctionTransformer(_without_gaps), table.categories),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return make_pipeline(fill, model)


def _without_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories with a level for gaps."""
    text = frame.astype(object)
    return text.where(text.notna(), GAP).astype(str).astype("category")


MODELS: dict[str, Callable[[Table, int], Any]] = {
    "ours": ours,
    "ours, FAST": ours_fast,
    "ours, BEST": ours_best,
    "linear": linear,
    "scikit-learn's MLP": sklearn_mlp,
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": catboost,
    "RealMLP": realmlp,
}
