"""The comparison: figures, columns and tasks, what goes wrong and what is kept."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from sklearn_dnn.compare import RIVALS, TableProblem, compare_models
from sklearn_dnn.compare._columns import _look, _plain_numbers, category_text, describe_columns
from sklearn_dnn.compare._figures import corrected_t_test
from sklearn_dnn.compare._models import (
    GAP,
    as_numbers,
    as_text,
    as_text_with_gaps,
    build,
    converted,
)
from sklearn_dnn.compare._plots import importance
from sklearn_dnn.compare._points import NoPictureError
from sklearn_dnn.compare._tables import read_file, split_target
from sklearn_dnn.compare._target import drop_gaps, find_task
from sklearn_dnn.datasets import load_california_housing

QUICK = ["dummy", "linear", "ridge"]


def table(n_rows=150, seed=0):
    """Numbers with gaps, a category with gaps, a flag, and targets of each task."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n_rows), rng.normal(size=n_rows)
    colour = rng.choice(["red", "green", "blue"], size=n_rows).astype(object)
    y = 3 * a - b + 2 * (colour == "red") + 0.3 * rng.normal(size=n_rows)
    colour[rng.random(n_rows) < 0.1] = None
    X = pd.DataFrame({"a": a, "b": b, "colour": colour, "flag": rng.random(n_rows) < 0.5})
    X.loc[rng.random(n_rows) < 0.2, "a"] = np.nan
    return X, pd.Series(y, name="y")


