"""Raw tables straight in: data frames and arrays with categories and gaps."""

from __future__ import annotations

import datetime
import pickle
import warnings
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import skops.io
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import sklearn_dnn.model_selection as stacked
from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.columns import MAX_LEVELS
from sklearn_dnn._core.reading.tables import Reading
from sklearn_dnn.callbacks import EpochScoring
from sklearn_dnn.components import EarlyStopping
from sklearn_dnn.components.embeddings import CODE_SIZE
from sklearn_dnn.estimators._stacked_fit import Fit
from sklearn_dnn.estimators._stacks import open_stacks
from sklearn_dnn.inspection import fgsm, initial_loss, layer_statistics, sanity_check
from sklearn_dnn.persistence import TRUSTED_TYPES

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:input_scaling=None, but columns:UserWarning"),
]

NAN = np.nan
N = 240
SCALINGS = [None, "standard", "robust", "quantile", "quantile_robust", "batch_norm"]


def raw(n=N, seed=0, gaps=True):
    """A frame with numbers, few and many levels, text, and gaps in all but one of them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, n),
            "sex": rng.choice(["f", "m"], n),
            "town": rng.choice([f"town {i}" for i in range(14)], n),
            "children": rng.integers(0, 4, n),
            "colour": pd.Categorical(rng.choice(["red", "green", "blue"], n)),
            "member": rng.random(n) < 0.3,
        }
    )
    if gaps:
        frame.loc[rng.random(n) < 0.2, "age"] = NAN
        frame.loc[rng.random(n) < 0.1, "town"] = None
        frame.loc[rng.random(n) < 0.1, "colour"] = NAN
    return frame


def labels(frame):
    noise = np.random.default_rng(1).random(len(frame)) < 0.1
    return ((frame["sex"] == "f").to_numpy() ^ (frame["age"].fillna(50) > 45) ^ noise).astype(int)


FRAME = raw()
Y = labels(FRAME)


def classifier(**parameters):
    given = {"hidden_layer_sizes": (8,), "max_iter": 8, "random_state": 0}
    return MLPClassifier(**{**given, **parameters})


def coded(frame):
    """The same table as an array of float, and which of its columns are categories."""
    columns, mask = [], []
    for name in frame:
        column = frame[name]
        is_category = not (pd.api.types.is_numeric_dtype(column) or column.dtype == bool)
        if is_category:
            codes = column.astype("category").cat.codes.to_numpy().astype(float)
            columns.append(np.where(codes < 0, NAN, codes))
        else:
            columns.append(column.to_numpy(dtype=float))
        mask.append(is_category)
    return np.column_stack(columns), np.array(mask)


# One table, many forms


@pytest.mark.parametrize("scaling", SCALINGS)
def test_forms_of_a_table_are_the_same_table(scaling):
    X, mask = coded(FRAME)
    ours = classifier(input_scaling=scaling)
    expected = clone(ours).fit(FRAME, Y).predict_proba(FRAME)
    frame = pl.from_pandas(FRAME)
    positions = np.flatnonzero(mask)
    for form, parameter in (
        (frame, "from_dtype"),
        (frame.to_arrow(), "from_dtype"),
        (pa.Table.from_pandas(FRAME), "from_dtype"),
        (frame.with_columns(pl.col("town").cast(pl.Categorical)), "from_dtype"),
        (frame.with_columns(pl.col("sex").cast(pl.Enum(["m", "f"]))), "from_dtype"),
        (FRAME.astype({"town": "category", "sex": object}), "from_dtype"),
        (FRAME.astype({"town": "string[pyarrow]", "age": "Float64"}), "from_dtype"),
        (FRAME.to_numpy(), positions),
        (FRAME.to_numpy().tolist(), mask.tolist()),
        (X, positions.tolist()),
        (X, mask),
        (np.asfortranarray(X), mask),
        (pd.DataFrame(X, columns=FRAME.columns), ["sex", "town", "colour"]),
    ):
        model = clone(ours).set_params(categorical_features=parameter).fit(form, Y)
        assert np.array_equal(model.predict_proba(form), expected), parameter


def test_forms_at_prediction_may_differ():
    whole = raw(gaps=False)
    model = classifier().fit(whole, Y)
    expected = model.predict_proba(whole)
    for form in (
        whole.astype({"colour": object, "town": "category", "children": float, "member": float}),
        whole.astype({"town": "string[pyarrow]", "sex": "string[python]", "children": "Int64"}),
        whole.astype({"age": object, "member": "boolean", "children": np.int8}),
        pl.from_pandas(whole),
        pl.from_pandas(whole).with_columns(pl.col("town").cast(pl.Categorical)),
    ):
        assert np.array_equal(model.predict_proba(form), expected)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert np.array_equal(model.predict_proba(whole.to_numpy()), expected)


def test_attributes():
    model = classifier(input_scaling="robust").fit(FRAME, Y)
    assert model.n_features_in_ == 6
    assert model.feature_names_in_.tolist() == list(FRAME)
    assert model.is_categorical_.tolist() == [False, True, True, False, True, False]
    assert [sorted(levels) for levels in model.categories_] == [
        ["f", "m"],
        sorted(f"town {i}" for i in range(14)),
        ["blue", "green", "red"],
    ]
    task = model.spec_["task"]
    # age, children and member; the gap of age, sex, three colours and their gap; towns
    assert (task["n_features"], task["n_passed"], task["levels"]) == (10, 6, [16])
    assert model.coefs_[0].shape == (10 - 1 + CODE_SIZE, 8)
    assert model.input_mean_ is None
    assert model.input_columns_["fill"][0] == np.nanmedian(FRAME["age"])
    assert model.get_feature_names_out().tolist() == [f"mlpclassifier{i}" for i in range(8)]
    assert model.transform(FRAME).shape == (N, 8)
    numbers = classifier().fit(FRAME[["age", "children"]], Y)
    assert (numbers.is_categorical_, numbers.categories_) == (None, [])
    assert numbers.input_mean_[0] == pytest.approx(FRAME["age"].fillna(FRAME.age.median()).mean())


def test_categories_are_learnt():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.choice(list("abcd"), 300), "b": rng.choice(list("xyz"), 300)})
    y = X["a"].isin(["a", "c"]) ^ (X["b"] == "y")
    model = classifier(max_iter=300, learning_rate_init=0.01).fit(X, y)
    assert model.score(X, y) == 1.0


def test_a_pipeline_of_encoders_gives_the_same():
    frame = raw(gaps=False)[["age", "colour"]]
    order = frame["colour"].astype(str).value_counts().index.tolist()
    pipe = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", StandardScaler(), ["age"]),
                ("colours", OneHotEncoder(categories=[order], sparse_output=False), ["colour"]),
            ]
        ),
        classifier(input_scaling=None),
    ).fit(frame, Y)
    ours = classifier().fit(frame, Y)
    assert np.allclose(ours.predict_proba(frame), pipe.predict_proba(frame), atol=1e-9)


# What the encoder decides


def test_integer_codes_and_text_give_the_same():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 30, N) ** 2 // 30
    number = rng.normal(size=N)
    names = np.array([f"n{i:05d}" for i in rng.permutation(40)], dtype=object)
    forms = [
        pd.DataFrame({"c": code, "x": number}),
        pd.DataFrame({"c": code.astype(float), "x": number}),
        pd.DataFrame({"c": pd.array(code, dtype="Int64"), "x": number}),
        pd.DataFrame({"c": pd.Categorical(code), "x": number}),
        pd.DataFrame({"c": names[code], "x": number}),
    ]
    given = [["c"], ["c"], [0], "from_dtype", "from_dtype"]
    found = [
        classifier(categorical_features=c).fit(X, Y).predict_proba(X)
        for X, c in zip(forms, given, strict=True)
    ]
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_whole_numbers_with_gaps_can_be_categories():
    code = np.random.default_rng(0).integers(0, 5, N).astype(float)
    code[::7] = NAN
    model = classifier(categorical_features=[0]).fit(code[:, None], Y)
    assert model.categories_[0].tolist() == [0, 1, 2, 3, 4]
    assert model.spec_["task"]["n_features"] == 6
    nullable = pd.DataFrame({"c": pd.array(np.where(np.isnan(code), None, code), dtype="Int64")})
    again = classifier(categorical_features=["c"]).fit(nullable, Y)
    assert np.array_equal(again.predict_proba(nullable), model.predict_proba(code[:, None]))


def test_five_thousand_levels():
    rng = np.random.default_rng(0)
    n = 12_000
    ids = rng.integers(0, 5000, n).astype(str).astype(object)
    X = pd.DataFrame({"id": "n" + ids, "x": rng.normal(size=n)})
    model = classifier(max_iter=2).fit(X, X["x"] > 0)
    assert model.spec_["task"]["levels"] == [MAX_LEVELS]
    assert model.coefs_[0].shape == (2 - 1 + CODE_SIZE, 8)
    assert model.score(X, X["x"] > 0) > 0.6


def test_identifiers_are_left_out():
    X = pd.DataFrame({"id": [f"r{i}" for i in range(N)], "age": FRAME["children"]})
    with pytest.warns(UserWarning, match=r"Columns \['id'\] have no level with 2 rows"):
        model = classifier().fit(X, Y)
    assert np.array_equal(model.predict_proba(X), model.predict_proba(X.assign(id="new")))
    with pytest.raises(ValueError, match="No column of X is left to learn from"):
        classifier().fit(X[["id"]], Y)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_column_of_gaps_alone_is_left_out(scaling):
    X = FRAME.assign(empty=NAN, none=pd.Series([None] * N, dtype="string"))
    with (
        pytest.warns(UserWarning, match=r"Columns \['empty'\] have no value"),
        pytest.warns(UserWarning, match=r"Columns \['none'\] have no level"),
    ):
        model = classifier(input_scaling=scaling).fit(X, Y)
    expected = classifier(input_scaling=scaling).fit(FRAME, Y).predict_proba(FRAME)
    assert np.array_equal(model.predict_proba(X), expected)
    assert np.array_equal(model.predict_proba(X.assign(empty=3.0, none="new")), expected)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_constant_columns_do_no_harm(scaling):
    X = FRAME.assign(one=7.0, same="s")
    model = classifier(input_scaling=scaling).fit(X, Y)
    assert np.isfinite(model.predict_proba(X)).all()
    if scaling in {"standard", "robust", "quantile"}:
        linear = classifier(hidden_layer_sizes=(), input_scaling=scaling).fit(X, Y)
        assert np.abs(linear.transform(X)[:, 3]).max() == 0


def test_unknown_levels_are_as_rare_ones():
    frame = FRAME[["town", "age"]].copy()
    frame.loc[3, "town"] = "once"
    model = classifier().fit(frame, Y)
    new = frame.iloc[:20].assign(town="elsewhere")
    assert np.array_equal(model.predict_proba(new), model.predict_proba(new.assign(town="once")))
    known = new.assign(town=frame["town"].mode()[0])
    assert not np.allclose(model.predict_proba(new), model.predict_proba(known))


def test_gaps_at_prediction_alone():
    whole = raw(gaps=False)
    model = classifier().fit(whole, Y)
    row = whole.iloc[:30].copy()
    expected = model.predict_proba(row.assign(age=whole["age"].median()))
    with pytest.warns(
        UserWarning, match=r"Columns \['age'\] have gaps .* had none in the rows that trained"
    ):
        assert np.array_equal(model.predict_proba(row.assign(age=NAN)), expected)
    town = model.predict_proba(row.assign(town=None))
    assert np.array_equal(town, model.predict_proba(row.assign(town="elsewhere")))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_gaps_at_prediction_alone_in_plain_tables(scaling):
    X = np.random.default_rng(0).normal(2, 3, (N, 3))
    model = classifier(input_scaling=scaling, dtype="float64").fit(X, Y)
    rows = np.where(np.arange(90).reshape(30, 3) % 5 == 0, NAN, X[:30])
    filled = np.where(np.isnan(rows), np.median(X, axis=0), rows)
    with pytest.warns(
        UserWarning, match=r"Columns \[0, 1, 2\] have gaps .* had none in the rows that trained"
    ):
        assert np.allclose(model.predict_proba(rows), model.predict_proba(filled), atol=1e-12)
    with pytest.warns(
        UserWarning, match=r"Columns \[0\] have gaps .* had none in the rows that trained"
    ):
        assert np.array_equal(model.predict(rows[:1]), model.predict(filled[:1]))


def test_gaps_of_every_kind():
    x = np.random.default_rng(0).normal(size=N).round(2)
    gone = np.arange(N) % 6 == 0
    array = np.where(gone, NAN, x)[:, None]
    expected = classifier().fit(array, Y).predict_proba(array)
    listed = [None if g else float(v) for v, g in zip(x, gone, strict=True)]
    for form in (
        pd.DataFrame({"x": pd.array(listed, dtype="Float64")}),
        pd.DataFrame({"x": pd.Series(listed, dtype=object)}),
        pd.DataFrame({"x": pd.Series([pd.NA if v is None else v for v in listed], dtype=object)}),
        pl.DataFrame({"x": listed}),
        np.array(listed, dtype=object)[:, None],
    ):
        assert np.array_equal(classifier().fit(form, Y).predict_proba(form), expected)
    boolean = pd.DataFrame({"b": pd.array([True, None, False, True] * 60, dtype="boolean")})
    model = classifier().fit(boolean, Y)
    assert model.spec_["task"]["n_features"] == 2
    ours = model.predict_proba(pl.from_pandas(boolean))
    assert np.array_equal(ours, model.predict_proba(boolean))


def test_medians_and_levels_are_those_of_the_rows_that_train():
    X, y = FRAME.copy(), Y.copy()
    X.loc[200:, "age"] = 1e6
    X.loc[200:, "town"] = "held out"
    split = [(np.arange(200), np.arange(200, N))]
    stopping = {"early_stopping": True, "max_iter": 4}
    model = classifier(**stopping, validation_fraction=_Fixed(split)).fit(X, y)
    alone = classifier(max_iter=4).fit(X[:200], y[:200])
    assert model.input_columns_["fill"][0] == alone.input_columns_["fill"][0]
    assert np.array_equal(model.input_mean_, alone.input_mean_, equal_nan=True)
    assert model.spec_["task"]["levels"] == alone.spec_["task"]["levels"]
    assert len(model.categories_[1]) == len(alone.categories_[1]) + 1


class _Fixed:
    """A splitter that gives what it was given."""

    def __init__(self, splits):
        self.splits = splits

    def split(self, X, y=None, groups=None):
        return iter(self.splits)

    def get_n_splits(self, X=None, y=None, groups=None):
        return len(self.splits)


# Weights


def test_weights():
    weight = np.random.default_rng(0).integers(0, 3, N).astype(float)
    given = {"batch_size": "full"}
    repeated = FRAME.loc[np.repeat(np.arange(N), weight.astype(int))].reset_index(drop=True)
    twice = np.repeat(Y, weight.astype(int))
    for scaling in ("standard", "robust", "quantile"):
        ours = classifier(input_scaling=scaling, **given)
        weighted = clone(ours).fit(FRAME, Y, sample_weight=weight)
        explicit = clone(ours).fit(repeated, twice)
        for name in ("fill", "center", "scale", "knots", "scores"):
            a, b = (m.input_columns_[name] for m in (weighted, explicit))
            assert (a is None and b is None) or np.allclose(a, b, equal_nan=True)
        assert np.allclose(weighted.predict_proba(FRAME), explicit.predict_proba(FRAME), atol=1e-6)


# Properties


@cache
def fitted():
    return classifier(input_scaling="quantile").fit(FRAME, Y)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 99), n=st.integers(1, N))
def test_a_prediction_is_of_its_row_alone(seed, n):
    rows = np.random.default_rng(seed).permutation(N)[:n]
    whole = fitted().predict_proba(FRAME)
    assert np.allclose(fitted().predict_proba(FRAME.iloc[rows]), whole[rows], atol=1e-12)
    frame = pl.from_pandas(FRAME)[rows.tolist()]
    assert np.allclose(fitted().predict_proba(frame), whole[rows], atol=1e-12)


@pytest.mark.filterwarnings("ignore:The behavior of DataFrame concatenation:FutureWarning")
@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["f", "m", "", "ß", None]),
            st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)),
            st.sampled_from([0, 1, 7, None]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_rows_are_predicted(rows):
    X = pd.DataFrame(rows, columns=["s", "x", "k"]).astype({"s": "object", "x": "float"})
    X = X.astype({"k": "Int64"})
    model = classifier(categorical_features=["s", "k"], max_iter=2)
    table = pd.DataFrame({"s": ["f", "m"] * 5, "x": range(10), "k": [0, 1, 1, 0, 1] * 2})
    table = table.astype({"x": float, "k": "Int64"})
    model.fit(pd.concat([table, table.iloc[:2].assign(s=None, x=NAN, k=None)]), Y[:12])
    assert np.isfinite(model.predict_proba(X)).all()


def test_decoded_rows_are_the_raw_ones():
    levels = np.array(["b", "a"], dtype=object)
    reading = Reading(np.array([False, True]), [levels])
    X = np.array([[1.5, 0.0], [NAN, 1.0], [2.0, NAN]])
    decoded = reading.decoded(X)
    assert decoded[:2].tolist()[0] == [1.5, "b"]
    assert decoded[1, 1] == "a"
    assert np.isnan(decoded[2, 1])
    numbers = Reading(np.array([False, True]), [np.array([10, 20])])
    assert np.array_equal(numbers.decoded(X), [[1.5, 10], [NAN, 20], [2, NAN]], equal_nan=True)


# Going on


def test_partial_fit_keeps_the_plan_of_the_first_call():
    model = classifier()
    model.partial_fit(FRAME[:120], Y[:120], classes=[0, 1])
    before = {name: model.input_columns_[name] for name in ("fill", "gaps")}
    later = FRAME[120:].assign(town="new", sex=None)
    later["children"] = later["children"].astype(float).where(later["children"] > 0)
    with pytest.warns(
        UserWarning, match=r"\['children'\] have gaps .* had none in the rows that trained"
    ):
        model.partial_fit(later, Y[120:])
    assert all(np.array_equal(before[k], model.input_columns_[k], equal_nan=True) for k in before)
    assert "new" not in model.categories_[1]
    assert len(model.loss_curve_) == 2
    with pytest.warns(
        UserWarning, match=r"\['children'\] have gaps .* had none in the rows that trained"
    ):
        assert np.isfinite(model.predict_proba(later)).all()


def test_warm_start_is_one_fit():
    once = classifier(max_iter=6, early_stopping=True).fit(FRAME, Y)
    twice = classifier(max_iter=3, early_stopping=True, warm_start=True).fit(FRAME, Y)
    twice = pickle.loads(pickle.dumps(twice)).fit(FRAME, Y)
    assert once.validation_scores_ == twice.validation_scores_
    assert np.array_equal(once.predict_proba(FRAME), twice.predict_proba(FRAME))


def test_a_second_fit_on_all_rows_has_the_plan_of_all_rows():
    X = FRAME.copy()
    stopping = EarlyStopping(patience=3, refit=True)
    model = classifier(early_stopping=stopping, max_iter=5, validation_fraction=0.4).fit(X, Y)
    assert model.input_columns_["fill"][0] == np.nanmedian(X["age"])
    assert model.coefs_[0].shape[0] == model.spec_["task"]["n_features"] - 1 + CODE_SIZE
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("monitor", ["accuracy", "neg_log_loss"])
def test_scorers_and_callbacks_see_raw_rows(monitor):
    seen = []

    def scorer(estimator, X, y):
        seen.append(X)
        return estimator.score(X, y)

    model = classifier(early_stopping=True, monitor=monitor, max_iter=3).fit(FRAME, Y)
    assert len(model.validation_scores_) == 3
    classifier(early_stopping=True, monitor=scorer, max_iter=1).fit(FRAME, Y)
    assert set(seen[0][:, 1]) == {"f", "m"}
    watch = EpochScoring("accuracy", on="validation")
    model = classifier(early_stopping=True, max_iter=2).set_callbacks(watch).fit(FRAME, Y)
    assert np.allclose(watch.frame().iloc[:, 3], model.validation_scores_)


# State


@pytest.mark.parametrize("scaling", SCALINGS)
def test_pickles_and_skops(scaling, tmp_path):
    model = classifier(input_scaling=scaling, warm_start=True, early_stopping=True).fit(FRAME, Y)
    expected = model.predict_proba(FRAME)
    skops.io.dump(model, tmp_path / "model.skops")
    for other in (
        pickle.loads(pickle.dumps(model)),
        skops.io.load(tmp_path / "model.skops", trusted=TRUSTED_TYPES),
    ):
        assert np.array_equal(other.predict_proba(FRAME), expected)
        assert np.array_equal(
            other.fit(FRAME, Y).predict_proba(FRAME),
            pickle.loads(pickle.dumps(model)).fit(FRAME, Y).predict_proba(FRAME),
        )


def test_members():
    model = classifier(n_members=3).fit(FRAME, Y)
    alone = model.member(1)
    members = model.predict_proba_members(FRAME) if "predict_proba_members" in dir(model) else None
    assert np.isfinite(alone.predict_proba(FRAME)).all()
    if members is not None:
        assert np.allclose(members[..., 1, :], alone.predict_proba(FRAME))
    shared = classifier(n_members=3, ensemble="shared").fit(FRAME, Y)
    assert np.isfinite(shared.predict_proba(FRAME)).all()


# With scikit-learn


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME)], ids=["pandas", "polars"])
def test_searches_give_scikit_learns_scores(frame):
    grid = {"alpha": [1e-4, 0.1], "learning_rate_init": [0.01, 0.001]}
    given = {"cv": KFold(3, shuffle=True, random_state=0), "scoring": "neg_log_loss"}
    theirs = GridSearchCV(classifier(max_iter=4), grid, **given).fit(frame, Y)
    ours = stacked.GridSearchCV(classifier(max_iter=4), grid, **given).fit(frame, Y)
    for i in range(3):
        name = f"split{i}_test_score"
        assert np.allclose(theirs.cv_results_[name], ours.cv_results_[name], atol=1e-6)
    assert np.allclose(theirs.predict_proba(frame), ours.predict_proba(frame), atol=1e-6)


def test_candidates_of_a_fold_are_one_stack():
    folds = [rows for rows, _ in KFold(3).split(FRAME)]
    fits = [
        Fit(classifier(alpha=alpha), FRAME, Y, rows=rows) for rows in folds for alpha in (0, 0.1, 1)
    ]
    assert [len(stack) for stack in open_stacks(fits)] == [3, 3, 3]
    X = np.random.default_rng(0).normal(size=(N, 3))
    fits = [Fit(classifier(), X, Y, rows=rows) for rows in folds]
    assert [len(stack) for stack in open_stacks(fits)] == [3]
    X[0, 0] = NAN
    fits = [Fit(classifier(), X, Y, rows=rows) for rows in folds for _ in range(2)]
    assert [len(stack) for stack in open_stacks(fits)] == [2, 2, 2]


def test_a_search_over_the_columns_and_their_scaling():
    grid = {
        "categorical_features": ["from_dtype", ["town", "sex", "colour", "children"]],
        "input_scaling": ["standard", "robust", "quantile"],
    }
    given = {"cv": 3, "scoring": "neg_log_loss"}
    theirs = GridSearchCV(classifier(max_iter=3), grid, **given).fit(FRAME, Y)
    ours = stacked.GridSearchCV(classifier(max_iter=3), grid, **given).fit(FRAME, Y)
    name = "mean_test_score"
    assert np.allclose(theirs.cv_results_[name], ours.cv_results_[name], atol=1e-6)


def test_cross_validation_of_frames():
    ours = stacked.cross_val_score(classifier(), FRAME, Y, cv=3)
    assert np.allclose(cross_val_score(classifier(), FRAME, Y, cv=3), ours)
    assert np.allclose(cross_val_score(classifier(), pl.from_pandas(FRAME), Y, cv=3), ours)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_behind_a_column_transformer(output):
    transformer = ColumnTransformer(
        [("numbers", StandardScaler(), make_column_selector(dtype_include="number"))],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform=output)
    frame = raw(gaps=False).astype({"colour": object, "sex": object, "town": object})
    pipe = make_pipeline(transformer, classifier()).fit(frame, Y)
    assert pipe[-1].is_categorical_.sum() == 3
    assert np.isfinite(pipe.predict_proba(frame)).all()
    grid = {"mlpclassifier__alpha": [0.0, 1.0]}
    theirs = GridSearchCV(pipe, grid, cv=3, scoring="neg_log_loss").fit(frame, Y)
    ours = stacked.GridSearchCV(pipe, grid, cv=3, scoring="neg_log_loss").fit(frame, Y)
    name = "mean_test_score"
    assert np.allclose(theirs.cv_results_[name], ours.cv_results_[name], atol=1e-6)


def test_permutation_importance_of_raw_columns():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"key": rng.choice(list("abc"), 200), "noise": rng.choice(list("xy"), 200)})
    X["gap"] = np.where(rng.random(200) < 0.2, NAN, rng.normal(size=200))
    y = X["key"] == "a"
    model = classifier(max_iter=100, learning_rate_init=0.01).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 0


def test_a_regressor():
    y = FRAME["age"].fillna(40) + 10 * (FRAME["sex"] == "f")
    model = MLPRegressor((16,), max_iter=300, learning_rate_init=0.01, random_state=0)
    assert model.fit(FRAME, y).score(FRAME, y) > 0.9
    assert clone(model).fit(pl.from_pandas(FRAME), y.to_numpy()).score(FRAME, y) > 0.9


def test_columns_in_another_order():
    model = classifier().fit(FRAME, Y)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(FRAME[FRAME.columns[::-1]])
    with pytest.raises(ValueError, match=r"(?s)names.*should match.*missing"):
        model.predict(FRAME.drop(columns="sex"))


# Looking in


def test_inspection_of_raw_tables():
    model = classifier().fit(FRAME, Y)
    assert len(layer_statistics(model, FRAME)) > 0
    initial_loss(model, FRAME, Y)
    report = sanity_check(classifier(), FRAME, Y)
    assert "3 columns" in str(report)
    with pytest.raises(ValueError, match=r"categories in the columns \['sex', 'town', 'colour'\]"):
        fgsm(model, FRAME, Y, 0.1)
    numbers = FRAME[["age", "children"]]
    for scaling in SCALINGS[1:4]:
        moved = fgsm(classifier(input_scaling=scaling).fit(numbers, Y), numbers, Y, 0.1)
        assert np.array_equal(np.isnan(moved[:, 0]), np.isnan(numbers["age"]))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_module_fills_and_scales(scaling):
    X = FRAME[["age", "children"]].to_numpy(dtype=float)
    model = classifier(input_scaling=scaling, dtype="float64").fit(X, Y)
    module = model.to_torch()
    found = module(torch.from_numpy(X)).detach().numpy().ravel()
    assert np.allclose(found, model.predict_proba(X)[:, 1], atol=1e-12)
    assert module.float()(torch.from_numpy(X).float()).dtype == torch.float32
    with pytest.raises(ValueError, match=r"\['sex', 'town', 'colour'\].*OneHotEncoder"):
        classifier().fit(FRAME, Y).to_torch()


# What is refused


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.date_range("2020", periods=N), "'bad' holds dates or times.*Make numbers"),
        (pd.to_timedelta(np.arange(N), unit="s"), "'bad' holds dates or times"),
        ([datetime.date(2020, 1, 1)] * N, "'bad' holds dates or times"),
        (pd.period_range("2020", periods=N), "'bad' holds dates or times"),
        ([{"a": 1}] * N, r"'bad' holds several values a row \(dict\)"),
        ([1j] * N, "Complex data not supported"),
        (np.where(np.arange(N) == 3, np.inf, 1.0), "Input X contains infinity"),
    ],
)
def test_columns_that_no_network_reads(column, message):
    with pytest.raises((TypeError, ValueError), match=message):
        classifier().fit(FRAME.assign(bad=column), Y)


@pytest.mark.parametrize("as_text", [False, True])
def test_intervals_are_categories(as_text):
    frame = raw()
    y = labels(frame)
    cuts = pd.cut(np.linspace(0, 1, N), [0, 0.2, 0.6, 1])  # the first row is a gap
    text = pd.Series(cuts).astype(object).map(str, na_action="ignore")
    expected = classifier().fit(frame.assign(k=text), y)
    found = classifier().fit(frame.assign(k=text if as_text else cuts), y)
    assert found.is_categorical_[-1]
    for k in (cuts, cuts.astype(object), text):
        same = found.predict_proba(frame.assign(k=k))
        assert np.array_equal(same, expected.predict_proba(frame.assign(k=text)))
    unknown = frame.assign(k=pd.cut(np.full(N, 7.0), [5, 6, 8]))
    assert np.isfinite(found.predict_proba(unknown)).all()
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.predict(frame.assign(k=cuts)), found.predict(frame.assign(k=cuts)))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_long_identifiers_keep_their_digits_beside_gaps(library):
    ids = [2**60 + i for i in range(20)] * 6

    def table(ids):
        if library == "polars":
            return pl.DataFrame({"id": pl.Series(ids, dtype=pl.Int64), "x": np.arange(120.0)})
        return pd.DataFrame({"id": pd.array(ids, dtype="Int64"), "x": np.arange(120.0)})

    y = (np.arange(120) % 20) < 10
    network = classifier(categorical_features=["id"], max_iter=30).fit(table(ids), y)
    gap = [None, *ids[1:]]
    again = classifier(categorical_features=["id"], max_iter=30).fit(table(gap), y)
    assert network.categories_[0].tolist() == again.categories_[0].tolist() == sorted(set(ids))
    p, with_gap = (network.predict_proba(table(column)) for column in (ids, gap))
    np.testing.assert_allclose(with_gap[1:], p[1:])


def test_scorers_see_identifiers_that_the_matrix_does_not_hold():
    ids = 100_000_000 + np.arange(30).repeat(10)
    X = pd.DataFrame({"b": np.random.default_rng(0).normal(size=300).astype("f4"), "k": ids})
    y = (ids - ids[0]) % 2
    given = {"categorical_features": ["k"], "early_stopping": True, "max_iter": 5}
    network = classifier(**given, monitor="accuracy").fit(X, y, X_val=X, y_val=y)
    assert network.n_iter_ == 5
    assert network.validation_scores_[-1] == network.score(X, y)


def test_a_column_of_nulls_of_arrow():
    a = pa.array(FRAME["age"].fillna(0))
    network = classifier().fit(pa.table({"a": a, "b": a}), Y)
    gaps = pd.DataFrame({"a": np.full(N, np.nan), "b": FRAME["age"].fillna(0)})
    with pytest.warns(UserWarning, match=r"Columns \['a'\] have gaps"):
        found = network.predict_proba(pa.table({"a": pa.nulls(N), "b": a}))
    with pytest.warns(UserWarning, match=r"Columns \['a'\] have gaps"):
        assert np.array_equal(found, network.predict_proba(gaps))
    with pytest.warns(UserWarning, match=r"Columns \['a'\] have no value .* are left out"):
        classifier().fit(pa.table({"a": pa.nulls(N), "b": a}), Y)


def test_dates_of_polars():
    X = pl.DataFrame({"when": [datetime.date(2020, 1, 1)] * N, "x": FRAME["age"].to_numpy()})
    with pytest.raises(TypeError, match="'when' holds dates or times"):
        classifier().fit(X, Y)


def use(X, place, other):
    """Give a table to one of the places that take one; another table to the rest."""
    if place == "fit":
        classifier().fit(X, Y)
    elif place == "predict":
        classifier().fit(other, Y).predict(X)
    else:
        classifier(early_stopping=True).fit(other, Y, X_val=X, y_val=Y)


@pytest.mark.parametrize("place", ["fit", "predict", "X_val"])
@pytest.mark.parametrize(
    "X",
    [
        np.arange(2 * N).reshape(N, 2).astype("M8[s]"),
        np.arange(2 * N).reshape(N, 2).astype("m8[D]"),
        [[1.0, datetime.date(2020, 1, 1)]] * N,
        np.array([[1.0, np.datetime64("2020-01-01")]] * N, dtype=object),
        np.array([[datetime.timedelta(1), "a"]] * N, dtype=object),
        np.array([[1.0, pd.Timestamp("2020")]] * (N - 1) + [[1.0, pd.NaT]], dtype=object),
    ],
    ids=["datetime64", "timedelta64", "list", "objects", "beside text", "of pandas"],
)
def test_dates_in_arrays(X, place):
    with pytest.raises(TypeError, match=r"Column at index \d holds dates or times.*Make numbers"):
        use(X, place, np.zeros((N, 2)))


@pytest.mark.parametrize("kind", ["M8[s]", "m8[D]", "series", "polars"])
def test_dates_are_no_targets(kind):
    y = np.arange(N).astype("M8[D]" if kind in {"series", "polars"} else kind)
    y = {"series": pd.Series, "polars": pl.Series}.get(kind, np.asarray)(y)
    with pytest.raises(ValueError, match=r"y holds dates or times.*Make numbers"):
        MLPRegressor((4,), max_iter=1).fit(np.zeros((N, 2)), y)


@pytest.mark.parametrize("place", ["fit", "predict", "X_val"])
def test_lazy_frames(place):
    X = pl.from_pandas(FRAME)
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*Give X.collect\(\)"):
        use(X.lazy(), place, X)
    with pytest.raises(TypeError, match=r"y is a LazyFrame.*Give y.collect\(\)"):
        MLPRegressor((4,), max_iter=1).fit(np.zeros((N, 2)), X.select("children").lazy())


@pytest.mark.parametrize("chosen", ["from_dtype", None])
def test_frames_without_columns(chosen):
    for X in (FRAME[[]], pa.Table.from_pandas(FRAME[[]]).select([]), np.empty((N, 0), object)):
        with pytest.raises(ValueError, match=r"Found array with 0 (feature|sample)\(s\)"):
            classifier(categorical_features=chosen).fit(X, Y)
    fitted = classifier(categorical_features=chosen).fit(FRAME[["age", "children"]], Y)
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="X has 0 features, but MLPClassifier is expecting 2"),
    ):
        fitted.predict(FRAME[[]])


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"s": [{"a": 1.0, "b": 2.0}] * N, "x": np.arange(N)}),
        pl.DataFrame({"s": [[1.0, 2.0]] * N, "x": np.arange(N)}),
        pl.DataFrame({"s": np.zeros((N, 2)), "x": np.arange(N)}),
        pa.table({"s": [{"a": 1.0}] * N, "x": np.arange(N)}),
        pa.table({"s": [[1.0]] * N, "x": np.arange(N)}),
    ],
    ids=["struct", "list", "array", "struct of arrow", "list of arrow"],
)
def test_columns_of_several_values_a_row(X):
    with pytest.raises(TypeError, match=r"Column 's' holds several values a row .*of each of them"):
        classifier().fit(X, Y)


def masked(X, where):
    """The table with a mask over values that would do harm."""
    X = X.copy()
    X[where] = -99
    return np.ma.masked_array(X, mask=where)


@pytest.mark.parametrize("dtype", [float, np.float32, int, np.int8, object])
def test_what_a_mask_hides_is_a_gap(dtype):
    X = np.random.default_rng(0).integers(0, 99, (N, 3)).astype(dtype)
    where = np.random.default_rng(1).random(X.shape) < 0.1
    gappy = np.where(where, NAN, X.astype(np.float32 if dtype == np.float32 else float))
    given = masked(X.astype(float).astype(dtype), where)
    expected = classifier().fit(gappy, Y)
    model = classifier().fit(given, Y)
    assert np.array_equal(model.predict_proba(given), expected.predict_proba(gappy))
    assert np.array_equal(expected.predict_proba(given), expected.predict_proba(gappy))
    stopped, plain = (
        classifier(early_stopping=True).fit(gappy, Y, X_val=X_val, y_val=Y)
        for X_val in (given, gappy)
    )
    assert stopped.validation_scores_ == plain.validation_scores_
    name = "mean_test_score"
    ours, theirs = (
        stacked.GridSearchCV(classifier(), {"alpha": [0, 1]}, cv=2).fit(table, Y)
        for table in (given, gappy)
    )
    assert np.array_equal(ours.cv_results_[name], theirs.cv_results_[name])


def test_masks_over_categories_and_over_nothing():
    code = np.random.default_rng(0).integers(0, 5, (N, 1)) + 2**60
    where = np.arange(N)[:, None] % 7 == 0
    model = classifier(categorical_features=[0]).fit(masked(code, where), Y)
    assert model.categories_[0].tolist() == sorted(set(code[~where].tolist()))
    X = np.random.default_rng(0).normal(size=(N, 2))
    bare = np.ma.masked_array(X)
    assert np.array_equal(
        classifier().fit(bare, Y).predict_proba(bare), classifier().fit(X, Y).predict_proba(X)
    )


def test_what_is_given_beside_a_table_has_no_masks():
    X, hidden = np.random.default_rng(0).normal(size=(N, 2)), np.arange(N) % 50 == 7
    match = r"masked values in 5 of its 240 rows \(the first is row 7\). Leave those rows out"
    model = MLPRegressor((4,), max_iter=1)
    for y in (X[:, 0], X):
        mask = hidden if y.ndim == 1 else np.column_stack([hidden, hidden])
        with pytest.raises(ValueError, match=f"y has {match}"):
            model.fit(X, np.ma.masked_array(y, mask=mask))
    with pytest.raises(ValueError, match=f"y has {match}"):
        classifier().fit(X, np.ma.masked_array(Y, mask=hidden))
    with pytest.raises(ValueError, match=f"sample_weight has {match}"):
        classifier().fit(X, Y, sample_weight=np.ma.masked_array(np.ones(N), mask=hidden))
    with pytest.raises(ValueError, match=f"y has {match}"):
        classifier(early_stopping=True).fit(X, Y, X_val=X, y_val=np.ma.masked_array(Y, mask=hidden))
    bare = np.ma.masked_array(Y)
    assert np.array_equal(classifier().fit(X, bare).predict(X), classifier().fit(X, Y).predict(X))


# Gaps that fit had not


def test_gaps_that_fit_had_not_are_told_once():
    X = np.random.default_rng(0).normal(size=(N, 3))
    gappy = X.copy()
    gappy[::5, 1] = NAN
    model = classifier().fit(X, Y)
    for call in (model.predict, model.predict_proba, model.transform):
        with pytest.warns(UserWarning, match=r"Columns \[1\] have gaps .*medians stand for") as w:
            call(gappy)
        assert len(w) == 1
    with_gaps = classifier().fit(gappy, Y)
    sparse = sp.csr_array(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_gaps.predict(gappy)
        with_gaps.predict(X)
        model.predict(X)
        model.predict(sparse)
    with pytest.warns(UserWarning, match=r"Columns \[2\] have gaps"):
        with_gaps.predict(np.where([[False, False, True]], NAN, gappy))


def test_columns_that_were_left_out_have_no_new_gaps():
    X = FRAME.assign(empty=NAN, key=[f"k{i}" for i in range(N)])
    with pytest.warns(UserWarning, match="left out"):
        model = classifier().fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X.assign(key=None))


def test_gaps_of_rows_held_out_alone_are_told():
    """The table that was fitted has gaps: not in the rows that train."""
    X = FRAME[["age", "children"]].fillna(40.0).astype(float)
    X.loc[N - 1, "children"] = NAN
    held = PredefinedSplit([-1] * (N - 20) + [0] * 20)
    model = classifier(early_stopping=True, validation_fraction=held).fit(X, Y)
    with pytest.warns(
        UserWarning, match=r"Columns \['children'\] .* none in the rows that trained:"
    ):
        model.predict(X)


def test_gaps_of_a_validation_set_alone_are_told():
    X = FRAME[["age", "children"]].fillna(40.0)
    X_val = X.assign(children=NAN)
    with pytest.warns(
        UserWarning, match=r"Columns \['children'\] have gaps .* had none in the rows that trained"
    ):
        classifier(early_stopping=True).fit(X, Y, X_val=X_val, y_val=Y)
    with pytest.warns(UserWarning, match="have gaps") as w:  # once, not once an epoch
        classifier(early_stopping=True, monitor="accuracy", max_iter=4).fit(
            X, Y, X_val=X_val, y_val=Y
        )
    assert len([one for one in w if "have gaps" in str(one.message)]) == 1


def test_infinite_categories():
    X = np.where(np.arange(N) % 5 == 0, np.inf, 1.0)[:, None]
    with pytest.raises(ValueError, match=r"infinity.*categorical column at index 0"):
        classifier(categorical_features=[0]).fit(X, Y)


def test_text_without_categories():
    for X, chosen in (
        (FRAME, None),
        (FRAME, ["town", "colour"]),
        (FRAME.to_numpy(), "from_dtype"),
        (FRAME.to_numpy(), None),
        (FRAME.to_numpy(), [2, 4]),
    ):
        with pytest.raises(
            ValueError, match=r"could not convert string to float: '[fm]'.*categorical_features"
        ):
            classifier(categorical_features=chosen).fit(X, Y)
    model = classifier().fit(FRAME[["age"]], Y)
    with pytest.raises(ValueError, match=r"could not convert string to float: 'old'.*'age'"):
        model.predict(FRAME[["age"]].assign(age="old"))


def test_numbers_where_text_was_learnt():
    zips = pd.DataFrame({"zip": ["00501", "90210"] * 119 + [None, None]})
    model = classifier().fit(zips.astype({"zip": "category"}), Y)
    with pytest.raises(TypeError, match=r"'zip' holds 501.*text, such as '00501'.*Convert"):
        model.predict(pd.DataFrame({"zip": [501, 90210]}))
    assert len(model.predict(pd.DataFrame({"zip": [NAN, NAN]}))) == 2
    numbers = classifier(categorical_features=[0]).fit([[501], [90210]] * 120, Y)
    with pytest.raises(TypeError, match=r"holds '501'.*numbers, such as 501"):
        numbers.predict(np.array([["501"]], dtype=object))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("from_type", "categorical_features.*'from_dtype'"),
        (["nothing"], "'nothing' which is not a valid feature name"),
        ([6], r"indices must be in \[0, n_features - 1\]"),
        ([True, False], "boolean mask.*shape"),
        ([0.5], "array-like of bool, int or str"),
        (3, "categorical_features"),
    ],
)
def test_categorical_features_that_are_none(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        classifier(categorical_features=given).fit(FRAME, Y)


def test_names_need_a_frame():
    with pytest.raises(ValueError, match="integers or as a boolean mask"):
        classifier(categorical_features=["a"]).fit(np.ones((N, 2)), Y)


def test_sparse_tables_have_no_categories():
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.random((N, 3)) * (rng.random((N, 3)) < 0.5))
    with pytest.raises(
        ValueError, match=r"categorical_features=\[0\] needs a dense table.*toarray"
    ):
        classifier(categorical_features=[0]).fit(X, Y)
    broken = X.copy()
    broken.data[0] = NAN
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier().fit(broken, Y)
    model = classifier(categorical_features=[0]).fit(np.round(X.toarray()), Y)
    with pytest.raises(TypeError, match="X is sparse"):
        model.predict(X)
    assert len(classifier(input_scaling="robust").fit(X, Y).predict(X)) == N


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Maximum iterations")
        for frame in (FRAME, pl.from_pandas(FRAME)):
            classifier().fit(frame, Y).predict(frame)


def test_text_in_another_encoder_is_the_same_network():
    frame = raw(gaps=False)
    ordinal = OrdinalEncoder().set_output(transform="pandas")
    names = ["sex", "town", "colour"]
    numbers = frame.assign(**{name: ordinal.fit_transform(frame[[name]])[name] for name in names})
    ours = classifier(categorical_features=names).fit(numbers, Y)
    assert np.array_equal(
        ours.predict_proba(numbers), classifier().fit(frame, Y).predict_proba(frame)
    )


# Frames that no table can be made of


# what NumPy says of tensors of older versions of torch
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
@pytest.mark.parametrize("cell", [[1, 2], [1], (1, 2), {"a": 1}, {1, 2}, np.ones(2), torch.ones(2)])
def test_columns_of_nested_values_are_refused(cell):
    cells = np.empty(N, dtype=object)
    cells[:] = [cell if i != 4 else None for i in range(N)]
    frame = pd.DataFrame({"x": np.arange(N) * 1.0, "nested": cells})
    array = np.column_stack([np.arange(N).astype(object), cells])
    for X, name in ((frame, "'nested'"), (array, "at index 1")):
        with pytest.raises(TypeError, match=rf"^Column {name} holds several values a row") as e:
            classifier().fit(X, Y)
        assert "categorical_features" not in str(e.value)
        assert "drop it" in str(e.value)
    model = classifier().fit(frame[["x"]].assign(nested=np.arange(N) / 7), Y)
    with pytest.raises(TypeError, match="'nested' holds several values"):
        model.predict(frame)


def test_objects_that_are_no_numbers_are_refused_with_a_way_out():
    X = pd.DataFrame({"x": np.arange(N) * 1.0, "odd": [object()] * N})
    with pytest.raises(TypeError, match=r"column 'odd'.*drop it") as e:
        classifier().fit(X, Y)
    assert "categorical_features" not in str(e.value)


@pytest.mark.parametrize("form", ["numbers", "text", "categories", "arrow"])
def test_equal_names_of_columns_are_refused(form):
    X = pd.DataFrame({"a": np.arange(N) * 1.0, "b": np.arange(N) % 7, "c": np.arange(N) % 5})
    if form in {"text", "categories"}:
        X["b"] = np.where(X["b"] > 2, "u", "v")
    if form == "categories":
        X["b"] = X["b"].astype("category")
    twice = X.set_axis(["a", "c", "c"], axis=1)
    if form == "arrow":
        twice = pa.table([X[name].to_numpy() for name in X], names=["a", "c", "c"])
    match = r"^Columns of X have equal names: 'c'\. Rename"
    with pytest.raises(ValueError, match=match):
        classifier().fit(twice, Y)
    model = classifier().fit(X, Y)
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match=match):
            method(twice)
    with pytest.raises(ValueError, match=match):
        classifier(early_stopping=True).fit(X, Y, X_val=twice, y_val=Y)


@pytest.mark.parametrize("size", [1e307, 1.7e308])
def test_sums_of_large_numbers_say_nothing(size):
    """Halves of both signs: their sums are inf and -inf, and the sum of these is NaN."""
    X = np.column_stack([np.arange(1000.0), np.repeat([size, -size], 500)])
    labels = np.repeat([0, 1], 500)
    for table in (X, np.asfortranarray(X), pd.DataFrame(X), X.astype(object), sp.csr_matrix(X)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            model = MLPClassifier((4,), max_iter=2, random_state=0).fit(table, labels)
            model.predict(table)
