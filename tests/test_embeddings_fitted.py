"""Embeddings of numbers and of categories' codes in networks, stacks and estimators."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection as theirs
import torch
from sklearn.base import clone
from sklearn.datasets import make_regression

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor, inspection
from sklearn_dnn import model_selection as ours
from sklearn_dnn._core.data.batches import Batch, TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.fitted.fitted import Fitted
from sklearn_dnn._core.fitting import fresh_start, warm_start
from sklearn_dnn._core.network.architecture import Architecture
from sklearn_dnn._core.network.mlp import hidden
from sklearn_dnn._core.network.parameters import Layout
from sklearn_dnn._core.specification import Task, resolve, structure
from sklearn_dnn._core.training import gradients as gradients_module
from sklearn_dnn._core.training.engine import train
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn.components import (
    BatchNorm,
    ClipNorm,
    Dropout,
    GaussianDropout,
    HiddenModule,
    InputNoise,
    Periodic,
    PiecewiseLinear,
)
from sklearn_dnn.components.embeddings import CODE_SIZE, CODE_START

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_NUMBERS, N_PASSED, LEVELS, N = 3, 2, (4, 7), 40
WAVES = Periodic(n_frequencies=5, size=3, scale=0.5)
EMBEDDINGS = {
    "none": None,
    "waves": WAVES,
    "plr": Periodic(n_frequencies=5, size=3, scale=0.5, dense=False),
    "bins": PiecewiseLinear(n_bins=4, size=3),
    "relu": PiecewiseLinear(n_bins=4, size=3, activation="relu"),
    "alone": PiecewiseLinear(n_bins=4, size=None),
}
every_embedding = pytest.mark.parametrize("embedding", EMBEDDINGS.values(), ids=EMBEDDINGS)
some_embedding = pytest.mark.parametrize(
    "embedding", [None, WAVES, EMBEDDINGS["bins"]], ids=["none", "waves", "bins"]
)


def table(n=N, levels=LEVELS, seed=0):
    """Rows of numbers, zeros and ones, and codes."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(n, N_NUMBERS)), rng.integers(0, 2, (n, N_PASSED)).astype(float)]
    return np.column_stack([*parts, *(rng.integers(0, size, n).astype(float) for size in levels)])


def target(X, levels=LEVELS):
    y = np.sin(2 * X[:, 0]) + 0.5 * X[:, N_NUMBERS]
    return y + (X[:, -1] % 3 if levels else 0)


def task(levels=LEVELS, n_passed=N_PASSED, dtype="float64"):
    return Task(
        "regression",
        N_NUMBERS + n_passed + len(levels),
        1,
        N,
        N,
        dtype,
        n_passed=n_passed,
        levels=tuple(levels),
    )


def spec_of(levels=LEVELS, **parameters):
    usual = {
        "hidden_layer_sizes": (6, 4),
        "activation": "silu",
        "batch_size": 16,
        "max_iter": 4,
        "tol": 0.0,
        "learning_rate_init": 0.01,
    }
    return resolve(MLPRegressor(**usual | parameters).get_params(deep=False), task(levels))


def measured(specs, progress):
    """Let embeddings that measure look at the table's numbers."""
    embedding = specs[0].numeric_embedding
    if embedding is not None and embedding.measures:
        network = Layout(Architecture.of(specs[0])).network(progress.theta, progress.statistics)
        found = embedding.measure(table()[:, :N_NUMBERS], None)
        for name, array in found.items():
            network.embedding_statistics[name].copy_(torch.from_numpy(array))
        progress.best_statistics.copy_(progress.statistics)
    return progress


def begun(specs):
    return measured(specs, Progress.begin(specs, Streams.of_members(0, len(specs))))