class Breaks(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of order\nsecond line")

    def predict(self, X):
        raise AssertionError


class Interrupted(DummyRegressor):
    def fit(self, X, y):
        raise KeyboardInterrupt


class WarnsOnly(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


# Figures.


def test_scores_equal_those_of_hand_written_regression():
    X, y = table()
    X, cv = X[["a", "b", "colour"]], KFold(4, shuffle=True, random_state=3)
    text = X.assign(colour=X["colour"].astype(object).where(X["colour"].notna(), "none"))
    dense = ColumnTransformer(
        [
            (
                "n",
                make_pipeline(
                    SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
                ),
                ["a", "b"],
            ),
            ("c", OneHotEncoder(sparse_output=False), ["colour"]),
        ]
    )
    ridge = make_pipeline(dense, RidgeCV(alphas=np.logspace(-3, 4, 15)))
    native = ColumnTransformer(
        [("n", "passthrough", ["a", "b"]), ("c", OrdinalEncoder(), ["colour"])]
    )
    boosting = make_pipeline(
        native, HistGradientBoostingRegressor(categorical_features=[2], random_state=3)
    )
    ours = compare_models(X, y, ["ridge", "hist_gradient_boosting"], cv=4, seed=3)
    for name, model, frame in [("ridge", ridge, text), ("hist_gradient_boosting", boosting, X)]:
        with threadpool_limits(1):
            theirs = cross_validate(model, frame, y, cv=cv, scoring=ours.scoring)
        for scorer in ours.scoring:
            expected = theirs[f"test_{scorer}"]
            np.testing.assert_allclose(ours.scores[name][scorer], expected, rtol=1e-9)


def test_scores_equal_those_of_hand_written_classification():
    X, y = table()
    labels = np.where(y > 0, "yes", "no").astype(object)
    numbers = X[["a", "b"]]
    ours = compare_models(numbers, labels, ["hist_gradient_boosting"], cv=3, seed=1)
    with threadpool_limits(1):
        theirs = cross_validate(
            HistGradientBoostingClassifier(random_state=1),
            numbers,
            labels,
            cv=StratifiedKFold(3, shuffle=True, random_state=1),
            scoring=["roc_auc", "accuracy", "neg_log_loss"],
        )
    assert ours.task == "binary"
    assert ours.scoring == ["roc_auc", "accuracy", "neg_log_loss"]
    for scorer, values in ours.scores["hist_gradient_boosting"].items():
        np.testing.assert_allclose(values, theirs[f"test_{scorer}"], rtol=1e-9)
    probabilities = ours.probabilities["hist_gradient_boosting"]
    chosen = ours.classes[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(chosen, ours.predictions["hist_gradient_boosting"])


def test_corrected_t_test_by_hand():
    differences = np.array([0.1, 0.3, 0.2, 0.4])
    variance = sum((d - 0.25) ** 2 for d in differences) / 3
    t = 0.25 / np.sqrt((1 / 4 + 1 / 3) * variance)
    assert corrected_t_test(differences, 1 / 3) == pytest.approx(2 * (1 - stats.t.cdf(t, 3)))
    assert corrected_t_test(-differences, 1 / 3) == corrected_t_test(differences, 1 / 3)
    assert corrected_t_test(differences, 1 / 3) > stats.ttest_1samp(differences, 0).pvalue
    assert corrected_t_test(np.zeros(3), 0.5) == 1
    assert np.isnan(corrected_t_test(np.array([0.1]), 0.5))


def test_frame_and_dict():
    X, y = table()
    result = compare_models(X, y, QUICK, cv=3)
    frame = result.to_frame()
    first = result.scoring[0]
    assert list(frame.index) == result.ranking
    assert frame[f"{first}_mean"].is_monotonic_decreasing
    assert frame.index[-1] == "dummy"
    assert frame["difference"].iloc[0] == 0
    assert np.isnan(frame["p_value"].iloc[0])
    differences = result.scores["dummy"][first] - result.scores[result.best][first]
    assert frame.at["dummy", "p_value"] == corrected_t_test(differences, 1 / 2)
    figures = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert list(figures["models"]) == result.ranking
    assert figures["models"]["ridge"]["scores"]["r2"] == list(result.scores["ridge"]["r2"])
    assert figures["settings"]["rows"] == len(X)
    assert set(figures["settings"]["versions"]) >= {"python", "sklearn_dnn", "torch"}


def test_two_processes_give_the_same():
    X, y = table()
    one = compare_models(X, y, QUICK, cv=2)
    two = compare_models(X, y, QUICK, cv=2, n_jobs=2)
    for name in QUICK:
        np.testing.assert_array_equal(one.predictions[name], two.predictions[name])
        for scorer in one.scoring:
            np.testing.assert_array_equal(one.scores[name][scorer], two.scores[name][scorer])


def test_the_same_seed_gives_the_same():
    X, y = table(80)
    runs = [compare_models(X, y, ["sklearn_dnn"], cv=2, seed=s) for s in (1, 1, 2)]
    first, again, other = (run.scores["sklearn_dnn"]["r2"] for run in runs)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_curves_of_the_networks_only():
    X, y = table(80)
    result = compare_models(X, y, ["dummy", "sklearn_mlp", "sklearn_dnn"], cv=2)
    assert set(result.curves) == {"sklearn_mlp", "sklearn_dnn"}
    assert [len(curves) for curves in result.curves.values()] == [2, 2]
    assert all(len(curve["loss"]) > 1 for curve in result.curves["sklearn_dnn"])


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("name", [name for name in RIVALS if name != "random_forest"])
def test_every_rival_on_gaps_and_categories(name, task):
    X, y = table(100)
    if task != "regression":
        y = pd.Series(pd.cut(y, [-99, 0, 99] if task == "binary" else [-99, -1, 1, 99]).astype(str))
    result = compare_models(X, y, [name], cv=2)
    assert result.task == task
    assert not result.missing
    assert all(np.isfinite(values).all() for values in result.scores[name].values())
    unseen = X.assign(colour="violet", a=np.nan)
    assert len(result.refit().predict(unseen)) == len(X)


def test_random_forest():
    X, y = table(60)
    assert compare_models(X, y, ["random_forest"], cv=2).scores["random_forest"]["r2"].mean() > 0


def test_preparation_knows_no_test_row():
    X, y = table(40)
    model = build("ridge", "regression", ["b"], [], 0, 40).fit(X[:20], y[:20])
    scaler = model["prepare"].named_transformers_["numbers"][-1]
    assert scaler.mean_[0] == pytest.approx(X["b"][:20].mean())


# Own models, and what goes wrong.


def test_own_estimators_are_used_as_they_are():
    X, y = table()
    own = {"strong": Ridge(alpha=100.0), "weak": Ridge(alpha=0.1)}
    cv = KFold(3)
    result = compare_models(X[["b"]], y, own, cv=cv)
    theirs = cross_validate(Ridge(alpha=100.0), X[["b"]], y, cv=cv, scoring="r2")
    np.testing.assert_array_equal(result.scores["strong"]["r2"], theirs["test_score"])
    assert not hasattr(own["strong"], "coef_")
    assert result.models["weak"] is own["weak"]


def test_a_model_that_raises_is_missing_and_the_others_go_on():
    X, y = table()
    result = compare_models(X[["b"]], y, {"broken": Breaks(), "ridge": Ridge()}, cv=3)
    assert result.missing == {"broken": "RuntimeError: out of order"}
    assert result.ranking == ["ridge"]


def test_interrupt_keeps_what_is_finished():
    X, y = table()
    own = {"good": Ridge(), "stopped": Interrupted(), "never": Ridge()}
    result = compare_models(X[["b"]], y, own, cv=3)
    assert result.interrupted
    assert result.ranking == ["good"]
    assert result.missing == {
        "stopped": "interrupted after 0 of 3 folds",
        "never": "interrupted",
    }


def test_max_time():
    X, y = table()
    result = compare_models(X, y, QUICK, cv=3, max_time=1e-9)
    assert set(result.missing) == set(QUICK)
    assert all("no time left" in reason for reason in result.missing.values())
    assert result.to_frame().empty
    assert result.to_dict()["best"] is None
    with pytest.raises(ValueError, match="No model has a result"):
        result.refit()


def test_a_score_that_a_model_cannot_have_is_nan():
    X, y = table()
    labels = (y > 0).astype(int)
    own = {"svc": LinearSVC(), "first": WarnsOnly()}
    result = compare_models(X[["b"]], labels, own, cv=3)
    assert np.isnan(result.scores["svc"]["neg_log_loss"]).all()
    assert np.isfinite(result.scores["svc"]["roc_auc"]).all()
    assert result.probabilities["svc"] is None
    assert result.ranking == ["svc", "first"]
    assert any("svc: neg_log_loss can't be computed" in note for note in result.notes)


def test_rows_that_no_fold_tests_have_no_prediction():
    X, y = table()
    cv = ShuffleSplit(1, test_size=0.2, random_state=0)
    predictions = compare_models(X, y, ["ridge"], cv=cv).predictions["ridge"]
    assert np.isnan(predictions).sum() == 120
    labels = compare_models(X, y > 0, ["dummy"], cv=cv).predictions["dummy"]
    assert sum(label is None for label in labels) == 120


def test_progress_is_told_of_each_fold():
    X, y = table()
    told = []
    compare_models(X, y, QUICK, cv=3, progress=told.append)
    assert [entry["done"] for entry in told] == list(range(1, 10))
    assert told[-1]["seconds_left"] == pytest.approx(0, abs=1e-6)
    assert (told[3]["model"], told[3]["fold"], told[3]["total"]) == ("linear", 1, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ["rigde"]}, "did you mean 'ridge'"),
        ({"models": []}, "models is empty"),
        ({"models": {}}, "models is empty"),
        ({"scoring": ["r3"]}, "There is no scorer 'r3'"),
        ({"scoring": []}, "scoring is empty"),
        ({"cv": 1}, "cv must be from 2"),
        ({"cv": "five"}, "cv must be a whole number or a splitter"),
        ({"seed": -1}, "seed must be"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"max_time": 0}, "max_time must be"),
        ({"task": "regresion"}, "did you mean 'regression'"),
    ],
)
def test_bad_arguments(arguments, message):
    X, y = table(30)
    with pytest.raises(TableProblem, match=message):
        compare_models(X, y, **arguments)


