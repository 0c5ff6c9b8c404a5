"""What is done with gradients and weights around a step: averages, accumulation, clips."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from layers import arrays_of_layers
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import Accumulated, ClipNorm
from sklearn_dnn.inspection import fgsm, prune

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

N, P = 24, 4
STILL = {"optimizer": "sgd", "learning_rate_init": 1e-300, "max_iter": 1, "batch_size": "full"}
SGD = {"optimizer": "sgd", "learning_rate_init": 0.1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=1.0, scale=2.0, size=(N, P))
    return X, X[:, 0] - 0.5 * X[:, 1] ** 2 + rng.normal(size=N)


def make(**parameters):
    quick = {"batch_size": 6, "max_iter": 3, "random_state": 1, "learning_rate_init": 0.05}
    return MLPRegressor((5, 3), "tanh", **quick | parameters)


def weights_close(one, other, **close):
    for a, b in zip(one.get_weights().values(), other.get_weights().values(), strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-9, "atol": 1e-12} | close)


# The average of weights


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("norm", [None, "batch"])
def test_the_average_by_its_recursion(table, decay, norm):
    X, y = table
    averaged = make(ema_decay=decay, batch_size="full", norm=norm)
    # the average watches: the weights that train are those of the fit without it
    bare = make(batch_size="full", norm=norm)
    average = clone(bare).set_params(**STILL).fit(X, y)
    average = arrays_of_layers(average)
    for n in range(1, 13):
        averaged.partial_fit(X, y)
        averaged = pickle.loads(pickle.dumps(averaged))
        memory = min(decay, (1 + n) / (10 + n))
        now = arrays_of_layers(bare.partial_fit(X, y))
        average = [memory * a + (1 - memory) * w for a, w in zip(average, now, strict=True)]
        for ours, expected in zip(arrays_of_layers(averaged), average, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-14)
        assert averaged.loss_curve_ == bare.loss_curve_
    if norm is not None:  # what follows the data is averaged already
        for ours, theirs in zip(averaged.norm_statistics_, bare.norm_statistics_, strict=True):
            np.testing.assert_array_equal(ours["mean"], theirs["mean"])
    else:
        h = (X - X.mean(0)) / X.std(0)
        h = np.tanh(np.tanh(h @ average[0] + average[1]) @ average[2] + average[3])
        predicted = (h @ average[4] + average[5])[:, 0] * y.std() + y.mean()
        np.testing.assert_allclose(averaged.predict(X), predicted, rtol=1e-9)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_averages_that_go_on_equal_one_fit(table, method):
    X, y = table
    whole = make(ema_decay=0.9, max_iter=4).fit(X, y)
    parts = make(ema_decay=0.9, max_iter=1, warm_start=method == "fit")
    for _ in range(4):
        getattr(parts, method)(X, y)
    weights_close(whole, parts, rtol=0, atol=0)


def test_the_average_judges(table):
    X, y = table
    model = make(ema_decay=0.95, max_iter=5, early_stopping=True, n_iter_no_change=100)
    model.fit(X, y, X_val=X[:6], y_val=y[:6])
    assert model.best_iter_ == np.argmin(model.validation_loss_curve_) + 1
    # best weights are averages too: they have the validation loss that was best
    residual = (model.predict(X[:6]) - y[:6]) / y.std()
    assert np.mean(residual**2) / 2 == pytest.approx(min(model.validation_loss_curve_), rel=1e-8)


# Accumulation


@pytest.mark.parametrize("n", [24, 20, 21])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("penalty", [{"alpha": 0.0}, {"alpha": 2.0}, {"alpha": 0.5, "l1": 0.7}])
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_batches_are_one_large_batch(table, n, shuffle, penalty, weighted):
    """Also where an epoch's last group of batches, or last batch, is not full."""
    X, y = (part[:n] for part in table)
    weight = np.random.default_rng(3).uniform(0.3, 2, n) if weighted else None
    common = SGD | penalty | {"shuffle": shuffle}
    small = make(**common, batch_size=Accumulated(4, 3)).fit(X, y, weight)
    large = make(**common, batch_size=12).fit(X, y, weight)
    weights_close(small, large)
    np.testing.assert_array_equal(
        [(w == 0).sum() for w in small.coefs_], [(w == 0).sum() for w in large.coefs_]
    )
    assert small.t_ == large.t_ == 3 * n


