"""Numbers that schedules drive, where they live, and what else is richer than a number.

Networks are in float64. A stack's products round otherwise than a single network's; ten epochs
of small networks keep that below a relative 1e-7.
"""

import numpy as np
import pytest
import sklearn.model_selection as theirs
import torch
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn import model_selection as ours
from sklearn_dnn.components import (
    SGD,
    Accumulated,
    Adam,
    AdamW,
    Bagging,
    Bounded,
    ClipNorm,
    Cosine,
    Dropout,
    FunctionSchedule,
    Linear,
    Lookahead,
    Performance,
    Piecewise,
    Scheduled,
    TorchOptimizer,
)
from sklearn_dnn.components.dropouts import DropoutRule
from sklearn_dnn.components.optimizers import Optimizer
from sklearn_dnn.estimators._stacked_fit import Fit
from sklearn_dnn.estimators._stacks import open_stacks, train_stack

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = X @ RNG.normal(size=4) + 0.3 * RNG.normal(size=120)
LABELS = (Y > 0).astype(int)


def network(**parameters):
    given = {"hidden_layer_sizes": (9, 7), "batch_size": 30, "max_iter": 6, "random_state": 0}
    return MLPRegressor(**{**given, "dtype": "float64", **parameters})


def weights(**parameters):
    """All numbers of a fitted network in one row."""
    model = network(**parameters).fit(X, Y)
    return np.concatenate([array.ravel() for array in (*model.coefs_, *model.intercepts_)])


# Where a scheduled number lives: each as a function of the number

PLACES = {
    "dropout": lambda n: {"dropout": n(0.3)},
    "a component": lambda n: {"dropout": Dropout(n(0.3), shared=True)},
    "a layer": lambda n: {"dropout": [0.1, n(0.3)]},
    "a component of a layer": lambda n: {"dropout": [Dropout(n(0.3)), None]},
    "input_dropout": lambda n: {"input_dropout": n(0.3)},
    "weight_decay": lambda n: {"weight_decay": n(0.5)},
    "AdamW": lambda n: {"optimizer": AdamW(weight_decay=n(0.5))},
    "Adam": lambda n: {"optimizer": Adam(beta_1=n(0.8))},
    "SGD": lambda n: {"optimizer": SGD(momentum=n(0.8)), "learning_rate_init": 0.01},
    "Lookahead": lambda n: {"optimizer": Lookahead(AdamW(weight_decay=n(0.5)))},
    "torch's momentum": lambda n: {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=n(0.8))},
    "torch's betas": lambda n: {
        "optimizer": TorchOptimizer(torch.optim.Adam, betas=(n(0.8), 0.99))
    },
}


@pytest.mark.parametrize("place", PLACES)
def test_a_constant_schedule_changes_nothing(place):
    plain = weights(**PLACES[place](lambda number: number))
    constant = weights(**PLACES[place](lambda number: Scheduled(number, "constant")))
    assert np.array_equal(plain, constant)


@pytest.mark.parametrize("place", PLACES)
def test_a_schedule_is_a_number_that_changes(place):
    """A factor of 1/2 throughout is half the number; one that moves is something else."""
    half = weights(**PLACES[place](lambda number: number / 2))
    by_factor = weights(**PLACES[place](lambda n: Scheduled(n, FunctionSchedule(_half))))
    assert np.array_equal(half, by_factor)
    moving = weights(**PLACES[place](lambda number: Scheduled(number, "linear")))
    assert not np.allclose(half, moving)


def _half(_t, _horizon):
    return 0.5


class Recorded(DropoutRule):
    """A dropout that drops nothing, and notes at which rates."""

    seen: dict = {}

    def forward(self, a, rate, generator):
        self.seen.setdefault(a.shape[-1], []).append(rate)
        return a


def test_each_layer_has_a_schedule_of_its_own():
    Recorded.seen.clear()
    rules = [Recorded(Scheduled(0.4, "linear")), Recorded(0.2), Recorded(Scheduled(0.1, Cosine()))]
    network(hidden_layer_sizes=(5, 6, 7), dropout=rules, batch_size="full").fit(X, Y)
    times = np.arange(6)
    assert np.allclose(Recorded.seen[5], [0.4 * Linear().factor(t, 6, {}) for t in times])
    assert np.allclose(Recorded.seen[6], 0.2)
    assert np.allclose(Recorded.seen[7], [0.1 * Cosine().factor(t, 6, {}) for t in times])


def test_one_for_all_layers_drives_each():
    Recorded.seen.clear()
    rule = Recorded(Scheduled(0.4, "linear"))
    network(hidden_layer_sizes=(5, 6), dropout=rule, batch_size="full").fit(X, Y)
    assert np.allclose(Recorded.seen[5], 0.4 * np.linspace(1, 0.01, 7)[:6])
    assert np.array_equal(Recorded.seen[5], Recorded.seen[6])


# Which of the decays a schedule drives