def a_step(specs, levels=LEVELS):
    """A step away from its start, and a batch of 9 rows for it."""
    progress = begun(specs)
    noise = torch.randn(progress.theta.shape, generator=torch.Generator().manual_seed(1))
    progress.theta.add_(noise, alpha=0.3)
    rows = [table(9, levels, seed=i) for i in range(len(specs))]
    x = torch.from_numpy(np.stack(rows) if len(specs) > 1 else rows[0])
    x = x.to(progress.theta.dtype)
    y = torch.randn(*x.shape[:-1], 1, dtype=x.dtype, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return TrainingStep(specs, progress), Batch(x, y, 1 / 9, 9.0, slice(0, 9))


def gradient(monkeypatch, specs, by_hand, **how):
    with monkeypatch.context() as patch:
        if not by_hand:
            patch.setattr(gradients_module, "has_kernel", lambda _: False)
        step, batch = a_step(specs, **how)
        assert step.gradients.by_hand == by_hand
        step.grad.fill_(float("nan"))  # every number of it is filled
        with torch.no_grad():
            raw = step.gradients(batch).raw
    return raw, step.grad


# Gradients


@every_embedding
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("levels", [(), LEVELS], ids=["numbers", "codes"])
@pytest.mark.parametrize("shared", [1, 3])
def test_gradients_by_hand_are_autograds(monkeypatch, embedding, m, levels, shared):
    ensemble = {"n_members": shared, "ensemble": "shared"} if shared > 1 else {}
    specs = [spec_of(levels, numeric_embedding=embedding, **ensemble)] * m
    raw, grad = gradient(monkeypatch, specs, True, levels=levels)
    expected_raw, expected = gradient(monkeypatch, specs, False, levels=levels)
    torch.testing.assert_close(raw, expected_raw)
    torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize("m", [1, 3])
def test_gradients_of_a_linear_model_by_hand_are_autograds(monkeypatch, m):
    specs = [spec_of(hidden_layer_sizes=(), numeric_embedding=WAVES)] * m
    grads = [gradient(monkeypatch, specs, by_hand)[1] for by_hand in (True, False)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize(
    "dropout",
    [0.4, Dropout(0.4, shared=True), GaussianDropout(0.3), [0.0, 0.5]],
    ids=["plain", "shared", "gaussian", "one_layer"],
)
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("shared", [1, 3])
def test_gradients_with_dropout_by_hand_are_autograds(monkeypatch, activation, dropout, m, shared):
    ensemble = {"n_members": shared, "ensemble": "shared"} if shared > 1 else {}
    specs = [spec_of(dropout=dropout, activation=activation, **ensemble)] * m
    raw, grad = gradient(monkeypatch, specs, True)
    expected_raw, expected = gradient(monkeypatch, specs, False)
    torch.testing.assert_close(raw, expected_raw)
    torch.testing.assert_close(grad, expected)


def test_members_may_differ_in_the_rate_of_a_dropout_by_hand(monkeypatch):
    specs = [spec_of(dropout=rate) for rate in (0.0, 0.3, 0.6)]
    grads = [gradient(monkeypatch, specs, by_hand)[1] for by_hand in (True, False)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize(
    "noise",
    [
        {"input_dropout": 0.2},
        {"weight_noise": 0.1},
        {"dropout": "dropconnect"},
        {"dropout": "alpha_dropout"},
        {"activation": "rrelu"},
    ],
    ids=str,
)
def test_other_noise_is_left_to_autograd(noise):
    assert not gradients_module.has_kernel(spec_of(**noise))
    assert gradients_module.has_kernel(spec_of(dropout=0.2))


@some_embedding
def test_penalties_leave_embeddings_alone(embedding):
    specs = [spec_of(numeric_embedding=embedding, alpha=alpha) for alpha in (0.0, 100.0)]
    grads = []
    for spec in specs:
        step, batch = a_step([spec])
        with torch.no_grad():
            step.gradient(batch)
        grads.append(step.gradients.network)
    for name in grads[0].embedding:
        torch.testing.assert_close(grads[0].embedding[name], grads[1].embedding[name])
    assert not torch.allclose(grads[0].layers[0].weight, grads[1].layers[0].weight)
    matrices = {m.name for m in Layout(Architecture.of(specs[0])).matrices}
    assert not any(name.startswith("embedding.") for name in matrices)


# The forward pass


def test_the_first_layer_reads_numbers_then_what_passes_then_vectors():
    spec = spec_of(numeric_embedding=WAVES)
    a = Architecture.of(spec)
    assert a.sizes[0] == 3 * N_NUMBERS + N_PASSED + 2 * CODE_SIZE
    assert (a.n_numbers, a.n_columns) == (N_NUMBERS, N_NUMBERS + N_PASSED + 2)
    progress = begun([spec])
    network = Layout(a).network(progress.theta, progress.statistics)
    X = table()
    x = torch.from_numpy(X)
    # a network without hidden layers hands on what enters
    linear = replace(a, sizes=(a.sizes[0], 1), activations=(), dropouts=())
    with torch.no_grad():
        entering = hidden(x, network._replace(layers=network.layers[-1:]), linear).numpy()
    np.testing.assert_array_equal(entering[:, :N_NUMBERS], X[:, :N_NUMBERS])
    at = 3 * N_NUMBERS
    numbers = WAVES.forward(x[:, :N_NUMBERS].mT, network.embedding, {}).mT
    np.testing.assert_allclose(entering[:, :at], numbers.numpy())
    np.testing.assert_array_equal(entering[:, at : at + N_PASSED], X[:, N_NUMBERS : N_NUMBERS + 2])
    vectors = network.embedding["codes"].numpy()
    assert vectors.shape == (sum(LEVELS), CODE_SIZE)
    codes = X[:, -2:].astype(int) + np.array([0, LEVELS[0]])
    np.testing.assert_array_equal(entering[:, at + N_PASSED :], vectors[codes].reshape(N, -1))


def test_vectors_of_levels_start_normal():
    progress = begun([spec_of((4000,))])
    network = Layout(Architecture.of(spec_of((4000,)))).network(progress.theta, progress.statistics)
    assert float(network.embedding["codes"].std()) == pytest.approx(CODE_START, rel=0.05)


def test_dense_layers_start_as_they_would_without_vectors_behind_them():
    """Embeddings are drawn last: the same width of inputs gives the same matrices."""
    width = N_NUMBERS + N_PASSED + 2 * CODE_SIZE
    bare = replace(task((), 0), n_features=width)
    plain = resolve(spec_parameters(), bare)
    ours = begun([spec_of()]).theta
    alone = Progress.begin([plain], Streams.of_members(0, 1)).theta
    torch.testing.assert_close(ours[:, : alone.shape[1]], alone)


def spec_parameters():
    estimator = MLPRegressor((6, 4), activation="silu", batch_size=16, learning_rate_init=0.01)
    return estimator.get_params(deep=False)


# Stacks


def outcomes(specs, members, levels=LEVELS):
    X = table(levels=levels)
    y = torch.from_numpy(target(X, levels))[:, None]
    features = Features(X, Standardiser(None, torch.float64, "cpu"))
    rows = torch.stack(
        [torch.randperm(N, generator=torch.Generator().manual_seed(i))[:32] for i in members]
    )
    everyone = Streams.of_members(0, len(specs))
    chosen, streams = [specs[i] for i in members], [everyone[i] for i in members]
    progress = measured(chosen, Progress.begin(chosen, streams))
    return train(chosen, progress, TrainingSet(features, y, None, rows))


@every_embedding
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"norm": "layer"},
        {"optimizer": "sgd"},
        {"n_members": 2, "ensemble": "shared"},
        {"clip_norm": ClipNorm(0.1, "tensor")},
    ],
    ids=["plain", "norm", "sgd", "shared", "clipped"],
)
def test_a_member_of_a_stack_is_the_network_alone(embedding, parameters):
    rates = (0.01, 0.02, 0.005)
    specs = [
        spec_of(numeric_embedding=embedding, learning_rate_init=rate, **parameters)
        for rate in rates
    ]
    together = outcomes(specs, [0, 1, 2])
    for i, member in enumerate(together):
        (alone,) = outcomes(specs, [i])
        np.testing.assert_allclose(member.history["loss"], alone.history["loss"], rtol=1e-8)
        for name, array in member.weights.extras.items():
            np.testing.assert_allclose(array, alone.weights.extras[name], rtol=1e-7, atol=1e-10)


