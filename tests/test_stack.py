"""A stack against its members: each one is trained as it would have been alone.

Everything is in float64. A stack's products and its rules with a column of coefficients round
otherwise than a single network's; a few dozen steps of small smooth networks keep that below a
relative 1e-8. Masks of dropout have a common stream, so they agree in distribution only.
"""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from sklearn_dnn import MLPClassifier, MLPRegressor, components
from sklearn_dnn._core.data import batches
from sklearn_dnn._core.data import features as features_module
from sklearn_dnn._core.data.batches import Batcher, TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.data.scaling import fit_scaling
from sklearn_dnn._core.data.targets import (
    BinaryCodec,
    MulticlassCodec,
    MultilabelCodec,
    RegressionCodec,
)
from sklearn_dnn._core.specification import Task, resolve, structure
from sklearn_dnn._core.training.engine import train
from sklearn_dnn._core.training.evaluate import ValidationSet
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn._threads import limit_threads
from sklearn_dnn.components import (
    SGD,
    Accumulated,
    Adam,
    AdamW,
    Adversarial,
    AlphaDropout,
    Bagging,
    BatchNorm,
    Box,
    ClipNorm,
    Constant,
    DropConnect,
    Dropout,
    EarlyStopping,
    Exponential,
    GaussianDropout,
    GroupNorm,
    Hinge,
    InputNoise,
    LabelNoise,
    Linear,
    Lookahead,
    MaxNorm,
    MinMaxNorm,
    Mixup,
    Momentum,
    MomentumCycle,
    OneCycle,
    Performance,
    Piecewise,
    Plain,
    Power,
    Prelu,
    Quantile,
    Residual,
    Scheduled,
    TargetNoise,
)
from sklearn_dnn.components.losses import LOSSES, Loss
from sklearn_dnn.components.norms import NORMS
from sklearn_dnn.components.optimizers import OPTIMIZERS

N_TABLE, N_ROWS, N_FEATURES = 60, 41, 4
CLOSE = {"rtol": 1e-8, "atol": 1e-10}
STACKABLE = [name for name in OPTIMIZERS if OPTIMIZERS[name]().stackable]
kinds = pytest.mark.parametrize("kind", ["regression", "binary", "multiclass", "multilabel"])


def targets(kind, X, rng):
    """Targets of a table, and the codec that knows them."""
    signal = X @ rng.normal(size=(N_FEATURES, 3)) + 0.5 * rng.normal(size=(N_TABLE, 3))
    if kind == "regression":
        return signal[:, :2], RegressionCodec.unscaled(signal[:, :2])
    if kind == "binary":
        return signal[:, 0] > 0, BinaryCodec(np.array([False, True]))
    if kind == "multiclass":
        return signal.argmax(1), MulticlassCodec(np.arange(3))
    return (signal > 0).astype(int), MultilabelCodec(3)


class Stack:
    """Members that differ by seed and by `changes`, one dictionary of parameters a member.

    Parameters
    ----------
    changes : list of dict
    kind : str
    own_rows : bool
        Whether members learn from rows of their own; else all from the same.
    weighted : bool
    judged : bool
        Whether the rows that do not train judge.
    sparse : bool
    positive : bool
        Whether a regression's targets are exponentials of the usual ones.
    **common : dict
        Parameters of all members.
    """

    def __init__(
        self,
        changes,
        kind="regression",
        *,
        own_rows=False,
        weighted=False,
        judged=False,
        sparse=False,
        positive=False,
        **common,
    ):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(N_TABLE, N_FEATURES)) * [1, 2, 0.1, 5] + [0, 3, 0, -2]
        y, codec = targets(kind, X, rng)
        if positive:
            y = np.exp(y / 5.0)
            codec = RegressionCodec.unscaled(y)
        if sparse:
            X = sp.csr_matrix(np.where(rng.random(X.shape) < 0.5, 0, X))
        cls = MLPRegressor if kind == "regression" else MLPClassifier
        usual = {
            "hidden_layer_sizes": (6, 5),
            "activation": "tanh",
            "learning_rate_init": 0.02,
            "batch_size": "auto" if common.get("optimizer") == "lbfgs" else 16,
            "max_iter": 5,
            "tol": 0.0,
        }
        task = Task(
            kind=kind,
            n_features=N_FEATURES,
            n_outputs=codec.n_outputs,
            n_samples=N_ROWS,
            n_training=N_ROWS,
            dtype="float64",
            has_validation=judged,
        )
        self.specs = [
            resolve(cls(**usual | common | change).get_params(deep=False), task)
            for change in changes
        ]
        table = Features(X, Standardiser(fit_scaling(X, None, None), torch.float64, "cpu"))
        y = codec.encode(y, torch.float64)
        weight = torch.from_numpy(rng.uniform(0.3, 3.0, N_TABLE)) if weighted else None
        orders = np.stack([rng.permutation(N_TABLE) for _ in changes])
        orders = torch.from_numpy(orders if own_rows else orders[:1].repeat(len(changes), 0))
        training, judging = orders.split([N_ROWS, N_TABLE - N_ROWS], 1)
        self.data = TrainingSet(table, y, weight, training)
        self.validation = None
        if judged:
            self.validation = ValidationSet(table, y, weight, judging, codec.score)
        self.seeds = list(range(len(changes)))

    def begin(self, members):
        streams = [stream for i in members for stream in Streams.of_members(self.seeds[i], 1)]
        return Progress.begin([self.specs[i] for i in members], streams)

    def train(self, members, progress=None, **how):
        """Outcomes of some of the members, as a stack of their own."""
        validation = None if self.validation is None else self.validation.select(members)
        return train(
            [self.specs[i] for i in members],
            self.begin(members) if progress is None else progress,
            self.data.select(members),
            validation,
            **how,
        )

    @property
    def everyone(self):
        return list(range(len(self.specs)))

    def trained(self):
        """Outcomes of the whole stack, each of which must be that of the member alone."""
        together = self.train(self.everyone)
        for i in self.everyone:
            (alone,) = self.train([i])
            assert_same(together[i], alone)
        return together