def test_the_decay_that_counts_has_its_own_schedule():
    moving = Scheduled(0.5, "linear")
    of_estimator = weights(weight_decay=moving, optimizer="adamw")
    assert np.array_equal(of_estimator, weights(optimizer=AdamW(weight_decay=moving)))
    # of 0 there is nothing to drive: the optimizer's own stays, and stays constant
    own = weights(optimizer="adamw")
    assert np.array_equal(own, weights(weight_decay=Scheduled(0.0, "linear"), optimizer="adamw"))
    both = network(weight_decay=moving, optimizer=AdamW(weight_decay=moving))
    with pytest.raises(ValueError, match=r"weight_decay=0\.5 contradicts the decay of optimizer"):
        both.fit(X, Y)


def test_the_estimators_decay_takes_the_place_of_the_recipes():
    """As AdamW(beta_2=0.95) with that decay, which the recipe's optimizer else is."""
    moving = Scheduled(0.3, "cosine")
    model = MLPRegressor(max_iter=3, random_state=0, weight_decay=moving).fit(X, Y)
    assert model.spec_["weight_decay"] == 0.3
    assert list(model.spec_["driven"]) == ["weight_decay"]
    rate = model.spec_["learning_rate_init"]
    stated = AdamW(beta_2=0.95, weight_decay=moving)
    same = MLPRegressor(max_iter=3, random_state=0, optimizer=stated, learning_rate_init=rate)
    assert np.array_equal(model.predict(X), same.fit(X, Y).predict(X))


def test_patience_goes_by_a_plan_of_the_users():
    """The recipe's own patience suits its own schedule alone."""
    waits = {
        name: MLPClassifier(max_iter=3, random_state=0, **given).fit(X, LABELS).spec_
        for name, given in {
            "its own": {},
            "dropout": {"dropout": Scheduled(0.2, "linear")},
            "optimizer": {"optimizer": AdamW(beta_1=Scheduled(0.9, "linear"))},
        }.items()
    }
    assert waits["its own"]["n_iter_no_change"] == 12
    assert waits["dropout"]["n_iter_no_change"] == np.inf
    assert waits["optimizer"]["n_iter_no_change"] == np.inf


def test_a_schedule_sees_the_loss():
    """Where no loss is an improvement, the rate is cut after each epoch but the first."""
    Recorded.seen.clear()
    rule = Recorded(Scheduled(0.4, Performance(patience=1, threshold=1e9)))
    network(hidden_layer_sizes=(5,), dropout=rule, batch_size="full", max_iter=4).fit(X, Y)
    assert np.allclose(Recorded.seen[5], [0.4, 0.4, 0.2, 0.1])


def test_a_misspelt_schedule_is_told_from_the_rates():
    model = network(dropout=[0.1, Scheduled(0.2, "linaer")])
    with pytest.raises(ValueError, match=r"Did you mean 'linear'\? It is that of Scheduled\("):
        model.fit(X, Y)


class Driven(Optimizer):
    """One whose author lets a schedule drive what no step reads anew."""

    _parameter_constraints = {"size": [float, Scheduled]}

    def __init__(self, size=1.0):
        self.size = size

    def _update(self, theta, grad, state, rate, c):
        theta.sub_(grad * rate)


def test_what_is_not_read_at_each_step_is_refused():
    with pytest.raises(ValueError, match=r"A schedule can't drive 'size'.* only its weight_decay"):
        network(optimizer=Driven(Scheduled(1.0, "linear"))).fit(X, Y)
    for given in ({"lr_decay": Scheduled(0.1, "linear")}, {"eps": Scheduled(1e-8, "linear")}):
        rule = TorchOptimizer(torch.optim.Adagrad, **given)
        with pytest.raises(ValueError, match=r"A schedule can't drive .* of Adagrad"):
            network(optimizer=rule).fit(X, Y)


# Candidates that differ in such numbers stay one stack