def test_members_differ_in_the_scale_of_frequencies_and_in_no_shape():
    one, other = (spec_of(numeric_embedding=Periodic(scale=s)) for s in (0.1, 2.0))
    assert structure(one) == structure(other)
    assert structure(one) != structure(spec_of(numeric_embedding=Periodic(size=5)))
    assert structure(one) != structure(spec_of())
    assert structure(spec_of()) != structure(spec_of((4, 8)))
    frequencies = [
        Layout(Architecture.of(s)).network(*2 * [begun([s]).theta]).embedding["frequencies"]
        for s in (one, other)
    ]
    torch.testing.assert_close(frequencies[1], 20 * frequencies[0])


# Estimators


@pytest.fixture(autouse=True)
def columns_by_kind(monkeypatch):
    """Let an estimator's columns be those of `table`, where there are as many."""
    whole = N_NUMBERS + N_PASSED + len(LEVELS)

    for module in (fresh_start, warm_start):

        def told(*args, known=module.task_of, **kwargs):
            found = known(*args, **kwargs)
            if found.n_features != whole:
                return found
            return replace(found, n_passed=N_PASSED, levels=LEVELS)

        monkeypatch.setattr(module, "task_of", told)
    # the plan of these columns takes codes for numbers, which it would standardise first
    monkeypatch.setattr(BatchNorm, "input_scaling", None)


