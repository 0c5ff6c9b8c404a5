"""The plan of a table's columns: medians, scalings, slots and their arithmetic in torch."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, RobustScaler, StandardScaler

from sklearn_dnn._core.data.columns import (
    MAX_LEVELS,
    MIN_COUNT,
    ONE_HOT_LEVELS,
    SEEN_ROWS,
    Columns,
    fit_columns,
)
from sklearn_dnn._core.data.encoder import Encoder, encoding_for
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.data.order import medians, normal_scores, quantiles
from sklearn_dnn._core.data.scaling import Scaling

NAN = np.nan
SCALINGS = [None, "standard", "robust", "quantile", "quantile_robust"]


def table(n=400, seed=0, gaps=True):
    """Three columns of numbers, two of them with gaps."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(3, 5, n), rng.exponential(size=n), rng.normal(size=n)])
    if gaps:
        X[rng.random(n) < 0.2, 0] = NAN
        X[rng.random(n) < 0.1, 2] = NAN
    return X


def codes(n=600, n_levels=20, seed=0, gaps=True):
    """A column of codes, few of them often."""
    rng = np.random.default_rng(seed)
    column = np.floor(n_levels * rng.random(n) ** 3)
    if gaps:
        column[rng.random(n) < 0.1] = NAN
    return column


def plan(X, weight=None, rows=None, scaling="standard", categorical=(), **given):
    """A plan of all columns, those of `categorical` being codes."""
    mask = np.isin(np.arange(X.shape[1]), categorical)
    n_levels = [int(np.nanmax(X[:, j], initial=-1)) + 1 for j in categorical]
    return fit_columns(
        X, rows, weight, scaling=scaling, categorical=mask, n_levels=n_levels, **given
    )


def encoded(columns, X, dtype=torch.float64):
    encoder = Encoder(columns, dtype, "cpu")
    return encoder(torch.from_numpy(np.ascontiguousarray(X))).numpy()


def same(a, b):
    """Whether two plans are the same number by number."""
    arrays = [(getattr(a, name), getattr(b, name)) for name in ("categorical", "fill", "gaps")]
    scales = ("center", "scale", "knots", "scores")
    arrays += [(getattr(a, name), getattr(b, name)) for name in scales]
    arrays += [(a.widths, b.widths), *zip(a.slots, b.slots, strict=True)]
    for one, other in arrays:
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


# Closed forms


def test_gaps_are_medians_with_an_indicator():
    X = table()
    pipe = SimpleImputer(strategy="median", add_indicator=True)
    assert np.allclose(encoded(plan(X, scaling=None), X), pipe.fit_transform(X))


def test_standard_stands_behind_the_median():
    X = table()
    pipe = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    found = encoded(plan(X), X)
    assert np.allclose(found[:, :3], pipe.fit_transform(X))
    assert np.array_equal(found[:, 3:], np.isnan(X[:, [0, 2]]))


def test_robust_is_the_median_and_the_quartiles_smoothly_clipped():
    X = table(401, gaps=False)  # with 4 k + 1 rows the quartiles are numbers of the table
    scaled = RobustScaler().fit_transform(X)
    assert np.allclose(
        encoded(plan(X, scaling="robust"), X), scaled / np.sqrt(1 + (scaled / 3) ** 2)
    )
    far = encoded(plan(X, scaling="robust"), X * 1e6)
    assert np.all(np.abs(far) < 3)
    assert np.abs(far).max() > 2.99


def test_robust_of_columns_without_quartiles():
    x = np.concatenate([np.zeros(90), [-2.0, 6.0], np.zeros(8)])[:, None]
    found = encoded(plan(np.hstack([x, np.ones_like(x)]), scaling="robust"), np.array([[6.0, 5]]))
    z = 2 / 8 * 6.0
    assert found[0, 0] == pytest.approx(z / np.sqrt(1 + (z / 3) ** 2))
    assert found[0, 1] == 0  # constant


