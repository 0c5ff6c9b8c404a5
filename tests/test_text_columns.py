"""Columns of text: numbers, codes or names, decided by the rows that train, and told."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_dnn.model_selection as stacked
from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.texts import SEEN_CELLS, Texts, read_numbers, without_marks
from sklearn_dnn.compare import compare_models
from sklearn_dnn.compare._columns import describe_columns
from sklearn_dnn.estimators._stacked_fit import Fit
from sklearn_dnn.estimators._stacks import open_stacks
from sklearn_dnn.inspection import sanity_check
from sklearn_dnn.persistence import TRUSTED_TYPES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NAN = np.nan
N = 120
RNG = np.random.default_rng(0)
PRICE = RNG.uniform(10, 500, N).round(2)
Z = RNG.normal(size=N)
Y = np.log(PRICE) + 0.1 * Z
NUMBERS = pd.DataFrame({"price": PRICE, "z": Z})
TEXT = NUMBERS.assign(price=[f"{v:.2f}" for v in PRICE])
CODES = (np.arange(N) * 7 % 11 + 5000).astype(str).astype(object)


def regressor(**parameters):
    return MLPRegressor(
        **{"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0} | parameters
    )


def fitted(X, y=Y, **parameters):
    return regressor(**parameters).fit(X, y)


def verdict(cells):
    """What a column of these cells stands for."""
    levels, codes = np.unique(np.array(cells, dtype=object).astype(str), return_inverse=True)
    return Texts(levels.astype(object)).verdict(np.bincount(codes))


def some(value, *, every=25, of=TEXT["price"]):
    """The texts with another in a few places."""
    return [value if i % every == 3 else text for i, text in enumerate(of)]


# The rule


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.50", 12.5),
        (" 5012 ", 5012.0),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("+7.", 7.0),
        ("0.1\n", 0.1),
        ("1e999", NAN),
        ("inf", NAN),
        ("nan", NAN),
        ("NA", NAN),
        ("", NAN),
        ("1_000", NAN),
        ("0x1F", NAN),
        ("1,5", NAN),
        ("12%", NAN),
        ("٣", NAN),
        (b"2.5", 2.5),
        (3, 3.0),
        (np.inf, NAN),
        (True, NAN),
        (10**400, NAN),
    ],
)
def test_what_a_cell_reads_as(text, number):
    cells = np.empty(2, dtype=object)
    for beside in ("7.5", "name"):  # all of a column at once, and one by one
        cells[:] = text, beside
        assert np.array_equal(read_numbers(cells)[:1], [number], equal_nan=True)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["12.50", "3", "4"], "numbers"),
        (["1e-3", "5"], "numbers"),
        ([" 12.5", "-3.25 "], "numbers"),
        (["5", "6", "7"], "whole"),
        (["00501", "90210", "10001"], "whole"),
        (["12.0", "13.0", "1e3"], "whole"),  # written with a point, and whole all the same
        ([*map(str, range(60)), "?"], "nearly"),
        ([*(f"{i}.5" for i in range(20)), "n/a", ""], "nearly"),
        ([*map(str, range(60)), "inf"], "nearly"),
        (["1,234.5", "999.5", "2,000"], "marked"),
        (["12%", "13.5 %", "9%", "?"] * 3 + ["8%"] * 30, "marked"),
        (["$12", "-$5", "£1,000,000", "€ 7"], "marked"),
        (["12 EUR", "7,5 EUR", "USD 3"], "marked"),
        (["12,5", "3,25", "7"], "marked"),
        (["1.234,56", "1.000", "17,5"], "marked"),
        (["1 234,5", "1\u00a0000", "12"], "marked"),
        (["(12.5)", "\u22125", "1'234"], "marked"),
        ([f"{i} kg" for i in range(20)], "marked"),
        ([f"{i}.5 km/h" for i in range(20)], "marked"),
        (["2020-01-31", "2020-02-29", "2021-12-01"], "dated"),
        (["31.01.2020", "1.2.2020", "17.12.1999"], "dated"),
        (["01/31/2020", "12/1/1999", "2/3/99"], "dated"),
        (["2020-01-31 12:30:01", "2020-01-31T12:30Z", "2020/1/2 3:04 pm"], "dated"),
        (["Jan 5, 2020", "5 January 2020", "Mon, 05 Feb 2020"], "dated"),
        (["2020-01", "2020-02", "2020Q3"], "dated"),
        (["12:30", "23:59:59", "7:05 am"], "dated"),
        (["a", "b", "c"], "names"),
        (["v1", "v2", "v3"], "names"),
        (["town 1", "town 2", "town 3"], "names"),
        (["1st", "2nd", "3rd"], "names"),
        (["36 months", "60 months"], "names"),
        (["0-17", "18-25", "26-35"], "names"),
        (["C85", "C123", "B42"], "names"),
        (["1.2.3", "1.2.4", "2.0.0"], "names"),
        (["May", "June", "July"], "names"),
        (["0", "0", "none"] * 9, "names"),
        (["1", "2", "2"], "pair"),
        (["0", "1"], "pair"),
        (["7", "7"], "pair"),
        (["01", "5.0"], "pair"),
        (["0.5", "1"], "numbers"),
        ([*(f"{i}.5" for i in range(8)), "n/a", "n/a"], "nearly"),
        ([*(f"{i}.5" for i in range(30)), *["?", ""] * 15], "nearly"),
        ([*(f"{i}.25" for i in range(4)), *["-"] * 4], "nearly"),
        ([*map(str, range(20)), *["none"] * 6], "nearly"),
        ([*(f"{i}.5" for i in range(60)), *["a", "b", "c", "d"] * 10], "nearly"),
        ([*(f"${i}.50" for i in range(20)), *["n/a"] * 6], "marked"),
        ([*(f"2020-01-{i:02d}" for i in range(1, 29)), *["missing"] * 9], "dated"),
        (["1", "2", "3", "4", "5", "other"], "names"),
        (["0", "1", "2", "3+"] * 5, "names"),
        ([*(f"{i}.5" for i in range(20)), *["n/a"] * 100], "names"),  # mostly one word
        ([*(f"{i}.5" for i in range(20)), *"abcdefgh"], "names"),
        (["36 months", "60 months", "n/a"], "names"),
        (["1", "2", "x", "y"], "names"),
    ],
)
def test_what_a_column_stands_for(cells, kind):
    found = verdict(cells)
    assert found.kind == kind
    known = pd.to_numeric(pd.Series(cells), errors="coerce")
    if kind == "nearly":  # the cell that is shown is one that does not read
        assert not np.isfinite(pd.to_numeric(found.cell, errors="coerce"))
    if kind in {"numbers", "whole"}:  # the definition
        assert np.isfinite(known).all()
        assert kind == "numbers" or len(set(cells)) > 2
        assert (known % 1 != 0).any() == (kind == "numbers")


@pytest.mark.parametrize("kind", ["names", "marked", "dated", "nearly", "numbers"])
def test_columns_of_many_levels(kind):
    n = 3 * SEEN_CELLS
    cells = {
        "names": [f"{i} Main St" for i in range(n)],
        "marked": [f"{i:,}.5" for i in range(n)],
        "dated": pd.date_range("1990", periods=n).strftime("%Y-%m-%d"),
        "nearly": [f"{i}.5" if i % 11 else f"n{i}" for i in range(n)],
        "numbers": [f"{i}.5" for i in range(n)],
    }[kind]
    assert verdict(cells).kind == kind


# Text that is numbers


FORMS = {
    "str": TEXT,
    "object": TEXT.astype({"price": object}),
    "string": TEXT.astype({"price": "string"}),
    "pyarrow": TEXT.astype({"price": "string[pyarrow]"}),
    "bytes": TEXT.assign(price=[v.encode() for v in TEXT["price"]]),
    "polars": pl.from_pandas(TEXT),
    "arrow": pa.Table.from_pandas(TEXT),
    "array of objects": TEXT.to_numpy(dtype=object),
    "array of objects by column": np.asfortranarray(TEXT.to_numpy(dtype=object)),
    "nested list": TEXT.to_numpy(dtype=object).tolist(),
    "array of text": np.column_stack([TEXT["price"].to_numpy(str), [repr(v) for v in Z.tolist()]]),
    "spaces": TEXT.assign(price="  " + TEXT["price"].astype(object) + " "),
    "numbers among text": TEXT.assign(
        price=[v if i % 2 else t for i, (v, t) in enumerate(zip(PRICE, TEXT["price"], strict=True))]
    ),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_text_of_numbers_is_numbers(form):
    X = FORMS[form]
    expected, found = fitted(NUMBERS), fitted(X)
    assert np.array_equal(found.predict(X), expected.predict(NUMBERS))
    assert found.is_categorical_ is None
    assert found.is_parsed_[0]
    assert found.spec_ == expected.spec_


@pytest.mark.parametrize("scaling", [None, "standard", "quantile_robust", "batch_norm"])
@pytest.mark.filterwarnings("ignore:input_scaling=None, but columns:UserWarning")
def test_gaps_beside_text_of_numbers(scaling):
    gone = np.arange(N) % 7 == 0
    names = pd.Series(np.where(np.arange(N) % 3, "a", "b")).astype(object)
    numbers = NUMBERS.assign(price=np.where(gone, NAN, PRICE), name=names)
    expected = fitted(numbers, input_scaling=scaling).predict(numbers)
    for gap in (None, NAN, pd.NA):
        X = numbers.assign(price=TEXT["price"].astype(object).where(~gone, gap))
        model = fitted(X, input_scaling=scaling)
        assert np.array_equal(model.predict(X), expected)
        assert model.is_categorical_.tolist() == [False, False, True]
        assert model.is_parsed_.tolist() == [True, False, False]


def test_the_recipe_on_text_is_that_on_numbers():
    labels = (np.median(Y) < Y).astype(int)
    given = {"max_iter": 2, "random_state": 0}
    expected = MLPClassifier(**given).fit(NUMBERS, labels).predict_proba(NUMBERS)
    assert np.array_equal(MLPClassifier(**given).fit(TEXT, labels).predict_proba(TEXT), expected)


def test_text_of_numbers_beside_float32():
    numbers = NUMBERS.astype({"z": np.float32})
    X = numbers.assign(price=TEXT["price"])
    assert np.array_equal(fitted(X).predict(X), fitted(numbers).predict(numbers))


def test_numbers_where_all_columns_are_said_to_be():
    whole = NUMBERS.assign(price=PRICE.round())
    X = whole.assign(price=[f"{v:.0f}" for v in PRICE])
    for chosen in (None, []):
        model = fitted(X, categorical_features=chosen)
        assert np.array_equal(model.predict(X), fitted(whole).predict(whole))
        for cell in ("?", "nan", "inf", "1_000"):
            with pytest.raises(ValueError, match=r"to float: .* \(column 'price'\).*to_numeric"):
                fitted(X.assign(price=some(cell, of=X["price"])), categorical_features=chosen)


# Text that stays categories


@pytest.mark.parametrize("array", [False, True])
def test_whole_numbers_as_text_are_categories_and_told(array):
    X = NUMBERS.assign(shop=CODES)
    said = X.astype({"shop": "category"})
    expected = fitted(said).predict(said)
    name = "at index 2" if array else "'shop'"
    given = X.to_numpy() if array else X
    with pytest.warns(
        UserWarning, match=rf"whole numbers is read as categories: column {name}"
    ) as w:
        model = fitted(given)
    assert np.array_equal(model.predict(given), expected)
    w = [one for one in w if one.category is UserWarning]
    assert len(w) == 1
    text = str(w[0].message)
    assert "pandas.to_numeric" in text
    assert "categorical_features" in text
    assert "type category" in text
    assert "'5000'" in text


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (some("?"), r"nearly all .* column 'x' \(but for such as '\?'\).*errors='coerce'"),
        (some("n/a"), r"nearly all .* column 'x' \(but for such as 'n/a'\)"),
        (some("n/a", every=6), r"nearly all .* column 'x' \(but for such as 'n/a'\)"),
        (some("none", every=4), r"nearly all .* column 'x' \(but for such as 'none'\)"),
        ([t if i % 2 else "-" for i, t in enumerate(TEXT["price"])], r"nearly all .* such as '-'"),
        (some("?", of=CODES), r"nearly all .* column 'x' \(but for such as '\?'\)"),
        (
            [f"{v * 1000:,.0f}" for v in PRICE // 50 + 1],
            r"marks .* column 'x' \(such as .*to_numeric",
        ),
        ([f"{v:.0f}%" for v in PRICE // 50], r"marks .* column 'x' \(such as '\d+%'\)"),
        ([f"${v:.0f}" for v in PRICE // 50], r"marks .* column 'x' \(such as '\$\d+'\)"),
        ([f"{v:.0f},5" for v in PRICE // 50], r"marks .* column 'x' \(such as '\d+,5'\)"),
        ([f"2020-01-{i % 28 + 1:02d}" for i in range(N)], r"dates or times .*pandas\.to_datetime"),
    ],
)
def test_text_that_may_be_something_else_is_told(cells, match):
    frame = NUMBERS.assign(x=pd.Series(cells, dtype=object))
    for X in (frame, pl.from_pandas(frame)):
        with pytest.warns(UserWarning, match=match):
            model = fitted(X)
        assert model.is_categorical_.tolist() == [False, False, True]
    with warnings.catch_warnings():  # silence where the user says that it is a category
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Maximum iterations")
        fitted(frame.astype({"x": "category"}))
        fitted(pl.from_pandas(frame).with_columns(pl.col("x").cast(pl.Categorical)))
        fitted(frame, categorical_features=["x"])
        fitted(frame.to_numpy(), categorical_features=[2])


def test_many_columns_are_one_warning():
    X = pd.DataFrame({f"c{i}": CODES for i in range(30)})
    with pytest.warns(UserWarning, match=r"'c0' .*'c7' .* and 22 more\.") as w:
        fitted(X)
    assert len([one for one in w if one.category is UserWarning]) == 1


def test_names_are_told_of_nothing():
    for cells in (
        list("abc") * 40,
        [f"v{i % 3}" for i in range(N)],
        [f"town {i % 9}" for i in range(N)],
        ["1st", "2nd", "3rd"] * 40,
        ["yes", "no", None] * 40,
        [True, False, None] * 40,
        ["x", 1] * 60,
        ["0", "1"] * 60,
        ["5", "500", "5", None] * 30,
        ["1", "2", "3", "4", "5", "other"] * 20,
    ):
        X = NUMBERS.assign(name=pd.Series(cells, dtype=object))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "Maximum iterations")
            fitted(X).predict(X)


def test_names_in_arrays_are_refused():
    """An array's columns are numbers; text that may be some follows the rule of frames."""
    frame = NUMBERS.assign(town=[f"town {i % 12}" for i in range(N)])
    for X in (frame.to_numpy(), frame.to_numpy().tolist(), frame.to_numpy().astype(str)):
        with pytest.raises(
            ValueError, match=r"to float: 'town 0' \(column at index 2\).*categorical"
        ):
            fitted(X)
    model = fitted(frame.to_numpy(), categorical_features=[2])
    assert np.array_equal(model.predict(frame.to_numpy()), fitted(frame).predict(frame))
    dated = frame.assign(town=[f"2020-{i % 12 + 1:02d}-01" for i in range(N)])
    with pytest.warns(UserWarning, match="dates or times is read as categories: column at index 2"):
        model = fitted(dated.to_numpy())
    assert np.array_equal(model.predict(dated.to_numpy()), fitted(frame).predict(frame))