def model(cls=MLPRegressor, **parameters):
    usual = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0, "input_scaling": None}
    return cls(**usual | {"learning_rate_init": 0.01} | parameters)


def numbers(n=60):
    X, y = make_regression(n, 4, noise=1.0, random_state=0)
    return X * [1, 5, 0.1, 3] + 1, y


VARIANTS = {
    "plain": {},
    "batch_norm": {"norm": "batch"},
    "input_norm": {"input_scaling": "batch_norm"},
    "wide": {"topology": "wide", "hidden_layer_sizes": (6, 6)},
    "lsuv": {"initializer": "lsuv"},
    "dropout": {"dropout": 0.3},
    "ema": {"ema_decay": 0.9},
    "ensemble": {"n_members": 3},
    "shared": {"n_members": 3, "ensemble": "shared"},
    "shared_norm": {"n_members": 3, "ensemble": "shared", "input_scaling": "batch_norm"},
    "stopped": {"early_stopping": True},
    "linear": {"hidden_layer_sizes": ()},
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "mixed_bfloat16"},
    "lbfgs": {"optimizer": "lbfgs"},
    "muon": {"optimizer": "muon"},
    "adversarial": {"augmentation": "adversarial"},
    "noise": {"augmentation": "input_noise"},
}


class Part(torch.nn.Module):
    """A hidden part of the user's, which is told its inputs."""

    def __init__(self, n_features):
        super().__init__()
        self.layer = torch.nn.Linear(n_features, 4)

    def forward(self, x):
        return torch.tanh(self.layer(x))


VARIANTS["module"] = {"hidden_layer_sizes": HiddenModule(Part)}


@some_embedding
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_network_fits_predicts_and_is_exported(embedding, variant):
    parameters = VARIANTS[variant]
    if parameters.get("input_scaling") and embedding is EMBEDDINGS["bins"]:
        pytest.skip("measured columns must not change")
    X = table()
    y = target(X)
    fitted = model(numeric_embedding=embedding, **parameters).fit(X, y)
    predicted = fitted.predict(X)
    assert np.isfinite(predicted).all()
    with torch.no_grad():
        exported = fitted.to_torch()(torch.from_numpy(X)).numpy()[:, 0]
    rtol = 1e-4 if fitted.coefs_[0].dtype == np.float32 else 1e-9
    np.testing.assert_allclose(exported, predicted, rtol=rtol, atol=rtol)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), predicted)
    assert set(fitted.embeddings_) == set(again.embeddings_) >= {"codes"}
    assert "embedding" in fitted.summary()
    assert fitted.transform(X).shape == (N, fitted._n_features_out)