def assert_same_weights(ours, alone):
    for name in ("coefs", "intercepts", "norms", "statistics"):
        for a, b in zip(getattr(ours, name), getattr(alone, name), strict=True):
            if isinstance(a, dict):
                assert a.keys() == b.keys()
                for key in a:
                    np.testing.assert_allclose(a[key], b[key], **CLOSE, err_msg=key)
            else:
                np.testing.assert_allclose(a, b, **CLOSE, err_msg=name)


def assert_same(ours, alone):
    """Two outcomes of the same member."""
    assert ours.n_iter == alone.n_iter
    assert ours.end_reason == alone.end_reason
    assert ours.best_iter == alone.best_iter
    assert ours.history.keys() == alone.history.keys()
    for name in set(ours.history) - {"seconds"}:
        curves = (np.array(o.history[name], dtype=float) for o in (ours, alone))
        np.testing.assert_allclose(*curves, **CLOSE, err_msg=name)
    assert len(ours.history["seconds"]) == len(alone.history["seconds"])
    assert_same_weights(ours.weights, alone.weights)
    a, b = ours.progress, alone.progress
    for name in ("epoch", "samples", "origins"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("theta", "statistics", "best_theta", "best_statistics"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), **CLOSE)
    torch.testing.assert_close(dict(a.optimizer), dict(b.optimizer), **CLOSE)
    assert a.patience[0].count == b.patience[0].count
    assert a.patience[0].best == pytest.approx(b.patience[0].best, rel=1e-8)
    assert a.schedules[0] == pytest.approx(b.schedules[0], rel=1e-8)
    assert torch.equal(a.orders[0].get_state(), b.orders[0].get_state())


# Members that differ by seed.


@kinds
@pytest.mark.parametrize("batch_size", [16, N_ROWS])
def test_by_seed(kind, batch_size):
    outcomes = Stack([{}] * 3, kind, batch_size=batch_size, alpha=0.3).trained()
    assert len({o.history["loss"][-1] for o in outcomes}) == 3


@pytest.mark.parametrize("hidden", [(), (7,), (4, 4, 4)])
@pytest.mark.parametrize("activation", ["relu", "gelu", "selu"])
def test_by_seed_with_other_layers(hidden, activation):
    Stack([{}] * 2, hidden_layer_sizes=hidden, activation=activation).trained()


POSITIVE = {"poisson", "gamma", "tweedie", "squared_log_error"}


@pytest.mark.parametrize(
    "loss",
    [*(n for n in LOSSES if "regression" in LOSSES[n].kinds), Quantile((0.2, 0.9))],
    ids=str,
)
def test_by_seed_with_other_losses(loss):
    Stack([{}] * 3, loss=loss, weighted=True, judged=True, positive=loss in POSITIVE).trained()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize(
    "loss",
    [*(n for n in LOSSES if "binary" in LOSSES[n].kinds), Hinge(multi_class="crammer_singer")],
    ids=str,
)
def test_by_seed_with_other_losses_of_classes(loss, kind):
    if kind not in (loss if isinstance(loss, Loss) else LOSSES[loss]()).kinds:
        pytest.skip("not for these targets")
    Stack([{}] * 3, kind, loss=loss, weighted=True, judged=True).trained()