# Tables.


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0.5, 1.5, 2.5] * 4, "regression"),
        ([0, 1] * 6, "binary"),
        ([1.5, 2.5] * 6, "binary"),
        (["no", "yes"] * 6, "binary"),
        ([True, False] * 6, "binary"),
        ([1.0, 2.0, 3.0] * 4, "multiclass"),
        (["a", "b", "c"] * 4, "multiclass"),
        (list(range(21)) * 2, "regression"),
        (pd.Categorical([1, 2, 3] * 4), "multiclass"),
    ],
)
def test_task_from_target(values, task):
    found, note = find_task(pd.Series(values, name="y"))
    assert found == task
    assert note.startswith(f"Task {task}: ")


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (["a", "b"] * 3, "regression", "text where numbers are needed"),
        ([1, 2, 3] * 3, "binary", "needs two distinct values"),
        (["a", "a", "b"], None, "has one row"),
        ([f"name {i}" for i in range(9)], None, "too many"),
        ([1, 2] * 3, "ranking", "task must be one of"),
    ],
)
def test_task_refused(values, task, message):
    with pytest.raises(TableProblem, match=message):
        find_task(pd.Series(values, name="y"), task)


def test_columns():
    n = 30
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "key": [f"k{i}" for i in range(n)],
            "same": 1.0,
            "empty": np.nan,
            "number": np.linspace(0, 1, n),
            "flag": [True, False] * (n // 2),
            "nearly": ["1", "2"] * (n // 2 - 1) + ["3", "?"],
            "sometimes": [1.0, np.nan] * (n // 2),
        }
    )
    columns = describe_columns(frame)
    assert columns.numeric == ["id", "number", "sometimes"]
    assert columns.categorical == ["key", "flag", "nearly"]
    notes = " ".join(columns.notes)
    assert "same or missing in every row: same, empty." in notes
    assert "like an identifier; drop if it is one: id, key." in notes
    assert "nearly all cells or levels are numbers is read as categories: column" in notes
    assert "'nearly' (but for such as" in notes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.inf, 2.0], "infinite"),
        (pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]), "date or a time"),
        ([1, 1, 1], "No column is left"),
    ],
)
def test_columns_refused(values, message):
    with pytest.raises(TableProblem, match=message):
        describe_columns(pd.DataFrame({"x": values}))