def test_codes_are_learned():
    X = table(300)
    y = X[:, -1] % 3
    settings = {"max_iter": 60, "hidden_layer_sizes": (16,), "batch_size": 32}
    fitted = model(**settings).fit(X, y)
    assert fitted.score(X, y) > 0.95
    assert fitted.embeddings_["codes"].shape == (sum(LEVELS), CODE_SIZE)
    assert model().fit(*numbers()).embeddings_ is None


@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_embedded_numbers_learn_what_oscillates(cls):
    X = np.linspace(-2, 2, 400)[:, None]
    y = np.sin(9 * X[:, 0])
    if cls is MLPClassifier:
        y = y > 0
    settings = {"max_iter": 60, "batch_size": 20, "input_scaling": "standard"}
    scores = {}
    for embedding in (None, Periodic(scale=1.0), "piecewise_linear"):
        fitted = model(cls, numeric_embedding=embedding, **settings).fit(X, y)
        scores[str(embedding)] = fitted.score(X, y)
    plain = scores.pop("None")
    assert min(scores.values()) > plain + 0.1


def test_none_is_the_network_as_it_was():
    X, y = numbers()
    fitted = model().fit(X, y)
    assert fitted.coefs_[0].shape == (4, 8)
    assert fitted.extra_weights_ == {}
    assert fitted.spec_["numeric_embedding"] is None
    by_name = model(numeric_embedding="periodic").fit(X, y)
    by_component = model(numeric_embedding=Periodic()).fit(X, y)
    np.testing.assert_array_equal(by_name.predict(X), by_component.predict(X))


@pytest.mark.parametrize("embedding", [WAVES, PiecewiseLinear()], ids=["waves", "bins"])
def test_members_are_fitted_estimators_of_their_own(embedding):
    X = table()
    together = model(numeric_embedding=embedding, n_members=3).fit(X, target(X))
    assert together.embeddings_["codes"].shape == (3, sum(LEVELS), CODE_SIZE)
    each = [together.member(i) for i in range(3)]
    assert each[0].embeddings_["codes"].shape == (sum(LEVELS), CODE_SIZE)
    mean = np.mean([one.predict(X) for one in each], axis=0)
    np.testing.assert_allclose(together.predict(X), mean)
    first = model(numeric_embedding=embedding).fit(X, target(X))
    np.testing.assert_allclose(each[0].predict(X), first.predict(X), rtol=1e-7)


def test_bins_are_measured_on_the_standardised_rows_to_train_on():
    X, y = numbers(200)
    embedding = PiecewiseLinear(n_bins=4)
    fitted = model(numeric_embedding=embedding, input_scaling="standard").fit(X, y)
    scaled = (X - fitted.input_mean_) / fitted.input_scale_
    for name, array in embedding.measure(scaled, None).items():
        np.testing.assert_allclose(fitted.embeddings_[name], array, rtol=1e-9)
    weight = np.ones(200)
    weight[100:] = 0.0
    half = model(numeric_embedding=embedding).fit(X, y, sample_weight=weight)
    for name, array in embedding.measure(X[:100], None).items():
        np.testing.assert_allclose(half.embeddings_[name], array)
    split = theirs.PredefinedSplit(np.r_[np.full(100, -1), np.zeros(100)])
    watched = {"early_stopping": True, "validation_fraction": split}
    held = model(numeric_embedding=embedding, **watched).fit(X, y)
    np.testing.assert_array_equal(held.embeddings_["left"], half.embeddings_["left"])