@pytest.mark.parametrize(
    "parameters",
    [
        {"topology": Residual(multiplier=True), "hidden_layer_sizes": (6, 6, 6, 6)},
        {"topology": Residual(block_size=1, wide=True), "norm": "rms"},
        {"topology": "wide", "activation": "swiglu"},
        {"topology": Plain(auxiliary_weight=0.3, auxiliary_layer=1)},
        {"topology": "residual", "initializer": "fixup", "hidden_layer_sizes": (6,) * 4},
        {"activation": ["prelu", "glu"]},
        {"activation": ["geglu", Prelu(0.1)], "norm": "batch"},
        {"norm": GroupNorm(n_groups=1, position="after")},
        {"norm": BatchNorm(position="after"), "input_scaling": None},
        {"output_activation": "softplus", "loss": "huber", "positive": True},
        {"output_weights": [1.0, 3.0]},
        {"batch_size": Accumulated(16, 2), "shuffle": False},
        {"bias_initializer": "normal", "initializer": "truncated_normal"},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_by_seed_with_other_networks(parameters, weighted):
    Stack([{}] * 3, weighted=weighted, judged=True, **parameters).trained()


@pytest.mark.parametrize("optimizer", STACKABLE)
def test_by_seed_with_each_optimizer(optimizer):
    Stack([{}] * 3, optimizer=optimizer, learning_rate_init=0.01, alpha=0.3).trained()


@pytest.mark.parametrize("norm", list(NORMS))
@kinds
def test_by_seed_with_norms(norm, kind):
    (first, *_) = Stack([{}] * 3, kind, norm=norm, optimizer="momentum", judged=True).trained()
    assert len(first.weights.norms) == 2
    assert all(part for part in first.weights.norms)


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_rows_in_their_own_order(kind):
    Stack([{}] * 3, kind, shuffle=False).trained()


def test_equal_members_stay_equal():
    stack = Stack([{}] * 3)
    stack.seeds = [4, 4, 4]
    outcomes = stack.train(stack.everyone)
    for other in outcomes[1:]:
        assert_same(outcomes[0], other)


# Members that differ by numbers.

NUMBERS = {
    "learning_rate_init": [0.01, 0.1, 0.03],
    "alpha": [0.0, 5.0, 0.1],
    "l1": [0.0, 0.5, 0.01],
    "weight_decay": [0.0, 0.5, 0.01],
    "clip_norm": [0.05, 100.0, 0.5],
    "clip_value": [0.005, 100.0, 0.05],
    "tol": [0.0, 10.0, 0.02],
    "n_iter_no_change": [1, np.inf, 3],
    "max_iter": [3, 6, 5],
    "activity_l1": [0.0, 0.5, 0.01],
    "ema_decay": [0.5, 0.99, 0.9],
    "bias_initializer": [0.0, 1.0, -0.5],
    "initializer": ["he_normal", "orthogonal", ["zeros", "lecun_uniform", "sparse"]],
}


@pytest.mark.parametrize("name", list(NUMBERS))
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_by_number(name, optimizer, weighted):
    changes = [{name: value} for value in NUMBERS[name]]
    outcomes = Stack(changes, optimizer=optimizer, weighted=weighted).trained()
    # equal seeds would differ too: the number has a part in it
    same = Stack([{name: NUMBERS[name][0]}] * 3, optimizer=optimizer, weighted=weighted)
    other = same.train(same.everyone)[1]
    if name == "ema_decay":  # the weights that train know nothing of their average
        assert outcomes[1].history["loss"] == other.history["loss"]
        assert not np.allclose(outcomes[1].weights.coefs[0], other.weights.coefs[0])
    elif name not in {"tol", "n_iter_no_change"}:
        assert outcomes[1].history["loss"] != other.history["loss"]


# Strengths by layer for some members, one for all layers for others, and none.
STRENGTHS = [0.0, [2.0, 0.0, 0.5], 0.3, [0.0, 0.0, 1.0]]


@pytest.mark.parametrize("name", ["alpha", "l1"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_by_strengths_of_layers(name, weighted):
    outcomes = Stack([{name: value} for value in STRENGTHS], weighted=weighted).trained()
    if name == "l1":
        free, first, _, last = (outcome.weights.coefs for outcome in outcomes)
        assert all((coefs != 0).all() for coefs in free)
        assert (first[1] != 0).all()
        assert (last[0] != 0).all()


def test_a_member_without_l1_beside_one_with_much():
    stack = Stack([{"l1": 0.0}, {"l1": 50.0}], optimizer="momentum", max_iter=15)
    free, bare = stack.trained()
    assert all((coefs != 0).all() for coefs in free.weights.coefs)
    assert all((coefs == 0).all() for coefs in bare.weights.coefs)


@pytest.mark.parametrize(("scope", "limit"), [("global", 10.0), ("tensor", 7.0)])
def test_by_clipped_norms(scope, limit):
    changes = [{"clip_norm": ClipNorm(limit, scope)} for limit in (0.01, limit)]
    stack = Stack([*changes, {"clip_norm": None}], batch_size=Accumulated(16, 2))
    first, second, _ = stack.trained()
    assert set(first.history["clipped"]) == {1.0}
    assert set(second.history["clipped"]) - {0.0, 1.0} == {0.5}  # of two steps an epoch


@pytest.mark.parametrize("limit", [None, 0.02], ids=["by_norm", "by_value_too"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_by_scopes_of_a_clip(limit, weighted):
    clips = [ClipNorm(0.05, "tensor"), 0.05, None, ClipNorm(0.05), ClipNorm(1e9, "tensor"), 1e9]
    stack = Stack([{"clip_norm": clip} for clip in clips], clip_value=limit, weighted=weighted)
    assert all(structure(spec) == structure(stack.specs[0]) for spec in stack.specs)
    stack.seeds = [4] * len(clips)
    by_tensor, plain, none, whole, *wide = stack.trained()
    assert_same(plain, whole)  # a number bounds the whole
    for outcome in wide:
        assert_same_weights(outcome.weights, none.weights)
        assert limit is not None or set(outcome.history["clipped"]) == {0.0}
    for outcome in (by_tensor, whole):
        assert max(outcome.history["clipped"]) > 0
        assert not np.allclose(outcome.weights.coefs[0], none.weights.coefs[0])
    assert not np.allclose(by_tensor.weights.coefs[0], whole.weights.coefs[0])


def test_members_of_each_scope_are_told_the_same_norm():
    clips = [ClipNorm(1e-3, "tensor"), ClipNorm(1e-3), ClipNorm(1e9, "tensor"), 1e9, None]
    changes = [{"clip_norm": clip} for clip in clips]
    stack = Stack(changes, batch_size=N_ROWS, max_iter=1)
    stack.seeds = [4] * len(clips)
    *outcomes, none = (o.history for o in stack.train(stack.everyone))
    norms = [history["gradient_norm"] for history in outcomes]
    assert norms[0][0] > 1e-3
    np.testing.assert_allclose(norms, [norms[0]] * 4, rtol=1e-9)
    assert [history["clipped"] for history in outcomes] == [[1.0], [1.0], [0.0], [0.0]]
    assert none["gradient_norm"] == none["clipped"] == [None]


def test_by_clipped_values():
    changes = [{"clip_value": limit} for limit in (1e-3, 1e9, None)]
    first, second, third = Stack(changes).trained()
    assert set(first.history["clipped"]) == {1.0}
    assert set(second.history["clipped"]) == {0.0}
    assert set(third.history["clipped"]) == set(third.history["gradient_norm"]) == {None}


CONSTRAINTS = {
    "max_norm": [MaxNorm(0.5), MaxNorm(1.0), MaxNorm(100.0)],
    "min_max_norm": [MinMaxNorm(0.1, 0.5), MinMaxNorm(0.5, 1.0, 0.3), MinMaxNorm(2.0, 3.0)],
    "box": [Box(-0.1, 0.1), Box(-0.3, 0.05), Box(-9.0, 9.0)],
    "unit_norm": ["unit_norm"] * 3,
    "non_negative": ["non_negative"] * 3,
}


@pytest.mark.parametrize("name", list(CONSTRAINTS))
def test_by_bounds_of_a_constraint(name):
    Stack([{"constraint": constraint} for constraint in CONSTRAINTS[name]]).trained()


def test_every_constraint_is_tried():
    assert set(CONSTRAINTS) == set(components.constraints.CONSTRAINTS)


# What a number that may be scheduled stands in, and a value of it.
DRIVEN = {
    "momentum": (lambda number: {"optimizer": Momentum(number)}, 0.9),
    "momentum of sgd": (lambda number: {"optimizer": SGD(number, nesterov=True)}, 0.9),
    "beta_1": (lambda number: {"optimizer": Adam(beta_1=number)}, 0.9),
    "inner momentum": (lambda number: {"optimizer": Lookahead(SGD(number), k=2)}, 0.9),
    "weight_decay": (lambda number: {"weight_decay": number}, 0.3),
    "decay of adamw": (lambda number: {"optimizer": AdamW(weight_decay=number)}, 0.3),
}
drives = pytest.mark.parametrize(("holder", "value"), DRIVEN.values(), ids=DRIVEN)


@drives
def test_by_schedules_of_other_numbers(holder, value):
    schedules = [
        Constant(),
        Exponential(s=1.5, interval="epoch"),
        Piecewise([2, 4], [1.0, 0.3, 0.1]),
        Performance(patience=1, threshold=10.0),
        MomentumCycle(0.1),
    ]
    numbers = [*(Scheduled(value, schedule) for schedule in schedules), value]
    stack = Stack([holder(number) for number in numbers])
    stack.trained()
    stack.seeds = [4] * len(numbers)
    constant, *others, plain = stack.trained()
    np.testing.assert_allclose(plain.history["loss"], constant.history["loss"], rtol=1e-9)
    assert len({o.history["loss"][-1] for o in (constant, *others)}) == len(schedules)


@pytest.mark.parametrize("name", [name for name in DRIVEN if name != "inner momentum"])
def test_by_a_number_and_its_schedule(name):
    holder, value = DRIVEN[name]
    numbers = [
        Scheduled(value, Linear(final_factor=0.1)),
        value / 3,
        Scheduled(value / 2, Linear(final_factor=1.5)),
        Scheduled(value, Linear(final_factor=1.0)),
        value,
    ]
    stack = Stack([holder(number) for number in numbers])
    stack.seeds = [4] * len(numbers)
    *others, constant, plain = (o.history["loss"] for o in stack.trained())
    np.testing.assert_allclose(constant, plain, rtol=1e-9)
    assert len({losses[-1] for losses in (*others, plain)}) == 4


@pytest.mark.parametrize("schedule", [Piecewise((1,), (0.0, 1.0)), Piecewise((1, 3), (1, 0, 1))])
@pytest.mark.parametrize("optimizer", [SGD, Momentum])
def test_by_momentum_that_comes_and_goes_and_none(optimizer, schedule):
    stack = Stack([{"optimizer": optimizer(m)} for m in (Scheduled(0.9, schedule), 0.0, 0.9)])
    for i, outcome in enumerate(stack.train(stack.everyone)):
        (alone,) = stack.train([i])
        # without momentum nothing reads the velocity, and only a stack keeps one
        assert_same_weights(outcome.weights, alone.weights)


@drives
def test_scheduled_members_leave_with_and_before_others(holder, value):
    watching = Scheduled(value, Performance(reduction=0.5, patience=1, threshold=1e6))
    numbers = [Scheduled(value, "linear"), value, watching, value]
    # no epoch improves by so large a tolerance, so the first one is the last that counts
    changes = [
        holder(number) | {"n_iter_no_change": count}
        for number, count in zip(numbers, (3, 1, np.inf, 5), strict=True)
    ]
    outcomes = Stack(changes, tol=1e6, max_iter=8).trained()
    assert [o.n_iter for o in outcomes] == [5, 3, 8, 7]


def test_by_decay_that_comes_and_none():
    late = Scheduled(0.5, Piecewise((2,), (0.0, 1.0)))
    first, none, _ = Stack([{"weight_decay": decay} for decay in (late, 0.0, 0.5)]).trained()
    assert first.history["loss"] != none.history["loss"]


@pytest.mark.parametrize(
    "changes",
    [
        *(
            [holder(Scheduled(value, s)) for s in (Linear(), Exponential(s=1.5))] + [holder(value)]
            for holder, value in DRIVEN.values()
        ),
        [{"dropout": rate} for rate in (Scheduled(0.1, Linear()), 0.1, 0.0, [0.0, 0.2])],
        [
            {"dropout": [Scheduled(0.1, Linear()), 0.0]},
            {"dropout": Dropout(Scheduled(0.3, "step"))},
        ],
        [{"input_dropout": rate} for rate in (Scheduled(0.1, Linear()), 0.1, 0.0)],
        [{"clip_norm": clip} for clip in (ClipNorm(1.0, "tensor"), ClipNorm(2.0), 3.0, None)],
        [{"ensemble": rows} for rows in (Bagging(), "independent", Bagging(0.5, bootstrap=False))],
    ],
    ids=lambda changes: str(changes[0]),
)
def test_members_that_differ_in_what_may_differ_are_one_stack(changes):
    first, *others = map(structure, Stack(changes).specs)
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    "changes",
    [
        [{"optimizer": SGD(Scheduled(0.9, "linear"))}, {"optimizer": Momentum(0.9)}],
        [{"dropout": Scheduled(0.1, "linear")}, {"dropout": GaussianDropout(0.1)}],
        [{"batch_size": Accumulated(16, 2)}, {"batch_size": 16}],
        [{"ensemble": "shared", "n_members": 2}, {"ensemble": Bagging(), "n_members": 2}],
    ],
    ids=lambda changes: str(changes[0]),
)
def test_members_that_differ_in_more_are_no_stack(changes):
    one, other = map(structure, Stack(changes).specs)
    assert one != other


def test_by_numbers_of_a_lookahead():
    changes = [
        {"optimizer": Lookahead(Adam(beta_1=0.5), k=3, alpha=alpha), "learning_rate_init": rate}
        for alpha, rate in ((0.5, 0.01), (0.5, 0.1), (0.9, 0.1))
    ]
    first, *others = Stack(changes).trained()
    assert all(first.history["loss"] != other.history["loss"] for other in others)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_by_label_smoothing(kind, weighted):
    changes = [{"label_smoothing": value} for value in (0.0, 0.3, 0.05)]
    Stack(changes, kind, weighted=weighted, judged=True).trained()


@pytest.mark.parametrize("optimizer", STACKABLE)
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_by_rate_with_each_optimizer(optimizer, decay):
    changes = [{"learning_rate_init": rate} for rate in (0.003, 0.03, 0.01)]
    if optimizer == "ftrl" and decay:
        with pytest.raises(ValueError, match=r"weight_decay=0\.2 is partly undone by"):
            Stack(changes, optimizer=optimizer, weight_decay=decay)
        return
    Stack(changes, optimizer=optimizer, weight_decay=decay).trained()


@pytest.mark.parametrize(
    ("optimizer", "name"), [(o, name) for o in STACKABLE for name in OPTIMIZERS[o].varying]
)
@pytest.mark.parametrize("own_rates", [False, True], ids=["one_rate", "own_rates"])
def test_by_number_of_the_optimizer(optimizer, name, own_rates):
    usual = getattr(OPTIMIZERS[optimizer](), name) or 0.3
    # a small number grows, a memory in (0, 1) shrinks, others keep their side of 1 or 0
    others = [1e3 * usual, 1e5 * usual] if 0 < usual < 0.01 else [0.5, 0.7]
    if not 0 <= usual <= 1:
        others = [1.5 * usual, 3 * usual]
    changes = [{"optimizer": OPTIMIZERS[optimizer](**{name: v})} for v in (usual, *others)]
    if own_rates:
        for change, rate in zip(changes, (0.003, 0.03, 0.01), strict=True):
            change["learning_rate_init"] = rate
    Stack(changes).trained()


def test_by_momentum_and_none():
    stack = Stack([{"optimizer": SGD(momentum)} for momentum in (0.0, 0.9)])
    for i, outcome in enumerate(stack.train(stack.everyone)):
        (alone,) = stack.train([i])
        # without momentum nothing reads the velocity, and only a stack keeps one
        assert_same_weights(outcome.weights, alone.weights)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_by_schedule(optimizer):
    schedules = [
        Constant(),
        Power(s=2.0),
        Exponential(s=1.5, interval="epoch"),
        Piecewise([2, 4], [1.0, 0.3, 0.1]),
        Performance(patience=1, threshold=10.0),
        OneCycle(),
        Linear(horizon=3.5),
    ]
    changes = [{"schedule": schedule} for schedule in schedules]
    outcomes = Stack(changes, optimizer=optimizer, weight_decay=0.1).trained()
    assert len({tuple(o.history["learning_rate"]) for o in outcomes}) == len(schedules)


def test_by_many_numbers_at_once():
    rng = np.random.default_rng(1)
    changes = [
        {
            "learning_rate_init": 10 ** rng.uniform(-3, -1),
            "alpha": 10 ** rng.uniform(-3, 1),
            "l1": 10 ** rng.uniform(-4, -2),
            "weight_decay": 10 ** rng.uniform(-3, -1),
            "clip_norm": 10 ** rng.uniform(-1, 1),
            "schedule": Exponential(s=rng.uniform(2, 9)),
        }
        for _ in range(8)
    ]
    Stack(changes, "multiclass", own_rows=True, weighted=True, judged=True).trained()


# Members that differ by rows.


@kinds
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("judged", [False, True], ids=["unjudged", "judged"])
def test_by_rows(kind, weighted, judged):
    stack = Stack([{}] * 4, kind, own_rows=True, weighted=weighted, judged=judged)
    assert not torch.equal(stack.data.rows[0], stack.data.rows[1])
    for outcome in stack.trained():
        assert (outcome.history["validation_loss"][0] is None) != judged


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_by_rows_of_a_table_read_batch_by_batch(sparse, monkeypatch):
    monkeypatch.setattr(features_module, "RESIDENT_BYTES", 0)
    stack = Stack([{}] * 3, own_rows=True, judged=True, sparse=sparse)
    assert stack.data.features.resident is None
    stack.trained()


# Members that leave.

RATES = [{"learning_rate_init": rate} for rate in (1e-5, 0.1, 0.02, 0.005)]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "nadam"])
@pytest.mark.parametrize("judged", [False, True], ids=["unjudged", "judged"])
def test_members_leave_when_their_patience_ends(optimizer, judged):
    stack = Stack(
        RATES,
        "multiclass",
        optimizer=optimizer,
        own_rows=True,
        judged=judged,
        tol=0.01,
        n_iter_no_change=2,
        max_iter=15,
    )
    outcomes = stack.trained()
    reason = "patience" if judged else "tol"
    assert reason in {o.end_reason for o in outcomes} <= {reason, "max_iter"}
    assert len({o.n_iter for o in outcomes}) > 1
    if judged:
        best = [int(np.argmin(o.history["validation_loss"])) + 1 for o in outcomes]
        assert [o.best_iter for o in outcomes] == best


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "nadam"])
def test_a_member_that_left_goes_on_as_if_alone(optimizer):
    # no epoch improves by so large a tolerance, so the first one is the last that counts
    changes = [{"n_iter_no_change": count} for count in (4, 1, 2)]
    stack = Stack(changes, optimizer=optimizer, tol=1e6, max_iter=8)
    together = stack.train(stack.everyone)
    assert [o.n_iter for o in together] == [6, 3, 4]
    for i, outcome in enumerate(together):
        (alone,) = stack.train([i])
        (here,) = stack.train([i], outcome.progress, n_epochs=2, patient=False)
        (there,) = stack.train([i], alone.progress, n_epochs=2, patient=False)
        assert_same(here, there)


def test_a_stack_goes_on():
    stack = Stack([{}] * 3, optimizer="adam", max_iter=6)
    whole = stack.train(stack.everyone)
    for i, outcome in enumerate(whole):
        progress = stack.begin([i])
        stack.train([i], progress, n_epochs=2)
        (rest,) = stack.train([i], progress, n_epochs=4)
        assert_same(outcome, rest)


def test_impatient_members_stay_to_the_end():
    stack = Stack(RATES, tol=1e6, n_iter_no_change=1, max_iter=6)
    assert {o.n_iter for o in stack.train(stack.everyone)} == {3}
    for outcome in stack.train(stack.everyone, patient=False):
        assert (outcome.n_iter, outcome.end_reason) == (6, "max_iter")


def test_a_member_that_diverges_leaves():
    changes = [{"learning_rate_init": rate} for rate in (0.01, 1e90, 0.02)]
    stack = Stack(changes, optimizer="sgd", hidden_layer_sizes=())
    together = stack.train(stack.everyone)
    assert [o.end_reason for o in together] == ["max_iter", "diverged", "max_iter"]
    assert together[1].n_iter < 5
    for i in (0, 2):
        (alone,) = stack.train([i])
        assert_same(together[i], alone)
    (alone,) = stack.train([1])
    assert (alone.n_iter, alone.best_iter) == (together[1].n_iter, together[1].best_iter)
    assert_same_weights(together[1].weights, alone.weights)


class Watcher:
    """Notes what it is told, and stops some members at some epoch."""

    def __init__(self, stops):
        self.stops = stops
        self.seen = []

    def epoch_begins(self, epoch, weights):
        pass

    def epoch_ends(self, epoch, records, weights):
        self.seen.append((epoch, {m: (r["loss"], weights(m)) for m, r in records.items()}))
        return {member for member, last in self.stops.items() if last == epoch}


def test_observers_know_members_by_their_number():
    stack = Stack([{}] * 4, optimizer="adam")
    stops = {1: 1, 0: 2}
    watcher = Watcher(stops)
    together = stack.train(stack.everyone, observers=[watcher])
    assert [o.end_reason for o in together] == ["callback", "callback", "max_iter", "max_iter"]
    assert [o.n_iter for o in together] == [3, 2, 5, 5]
    told = [sorted(records) for _, records in watcher.seen]
    assert told == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2, 3], [2, 3], [2, 3]]
    for i, outcome in enumerate(together):
        own = Watcher({0: stops[i]} if i in stops else {})
        (alone,) = stack.train([i], observers=[own])
        assert_same(outcome, alone)
        for (epoch, records), (_, expected) in zip(watcher.seen, own.seen, strict=False):
            assert epoch < outcome.n_iter
            np.testing.assert_allclose(records[i][0], expected[0][0], **CLOSE)
            assert_same_weights(records[i][1], expected[0][1])