def test_quantile_is_scikit_learns_but_at_the_ends():
    X = table(3000, gaps=False)
    theirs = QuantileTransformer(output_distribution="normal", subsample=None).fit(X)
    found = encoded(plan(X, scaling="quantile"), X)
    inside = (np.quantile(X, 0.05, axis=0) < X) & (np.quantile(X, 0.95, axis=0) > X)
    assert np.abs(found - theirs.transform(X))[inside].max() < 0.01
    assert np.abs(found).max() < 5.2


def test_both_scalings_stand_beside_each_other():
    X = table()
    both = encoded(plan(X, scaling="quantile_robust"), X)
    first, second = (encoded(plan(X, scaling=name), X) for name in ("quantile", "robust"))
    n = X.shape[1]
    assert np.array_equal(both[:, :n], first[:, :n])
    assert np.array_equal(both[:, n : 2 * n], second[:, :n])
    assert np.array_equal(both[:, 2 * n :], first[:, n:])  # indicators
    found = plan(X, scaling="quantile_robust")
    assert both.shape[1] == found.width == n + found.n_passed


def test_quantile_gives_the_mean_rank():
    x = np.repeat([1.0, 2.0, 5.0], [200, 500, 300])[:, None]
    found = encoded(plan(x, scaling="quantile"), np.array([[1.0], [2.0], [5.0], [-9.0], [99.0]]))
    middle = ndtri([0.1, 0.45, 0.85])
    assert np.allclose(found[:3, 0], middle, atol=0.01)
    assert np.array_equal(found[3:, 0], found[[0, 2], 0])  # beyond the ends: the ends
    constant = encoded(plan(np.ones((9, 1)), scaling="quantile"), np.array([[1.0], [7.0]]))
    assert np.array_equal(constant, [[0.0], [0.0]])


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n_equal", [20, 50, 2000, 45000])
def test_quantile_of_many_numbers_with_a_mass_at_an_end(n_equal, sign):
    mass = np.arange(5000 + n_equal) >= 5000
    x = np.where(mass, 9.0, np.random.default_rng(0).normal(size=len(mass)))
    X = sign * x[:, np.newaxis]
    found = sign * encoded(plan(X, scaling="quantile"), X)[:, 0]
    assert np.allclose(found[mass], ndtri(1 - mass.mean() / 2))
    rank = (np.argsort(np.argsort(x, kind="stable")) + 0.5) / len(x)
    others = (x > -1) & (x < 1)
    assert np.allclose(found[others], ndtri(rank[others]), atol=0.02)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaling", ["robust", "quantile_robust"])
def test_numbers_far_out_stay_at_the_bound(scaling, dtype):
    X = np.random.default_rng(0).normal(size=(300, 1)).astype(dtype)
    far = np.array([1e10, 1e20, 3e38, -1e10, -3e38], dtype=dtype)
    columns = plan(1e-3 * X, scaling=scaling)
    found = encoded(columns, far[:, None], getattr(torch, dtype))[:, -1]
    assert np.allclose(found, [3, 3, 3, -3, -3])


def test_normal_scores_of_very_unequal_weights_are_finite():
    for seed in range(50):
        values = np.random.default_rng(seed).normal(size=300)
        values[-1] = values.max() + 1
        weight = np.exp(-np.linspace(0, 60, 300))
        _, scores = normal_scores(values, weight, 512)
        assert np.abs(scores).max() < 6.1
        assert np.all(np.diff(scores) > -1e-12)


def test_weights_below_one_make_no_level_rare():
    X = np.repeat([0.0, 1, 2, 3], [96, 2, 1, 1])[:, None]
    weight = np.where(X[:, 0] == 3, 5.0, 0.5)
    found = plan(X, weight, categorical=[0]).slots[0]
    assert found.tolist() == [0, 1, *found[2:3], 0, found[4], 0]
    assert found[2] > 0  # two rows
    assert found[4] > 0  # a row that stands for five


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_gaps_do_not_count_in_scales_of_order(scaling):
    X = table()
    found = plan(X, scaling=scaling)
    for j in (0, 2):
        known = X[~np.isnan(X[:, j])][:, [j]]
        alone = plan(known, scaling=scaling)
        a, b = (encoded(p, known)[:, i] for p, i in ((alone, 0), (plan_of(found, j), 0)))
        assert np.allclose(a, b)