def test_many_rows_are_represented_by_some(monkeypatch):
    monkeypatch.setattr(fresh_start, "SEEN_ROWS", 50)
    X, y = numbers(200)
    fitted = model(numeric_embedding=PiecewiseLinear(n_bins=4), max_iter=1).fit(X, y)
    some = X[np.linspace(0, 199, 50).astype(int)]
    wanted = PiecewiseLinear(n_bins=4).measure(some, None)
    np.testing.assert_allclose(fitted.embeddings_["left"], wanted["left"])


@pytest.mark.parametrize("embedding", ["periodic", "piecewise_linear"])
def test_sparse_rows_are_as_dense_ones(embedding):
    X, y = numbers()
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.5, 0, X)
    dense = model(numeric_embedding=embedding).fit(X, y)
    sparse = model(numeric_embedding=embedding).fit(sp.csr_matrix(X), y)
    np.testing.assert_allclose(sparse.predict(sp.csr_matrix(X)), dense.predict(X))


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_training_goes_on_with_the_bins_of_the_first_call(how):
    X, y = numbers()
    first = model(numeric_embedding="piecewise_linear", warm_start=how == "warm_start")
    go_on = first.fit if how == "warm_start" else first.partial_fit
    go_on(X, y)
    before = copy.deepcopy(first.embeddings_)
    go_on(X * 3, y)
    for name in ("left", "factor", "lowest", "highest"):
        np.testing.assert_array_equal(first.embeddings_[name], before[name])
    assert not np.array_equal(first.embeddings_["slope"], before["slope"])
    first.set_params(numeric_embedding=PiecewiseLinear(n_bins=5))
    with pytest.raises(ValueError, match=r"another numeric_embedding.*call fit with warm_start"):
        go_on(X, y)


def test_going_on_is_as_if_training_had_not_ended():
    X = table()
    whole = model(numeric_embedding="periodic", tol=0.0).fit(X, target(X))
    parts = model(numeric_embedding="periodic", tol=0.0, max_iter=3, warm_start=True)
    parts.fit(X, target(X))
    pickle.loads(pickle.dumps(parts)).fit(X, target(X))
    parts.fit(X, target(X))
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-9)


def test_going_on_from_weights_alone_keeps_the_bins():
    X, y = numbers()
    fitted = model(numeric_embedding="piecewise_linear").fit(X, y)
    before = copy.deepcopy(fitted.embeddings_)
    fitted.partial_fit(X * 2, y)
    np.testing.assert_array_equal(fitted.embeddings_["left"], before["left"])


def test_a_refit_measures_all_rows():
    X, y = numbers(100)
    rule = sklearn_dnn.components.EarlyStopping(refit=True)
    fitted = model(numeric_embedding="piecewise_linear", early_stopping=rule).fit(X, y)
    wanted = PiecewiseLinear().measure(X, None)
    np.testing.assert_allclose(fitted.embeddings_["left"], wanted["left"])


def test_weights_are_set_and_predict():
    X = table()
    fitted = model(numeric_embedding="periodic").fit(X, target(X))
    before = fitted.predict(X)
    arrays = fitted.get_weights()
    fitted.set_weights(arrays | {"embedding.codes": 2 * arrays["embedding.codes"]})
    assert not np.allclose(fitted.predict(X), before)
    fitted.embeddings_["codes"][...] = 0.0  # the arrays are the network's own
    changed = X.copy()
    changed[:, -1] = (X[:, -1] + 1) % LEVELS[-1]
    np.testing.assert_allclose(fitted.predict(changed), fitted.predict(X))