def test_a_judge_is_asked_about_each_member():
    def judge(weights):
        return -abs(float(np.abs(weights.coefs[0]).sum()) - 12.0)

    stack = Stack([{}] * 3, judged=True, n_iter_no_change=1, max_iter=12)
    together = stack.train(stack.everyone, judges=[judge] * 9)
    assert len({o.n_iter for o in together}) > 1
    for i, outcome in enumerate(together):
        (alone,) = stack.train([i], judges=[judge] * 9)
        assert_same(outcome, alone)
        assert judge(outcome.weights) == pytest.approx(max(outcome.history["validation_score"]))


def test_by_early_stopping():
    rules = [
        EarlyStopping(patience=2),
        EarlyStopping(patience=0, min_delta=0.02),
        EarlyStopping(patience=3, min_delta=0.01, relative=True, start_after=2),
        EarlyStopping(patience=np.inf, target=0.35),
        EarlyStopping(patience=9, baseline=0.01, baseline_patience=4),
        EarlyStopping(patience=2, restore_best=False),
    ]
    stack = Stack(
        [{"early_stopping": rule, "learning_rate_init": 0.1} for rule in rules],
        "multiclass",
        judged=True,
        own_rows=True,
        max_iter=20,
    )
    outcomes = stack.trained()
    assert {o.end_reason for o in outcomes} >= {"patience", "baseline"}
    assert len({o.n_iter for o in outcomes}) > 2