def plan_of(columns, j):
    """One column of a plan, without its gaps."""
    pick = {
        name: None if getattr(columns, name) is None else getattr(columns, name)[..., [j]]
        for name in ("fill", "center", "scale", "knots", "scores", "categorical")
    }
    return Columns(
        gaps=np.zeros(1, dtype=bool),
        slots=[],
        widths=np.zeros(0, int),
        scaling=columns.scaling,
        **pick,
    )


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=40),
    st.lists(st.sampled_from([0, 0.25, 0.5, 1 / 3, 0.9, 1]), min_size=1, max_size=5),
)
def test_quantiles_are_numpys(values, at):
    values = np.array(values, dtype=float)
    expected = np.quantile(values, at, method="averaged_inverted_cdf")
    if not np.any(np.isclose(np.multiply(at, len(values)) % 1, 1 / 3)):
        assert np.allclose(quantiles(values, None, at), expected)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_medians_are_numpys(n, dtype):
    X = np.random.default_rng(n).normal(size=(n, 3)).astype(dtype)
    assert np.allclose(medians(X), np.median(X.astype(float), axis=0), rtol=1e-15)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 4)), min_size=1, max_size=30),
    st.floats(1e-3, 1e3),
)
def test_weighted_quantiles_are_those_of_repeated_numbers(pairs, unit):
    values = np.array([v for v, _ in pairs], dtype=float)
    weight = np.array([w for _, w in pairs])
    at = np.linspace(0, 1, 11)
    repeated = quantiles(np.repeat(values, weight), None, at)
    assert np.array_equal(quantiles(values, weight * unit, at), repeated)


# Levels


def test_few_levels_are_one_hot_in_the_order_of_their_frequency():
    X = np.array([2.0, 0, 1, 2, 1, 2, 3, 0, 1, 3, 2, 1, 1])[:, None]
    found = plan(X, categorical=[0])
    order = [1, 2, 0, 3]  # 5, 4, 2 and 2 rows, 0 before 3
    assert found.slots[0].tolist() == [0, *(1 + order.index(c) for c in range(4)), 0]
    hot = OneHotEncoder(sparse_output=False).fit_transform(X)
    assert np.array_equal(encoded(found, X), hot[:, order])
    assert (found.width, found.n_passed, found.levels) == (4, 4, ())
    assert np.array_equal(encoded(found, np.array([[-1.0], [NAN]])), np.zeros((2, 4)))