@pytest.mark.parametrize("cells", [["0", "1"] * 60, ["3", "700"] * 60])
def test_two_whole_numbers_as_text_are_categories_in_silence(cells):
    frame = NUMBERS.assign(x=cells)
    said = frame.astype({"x": "category"})
    expected = fitted(said).predict(said)
    for X in (frame, pl.from_pandas(frame), frame.to_numpy()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "Maximum iterations")
            assert np.array_equal(fitted(X).predict(X), expected)


# Decided by the rows that train


def test_rows_of_weight_zero_do_not_decide():
    X = TEXT.assign(price=some("?"))
    weight = (X["price"] != "?").to_numpy().astype(float)
    keep = weight > 0
    model = regressor(batch_size="full").fit(X, Y, sample_weight=weight)
    expected = fitted(NUMBERS[keep], Y[keep], batch_size="full")
    assert np.allclose(model.predict(X[keep]), expected.predict(NUMBERS[keep]), atol=1e-9)
    whole = TEXT.assign(price=some("7.5", of=CODES))  # a fraction in rows that do not train
    weight = (whole["price"] != "7.5").to_numpy().astype(float)
    with pytest.warns(UserWarning, match="whole numbers"):
        model = regressor().fit(whole, Y, sample_weight=weight)
    assert model.is_categorical_[0]