def test_accumulation_is_no_matter_of_the_optimizer(table):
    X, y = table
    for optimizer in ("momentum", "adam", "rmsprop"):
        common = {"optimizer": optimizer, "ema_decay": 0.5, "clip_norm": 0.3}
        small = make(**common, batch_size=Accumulated(4, 2)).fit(X, y)
        large = make(**common, batch_size=8).fit(X, y)
        weights_close(small, large, rtol=1e-6)
        np.testing.assert_allclose(
            small.history_["gradient_norm"], large.history_["gradient_norm"], rtol=1e-6
        )


def test_more_steps_than_batches_are_one_step_an_epoch(table):
    X, y = table
    weights_close(
        make(**SGD, batch_size=Accumulated(4, 100)).fit(X, y),
        make(**SGD, batch_size="full").fit(X, y),
    )


def test_one_batch_a_step_is_no_accumulation(table):
    X, y = table
    for size in (6, "auto", "full"):
        plain, single = (make(batch_size=b).fit(X, y) for b in (size, Accumulated(size, 1)))
        weights_close(plain, single, rtol=0, atol=0)
        assert plain.spec_ == single.spec_


def test_batches_of_auto_and_full_are_accumulated_too(table):
    """Either has all rows of so small a table: its step is one a batch anyway."""
    X, y = table
    full = make(batch_size="full").fit(X, y)
    for batches in (Accumulated(), Accumulated("full", 5)):
        model = make(batch_size=batches).fit(X, y)
        weights_close(model, full)
        assert model.spec_["batch_size"] == N
        assert model.spec_["accumulation_steps"] == batches.steps


def test_a_batch_norm_still_measures_small_batches(table):
    """Why accumulation is not the same as a large batch to a norm of batches."""
    X, y = table
    small = make(**SGD, norm="batch", batch_size=Accumulated(4, 3)).fit(X, y)
    large = make(**SGD, norm="batch", batch_size=12).fit(X, y)
    assert not np.allclose(small.coefs_[0], large.coefs_[0])


# Clips


def first_gradient(X, y):
    """Names of the first weights to themselves and the loss' gradient, by torch."""
    start = make(**STILL | {"alpha": 0.0}).fit(X, y)
    leaves = [torch.tensor(w, requires_grad=True) for w in arrays_of_layers(start)]
    h = torch.tensor((X - X.mean(0)) / X.std(0))
    for W, b in zip(leaves[0:4:2], leaves[1:4:2], strict=True):
        h = torch.tanh(h @ W + b)
    raw = (h @ leaves[4] + leaves[5])[:, 0]
    target = torch.tensor((y - y.mean()) / y.std())
    (0.5 * (raw - target).square().mean()).backward()
    return leaves


def clip_by_torch(leaves, limit):
    """Torch's clip without the 1e-6 that it adds to the norm; the norm before."""
    norm = torch.nn.utils.clip_grad_norm_(leaves, limit).item()
    if norm > limit:
        for leaf in leaves:
            leaf.grad *= (norm + 1e-6) / norm
    return norm


def assert_step(model, leaves):
    for ours, leaf in zip(arrays_of_layers(model), leaves, strict=True):
        expected = (leaf - 0.1 * leaf.grad).detach().numpy()
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-14)


ONE_STEP = SGD | {"alpha": 0.0, "batch_size": "full", "max_iter": 1}


def test_a_global_clip_is_torchs(table):
    leaves = first_gradient(*table)
    norm = clip_by_torch(leaves, 0.05)
    model = make(**ONE_STEP, clip_norm=0.05).fit(*table)
    assert norm > 0.05
    assert_step(model, leaves)
    assert model.history_["gradient_norm"] == [pytest.approx(norm, rel=1e-9)]
    assert model.history_["clipped"] == [1.0]