def test_gaps_in_the_target_are_dropped_and_said():
    X, y = table(60)
    y[:7] = np.nan
    result = compare_models(X, y, ["dummy"], cv=3)
    assert len(result.y) == len(result.X) == 53
    assert "7 of 60 rows dropped: the target 'y' is missing." in result.notes


def test_fewer_folds_than_asked_where_a_class_is_small():
    X, _ = table(30)
    y = ["a"] * 27 + ["b"] * 3
    result = compare_models(X, y, ["dummy"], cv=5)
    assert len(result.folds) == result.settings["cv"] == 3
    assert any(note.startswith("3 folds instead of 5") for note in result.notes)


def test_useless_columns_are_left_out():
    X, y = table(40)
    result = compare_models(X.assign(same=1), y, ["ridge"], cv=2)
    assert list(result.X.columns) == list(X.columns)


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "category", "string"])
def test_pandas_dtypes(dtype):
    X, y = table(40)
    X["extra"] = pd.Series([0, 1, None, 1] * 10, dtype="Int64")
    X["extra"] = X["extra"].astype(str) if dtype == "string" else X["extra"]
    X["extra"] = X["extra"].astype(dtype)
    result = compare_models(X, y, ["ridge", "hist_gradient_boosting"], cv=2)
    assert not result.missing


def test_arrays_are_fine():
    X, y = table(40)
    result = compare_models(X[["a", "b"]].to_numpy(), y.to_numpy(), ["ridge"], cv=2)
    assert list(result.X.columns) == ["x0", "x1"]
    assert result.target == "target"