class _First:
    """A splitter that holds the last rows out."""

    def __init__(self, n):
        self.n = n

    def split(self, X, y=None, groups=None):
        rows = np.arange(len(X))
        yield rows[: self.n], rows[self.n :]

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


def test_rows_that_are_held_out_do_not_decide():
    X = TEXT.assign(price=TEXT["price"].astype(object).where(np.arange(N) < 110, "?"))
    numbers = NUMBERS.assign(price=NUMBERS["price"].where(np.arange(N) < 110))
    given = {"early_stopping": True, "validation_fraction": _First(90)}
    with pytest.warns(UserWarning, match=r"count as gaps .* column 'price' \(such as '\?'\)"):
        model = fitted(X, **given)
    expected = fitted(numbers, **given)
    assert model.validation_scores_ == expected.validation_scores_
    assert np.array_equal(model.predict(X[:110]), expected.predict(NUMBERS[:110]))


def test_a_validation_set_is_read_as_the_rows_that_train():
    numbers = NUMBERS.assign(price=np.where(np.arange(N) % 9 == 0, NAN, PRICE))
    X = numbers.assign(price=TEXT["price"].astype(object).where(np.arange(N) % 9 != 0, None))
    new = X[:50].assign(price=[f"{v + 0.125}" for v in PRICE[:50]])  # none of them seen before
    expected = regressor(early_stopping=True).fit(
        numbers, Y, X_val=NUMBERS[:50].assign(price=PRICE[:50] + 0.125), y_val=Y[:50]
    )
    for X_val in (new, new.astype({"price": float}), new.to_numpy()):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            model = regressor(early_stopping=True).fit(X, Y, X_val=X_val, y_val=Y[:50])
        assert model.validation_scores_ == expected.validation_scores_
    odd = new.assign(price=[*new["price"][:49], "?"])
    with pytest.warns(UserWarning, match=r"count as gaps .* column 'price' \(such as '\?'\)"):
        regressor(early_stopping=True).fit(X, Y, X_val=odd, y_val=Y[:50])