def test_a_search_over_the_scale_is_one_stack(monkeypatch):
    X, y = numbers()
    sizes = []
    known = sklearn_dnn.estimators._stacks.train_stack
    backend = sklearn_dnn.model_selection._backend

    def noted(stack, *args, **kwargs):
        sizes.append(len(stack))
        return known(stack, *args, **kwargs)

    monkeypatch.setattr(backend, "train_stack", noted)
    grid = {"numeric_embedding__scale": [0.1, 1.0]}
    estimator = model(numeric_embedding=Periodic(), input_scaling="standard")
    searches = [library.GridSearchCV(estimator, grid, cv=3).fit(X, y) for library in (ours, theirs)]
    assert sizes == [6]
    mean, expected = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_a_search_over_kinds_is_scikit_learns():
    X, y = numbers()
    estimator = model(input_scaling="standard")
    grid = {"numeric_embedding": [None, "periodic", "piecewise_linear"]}
    searches = [library.GridSearchCV(estimator, grid, cv=2).fit(X, y) for library in (ours, theirs)]
    mean, expected = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_what_is_saved_by_skops_is_trusted():
    skops = pytest.importorskip("skops.io")
    X, y = numbers()
    fitted = model(numeric_embedding=PiecewiseLinear(size=3)).fit(X, y)
    file = skops.dumps(fitted)
    again = skops.loads(file, trusted=list(sklearn_dnn.TRUSTED_TYPES))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_inspection_looks_through_embeddings():
    X, y = numbers()
    fitted = model(numeric_embedding="periodic").fit(X, y)
    assert len(inspection.activations(fitted, X)) == 1
    inspection.layer_statistics(fitted, X, y)
    changed = inspection.fgsm(fitted, X, y, 0.1)
    np.testing.assert_allclose(np.abs(changed - X).max(), 0.1)
    assert np.isfinite(inspection.prune(fitted, 0.5).predict(X)).all()
    inspection.update_ratios(clone(fitted), X, y)


def test_noise_reaches_numbers_alone():
    spec = spec_of(augmentation=InputNoise(1e3))
    step, batch = a_step([spec])
    with torch.no_grad():
        x, _, _ = step.gradients._augment(batch.x, batch.y, batch.share)
    assert (x[:, :N_NUMBERS] - batch.x[:, :N_NUMBERS]).abs().max() > 100
    torch.testing.assert_close(x[:, N_NUMBERS:], batch.x[:, N_NUMBERS:])


def test_contradictions_are_refused():
    with pytest.raises(ValueError, match=r"augmentation=Mixup.*2 columns hold categories"):
        spec_of(augmentation="mixup")
    spec_of((), augmentation="mixup")
    with pytest.raises(ValueError, match=r"measures columns.*input_scaling=BatchNorm\(\)"):
        spec_of(numeric_embedding="piecewise_linear", input_scaling="batch_norm")
    with pytest.raises(ValueError, match=r"Did you mean 'periodic'"):
        model(numeric_embedding="periodical").fit(*numbers())
    with pytest.raises(ValueError, match=r"numeric_embedding='periodic' has no parameters"):
        model(numeric_embedding="periodic").set_params(numeric_embedding__scale=1.0)


@some_embedding
def test_a_table_of_categories_alone_has_no_numbers_to_embed(monkeypatch, embedding):
    X = table()[:, -2:]
    alone = replace(task((), 0), n_features=2, levels=LEVELS)
    monkeypatch.setattr(fresh_start, "task_of", lambda *_, **__: alone)
    fitted = model(numeric_embedding=embedding).fit(X, target(table()))
    assert list(fitted.embeddings_) == ["codes"]
    assert np.isfinite(fitted.predict(X)).all()


def test_what_has_no_columns_to_act_on_is_left_out():
    only = replace(task((3, 5), 0), n_features=2)
    parameters = spec_parameters() | {
        "numeric_embedding": WAVES,
        "input_scaling": "batch_norm",
    }
    a = Architecture.of(resolve(parameters, only))
    assert (a.embedding, a.input_norm, a.sizes[0]) == (None, None, 2 * CODE_SIZE)


def test_architecture_is_read_back_from_a_fitted_estimator():
    X = table()
    fitted = model(numeric_embedding="piecewise_linear").fit(X, target(X))
    a = Fitted(fitted).architecture
    assert (a.n_numbers, a.n_passed, a.levels) == (N_NUMBERS, N_PASSED, LEVELS)
    assert a.sizes[0] == fitted.coefs_[0].shape[0]