@pytest.mark.parametrize("limit", [0.05, 1e6])
def test_a_plain_number_bounds_the_whole_gradient(table, limit):
    plain, written = (make(clip_norm=c).fit(*table) for c in (limit, ClipNorm(limit)))
    weights_close(plain, written, rtol=0, atol=0)
    assert plain.spec_["clip_norm"] == written.spec_["clip_norm"]
    for name in ("gradient_norm", "clipped"):
        assert plain.history_[name] == written.history_[name]


def test_a_clip_by_tensor_is_torchs_of_each(table):
    leaves = first_gradient(*table)
    norms = [clip_by_torch([leaf], 0.1) for leaf in leaves]
    assert min(norms) < 0.1 < max(norms)
    model = make(**ONE_STEP, clip_norm=ClipNorm(0.1, "tensor")).fit(*table)
    assert_step(model, leaves)
    assert model.history_["gradient_norm"] == [pytest.approx(np.linalg.norm(norms), rel=1e-9)]
    assert model.history_["clipped"] == [1.0]


def test_values_are_clipped_before_norms(table):
    leaves = first_gradient(*table)
    before = np.linalg.norm([leaf.grad.norm() for leaf in leaves])
    torch.nn.utils.clip_grad_value_(leaves, 0.02)
    norm = clip_by_torch(leaves, 0.05)
    assert before > norm > 0.05
    model = make(**ONE_STEP, clip_value=0.02, clip_norm=0.05).fit(*table)
    assert_step(model, leaves)
    assert model.history_["gradient_norm"] == [pytest.approx(before, rel=1e-9)]
    assert model.history_["clipped"] == [1.0]
    # the other order would be another step: nothing is left of the values' bound
    again = first_gradient(*table)
    clip_by_torch(again, 0.05)
    torch.nn.utils.clip_grad_value_(again, 0.02)
    assert not np.allclose(again[0].grad, leaves[0].grad)


@pytest.mark.parametrize("scope", ["global", "tensor"])
def test_a_wide_clip_changes_nothing_and_tells_the_norm(table, scope):
    X, y = table
    plain = make().fit(X, y)
    clipped = make(clip_norm=ClipNorm(1e6, scope)).fit(X, y)
    weights_close(plain, clipped, rtol=0, atol=0)
    assert clipped.history_["clipped"] == [0.0] * 3
    assert min(clipped.history_["gradient_norm"]) > 0
    assert plain.history_["gradient_norm"] == plain.history_["clipped"] == [None] * 3


def test_a_clip_by_value_tells_the_norm_before_and_what_was_cut(table):
    leaves = first_gradient(*table)
    norm = np.linalg.norm([leaf.grad.norm() for leaf in leaves])
    largest = max(leaf.grad.abs().max().item() for leaf in leaves)
    for limit, share in ((largest * 0.999, 1.0), (largest * 1.001, 0.0)):
        history = make(**ONE_STEP, clip_value=limit).fit(*table).history_
        assert history["gradient_norm"] == [pytest.approx(norm, rel=1e-9)]
        assert history["clipped"] == [share]
    # either of the two bounds counts
    for norm_bound, value_bound in ((norm * 0.999, 1e9), (1e9, largest * 0.999)):
        both = make(**ONE_STEP, clip_norm=norm_bound, clip_value=value_bound).fit(*table)
        assert both.history_["clipped"] == [1.0]