def test_by_early_stopping_on_the_training_loss():
    changes = [
        {"early_stopping": EarlyStopping(patience=p, watch="training"), "learning_rate_init": rate}
        for p, rate in ((0, 0.9), (2, 0.9), (3, 0.01))
    ]
    outcomes = Stack(changes, optimizer="momentum", max_iter=15).trained()
    assert len({o.n_iter for o in outcomes}) > 1
    for outcome in outcomes:
        assert outcome.best_iter == 1 + int(np.argmin(outcome.history["loss"]))


# Optimizers that are not stacked run one after another.


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
@pytest.mark.parametrize("judged", [False, True], ids=["unjudged", "judged"])
def test_lbfgs_runs_one_member_after_another(kind, judged):
    changes = [{"alpha": alpha} for alpha in (0.1, 3.0, 1.0)]
    stack = Stack(changes, kind, optimizer="lbfgs", own_rows=True, judged=judged, max_iter=8)
    stack.trained()


@pytest.mark.parametrize("optimizer", ["adafactor", "muon"])
def test_rules_on_matrices_run_one_member_after_another(optimizer):
    changes = [{"learning_rate_init": rate} for rate in (0.003, 0.03, 0.01)]
    Stack(changes, optimizer=optimizer, own_rows=True, judged=True).trained()


