"""All arrays of an estimator by name: another one given them is the same."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from ids import without_addresses
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_friedman1
from test_common import DETERMINISTIC, NOT_EXACT, ONE_OF_TWO
from test_fuzz_dials import Draw, estimator, leave_out_what_is_refused

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import Bagging, EarlyStopping, HiddenModule, Quantile

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:No validation part was held out:UserWarning"),
    pytest.mark.filterwarnings("ignore:activation='selu':UserWarning"),
    pytest.mark.filterwarnings("ignore:topology=Residual.* has none:UserWarning"),
]
X, Y = make_friedman1(90, n_features=5, random_state=0)
CLASSES = np.array(["low", "mid", "top"])[np.digitize(Y, [12, 17])]


def outputs(model, X):
    """All that an estimator says of rows."""
    found = [model.predict(X), model.transform(X)]
    for name in ("predict_proba", "decision_function", "predict_members"):
        if hasattr(model, name):
            found.append(getattr(model, name)(X))
    several = model.spec_["n_members"] > 1
    if not is_classifier(model) and (model.loss == "gaussian" or several):
        found += model.predict(X, return_std=True)
    if hasattr(model, "predict_quantiles"):
        found.append(model.predict_quantiles(X))
    return found


def passes_on(model, first, second, rows):
    """Give one's arrays to a twin of another seed and other rows: all is equal, bit for bit."""
    a = clone(model).set_params(random_state=0).fit(*first)
    b = clone(model).set_params(random_state=1).fit(*second)
    arrays = a.get_weights()
    assert b.set_weights(arrays) is b
    for mine, theirs in zip(outputs(b, rows), outputs(a, rows), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    again = b.get_weights()
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)
    return a, b


def common():
    for parameters in (*DETERMINISTIC, *NOT_EXACT):
        yield from (MLPClassifier(**parameters), MLPRegressor(**parameters))
    yield from ONE_OF_TWO


@pytest.mark.parametrize("model", list(common()), ids=without_addresses)
def test_configurations_of_the_common_tests(model):
    y = CLASSES if is_classifier(model) else Y
    if model.loss == "hinge":
        y = CLASSES == "top"
    passes_on(clone(model).set_params(max_iter=2), (X[:60], y[:60]), (X[30:], y[30:]), X)


@pytest.mark.parametrize("seed", range(100, 160, 2))
def test_dials_in_random_company(seed):
    draw = Draw(seed)
    p = draw.network()
    p |= draw.training(len(p["hidden_layer_sizes"]))
    leave_out_what_is_refused(p)
    p |= {"n_iter_no_change": 1000, "validation_fraction": 0.25, "max_iter": 2}
    p |= {"n_members": 3, "ensemble": Bagging()} if seed % 3 == 0 else {}
    if seed >= 140 and p["hidden_layer_sizes"]:
        p |= {"n_members": 3, "ensemble": "shared", "constraint": None, "weight_noise": 0.0}
    rows, y, _ = draw.table(60)
    passes_on(estimator(draw.kind)(**p), (rows[:40], y[:40]), (rows[20:], y[20:]), rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("asked", [32, 64])
def test_types_of_tables(dtype, asked):
    model = MLPRegressor((6,), norm="batch", max_iter=2, dtype=f"float{asked}")
    passes_on(model, (X[:60].astype(dtype), Y[:60]), (X[30:].astype(dtype), Y[30:]), X)


# Tables of columns of all kinds

N = 260
rng = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "size": rng.normal(3.0, 2.0, N),
        "age": rng.exponential(size=N),
        "town": rng.choice(["x", "y", "z"], N),
        "shop": rng.choice([f"shop {i}" for i in range(12)], N),
        "floor": pd.Categorical(rng.integers(0, 3, N)),
    }
)
TABLE.loc[::7, "size"] = np.nan
TABLE.loc[::11, "town"] = None
PRICE = (TABLE["age"] + (TABLE["town"] == "x")).to_numpy()
LABEL = np.array(["a", "b", "c"])[np.digitize(PRICE, [0.6, 1.3])]
ORDERS = [np.arange(N), np.random.default_rng(1).permutation(N)]  # levels come in another order


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"n_members": 2}, {"ensemble": "independent", "n_members": 2}, {"calibration": None}],
    ids=str,
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_the_recipe_for_tables(cls, parameters, dtype):
    if "calibration" in parameters and cls is MLPRegressor:
        parameters = {"early_stopping": False}
    table = TABLE.astype({"size": dtype, "age": dtype})
    y = LABEL if cls is MLPClassifier else PRICE
    first, second = ((table.iloc[rows], y[rows]) for rows in ORDERS)
    a, _ = passes_on(cls(max_iter=2, **parameters), first, second, table)
    assert {"inputs.knots", "inputs.levels.2", "embedding.codes"} <= a.get_weights().keys()
    assert ("temperature" in a.get_weights()) == (a.spec_["calibration"] is not None)