@pytest.mark.parametrize("clip", [None, 1e9, ClipNorm(1e9, "tensor")], ids=str)
def test_steps_cut_by_value_are_counted_by_member(table, clip):
    """Members of an ensemble have gradients, and shares, of their own."""
    X, y = table
    wide = make(clip_value=1e9, n_members=3, clip_norm=clip).fit(X, y)
    for member in wide.members_:
        assert member["history"]["clipped"] == [0.0] * 3
        assert min(member["history"]["gradient_norm"]) > 0
    tight = make(clip_value=1e-9, n_members=3, clip_norm=clip).fit(X, y)
    assert [m["history"]["clipped"] for m in tight.members_] == [[1.0] * 3] * 3
    plain = make(n_members=3).fit(X, y)
    weights_close(plain, wide, rtol=0, atol=0)


@pytest.mark.parametrize("clip", ["clip_norm", "clip_value"])
def test_the_share_of_steps_that_a_clip_cut(table, clip):
    """Four batches an epoch; the bound lies between the second and the third largest."""
    X, y = table
    still = {"optimizer": "sgd", "learning_rate_init": 1e-300, "alpha": 0.0, "shuffle": False}
    units = {"input_scaling": None, "target_scaling": None}
    X = (X - X.mean(0)) / X.std(0)
    sizes = []
    for i in range(0, N, 6):
        start = make(**still | units | {"batch_size": "full", "max_iter": 1})
        first = arrays_of_layers(start.fit(X, y))
        leaves = [torch.tensor(w, requires_grad=True) for w in first]
        h = torch.tensor(X[i : i + 6])
        for W, b in zip(leaves[0:4:2], leaves[1:4:2], strict=True):
            h = torch.tanh(h @ W + b)
        raw = (h @ leaves[4] + leaves[5])[:, 0]
        (0.5 * (raw - torch.tensor(y[i : i + 6])).square().mean()).backward()
        parts = np.concatenate([leaf.grad.ravel() for leaf in leaves])
        sizes.append(np.linalg.norm(parts, None if clip == "clip_norm" else np.inf))
    limit = np.mean(sorted(sizes)[1:3])
    history = make(**still | units, **{clip: limit}).fit(X, y).history_
    assert history["clipped"] == [0.5] * 3


def test_the_share_of_clipped_steps(table):
    """With a rate that moves nothing, every batch's gradient is that of the first weights."""
    X, y = table
    still = {"optimizer": "sgd", "learning_rate_init": 1e-300, "alpha": 0.0, "shuffle": False}
    norms = []
    for i in range(0, N, 6):
        one = np.zeros(N)
        one[i : i + 6] = 1.0
        alone = make(**still | {"batch_size": "full", "max_iter": 1}, clip_norm=1e6)
        scaled = (X - X.mean(0)) / X.std(0)
        alone.set_params(input_scaling=None, target_scaling=None)
        norms += alone.fit(scaled, y, one).history_["gradient_norm"]
    limit = np.mean(sorted(norms)[1:3])
    model = make(**still, clip_norm=limit, input_scaling=None, target_scaling=None)
    history = model.fit((X - X.mean(0)) / X.std(0), y).history_
    np.testing.assert_allclose(history["gradient_norm"], np.mean(norms), rtol=1e-9)
    assert history["clipped"] == [0.5] * 3


# Tools that read a network of these dials


@pytest.mark.parametrize(
    "parameters",
    [
        {"ema_decay": 0.9},
        {"batch_size": Accumulated(6, 2)},
        {"clip_norm": ClipNorm(0.1, "tensor")},
        {"alpha": [0.1, 0.0, 0.2]},
        {"constraint": "max_norm"},
    ],
    ids=str,
)
def test_pruning_and_attacks_know_nothing_of_training(table, parameters):
    X, y = table
    model = make(**parameters).fit(X, y)
    twin = make().fit(X, y).set_weights(arrays_of_layers(model))
    np.testing.assert_allclose(twin.predict(X), model.predict(X), rtol=1e-10)
    for tool in (lambda m: prune(m, 0.5).predict(X), lambda m: fgsm(m, X, y, 0.1)):
        np.testing.assert_allclose(tool(model), tool(twin), rtol=1e-10)
    zeros = sum((W == 0).sum() for W in prune(model, 0.5).coefs_)
    assert zeros == sum(W.size for W in model.coefs_) // 2