# Dropout.


@pytest.mark.parametrize("rule", [Dropout, AlphaDropout, GaussianDropout, DropConnect])
def test_members_have_masks_of_their_own(rule):
    stack = Stack([{"dropout": rule(rate)} for rate in (0.3, 0.3, 0.6)])
    stack.seeds = [4, 4, 4]
    first, second, third = stack.train(stack.everyone)
    assert first.history["loss"] != second.history["loss"] != third.history["loss"]
    again = stack.train(stack.everyone)
    for outcome, repeated in zip((first, second, third), again, strict=True):
        assert_same(outcome, repeated)


def test_dropout_has_the_mean_and_the_variance_of_each_members_rate():
    # Without a function between them, an output is a sum of a_j w_j; dropout at rate r leaves
    # its mean and gives it the variance sum (a_j w_j)^2 r / (1 - r).
    rates = (0.2, 0.5, 0.8)
    stack = Stack(
        [{"dropout": rate} for rate in rates],
        hidden_layer_sizes=(6,),
        activation="identity",
        batch_size=N_ROWS,
    )
    progress = stack.begin(stack.everyone)
    step = TrainingStep(stack.specs, progress)
    (batch,) = Batcher(stack.data, N_ROWS, False, False).epoch(progress.orders).batches
    n_draws = 2000
    with limit_threads(1):
        raws = torch.stack([step.gradients(batch).raw for _ in range(n_draws)])  # (draws, m, b, k)
    with torch.no_grad():
        low, high = step.network.layers
        units = batch.x @ low.weight + low.bias
        mean = units @ high.weight + high.bias
        odds = torch.tensor([r / (1 - r) for r in rates], dtype=torch.float64)[:, None, None]
        variance = (units**2 @ high.weight**2) * odds
    error = (raws.mean(0) - mean) / (variance / n_draws).sqrt()
    # of 246 standard normal numbers the largest is below 5 with probability 0.9998
    assert error.abs().max() < 5
    ratio = (raws.var(0) / variance).mean((1, 2))
    # a variance of 2000 draws of kurtosis up to 5 is known to 5 %, their mean better
    assert (ratio - 1).abs().max() < 0.1