MOVING = Scheduled(0.2, "linear")
# (what all have, grid, stacks): how many there were where schedules, scopes and shares were
# parameters of their own, and how many there are now
GRIDS = {
    "values": ({"dropout": MOVING}, {"dropout__value": [0.1, 0.3]}, 1, 1),
    "schedules": ({"dropout": MOVING}, {"dropout__schedule": ["linear", "cosine"]}, 1, 1),
    "with and without": ({}, {"dropout": [0.0, 0.2, MOVING]}, 2, 1),
    "rate of a component": (
        {"dropout": Dropout(Scheduled(0.1, "linear"))},
        {"dropout__rate__value": [0.1, 0.3]},
        1,
        1,
    ),
    "layers": ({}, {"dropout": [[0.1, 0.2], [MOVING, 0.1], [0.3, MOVING]]}, 2, 1),
    "inputs": ({}, {"input_dropout": [0.0, 0.1, MOVING]}, 2, 1),
    "decay": ({}, {"weight_decay": [0.0, 0.1, Scheduled(0.1, "cosine")]}, 2, 1),
    "own decay": (
        {"optimizer": AdamW(weight_decay=MOVING)},
        {"optimizer__weight_decay__value": [0.0, 0.1]},
        1,
        1,
    ),
    "momentum": (
        {"optimizer": SGD(momentum=Scheduled(0.5, "linear"))},
        {"optimizer__momentum__value": [0.0, 0.9]},
        1,
        1,
    ),
    "momentum of either kind": (
        {"optimizer": SGD()},
        {"optimizer__momentum": [0.0, 0.9, Scheduled(0.9, Piecewise((2,), (0.0, 1.0)))]},
        2,
        1,
    ),
    "clips": ({}, {"clip_norm": [None, 0.1, 0.2]}, 1, 1),
    "scopes": (
        {},
        {"clip_norm": [None, 0.1, ClipNorm(0.1, "tensor"), ClipNorm(0.2, "tensor")]},
        2,
        1,
    ),
    "bags": ({"n_members": 2}, {"ensemble": ["independent", Bagging()]}, 1, 1),
    "shares": (
        {"n_members": 2, "ensemble": Bagging(0.5)},
        {"ensemble__bootstrap": [True, False]},
        1,
        1,
    ),
    # rows of a batch are no numbers of a member
    "batches": ({"batch_size": Accumulated(10, 2)}, {"batch_size__steps": [1, 2]}, 2, 2),
    "bounds": (
        {"output_activation": Bounded("logistic", -30.0, 30.0)},
        {"output_activation__low": [-30.0, -20.0]},
        2,
        2,
    ),
}


@pytest.mark.parametrize("name", GRIDS)
def test_candidates_stay_one_stack(name):
    common, grid, before, now = GRIDS[name]
    models = [clone(network(**common)).set_params(**each) for each in ParameterGrid(grid)]
    stacks = open_stacks([Fit(clone(model), X, Y) for model in models])
    assert sum(map(len, stacks)) == len(models)
    assert len(stacks) == now <= before


@pytest.mark.parametrize("name", GRIDS)
def test_a_search_trains_them_as_one_stack(name, monkeypatch):
    common, grid, _, now = GRIDS[name]
    trained = []

    def noting(stack, watched):
        trained.append(len(stack))
        return train_stack(stack, watched)

    monkeypatch.setattr("sklearn_dnn.model_selection._backend.train_stack", noting)
    search = ours.GridSearchCV(network(**common, max_iter=2), grid, cv=2, refit=False).fit(X, Y)
    assert sum(trained) == 2 * len(search.cv_results_["params"])
    assert len(trained) == now


class Thinned(DropoutRule):
    """A dropout without chance, which a stack would share."""

    def forward(self, a, rate, generator):
        return a * (1.0 - rate)


ALONE = {
    **{name: GRIDS[name][:2] for name in GRIDS if "decay" in name or "momentum" in name},
    **{name: GRIDS[name][:2] for name in ("clips", "scopes", "bags", "shares", "batches")},
    "layers": (
        {},
        {
            "dropout": [
                [Thinned(0.1), Thinned(0.2)],
                [Thinned(MOVING), Thinned(0.1)],
                [Thinned(0.3), Thinned(Scheduled(0.3, Cosine()))],
            ]
        },
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_stack_gives_what_fits_alone_give(name):
    common, grid = ALONE[name]
    base = network(**common, clip_value=0.5, max_iter=10)
    how = {"cv": 3, "scoring": "neg_mean_squared_error"}
    search = ours.GridSearchCV(base, grid, **how).fit(X, Y)
    alone = [
        theirs.cross_val_score(clone(base).set_params(**each), X, Y, **how).mean()
        for each in search.cv_results_["params"]
    ]
    assert len(set(np.round(alone, 12))) == len(alone)
    assert np.allclose(search.cv_results_["mean_test_score"], alone, rtol=1e-7)


def test_scopes_side_by_side_tell_of_their_own_norms():
    """Lengths before the clip, and shares of steps that were cut, are each member's own."""
    clips = [None, 0.1, ClipNorm(0.1, "tensor"), ClipNorm(1e9, "tensor"), 1e9]
    base = network(max_iter=3)
    histories = []
    search = ours.GridSearchCV(base, {"clip_norm": clips}, cv=2, refit=False)
    search.set_params(scoring=_noting(histories)).fit(X, Y)
    told = histories[::2]
    alone = [clone(base).set_params(clip_norm=clip).fit(X[60:], Y[60:]).history_ for clip in clips]
    for here, there in zip(told, alone, strict=True):
        for name in ("gradient_norm", "clipped"):
            if there[name][0] is None:
                assert here[name] == there[name]
            else:
                assert np.allclose(here[name], there[name], rtol=1e-7)


def _noting(histories):
    def score(model, _X, _y):
        histories.append(model.history_)
        return 0.0

    return score