def test_two_levels_are_one_column():
    X = np.array([0.0, 1, 1, 0, 1])[:, None]
    assert encoded(plan(X, categorical=[0]), X).ravel().tolist() == [1, 0, 0, 1, 0]
    with_rare = np.array([0.0, 1, 1, 0, 1, 2])[:, None]
    found = encoded(plan(with_rare, categorical=[0]), with_rare)
    assert found.tolist() == [[0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize("n_levels", [ONE_HOT_LEVELS, ONE_HOT_LEVELS + 1])
def test_many_levels_are_codes(n_levels):
    X = np.tile(np.arange(n_levels), 3)[:, None].astype(float)
    found = plan(X, categorical=[0])
    if n_levels <= ONE_HOT_LEVELS:
        assert (found.n_passed, found.levels) == (n_levels, ())
    else:
        assert (found.n_passed, found.levels) == (0, (n_levels + 1,))
        assert np.array_equal(encoded(found, X), X + 1)
        assert np.array_equal(encoded(found, np.array([[-1.0], [NAN]])), [[0], [0]])


def test_order_of_inputs_is_numbers_then_zeros_and_ones_then_codes():
    many = np.tile(np.arange(12.0), 10)
    number = np.where(np.arange(120) % 7 == 0, NAN, np.linspace(0, 1, 120))
    X = np.column_stack([many, number, np.arange(120) % 3, np.linspace(3, 4, 120)])
    found = plan(X, categorical=[0, 2], scaling=None)
    out = encoded(found, X)
    assert (found.width, found.n_passed, found.levels) == (7, 4, (13,))
    assert np.array_equal(out[:, 2], np.isnan(number))
    assert np.array_equal(out[:, 3:6].argmax(axis=1), np.arange(120) % 3)
    assert np.array_equal(out[:, 6], many + 1)
    assert np.array_equal(out[:, 1], X[:, 3])


def test_rare_levels_share_the_slot_of_unknown_ones():
    X = np.array([0.0] * 5 + [1] * (MIN_COUNT - 1) + [2] * MIN_COUNT)[:, None]
    assert plan(X, categorical=[0]).slots[0].tolist() == [0, 1, 0, 2, 0]
    assert plan(X, categorical=[0]).widths.tolist() == [2]


def test_a_gap_is_a_level_where_training_had_one():
    X = np.array([0.0, 0, 0, 1, 1, NAN])[:, None]
    assert plan(X, categorical=[0]).slots[0].tolist() == [0, 1, 2, 3]
    assert plan(X[:5], categorical=[0]).slots[0].tolist() == [0, 1, 2, 0]


def test_thousands_of_levels_have_an_end():
    rng = np.random.default_rng(0)
    X = np.concatenate([np.repeat(np.arange(5000.0), 2), np.full(300, 7.0), [NAN]])[:, None]
    found = plan(rng.permutation(X), categorical=[0])
    assert found.levels == (MAX_LEVELS,)
    assert found.slots[0][8] == 1  # the most frequent
    assert found.slots[0][-1] == MAX_LEVELS - 1  # the gap, rare as it is
    single = plan(np.arange(5000.0)[:, None], categorical=[0])
    assert (single.width, [left.tolist() for left in single.left_out]) == (0, [[], [0]])


def test_names_of_codes_play_no_part():
    rng = np.random.default_rng(0)
    X = codes()
    names = rng.permutation(20).astype(float)
    renamed = np.where(np.isnan(X), NAN, names[np.nan_to_num(X).astype(int)])
    a, b = (encoded(plan(x[:, None], categorical=[0]), x[:, None]) for x in (X, renamed))
    assert np.array_equal(a, b)


# Weights, rows


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_weight_of_two_is_the_row_twice(scaling):
    X = np.column_stack([table(600), codes(600), codes(600, 5, seed=1)])
    weight = np.random.default_rng(1).integers(1, 4, 600).astype(float)
    twice = np.repeat(X, weight.astype(int), axis=0)
    given = {"scaling": scaling, "categorical": [3, 4]}
    same(plan(X, weight, **given), plan(twice, **given))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_rows_that_do_not_train_do_not_count(scaling):
    X = np.column_stack([table(600), codes(600)])
    rows = np.flatnonzero(np.random.default_rng(1).random(600) < 0.7)
    weight = np.ones(600)
    given = {"scaling": scaling, "categorical": [3], "gappy": True}
    mask, n = np.array([False] * 3 + [True]), [20]
    chosen = fit_columns(X, rows, weight, scaling=scaling, categorical=mask, n_levels=n)
    alone = fit_columns(X[rows], None, None, scaling=scaling, categorical=mask, n_levels=n)
    same(chosen, alone)
    assert given["scaling"] == chosen.scaling


def test_small_weights_do_not_make_levels_rare():
    X = codes(400)[:, None]
    for unit in (1e-6, 1.0):
        same(plan(X, np.full(400, unit), categorical=[0]), plan(X, categorical=[0]))


def test_medians_of_long_tables_are_found_from_some_rows():
    X = np.random.default_rng(0).normal(size=(3 * SEEN_ROWS, 1))
    found = plan(X, gappy=False).fill[0]
    assert found == pytest.approx(np.median(X), abs=0.02)
    assert found == np.median(X[::3])


# Plain tables keep the way they had


@pytest.mark.parametrize("scaling", [None, "standard"])
def test_plain_tables_are_standardised_as_before(scaling):
    X = table(gaps=False)
    found = plan(X, scaling=scaling)
    assert found.is_plain
    plain = encoding_for(found, torch.float64, "cpu", gappy=False)
    assert isinstance(plain, Standardiser)
    x = torch.from_numpy(X)
    assert torch.equal(plain(x.clone()), Encoder(found, torch.float64, "cpu")(x))
    again = Columns.from_dict(found.as_dict(), None, found.plain_scaling)
    assert set(found.as_dict()) == {"scaling", "fill"}
    assert again.key == found.key
    if scaling:
        scaler = StandardScaler().fit(X)
        expected = Scaling(scaler.mean_, scaler.scale_)
        assert all(np.array_equal(a, b) for a, b in zip(found.plain_scaling, expected, strict=True))


def test_a_gap_where_training_had_none_is_the_median_without_an_indicator():
    X = table(gaps=False)
    found = plan(X, gappy=False)
    row = np.array([[NAN, 1.0, NAN]])
    filled = np.where(np.isnan(row), np.median(X, axis=0), row)
    assert np.allclose(encoded(found, row), StandardScaler().fit(X).transform(filled))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_sparse_tables_have_no_gaps(scaling):
    X = table(gaps=False)
    dense, sparse = plan(X, scaling=scaling), plan(sp.csr_matrix(X), scaling=scaling)
    if scaling == "standard":
        assert np.allclose(dense.scale, sparse.scale)
    else:
        assert np.allclose(encoded(dense, X), encoded(sparse, X))


def test_a_column_of_gaps_alone_is_left_out():
    X = np.column_stack([table()[:, 0], np.full(400, NAN), np.full(400, 2.5)])
    found = plan(X)
    assert found.left_out[0].tolist() == [1]
    assert found.width == 3  # two numbers, one indicator
    assert np.all(encoded(found, X)[:, 1] == 0)  # the constant


# In torch


@pytest.mark.parametrize("scaling", SCALINGS)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), size=st.integers(1, 50))
def test_rows_are_encoded_by_themselves(scaling, seed, size):
    X = np.column_stack([table(100), codes(100), codes(100, 3)])
    found = plan(X, scaling=scaling, categorical=[3, 4])
    whole = encoded(found, X)
    order = np.random.default_rng(seed).permutation(100)
    assert np.array_equal(encoded(found, X[order]), whole[order])
    pieces = [encoded(found, X[i : i + size]) for i in range(0, 100, size)]
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_float32_is_near_float64(scaling):
    X = np.column_stack([table(), codes(400)])
    found = plan(X, scaling=scaling, categorical=[3])
    narrow = encoded(found, X.astype(np.float32), torch.float32)
    assert narrow.dtype == np.float32
    assert np.allclose(narrow, encoded(found, X), atol=2e-2 if scaling == "quantile" else 1e-4)
    assert np.array_equal(narrow[:, -1], encoded(found, X)[:, -1])