# Other noise: a stack's draws are its own, so members agree with themselves alone in distribution.

NOISES = {
    "input_dropout": [{"input_dropout": rate} for rate in (0.0, 0.2, 0.5)],
    "weight_noise": [{"weight_noise": std} for std in (0.0, 0.1, 0.4)],
    "gaussian": [{"dropout": GaussianDropout(rate)} for rate in (0.1, 0.3, 0.5)],
    "alpha": [{"dropout": AlphaDropout(rate)} for rate in (0.1, 0.3, 0.5)],
    "connect": [{"dropout": DropConnect(rate)} for rate in (0.1, 0.3, 0.5)],
    "shared": [{"dropout": Dropout(rate, shared=True)} for rate in (0.1, 0.3, 0.5)],
    "by_layer": [{"dropout": rates} for rates in ([0.0, 0.5], [0.5, 0.0], [0.2, 0.2])],
    "rrelu": [{"activation": "rrelu"}] * 3,
    "input_noise": [{"augmentation": InputNoise(std)} for std in (0.0, 0.3, 1.0)],
    "target_noise": [{"augmentation": TargetNoise(std)} for std in (0.0, 0.3, 1.0)],
    "mixup": [{"augmentation": Mixup(alpha)} for alpha in (0.1, 0.4, 2.0)],
}


def first_losses(stack, members, n):
    """Training losses of many stacks of the same members after two epochs: (n, members)."""
    found = []
    for draw in range(n):
        progress = stack.begin(members)
        progress.masks.manual_seed(1000 + draw)
        outcomes = stack.train(members, progress, n_epochs=2)
        found.append([outcome.history["train_loss"][-1] for outcome in outcomes])
    return np.array(found)


