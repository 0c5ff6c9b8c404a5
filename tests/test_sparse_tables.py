"""Sparse tables of every make give the network that the same numbers in an array give."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sklearn_dnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, P = 120, 5
SCALINGS = ["standard", "batch_norm", "robust", "quantile", None]


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(0).poisson(1.5, (N, P)).astype(float)


def given_twice(counts, cls=sp.csr_matrix, dtype=float):
    """Every count as so many entries of 1, and two that cancel each other."""
    times = counts.astype(int)
    starts = np.r_[0, np.cumsum(times.sum(1))]
    columns = np.repeat(np.tile(np.arange(P), N), times.ravel())
    built = sp.csr_matrix((np.ones(times.sum()), columns, starts), shape=counts.shape)
    extra = sp.csr_matrix(([3.0, -3.0], [0, 0], [0, 2, *[2] * (N - 1)]), shape=counts.shape)
    data, indices, indptr = [], [], [0]
    for i in range(N):
        for part in (built, extra):
            own = slice(part.indptr[i], part.indptr[i + 1])
            data += part.data[own].tolist()
            indices += part.indices[own].tolist()
        indptr.append(len(data))
    table = cls((np.array(data, dtype), indices, indptr), shape=counts.shape)
    assert not table.has_canonical_format
    np.testing.assert_array_equal(table.toarray(), counts)
    return table


def backwards(counts, cls=sp.csr_matrix):
    """Each row's entries in falling order of columns, zeros among them."""
    indices = np.tile(np.arange(P)[::-1], N)
    table = cls((counts[:, ::-1].ravel(), indices, np.arange(N + 1) * P), shape=counts.shape)
    assert not table.has_sorted_indices
    np.testing.assert_array_equal(table.toarray(), counts)
    return table


FORMS = {
    "twice": given_twice,
    "twice, array": lambda c: given_twice(c, sp.csr_array),
    "twice, integers": lambda c: given_twice(c, dtype=np.int64),
    "twice, coo": lambda c: given_twice(c).tocoo(),
    "twice, csc": lambda c: given_twice(c).tocsc(),
    "twice, bsr": lambda c: given_twice(c).tobsr((1, 1)),
    "backwards": backwards,
    "backwards, array": lambda c: backwards(c, sp.csr_array),
    "zeros": lambda c: sp.csr_matrix((c.ravel(), np.tile(np.arange(P), N), np.arange(N + 1) * P)),
    "lil": sp.lil_matrix,
    "dok": sp.dok_array,
}


def arrays_of(table):
    names = ("data", "indices", "indptr", "row", "col")
    return {n: getattr(table, n).copy() for n in names if hasattr(table, n)}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_dense_table(counts, form):
    y = counts @ np.arange(P)
    table = FORMS[form](counts)
    before = arrays_of(table)
    dense = MLPRegressor((6,), max_iter=5, random_state=0).fit(counts, y)
    model = MLPRegressor((6,), max_iter=5, random_state=0).fit(table, y)
    np.testing.assert_allclose(model.input_mean_, counts.mean(0))
    np.testing.assert_allclose(model.input_scale_, counts.std(0))
    expected = dense.predict(counts)
    np.testing.assert_allclose(model.predict(table), expected, rtol=1e-9)
    np.testing.assert_allclose(dense.predict(table), expected, rtol=1e-9)
    for name, array in arrays_of(table).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_scaling_of_entries_given_twice(counts, scaling, weighted):
    y = counts @ np.arange(P)
    weight = np.random.default_rng(1).uniform(0.5, 2, N) if weighted else None
    tables = counts, given_twice(counts)
    found = [
        MLPRegressor((6,), input_scaling=scaling, max_iter=4, random_state=0)
        .fit(table, y, weight)
        .predict(counts)
        for table in tables
    ]
    np.testing.assert_allclose(*found, rtol=1e-9)


def test_entries_given_twice_in_pieces_of_a_long_table(counts, monkeypatch):
    monkeypatch.setattr("sklearn_dnn._core.data.scaling.CHUNK_BYTES", 8 * P * 7)  # seven rows
    y = counts @ np.arange(P)
    model = MLPRegressor((6,), max_iter=2, random_state=0).fit(given_twice(counts), y)
    np.testing.assert_allclose(model.input_scale_, counts.std(0))


def test_entries_given_twice_judge_and_train_piece_by_piece(counts):
    y = (counts.sum(1) > P).astype(int)
    twice = given_twice(counts)
    common = {"max_iter": 4, "random_state": 0, "early_stopping": True}
    judged = [
        MLPClassifier((6,), **common).fit(counts, y, X_val=table, y_val=y)
        for table in (counts, twice)
    ]
    np.testing.assert_allclose(*[m.validation_loss_curve_ for m in judged], rtol=1e-9)
    pieces = []
    for table in (counts, twice):
        model = MLPClassifier((6,), random_state=0)
        for _ in range(3):
            model.partial_fit(table, y, classes=[0, 1])
        pieces.append(model.predict_proba(counts))
    np.testing.assert_allclose(*pieces, rtol=1e-9)
    assert not twice.has_canonical_format


@pytest.mark.parametrize("factor", [1e-200, 1e160])
def test_columns_whose_squares_are_no_numbers(counts, factor):
    y = counts @ np.arange(P)
    usual = MLPRegressor((6,), max_iter=4, random_state=0).fit(counts, y)
    scaled = counts * [factor, 1, 1, 1, 0]
    expected = MLPRegressor((6,), max_iter=4, random_state=0).fit(counts * [1, 1, 1, 1, 0], y)
    for table in (sp.csr_matrix(scaled), sp.csr_array(scaled), scaled):
        model = MLPRegressor((6,), max_iter=4, random_state=0).fit(table, y)
        np.testing.assert_allclose(model.input_scale_[0], usual.input_scale_[0] * factor)
        assert model.input_scale_[4] == 1.0
        predicted = expected.predict(counts * [1, 1, 1, 1, 0])
        np.testing.assert_allclose(model.predict(table), predicted, rtol=1e-9)