def test_columns_named_by_numbers():
    X, y = table(40)
    X = X[["a", "b"]].set_axis([1, 0], axis=1).assign(same=1)
    result = compare_models(X, y, ["ridge"], cv=2)
    assert list(result.X.columns) == ["1", "0"]
    assert not result.missing


def test_tables_are_read(tmp_path):
    X, y = table(20)
    frame = X.assign(y=y)
    for name in ["t.csv", "t.csv.gz"]:
        frame.to_csv(tmp_path / name, index=False)
        read = read_file(tmp_path / name)
        assert list(read.columns) == list(frame.columns)
        assert len(read) == 20
    with pytest.raises(TableProblem, match="did you mean 'colour'"):
        split_target(frame, "color")


def test_california_housing():
    frame = load_california_housing()
    X, y = load_california_housing(return_X_y=True)
    assert frame.shape == (20640, 10)
    assert frame["total_bedrooms"].isna().sum() == 207
    assert frame["ocean_proximity"].nunique() == 5
    assert y.name == "median_house_value"
    assert y.max() == 500001
    pd.testing.assert_frame_equal(X.assign(median_house_value=y)[frame.columns], frame)


def test_parquet_is_read_as_csv_is(tmp_path):
    pytest.importorskip("pyarrow")
    frame = load_california_housing().head(50)
    frame.to_parquet(tmp_path / "table.parquet")
    frame.to_csv(tmp_path / "table.csv", index=False)
    pd.testing.assert_frame_equal(
        read_file(tmp_path / "table.parquet"), read_file(tmp_path / "table.csv")
    )


@pytest.mark.parametrize(
    ("trained", "given"),
    [(["1", "2", "X"], [1, 2, 2]), (["1", "2", "X"], [1.0, 2.0, np.nan]), ([True, False], [1, 0])],
)
def test_a_category_is_the_same_however_a_reader_typed_it(trained, given):
    model = build("ridge", "regression", [], ["code"], 0, 60)
    X = pd.DataFrame({"code": pd.Series(trained * 20, dtype=object)})
    y = np.array([float(len(str(v)) + 3 * (str(v) in {"1", "True"})) for v in X["code"]])
    model.fit(X, y)
    known = pd.DataFrame({"code": pd.Series(trained[:2], dtype=object)})
    new = pd.DataFrame({"code": given[:2]})
    np.testing.assert_allclose(model.predict(new), model.predict(known))


def test_boosting_takes_a_column_that_is_all_gaps_in_a_fold():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=90), "rare": np.nan})
    X.loc[3, "rare"] = 1.0
    result = compare_models(X, X["a"] * 2, models=["hist_gradient_boosting"], cv=3)
    assert not result.missing


@pytest.mark.parametrize(
    ("y", "scorer"),
    [
        (np.linspace(0, 1, 60), "accuracy"),
        (np.arange(60) % 3, "f1"),
        (np.arange(60) % 3, "roc_auc"),
    ],
)
def test_a_scorer_of_another_task_is_refused(y, scorer):
    X = pd.DataFrame({"a": np.linspace(0, 1, 60)})
    with pytest.raises(TableProblem, match=f"scorer '{scorer}' is not for the task"):
        compare_models(X, y, models=["dummy"], scoring=[scorer])