@pytest.mark.parametrize("name", list(NOISES))
def test_noise_of_members_is_that_of_each_alone(name):
    stack = Stack(NOISES[name], hidden_layer_sizes=(6, 5), batch_size=N_ROWS, optimizer="sgd")
    n = 60
    together = first_losses(stack, stack.everyone, n)
    assert together.std(0).max() > 1e-12, f"{name} draws nothing: see TrainingStep._is_plain"
    for i in stack.everyone:
        alone = first_losses(stack, [i], n)[:, 0]
        ours = together[:, i]
        if alone.std() < 1e-12:  # no noise at all
            np.testing.assert_allclose(ours, alone, rtol=1e-9)
            continue
        error = np.sqrt((ours.var() + alone.var()) / n)
        # a difference of 5 standard errors has probability 6e-7; spreads agree within a factor
        assert abs(ours.mean() - alone.mean()) < 5 * error
        assert 0.5 < ours.std() / alone.std() < 2.0


def test_members_meet_adversarial_rows_of_their_own():
    changes = [
        {"augmentation": Adversarial(epsilon, share)}
        for epsilon, share in ((0.0, 0.5), (0.3, 0.5), (0.3, 0.1))
    ]
    Stack(changes, own_rows=True, weighted=True).trained()  # without chance: in value


def test_members_have_labels_of_their_own():
    stack = Stack([{"augmentation": LabelNoise(std)} for std in (0.0, 0.2, 0.2)], "multiclass")
    stack.seeds = [4, 4, 4]
    none, some, other = stack.train(stack.everyone)
    (alone,) = stack.train([0])
    np.testing.assert_allclose(none.history["loss"], alone.history["loss"], rtol=1e-9)
    assert len({tuple(o.history["loss"]) for o in (none, some, other)}) == 3


# What a rate of dropout stands in.
RATES_OF_DROPOUT = {
    "dropout": lambda rate: {"dropout": rate},
    "component": lambda rate: {"dropout": Dropout(rate)},
    "first layer": lambda rate: {"dropout": [rate, 0.3]},
    "second layer": lambda rate: {"dropout": [0.0, DropConnect(rate)]},
    "input_dropout": lambda rate: {"input_dropout": rate},
}


@pytest.mark.parametrize("holder", RATES_OF_DROPOUT.values(), ids=RATES_OF_DROPOUT)
def test_scheduled_rates_of_dropout(holder):
    def losses(*rates):
        stack = Stack([holder(rate) for rate in rates])
        return [o.history["loss"] for o in stack.train(stack.everyone)]

    # a stack of equal rates draws equal masks
    plain = losses(0.5, 0.0, 0.0, 0.2, 0.4)
    late, always, never = Piecewise((1,), (0.0, 1.0)), Constant(), Piecewise((1,), (0.0, 0.0))
    driven = losses(Scheduled(0.5, late), 0.0, Scheduled(0.5, never), 0.2, Scheduled(0.4, always))
    assert driven[1:] == plain[1:]
    without = losses(0.0, 0.0, 0.0, 0.2, 0.4)
    assert driven[0][0] == without[0][0] != plain[0][0]
    assert driven[0][1] != pytest.approx(without[0][1], rel=1e-6)
    halved = losses(0.5, Scheduled(0.0, always), 0.0, Scheduled(0.4, Piecewise((), (0.5,))), 0.4)
    assert halved == plain


def test_a_schedule_drives_the_rate_of_its_layer_alone():
    off = Piecewise((1,), (0.0, 0.0))
    driven = Stack([{"dropout": [Scheduled(0.5, off), 0.3], "input_dropout": 0.1}, {}])
    plain = Stack([{"dropout": [0.0, 0.3], "input_dropout": 0.1}, {}])
    ours, theirs = (stack.train(stack.everyone)[0].history["loss"] for stack in (driven, plain))
    assert ours == theirs


def test_members_without_dropout_beside_scheduled_ones_are_as_alone():
    changes = [{"dropout": rate} for rate in (Scheduled(0.5, Piecewise((1,), (0.0, 1.0))), 0.0)]
    stack = Stack([*changes, {"dropout": Scheduled(0.5, Piecewise((1,), (0.0, 0.0)))}])
    late, *never = (o.history["loss"] for o in stack.train(stack.everyone))
    bare = Stack([{}] * 3)
    alone = [bare.train([i])[0].history["loss"] for i in range(3)]
    np.testing.assert_allclose(never, alone[1:], rtol=1e-9)
    np.testing.assert_allclose(late[0], alone[0][0], rtol=1e-9)
    assert late[1] != pytest.approx(alone[0][1], rel=1e-3)


def test_an_order_drawn_piece_by_piece_is_the_same(monkeypatch):
    # A large stack draws the order of some members at a time, into memory taken once.
    stack = Stack([{}, {}, {}], weighted=True)
    orders = stack.begin(stack.everyone).orders
    before = [generator.get_state() for generator in orders]

    def epochs():
        for generator, state in zip(orders, before, strict=True):
            generator.set_state(state)
        batcher = Batcher(stack.data, 7, shuffle=True, merge_single=False)
        return [
            [tensor.clone() for tensor in (batch.x, batch.y, batch.share)]
            for _ in range(3)
            for batch in batcher.epoch(orders).batches
        ]

    together = epochs()
    assert not torch.equal(together[0][0], together[len(together) // 3][0])
    for at_once in (1, 2 * N_ROWS):
        monkeypatch.setattr(batches, "ORDERED_AT_ONCE", at_once)
        for ours, theirs in zip(epochs(), together, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