@pytest.mark.parametrize("scaling", [None, "standard", "robust", "quantile", "quantile_robust"])
def test_scalings_of_tables(scaling):
    model = MLPRegressor((6,), input_scaling=scaling, max_iter=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_dnn._core.fitting.far.FAR", np.inf)
        first, second = ((TABLE.iloc[rows], PRICE[rows]) for rows in ORDERS)
        passes_on(model, first, second, TABLE)


def test_several_targets_of_units_of_their_own():
    y = np.column_stack([Y, 1e6 * Y**2])
    passes_on(MLPRegressor((6,), max_iter=2), (X[:60], y[:60]), (X[30:], y[30:]), X)


class Part(torch.nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.dense = torch.nn.Linear(n_features, 4)
        self.normed = torch.nn.BatchNorm1d(4)
        self.register_buffer("mask", torch.tensor([0.0, 0.0, -torch.inf, 0.0]))

    def forward(self, x):
        return torch.exp(self.normed(torch.tanh(self.dense(x))) + self.mask)


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_users_module(n_members):
    model = MLPRegressor(HiddenModule(Part), max_iter=2, n_members=n_members)
    a, _ = passes_on(model, (X[:60], Y[:60]), (X[30:], Y[30:]), X)
    mask = np.broadcast_to([0, 0, -np.inf, 0], (n_members, 4)) if n_members > 1 else None
    if mask is not None:
        np.testing.assert_array_equal(a.get_weights()["module.mask"], mask)


def fitted(cls=MLPRegressor, **parameters):
    given = {"hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0} | parameters
    return cls(**given).fit(X, Y if cls is MLPRegressor else CLASSES)


# What they are


def test_names_and_shapes_of_a_plain_network():
    arrays = fitted(hidden_layer_sizes=(6, 4)).get_weights()
    assert {name: array.shape for name, array in arrays.items()} == {
        "layers.0.weight": (5, 6),
        "layers.0.bias": (6,),
        "layers.1.weight": (6, 4),
        "layers.1.bias": (4,),
        "layers.2.weight": (4, 1),
        "layers.2.bias": (1,),
        "inputs.center": (5,),
        "inputs.scale": (5,),
        "inputs.fill": (5,),
        "targets.mean": (1,),
        "targets.scale": (1,),
        "targets.float32": (1,),
    }
    np.testing.assert_allclose(arrays["inputs.center"], X.mean(0))
    np.testing.assert_allclose(arrays["targets.scale"], Y.std())


def test_predictions_from_the_arrays_alone():
    """The formula of a network with a batch norm and a learnt slope, from its arrays alone."""
    model = fitted(norm="batch", activation="prelu", dtype="float64", max_iter=20)
    w = model.get_weights()
    h = (X - w["inputs.center"]) / w["inputs.scale"] @ w["layers.0.weight"]
    mean, variance = w["layers.0.statistics.mean"], w["layers.0.statistics.variance"]
    h = (h - mean) / np.sqrt(variance + 1e-5) * w["layers.0.norm.weight"] + w["layers.0.norm.bias"]
    h = np.where(h > 0, h, h * w["layers.0.activation.slope"])
    raw = h @ w["layers.1.weight"] + w["layers.1.bias"]
    predicted = raw * w["targets.scale"] + w["targets.mean"]
    np.testing.assert_allclose(model.predict(X), predicted[:, 0], rtol=1e-9)
    assert "layers.0.bias" not in w, "the norm's takes its place"


def test_they_are_copies():
    model = fitted(norm="layer", n_members=2)
    before = model.predict(X)
    arrays = model.get_weights()
    for array in arrays.values():
        array[...] = 7.0
    np.testing.assert_array_equal(model.predict(X), before)
    kept = copy.deepcopy(arrays)
    model.set_weights(arrays)
    changed = model.predict(X)
    for array in arrays.values():
        array[...] = 0.0
    np.testing.assert_array_equal(model.predict(X), changed)
    model.set_weights(kept)
    np.testing.assert_array_equal(model.predict(X), changed)


def test_plain_numbers_travel_through_a_file(tmp_path):
    a, b = fitted(), fitted(random_state=1)
    np.savez(tmp_path / "weights.npz", **a.get_weights())
    with np.load(tmp_path / "weights.npz") as arrays:
        b.set_weights(dict(arrays))
    np.testing.assert_array_equal(b.predict(X), a.predict(X))


def test_tensors_and_lists_are_arrays():
    a, b = fitted(), fitted(random_state=1)
    arrays = a.get_weights()
    b.set_weights({name: torch.from_numpy(array) for name, array in arrays.items()})
    np.testing.assert_array_equal(b.predict(X), a.predict(X))
    b = fitted(random_state=1).set_weights({k: array.tolist() for k, array in arrays.items()})
    np.testing.assert_array_equal(b.predict(X), a.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {"norm": "batch", "ema_decay": 0.9},
        {"n_members": 2, "activation": "prelu", "early_stopping": True},
        {"n_members": 2, "ensemble": "shared"},
        {"numeric_embedding": "periodic", "norm": "weight"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_from_them(parameters, method):
    a = fitted(warm_start=True, dtype="float64", **parameters)
    b = fitted(warm_start=True, dtype="float64", random_state=1, **parameters)
    b = pickle.loads(pickle.dumps(b.set_weights(a.get_weights())))
    still = {"learning_rate_init": 1e-30, "max_iter": 1, "norm": parameters.get("norm")}
    if still["norm"] == "batch":
        return  # which measures anew: its case is below
    getattr(b.set_params(**still), method)(X, Y)
    np.testing.assert_allclose(b.predict(X), a.predict(X), rtol=1e-9)


def test_what_was_measured_is_gone_on_from():
    a = fitted(norm="batch", dtype="float64")
    b = fitted(norm="batch", dtype="float64", random_state=1, warm_start=True)
    arrays = a.get_weights()
    arrays["layers.0.statistics.mean"] = np.full(6, 1e6)
    b.set_weights(arrays).set_params(learning_rate_init=1e-30, max_iter=1, batch_size="full")
    b.fit(X, Y)
    # one batch moves a running mean by a tenth
    np.testing.assert_allclose(b.get_weights()["layers.0.statistics.mean"], 0.9e6, rtol=1e-3)


def test_codes_of_held_out_rows_follow_the_levels():
    """The rows that judge were kept as codes, which other tables of levels give other meanings."""
    parameters = {"early_stopping": EarlyStopping(patience=99), "warm_start": True, "max_iter": 2}
    first, second = ((TABLE.iloc[rows], PRICE[rows]) for rows in ORDERS)
    model = MLPRegressor((6,), random_state=0, **parameters)
    a, b = clone(model).fit(*first), clone(model).set_params(random_state=1).fit(*second)
    held = [b._progress["validation"]["positions"]]
    rows = second[0].iloc[held[0]]
    b.set_weights(a.get_weights()).set_params(learning_rate_init=1e-30, max_iter=1).fit(*second)
    loss = 0.5 * np.mean((b.predict(rows) - second[1][held[0]]) ** 2) / b.target_scale_[0] ** 2
    assert b.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-4)


# What depends on the rows: how many knots and levels there are, and whether float32 will do


LONG, SHORT = np.arange(N), np.arange(0, N, 5)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("scaling", ["quantile", "quantile_robust"])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_knots_of_more_or_fewer_rows(cls, scaling, turned):
    y = LABEL if cls is MLPClassifier else PRICE
    table = TABLE[["size", "age"]]
    first, second = ((table.iloc[rows], y[rows]) for rows in (LONG, SHORT))
    if turned:
        first, second = second, first
    model = cls((6,), input_scaling=scaling, max_iter=2)
    a, b = passes_on(model, first, second, table)
    assert a.get_weights()["inputs.knots"].shape == (len(first[0]), 2)
    again = pickle.loads(pickle.dumps(b))
    np.testing.assert_array_equal(again.transform(table), a.transform(table))


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_knots_of_the_recipe_for_tables(cls):
    y = LABEL if cls is MLPClassifier else PRICE
    table = TABLE[["size", "age"]]
    first, second = ((table.iloc[rows], y[rows]) for rows in (LONG, LONG[:130]))
    a, b = passes_on(cls(max_iter=2), first, second, table)
    known = {len(m.get_weights()["inputs.knots"]) for m in (a, clone(b).fit(*second))}
    assert len(known) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_rare_levels_of_other_rows(turned):
    """A level of a single row shares a slot with unknown ones: the network has none for it."""
    rare = TABLE.assign(floor=TABLE["floor"].astype(int))
    rare.loc[3, ["town", "shop"]] = ["far", "stall"]
    rare.loc[4, "town"] = "farther"
    rare.loc[5, "floor"] = -1
    first, second = (rare, PRICE), (rare.drop(index=[3, 4, 5]), np.delete(PRICE, [3, 4, 5]))
    if turned:
        first, second = second, first
    model = MLPRegressor(
        (6,),
        input_scaling="quantile",
        categorical_features=["town", "shop", "floor"],
        max_iter=2,
        warm_start=True,
    )
    a, b = passes_on(model, first, second, rare)
    assert [len(levels) for levels in b.categories_] == [5 - 2 * turned, 13 - turned, 4 - turned]
    b = pickle.loads(pickle.dumps(b)).set_params(learning_rate_init=1e-30, max_iter=1)
    for method in ("fit", "partial_fit"):
        getattr(b, method)(rare, PRICE)
        np.testing.assert_allclose(b.predict(rare), a.predict(rare), rtol=1e-6)


def test_codes_of_held_out_rows_follow_more_or_fewer_levels():
    more = TABLE.copy()
    more.loc[[2, 3], "town"] = ["far", "farther"]
    given = {"early_stopping": EarlyStopping(patience=99), "warm_start": True, "max_iter": 2}
    model = MLPRegressor((6,), random_state=0, **given)
    for first, second in ((more, TABLE), (TABLE, more)):
        a = clone(model).fit(first, PRICE)
        b = clone(model).set_params(random_state=1).fit(second.iloc[ORDERS[1]], PRICE[ORDERS[1]])
        held = ORDERS[1][b._progress["validation"]["positions"]]
        b.set_weights(a.get_weights()).set_params(learning_rate_init=1e-30, max_iter=1)
        b.fit(second.iloc[ORDERS[1]], PRICE[ORDERS[1]])
        said = b.predict(second.iloc[held])
        loss = 0.5 * np.mean((said - PRICE[held]) ** 2) / b.target_scale_[0] ** 2
        assert b.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_from_other_knots(method):
    table = TABLE[["size", "age"]].fillna(0.0)
    model = MLPRegressor((6,), input_scaling="quantile", max_iter=2, warm_start=True)
    a, b = passes_on(model, (table, PRICE), (table[:50], PRICE[:50]), table)
    b = pickle.loads(pickle.dumps(b)).set_params(learning_rate_init=1e-30, max_iter=1)
    getattr(b, method)(table[:70], PRICE[:70])
    np.testing.assert_allclose(b.predict(table), a.predict(table), rtol=1e-6)
    for name in ("inputs.knots", "inputs.scores"):
        np.testing.assert_array_equal(b.get_weights()[name], a.get_weights()[name])


KNOTS = {
    "knots alone": ({"inputs.knots": lambda a: a[::2]}, "'inputs.scores'", "(45, 5)"),
    "scores alone": ({"inputs.scores": lambda a: a[1:]}, "'inputs.knots'", "(89, 5)"),
    "a column less": ({"inputs.knots": lambda a: a[:, 1:]}, "'inputs.knots'", "(90, 4)", "(k, 5)"),
    "a single one": (
        {"inputs.knots": lambda a: a[:1], "inputs.scores": lambda a: a[:1]},
        "'inputs.knots'",
        "(1, 5)",
    ),
    "none": ({"inputs.scores": lambda a: a[:0]}, "'inputs.scores'", "(0, 5)"),
    "flat": ({"inputs.knots": lambda a: a[:, 0]}, "'inputs.knots'", "(90,)"),
    "falling": ({"inputs.knots": lambda a: a[::-1]}, "'inputs.knots'", "rising"),
    "a gap": ({"inputs.knots": lambda a: np.where(a > 0.5, np.nan, a)}, "'inputs.knots'", "finite"),
}


@pytest.mark.parametrize("case", KNOTS.values(), ids=KNOTS)
def test_knots_of_no_use(case):
    changes, *parts = case
    model = fitted(input_scaling="quantile")
    arrays = model.get_weights()
    refuse(model, arrays | {k: change(arrays[k]) for k, change in changes.items()}, *parts)


def test_levels_and_slots_of_other_lengths_are_refused():
    model = MLPRegressor((6,), max_iter=2, random_state=0).fit(TABLE, PRICE)
    arrays = model.get_weights()
    before = model.predict(TABLE)
    levels, slots = (arrays[f"inputs.{name}.2"] for name in ("levels", "slots"))
    for changes, name in (
        ({"levels": levels[1:]}, "'inputs.levels.2'"),
        ({"levels": [*levels, "far"]}, "'inputs.levels.2'"),
        ({"slots": np.append(slots, 0)}, "'inputs.levels.2'"),
        ({"slots": [0, 1]}, "'inputs.slots.2' must have shape"),
        ({"slots": []}, "'inputs.slots.2' must have shape"),
        ({"slots": np.append(slots, 9), "levels": [*levels, "far"]}, "must have shape"),
        ({"levels": [[*levels]]}, "'inputs.levels.2' must have shape"),
    ):
        with pytest.raises(ValueError, match=name):
            model.set_weights(arrays | {f"inputs.{k}.2": array for k, array in changes.items()})
    np.testing.assert_array_equal(model.predict(TABLE), before)


X32 = X.astype(np.float32)
F = X[:, 3]
APART = {
    "far": (lambda f: 1.7e9 + 20 * f, {}),
    "one of two": (lambda f: np.column_stack([f, 1e7 + 0.1 * f]), {}),
    "deviations": (lambda f: 1.7e9 + 20 * f, {"loss": "gaussian"}),
    "quantiles": (lambda f: 1.7e9 + 20 * f, {"loss": Quantile((0.2, 0.5, 0.8))}),
    "members": (lambda f: -1e9 + f, {"n_members": 2}),
    "small": (lambda f: 1e-40 * f, {}),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", APART.values(), ids=APART)
def test_targets_that_float32_tells_apart_or_not(case, turned):
    change, parameters = case
    near = np.column_stack([F, F]) if change(F).ndim == 2 else F
    both = [(X32, change(F)), (X32, near)]
    first, second = both[::-1] if turned else both
    model = MLPRegressor((6,), max_iter=20, **parameters)
    a, b = passes_on(model, first, second, X32)
    assert a.get_weights()["targets.float32"].tolist() == [turned]
    assert b.predict(X32).dtype == (np.float32 if turned else np.float64)
    assert b.score(*first) == a.score(*first)
    again = pickle.loads(pickle.dumps(b)).predict(X32)
    np.testing.assert_array_equal(again, a.predict(X32))
    assert again.dtype == a.predict(X32).dtype


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_type_of_predictions_stays_when_training_goes_on(method, turned):
    far = 1.7e9 + 20 * F
    first, second = (F, far) if turned else (far, F)
    model = MLPRegressor((6,), max_iter=2, warm_start=True)
    a, b = passes_on(model, (X32, first), (X32, second), X32)
    getattr(b.set_params(learning_rate_init=1e-30, max_iter=1), method)(X32, first)
    said = b.predict(X32)
    assert said.dtype == a.predict(X32).dtype
    np.testing.assert_allclose(said - first.mean(), a.predict(X32) - first.mean(), rtol=1e-4)


def test_whether_float32_will_do_is_true_or_false():
    model = fitted()
    arrays = model.get_weights()
    assert "targets.float32" not in fitted(MLPClassifier).get_weights()
    refuse(model, arrays | {"targets.float32": [2]}, "'targets.float32'", "True or False")
    refuse(model, arrays | {"targets.float32": ["no"]}, "'targets.float32'")
    refuse(model, arrays | {"targets.float32": True}, "'targets.float32'", "(1,)", "()")
    model.set_weights(arrays | {"targets.float32": [False]})
    assert model.predict(X32).dtype == np.float64
    assert model.set_weights(arrays).predict(X32).dtype == np.float32


# What is refused


def refuse(model, weights, *parts, error=ValueError):
    before = outputs(model, X)
    with pytest.raises(error) as told:
        model.set_weights(weights)
    for part in parts:
        assert part in str(told.value)
    for mine, theirs in zip(outputs(model, X), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


WRONG = {
    "complex": ("layers.0.weight", lambda a: a + 0j, "real numbers", "complex"),
    "too large for its type": ("layers.1.bias", lambda a: np.full(a.shape, 1e308), "1e+308"),
    "infinite": ("layers.1.weight", lambda a: a + np.inf, "finite", "inf"),
    "masked": ("layers.0.bias", lambda a: np.ma.masked_array(a, mask=a > -9), "masked"),
    "an overflow of units": ("targets.mean", lambda a: a + 1e308, "1.3e+154"),
    "an overflow of inputs": ("inputs.center", lambda a: a + 1e308, "inputs.scale"),
    "not a number": ("layers.0.bias", lambda a: a * np.nan, "finite", "nan"),
    "text": ("layers.0.weight", lambda a: a.astype(str), "real numbers"),
    "objects": ("layers.0.weight", lambda a: a.astype(object), "real numbers"),
    "dates": ("layers.0.weight", lambda a: a.astype("datetime64[s]"), "real numbers"),
    "ragged": ("layers.0.weight", lambda _: [[1.0], [1.0, 2.0]], "(5, 6)"),
    "transposed": ("layers.0.weight", lambda a: a.T, "(5, 6)", "(6, 5)"),
    "a row too many": ("inputs.center", lambda a: np.append(a, 0), "(5,)", "(6,)", "same columns"),
    "no scale": ("inputs.scale", lambda a: a * 0, "above 0"),
    "a gap in a scale": ("inputs.center", lambda a: a * np.nan, "finite"),
    "a fill of none": ("inputs.fill", lambda a: a * np.nan, "0 numbers"),
    "no units": ("targets.scale", lambda a: -a, "above 0"),
    "a mean of none": ("targets.mean", lambda a: a + np.inf, "finite"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_arrays_of_no_use(case, dtype):
    name, change, *parts = case
    model = fitted(dtype=dtype, warm_start=True)
    arrays = model.get_weights()
    refuse(model, arrays | {name: change(arrays[name])}, name.split(".")[0], *parts)


def test_a_negative_variance_and_a_bad_member():
    model = fitted(n_members=2, norm="batch")
    arrays = model.get_weights()
    single = {name: array[0] if array.ndim else array for name, array in arrays.items()}
    refuse(model, arrays | {"layers.0.weight": single["layers.0.weight"]}, "(2, 5, 6)", "(5, 6)")
    bad = arrays["layers.0.weight"].copy()
    bad[1, 2, 3] = np.nan
    refuse(model, arrays | {"layers.0.weight": bad}, "'layers.0.weight'", "nan")


def test_names_that_are_missing_or_unknown():
    model = fitted(norm="layer")
    arrays = model.get_weights()
    fewer = {k: a for k, a in arrays.items() if k != "layers.0.norm.bias"}
    refuse(model, fewer, "lacks 'layers.0.norm.bias'", "get_weights")
    refuse(model, arrays | {"layer.0.weight": 1}, "has 'layer.0.weight'", "mean 'layers.0.weight'")
    refuse(model, fitted().get_weights(), "lacks", "'layers.0.norm.weight'", "same parameters")
    refuse(model, {}, "lacks")


def test_arrays_of_another_table():
    model = MLPRegressor((6,), max_iter=2, random_state=0)
    a = clone(model).fit(TABLE, PRICE)
    arrays = a.get_weights()

    def refused(table, *parts):
        b = clone(model).fit(table, PRICE)
        before = b.predict(table)
        with pytest.raises(ValueError) as told:  # noqa: PT011 - the words are looked at
            b.set_weights(arrays)
        assert "same columns and categories" in str(told.value)
        for part in parts:
            assert part in str(told.value)
        np.testing.assert_array_equal(b.predict(table), before)

    refused(TABLE.assign(town=TABLE["town"].replace("z", "x")), "'inputs.slots.2'", "(5,)", "(4,)")
    refused(TABLE.drop(columns="floor"), "has", "'inputs.slots.4'")
    refused(TABLE[["age", "size", "town", "shop", "floor"]], "'inputs.names'", "'age', 'size'")
    refused(TABLE.assign(size=TABLE["size"].fillna(0.0)), "'layers.0.weight'", "shape")


@pytest.mark.filterwarnings("ignore:Columns .* have gaps:UserWarning")  # a's had none there
def test_gaps_of_another_column_are_taken_over():
    model = MLPRegressor((6,), max_iter=2, random_state=0)
    a = clone(model).fit(TABLE, PRICE)
    moved = TABLE.assign(size=TABLE["size"].fillna(0.0), age=TABLE["age"].where(TABLE["age"] < 2))
    b = clone(model).fit(moved, PRICE).set_weights(a.get_weights())
    for table in (TABLE, moved):
        np.testing.assert_array_equal(b.predict(table), a.predict(table))


def test_other_levels_of_the_same_number_are_taken_over():
    model = MLPRegressor((6,), max_iter=2, random_state=0)
    a = clone(model).fit(TABLE, PRICE)
    renamed = TABLE.assign(town=TABLE["town"].replace({"x": "u", "y": "v", "z": "w"}))
    b = clone(model).fit(renamed, PRICE).set_weights(a.get_weights())
    np.testing.assert_array_equal(b.predict(TABLE), a.predict(TABLE))


def test_labels_of_classes_are_taken_over_and_checked():
    a, b = fitted(MLPClassifier), fitted(MLPClassifier, random_state=1)
    arrays = a.get_weights()
    np.testing.assert_array_equal(arrays["targets.classes"], ["low", "mid", "top"])
    b.set_weights(arrays | {"targets.classes": [1, 2, 3]})
    np.testing.assert_array_equal(b.predict_proba(X), a.predict_proba(X))
    np.testing.assert_array_equal(np.array(["low", "mid", "top"])[b.predict(X) - 1], a.predict(X))
    refuse(b, arrays | {"targets.classes": ["b", "a", "c"]}, "'targets.classes'", "rising")
    refuse(b, arrays | {"targets.classes": ["a", "a", "c"]}, "'targets.classes'", "different")
    refuse(b, arrays | {"targets.classes": ["a", "b"]}, "'targets.classes'", "(3,)")


def test_hostile_slots_are_refused():
    model = MLPRegressor((6,), max_iter=2, random_state=0).fit(TABLE, PRICE)
    arrays = model.get_weights()
    before = model.predict(TABLE)
    for name, value in (
        ("inputs.widths", np.full(3, 2**62)),
        ("inputs.slots.3", np.full(14, -7)),
        ("inputs.slots.3", np.full(14, 10**6)),
        ("inputs.slots.3", np.full(14, 0.5)),
        ("inputs.gaps", np.full(5, 2)),
        ("inputs.levels.2", ["x", "x", "y"]),
        ("inputs.levels.2", [1j, 2j, 3j]),
    ):
        with pytest.raises(ValueError, match="inputs"):
            model.set_weights(arrays | {name: value})
    np.testing.assert_array_equal(model.predict(TABLE), before)


# Lists


def test_a_list_where_matrices_and_biases_are_all_that_is_trained():
    a, b = fitted(hidden_layer_sizes=(6, 4)), fitted(hidden_layer_sizes=(6, 4), random_state=1)
    pairs = zip(a.coefs_, a.intercepts_, strict=True)
    b.set_weights([array for pair in pairs for array in pair])
    np.testing.assert_array_equal(b.predict(X), a.predict(X))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"norm": "batch"}, "'layers.0.norm.weight'"),
        ({"norm": "layer"}, "'layers.0.norm.weight'"),
        ({"norm": "weight"}, "'layers.0.norm.gain'"),
        ({"activation": "prelu"}, "'layers.0.activation.slope'"),
        ({"numeric_embedding": "periodic"}, "'embedding."),
        ({"n_members": 2, "ensemble": "shared"}, "'members.inputs'"),
        ({"topology": "residual", "hidden_layer_sizes": (6, 4, 3)}, "'layers.1.skip.projection'"),
        ({"input_scaling": "batch_norm"}, "'entrance.weight'"),
    ],
    ids=str,
)
def test_a_list_is_refused_elsewhere(parameters, name):
    model = fitted(**parameters)
    arrays = [array for pair in zip(model.coefs_, model.intercepts_, strict=True) for array in pair]
    refuse(model, arrays, name, "Give a dict")


def test_what_is_neither_is_refused():
    model = fitted()
    for weights in (np.ones(3), "weights", 3, None):
        refuse(model, weights, "dict of arrays by name", error=TypeError)