def test_odd_tables_are_told_of(tmp_path):
    (tmp_path / "comma.csv").write_text("a,b,y\n1,2,3,\n4,5,6,\n")
    with pytest.raises(TableProblem, match="rows of 4 fields but names for 3 columns"):
        read_file(tmp_path / "comma.csv")
    (tmp_path / "semicolon.csv").write_text("a;y\n1;2\n")
    with pytest.raises(TableProblem, match="save it with commas"):
        split_target(read_file(tmp_path / "semicolon.csv"), "y")
    (tmp_path / "damaged.csv.gz").write_bytes(b"\x1f\x8b\x08\x00" + b"\x00" * 6 + b"\xff" * 40)
    with pytest.raises(TableProblem, match="can't be read as a table"):
        read_file(tmp_path / "damaged.csv.gz")
    with pytest.raises(TableProblem, match="lists or records"):
        describe_columns(pd.DataFrame({"a": [[1], [2], [3]]}))
    dates = [f"2020-01-{day:02d}" for day in range(1, 21)] * 2
    assert any("dates" in note for note in describe_columns(pd.DataFrame({"d": dates})).notes)
    y = pd.Series(pd.Categorical(["p", "q"] * 5, categories=["p", "q", "r"]), name="y")
    _, kept, _ = drop_gaps(*split_target(pd.DataFrame({"a": range(10), "y": y}), "y"))
    assert find_task(kept)[0] == "binary"
    (tmp_path / "words.csv").write_text("a,y\n1,None\n2,mild\n3,\n")
    _, kept, _ = drop_gaps(*split_target(read_file(tmp_path / "words.csv"), "y"))
    assert kept.tolist() == ["None", "mild"]


# Wide tables: looked at and converted once, and equal to what each column gives alone.


def test_columns_of_numbers_are_judged_together_as_each_alone():
    rng = np.random.default_rng(0)
    n = 50
    X = pd.DataFrame(
        {
            "float": rng.normal(size=n),
            "id": rng.permutation(n) * 1.0,
            "gappy": np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 3, n)),
            "constant": 3,
            "constant with gaps": np.where(np.arange(n) < 3, np.nan, 1.0),
            "empty": np.nan,
            "zeros": np.where(np.arange(n) % 2, 0.0, -0.0),
            "tiny": np.arange(n).astype("u1"),
            "half": rng.normal(size=n).astype("f2"),
            "far": 2**60 + np.arange(n),  # whose floats are all the same
            "nullable": pd.array([None, *range(n - 1)], dtype="Int64"),
            "far nullable": pd.array(2**60 + np.arange(n), dtype="Int64"),
            "arrow": pd.array(rng.normal(size=n), dtype="double[pyarrow]"),
            "flag": rng.random(n) < 0.5,
        }
    )
    for name in X.columns:
        known = X[name].dropna()
        facts = _plain_numbers(X).get(name) or _look(X[name])
        assert facts.n_distinct == len(set(known.tolist())), name
        assert facts.n_known == len(known), name
        whole = all(float(value).is_integer() for value in known)
        assert facts.like_id == (whole and name != "flag"), name
    columns = describe_columns(X)
    assert "the same or missing in every row: constant, empty, zeros." in columns.notes[0]
    assert "if it is one: id, tiny, far, far nullable." in columns.notes[1]
    assert columns.categorical == ["flag"]
    with pytest.raises(TableProblem, match="'half' has infinite"):
        describe_columns(X.assign(half=np.full(n, np.inf, dtype="f2")))


def test_a_converted_table_gives_the_models_what_the_table_does():
    X, _ = table()
    X["nullable"] = pd.array([None, *range(len(X) - 1)], dtype="Int64")
    X["kind"] = pd.Categorical(np.resize([1.0, 2.5, None], len(X)))
    X["mixed"] = pd.Series(np.resize([1, "1", 2.0, True, None, "true", "x"], len(X)), dtype=object)
    numeric, categorical = ["a", "b", "nullable"], ["colour", "flag", "kind", "mixed"]
    given = converted(X[[*reversed(categorical), *numeric]], numeric, categorical)
    assert list(given.columns) == [*reversed(categorical), *numeric]
    for frame in (X, given, given.iloc[:0], X.iloc[:0]):
        rows = slice(len(frame))
        expected = np.column_stack([X[n].to_numpy(float, na_value=np.nan) for n in numeric])
        np.testing.assert_array_equal(as_numbers(frame[numeric]), expected[rows])
        texts = [[GAP if pd.isna(v) else category_text(v) for v in X[name]] for name in categorical]
        np.testing.assert_array_equal(as_text(frame[categorical]), np.transpose(texts)[rows])
        gaps = pd.isna(as_text_with_gaps(frame[categorical]))
        np.testing.assert_array_equal(gaps, X[categorical].isna().to_numpy()[rows])