def test_a_validation_set_of_categories_that_are_whole_numbers():
    X = NUMBERS.assign(shop=CODES)
    said = X.astype({"shop": "category"})
    X_val = X[:40].assign(shop=["9", *X["shop"][1:40]])
    expected = regressor(early_stopping=True).fit(said, Y, X_val=X_val, y_val=Y[:40])
    with pytest.warns(UserWarning, match="whole numbers"):
        model = regressor(early_stopping=True).fit(X, Y, X_val=X_val, y_val=Y[:40])
    assert model.validation_scores_ == expected.validation_scores_
    with (
        pytest.warns(UserWarning, match="whole numbers"),
        pytest.raises(TypeError, match=r"'shop' holds .* categories in fit were text"),
    ):
        regressor(early_stopping=True).fit(X, Y, X_val=X.astype({"shop": int}), y_val=Y)


FOLDS = [(np.arange(40, N), np.arange(40)), (np.arange(80), np.arange(80, N))]


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.filterwarnings("ignore:Text of .* is read as categories:UserWarning")
@pytest.mark.filterwarnings("ignore:Cells of text that do not read:UserWarning")
@pytest.mark.filterwarnings("ignore:.* have gaps .* had none in the rows that trained:UserWarning")
def test_folds_decide_alike_alone_and_in_stacks(array):
    """A "?" in the first rows alone: numbers in the first fold, categories in the second."""
    X = TEXT.assign(price=[str(v) for v in PRICE // 40 + 0.5])
    X.loc[3, "price"] = "?"
    X = X.to_numpy() if array else X
    grid = {"alpha": [1e-4, 0.1]}
    theirs = GridSearchCV(regressor(), grid, cv=FOLDS, refit=False).fit(X, Y)
    ours = stacked.GridSearchCV(regressor(), grid, cv=FOLDS, refit=False).fit(X, Y)
    for i, (train, test) in enumerate(FOLDS):
        name = f"split{i}_test_score"
        assert np.allclose(theirs.cv_results_[name], ours.cv_results_[name], atol=1e-9)
        rows = (lambda r: X[r]) if array else (lambda r: X.iloc[r])
        alone = regressor(alpha=0.1).fit(rows(train), Y[train])
        assert (alone.is_categorical_ is None) == (i == 0)
        assert alone.score(rows(test), Y[test]) == pytest.approx(ours.cv_results_[name][1])
    fits = [Fit(regressor(alpha=a), X, Y, rows=rows) for rows, _ in FOLDS for a in (0, 1)]
    assert [len(stack) for stack in open_stacks(fits)] == [2, 2]
    assert [fit.reason for fit in fits] == [None] * 4


def test_folds_of_text_of_numbers_are_one_stack():
    given = {"cv": KFold(3), "scoring": "neg_mean_squared_error"}
    grid = {"alpha": [1e-4, 0.1]}
    fits = [Fit(regressor(), TEXT, Y, rows=rows) for rows, _ in KFold(3).split(TEXT)]
    assert [len(stack) for stack in open_stacks(fits)] == [3]
    search = stacked.GridSearchCV(regressor(), grid, **given)
    of_text, of_numbers = clone(search).fit(TEXT, Y), clone(search).fit(NUMBERS, Y)
    for name in ("mean_test_score", "std_test_score"):
        assert np.array_equal(of_text.cv_results_[name], of_numbers.cv_results_[name])
    assert np.array_equal(of_text.predict(TEXT), of_numbers.predict(NUMBERS))


def test_what_a_fold_says_of_its_text_is_said_once_a_fit():
    X = NUMBERS.assign(shop=CODES)
    with pytest.warns(UserWarning, match="whole numbers") as w:
        stacked.cross_val_score(regressor(), X, Y, cv=2)
    assert len([one for one in w if "whole numbers" in str(one.message)]) == 2


# Cells that do not read later


UNREAD = r"do not read as numbers count as gaps .* column 'price' \(such as '{}'\)"


@pytest.fixture(scope="module")
def with_gaps():
    """A model of text with gaps, and the same of numbers."""
    gone = np.arange(N) % 8 == 0
    numbers = NUMBERS.assign(price=np.where(gone, NAN, PRICE))
    text = TEXT.assign(price=TEXT["price"].astype(object).where(~gone, None))
    return fitted(text), fitted(numbers)


@pytest.mark.parametrize("cell", ["?", "n/a", "", "inf", "1,234.5", "12%"])
def test_a_cell_that_does_not_read_later_is_a_gap(with_gaps, cell):
    of_text, of_numbers = with_gaps
    X = TEXT[:20].assign(price=some(cell, every=6, of=TEXT["price"][:20]))
    expected = of_numbers.predict(
        NUMBERS[:20].assign(price=pd.to_numeric(X["price"].replace(cell, None)))
    )
    with pytest.warns(UserWarning, match=UNREAD.format(cell.replace("?", r"\?"))):
        assert np.array_equal(of_text.predict(X), expected)


@pytest.mark.parametrize("form", [pl.from_pandas, pa.Table.from_pandas, pd.DataFrame])
def test_a_cell_is_shown_as_python_shows_it(with_gaps, form):
    X = form(TEXT[:20].assign(price=some("?", of=TEXT["price"][:20])))
    with pytest.warns(UserWarning, match=UNREAD.format(r"\?")):
        with_gaps[0].predict(X)


@pytest.mark.parametrize("form", [pl.from_pandas, lambda X: X.to_numpy().astype(str)])
def test_a_refused_cell_is_shown_as_python_shows_it(form):
    with pytest.raises(ValueError, match=r"to float: '\?' \(column"):
        fitted(form(TEXT.assign(price=some("?"))), categorical_features=[])


def test_later_numbers_are_numbers(with_gaps):
    of_text, of_numbers = with_gaps
    expected = of_numbers.predict(NUMBERS)
    for X in (NUMBERS, TEXT, pl.from_pandas(TEXT), NUMBERS.astype({"price": object})):
        assert np.array_equal(of_text.predict(X), expected)
    assert np.array_equal(of_numbers.predict(TEXT), expected)
    with pytest.raises(ValueError, match=r"could not convert string to float: '\?'.*'price'"):
        of_numbers.predict(TEXT.assign(price=some("?")))


def test_training_that_goes_on_reads_as_the_first_call():
    first = regressor().partial_fit(TEXT[:60], Y[:60])
    same = regressor().partial_fit(NUMBERS[:60], Y[:60])
    later = TEXT[60:].assign(price=some("?", of=TEXT["price"][60:]))
    numbers = NUMBERS[60:].assign(price=pd.to_numeric(later["price"], errors="coerce"))
    with pytest.warns(UserWarning, match=UNREAD.format(r"\?")):
        first.partial_fit(later, Y[60:])
    with pytest.warns(UserWarning, match="had none in the rows that trained"):
        same.partial_fit(numbers, Y[60:])
    assert np.array_equal(first.predict(NUMBERS), same.predict(NUMBERS))
    warm = regressor(warm_start=True).fit(TEXT, Y)
    with pytest.warns(UserWarning, match=UNREAD.format(r"\?")):
        warm.fit(TEXT.assign(price=some("?")), Y)
    assert warm.is_categorical_ is None


# State


def test_state_says_what_was_read_as_numbers(tmp_path):
    X = TEXT.assign(name=[f"n{i % 4}" for i in range(N)])
    model = fitted(X, n_members=2)
    expected = model.predict(X)
    skops.io.dump(model, tmp_path / "model.skops")
    for other in (
        pickle.loads(pickle.dumps(model)),
        skops.io.load(tmp_path / "model.skops", trusted=TRUSTED_TYPES),
    ):
        assert np.array_equal(other.predict(X), expected)
        assert other.is_parsed_.tolist() == [True, False, False]
        with pytest.warns(UserWarning, match="count as gaps"):
            other.predict(X.assign(price=some("?")))
    member = model.member(1)
    assert np.array_equal(member.predict(X), member.predict(X.astype({"price": float})))
    with pytest.raises(ValueError, match=r"categories in the columns \['name'\]"):
        model.to_torch()


def test_a_module_of_text_that_is_numbers():
    model = fitted(TEXT, dtype="float64")
    found = model.to_torch()(torch.from_numpy(NUMBERS.to_numpy(copy=True))).detach().numpy().ravel()
    assert np.allclose(found, model.predict(TEXT))


def test_behind_other_steps():
    passed = ColumnTransformer(
        [("z", StandardScaler(), ["z"])], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    of_text, of_numbers = (
        make_pipeline(clone(passed), regressor()).fit(X, Y) for X in (TEXT, NUMBERS)
    )
    assert np.array_equal(of_text.predict(TEXT), of_numbers.predict(NUMBERS))
    scaled = make_pipeline(regressor(), StandardScaler()).set_output(transform="pandas")
    assert np.array_equal(
        scaled.fit(TEXT, Y).transform(TEXT), scaled.fit(NUMBERS, Y).transform(NUMBERS)
    )


@pytest.mark.parametrize("meta", [BaggingClassifier, AdaBoostClassifier])
def test_meta_estimators_that_make_arrays_of_frames(meta):
    labels = (np.median(Y) < Y).astype(int)
    network = MLPClassifier((6,), max_iter=3, random_state=0)
    of_text, of_numbers = (meta(network, random_state=0).fit(X, labels) for X in (TEXT, NUMBERS))
    assert np.array_equal(of_text.predict(TEXT), of_numbers.predict(NUMBERS))
    names = TEXT.assign(name=[f"n{i % 4}" for i in range(N)])
    with pytest.raises(
        ValueError, match=r"to float: 'n\d' .*meta-estimators make an array.*encode"
    ):
        meta(network, random_state=0).fit(names, labels)


def test_inspection_of_text():
    assert "2 columns" in str(sanity_check(regressor(), TEXT, Y))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sanity_check(regressor(), NUMBERS.assign(shop=CODES), Y)


# The same rule in a comparison


def test_a_comparison_has_the_same_rule():
    n = N
    frame = pd.DataFrame(
        {
            "text": TEXT["price"],
            "spaced": [f" {v} " for v in PRICE],
            "whole": CODES,
            "nearly": some("?"),
            "marked": [f"{v:.0f}%" for v in PRICE],
            "dated": pd.date_range("2020", periods=n).strftime("%d.%m.%Y"),
            "name": [f"n{i % 3}" for i in range(n)],
            "said": pd.Categorical(CODES),
        }
    )
    found = describe_columns(frame)
    assert found.numeric == ["text", "spaced"]
    assert found.categorical == ["whole", "nearly", "marked", "dated", "name", "said"]
    notes = [note for note in found.notes if note.startswith("Text of")]
    assert [note.split("column ")[1].split()[0] for note in notes] == [
        "'whole'",
        "'marked'",
        "'nearly'",
        "'dated'",
    ]


def test_a_comparison_of_text_is_that_of_numbers():
    given = {"models": ["ridge", "sklearn_dnn"], "cv": 2}
    of_text, of_numbers = (compare_models(X, Y, **given) for X in (TEXT, NUMBERS))
    for name in given["models"]:
        assert np.array_equal(of_text.predictions[name], of_numbers.predictions[name])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.53 kg", 0.53), ("(0.44)", -0.44), ("\u22120.31", -0.31), ("-1,5 %", -1.5),
        ("$(1,234.50)", -1234.5), ("1.234.567,8 €", 1234567.8), ("1,234", 1234), ("7.5-", -7.5),
        ("1'000", 1000), ("1 000,25", 1000.25), ("2e-3 mol", 0.002), (".5%", 0.5), ("12 m2", 12),
        ("a1", np.nan), ("1-2", np.nan), ("9" * 60, np.nan),
    ],
)  # fmt: skip
def test_numbers_of_cells_with_marks(text, number):
    assert np.array_equal(without_marks(text), number, equal_nan=True)