def test_features_are_resident_as_the_network_reads_them(monkeypatch):
    X = np.column_stack([table(), codes(400)])
    found = plan(X, categorical=[3])
    index = torch.tensor([[5, 2, 399], [0, 0, 7]])
    resident = Features(X, Encoder(found, torch.float32, "cpu"))
    assert resident.resident.shape == (400, resident.width) == (400, found.width)
    monkeypatch.setattr("sklearn_dnn._core.data.features.RESIDENT_BYTES", 0)
    gathered = Features(X, Encoder(found, torch.float32, "cpu"))
    assert gathered.resident is None
    assert torch.equal(gathered.rows(index), resident.rows(index))
    assert gathered.rows(index).shape == (2, 3, found.width)


def test_kept_plans_come_back():
    X = np.column_stack([table(), codes(400)])
    for scaling in SCALINGS:
        found = plan(X, scaling=scaling, categorical=[3])
        again = Columns.from_dict(found.as_dict(), found.categorical, found.plain_scaling)
        assert again.key == found.key
        assert np.array_equal(encoded(again, X), encoded(found, X))
    keys = {plan(X, scaling=s, categorical=[3]).key for s in SCALINGS}
    assert len(keys | {plan(X[1:], categorical=[3]).key}) == len(SCALINGS) + 1