def test_equal_values_of_other_types_keep_their_own_text():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [Decimal("1.0"), Decimal("2")]}, dtype=object)
    assert as_text(frame).tolist() == [["1", "1.0"], ["2", "2"]]


def test_a_saved_model_finds_columns_by_name():
    X, y = table(60)
    comparison = compare_models(X, y, models=["ridge"], cv=2)
    model = comparison.refit()
    other = X[["flag", "b", "colour", "a"]].assign(more=1)
    np.testing.assert_allclose(model.predict(other), model.predict(X), rtol=1e-12)
    fitted = clone(comparison.models["ridge"]).fit(other, y)
    np.testing.assert_allclose(fitted.predict(X), model.predict(X), rtol=1e-9)
    with pytest.raises((TableProblem, ValueError), match="colour"):
        model.predict(X.drop(columns="colour"))
    with pytest.raises(TableProblem, match="lacks columns: colour"):
        clone(comparison.models["ridge"]).fit(X.drop(columns="colour"), y)
    assert "['a', 'b']" in repr(comparison.models["ridge"])


def test_each_column_is_looked_at_once_however_many_folds_and_models(monkeypatch):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(24, 300)).astype("f4")).assign(text=["x", "y"] * 12)
    kept, calls = pd.to_numeric, []

    def counted(*given, **named):
        calls.append(given)
        return kept(*given, **named)

    monkeypatch.setattr(pd, "to_numeric", counted)
    compare_models(X, rng.normal(size=24), models=QUICK, cv=3)
    assert len(calls) <= 10  # 18 times 300 where each fold and model converts each column


def test_importance_of_very_many_columns_is_left_out():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(12, 1001)))
    comparison = compare_models(X, X[0] + rng.normal(size=12), models=["dummy"], cv=2)
    with pytest.raises(NoPictureError, match="1,001 columns"):
        importance(comparison)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ([*map(str, np.arange(40) / 8), "x"], "all but 1 of 41 cells do, not 'x' in row 41"),
        (["x", *map(str, range(40))], "all but 1 of 41 cells do, not 'x' in row 1 "),
        ([f"{v / 8}" for v in range(41)], "such as '0.0' in row 1 "),
        ([f"{v},{v}" for v in range(41)], "they have marks, such as '0,0' in row 1 "),
        (["n/a", *[f"{v}%" for v in range(40)]], "not 'n/a' in row 1 .*once marks are removed"),
        ([*["1e5"] * 3, "1e400", *map(str, range(40))], "all but 1 of 44 cells do, not '1e400'"),
    ],
)
def test_a_target_of_numbers_as_text_is_shown(target, said):
    with pytest.raises(TableProblem, match=said):
        find_task(pd.Series(target, name="y", dtype=object))


@pytest.mark.parametrize(
    "target",
    [
        ["yes", "no"] * 20,
        ["1", "0"] * 20,
        ["1", "2", "3", "?"] * 10,
        ["a1", "b2", "c3"] * 10,
        ["2020-01-01", "2020-01-02"] * 10,
        ["5%", "10%"] * 10,
        pd.Categorical([f"{v}.5" for v in range(20)] * 2),
        [True, False] * 10,
    ],
)
def test_labels_stay_classes(target):
    y = pd.Series(target, name="y")
    assert find_task(y)[0] == ("binary" if y.nunique() == 2 else "multiclass")


def test_row_numbers_are_those_of_the_table_that_was_given():
    y = pd.Series([*map(str, np.arange(30) / 4), "bad"], index=range(100, 131), name="y")
    y.iloc[[0, 5]] = None
    with pytest.raises(TableProblem, match="'bad' in row 31 "):
        compare_models(pd.DataFrame({"a": range(31)}, index=y.index), y, models=["dummy"])
