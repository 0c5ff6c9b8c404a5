"""Each loss against its formula, scikit-learn, torch, and the constant it is best at."""

import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import root_scalar
from sklearn import metrics
from sklearn.base import clone
from torch.nn import functional

from sklearn_dnn.components.losses import (
    LOSSES,
    AbsoluteError,
    BernoulliLogLoss,
    CategoricalLogLoss,
    Huber,
    LogLoss,
    Poisson,
    SquaredError,
)

N, K = 12, 3


@dataclass(frozen=True)
class Row:
    """What one loss means.

    `targets` names the kind of targets that it is tried on, `formula` is its definition in
    float64 and `link` the function from raw outputs to predictions.
    """

    name: str
    component: Any
    kind: str
    targets: str
    formula: Any
    link: Any = torch.clone
    k: int = K

    @property
    def loss(self):
        return self.component.bind(self.kind)


def huber(delta):
    def formula(z, y):
        e = (z - y).abs()
        return torch.where(e <= delta, e**2 / 2, delta * (e - delta / 2)).sum(-1)

    return formula


def sigmoid(z):
    return 1 / (1 + torch.exp(-z))


def softmax(z):
    e = torch.exp(z)
    return e / e.sum(-1, keepdim=True)


def bernoulli(z, y):
    p = sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum(-1)


def categorical(z, y):
    shares = y if y.is_floating_point() else functional.one_hot(y, z.shape[-1])
    return -(shares * torch.log(softmax(z))).sum(-1)


TABLE = [
    Row(
        "squared_error",
        SquaredError(),
        "regression",
        "real",
        lambda z, y: ((z - y) ** 2).sum(-1) / 2,
    ),
    Row(
        "absolute_error",
        AbsoluteError(),
        "regression",
        "real",
        lambda z, y: (z - y).abs().sum(-1),
    ),
    Row("huber", Huber(), "regression", "real", huber(1.0)),
    Row("huber", Huber(delta=0.3), "regression", "real", huber(0.3)),
    Row(
        "poisson",
        Poisson(),
        "regression",
        "count",
        lambda z, y: (torch.exp(z) - y * z + torch.xlogy(y, y) - y).sum(-1),
        torch.exp,
    ),
    Row("log_loss", LogLoss(), "binary", "bit", bernoulli, sigmoid, k=1),
    Row("log_loss", LogLoss(), "binary", "probability", bernoulli, sigmoid, k=1),
    Row("log_loss", LogLoss(), "multilabel", "bit", bernoulli, sigmoid),
    Row("log_loss", LogLoss(), "multiclass", "class", categorical, softmax),
    Row("log_loss", LogLoss(), "multiclass", "shares", categorical, softmax),
]
rows = pytest.mark.parametrize("row", TABLE, ids=lambda r: f"{r.component!r}-{r.kind}-{r.targets}")
leads = pytest.mark.parametrize("lead", [(N,), (4, N)], ids=["single", "stack"])


def raw_and_target(row, lead=(N,), dtype=torch.float64, seed=0):
    """Raw outputs and targets, of shapes (.., n, k) and what the loss takes."""
    generator = torch.Generator().manual_seed(seed)
    raw = 1.5 * torch.randn((*lead, row.k), generator=generator, dtype=torch.float64)
    uniform = torch.rand((*lead, row.k), generator=generator, dtype=torch.float64)
    target = {
        "real": 4 * uniform - 2,
        "count": (5 * uniform).floor(),
        "bit": (uniform > 0.4).double(),
        "probability": uniform,
        "class": (row.k * uniform[..., 0]).long(),
        "shares": uniform / uniform.sum(-1, keepdim=True),
    }[row.targets]
    return raw.to(dtype), target if row.targets == "class" else target.to(dtype)


def test_every_name_has_a_row():
    assert {row.name for row in TABLE} == set(LOSSES)
    for name in LOSSES:
        of_name = [row for row in TABLE if row.name == name]
        assert {row.kind for row in of_name} == LOSSES[name].kinds
        assert all(type(row.component) is LOSSES[name] for row in of_name)


@rows
@leads
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_are_the_formula(row, lead, dtype):
    raw, target = raw_and_target(row, lead, dtype)
    before = raw.clone(), target.clone()
    values = row.loss.values(raw, target)
    assert values.shape == lead
    assert values.dtype == dtype
    exact = target if row.targets == "class" else target.double()
    # a few roundings of numbers that are at most some hundreds
    tolerance = {"rtol": 1e-12, "atol": 1e-13} if dtype == torch.float64 else {"atol": 2e-4}
    tolerance.setdefault("rtol", 1e-5)
    torch.testing.assert_close(values.double(), row.formula(raw.double(), exact), **tolerance)
    assert torch.equal(raw, before[0])
    assert torch.equal(target, before[1])


@rows
@leads
def test_gradient_is_autograds(row, lead):
    raw, target = raw_and_target(row, lead)
    before = raw.clone(), target.clone()
    raw.requires_grad_()
    (expected,) = torch.autograd.grad(row.loss.values(raw, target).sum(), raw)
    raw = raw.detach()
    gradient = row.loss.gradient(raw, target)
    assert row.loss.has_gradient
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)
    # a tensor of its own, which the caller may scale in place
    gradient.fill_(math.nan)
    assert torch.equal(raw, before[0])
    assert torch.equal(target, before[1])


@rows
def test_gradient_is_the_slope(row):
    raw, target = raw_and_target(row)
    gradient = row.loss.gradient(raw, target)
    h = 1e-6  # the cube root of the rounding, up to a constant
    for j in range(row.k):
        shift = torch.zeros_like(raw)
        shift[:, j] = h
        up, down = row.loss.values(raw + shift, target), row.loss.values(raw - shift, target)
        # truncation h^2 times a third derivative, rounding 1e-16 / h times a value
        torch.testing.assert_close((up - down) / (2 * h), gradient[:, j], rtol=1e-7, atol=1e-8)


@rows
def test_stack_is_its_members(row):
    raw, target = raw_and_target(row, (4, N))
    loss = row.loss
    together = loss.values(raw, target), loss.gradient(raw, target), loss.inverse_link(raw)
    for i in range(4):
        alone = loss.values(raw[i], target[i]), loss.gradient(raw[i], target[i])
        for whole, part in zip(together, (*alone, loss.inverse_link(raw[i])), strict=True):
            torch.testing.assert_close(whole[i], part, rtol=1e-14, atol=1e-15)


@rows
@leads
def test_inverse_link_is_its_formula(row, lead):
    raw, _ = raw_and_target(row, lead)
    before = raw.clone()
    prediction = row.loss.inverse_link(raw)
    torch.testing.assert_close(prediction, row.link(raw), rtol=1e-13, atol=1e-15)
    assert torch.equal(raw, before)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (SquaredError(), "identity"),
        (AbsoluteError(), "identity"),
        (Huber(), "identity"),
        (Poisson(), "exp"),
        (BernoulliLogLoss(), "logistic"),
        (CategoricalLogLoss(), "softmax"),
    ],
)
def test_link_has_its_name(loss, name):
    assert loss.out_activation == name
    # only with the identity do standardised targets mean the same
    assert loss.scales_target == (name == "identity")


# What the best constant is: the prediction that makes the mean loss smallest.


def best_constant(row, target):
    """The prediction of the raw constant at which the mean loss is smallest."""
    constant = torch.zeros(row.k, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [constant],
        max_iter=200,
        tolerance_grad=1e-13,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        mean = row.loss.values(constant.expand(len(target), -1), target).mean()
        mean.backward()
        return mean

    optimizer.step(closure)
    return row.loss.inverse_link(constant.detach())


@pytest.mark.parametrize("row", [r for r in TABLE if r.name in {"squared_error", "poisson"}])
def test_best_constant_is_the_mean(row):
    _, target = raw_and_target(row, (40,))
    torch.testing.assert_close(best_constant(row, target), target.mean(0), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("row", [r for r in TABLE if r.name == "log_loss"])
def test_best_constant_is_the_frequency(row):
    _, target = raw_and_target(row, (40,))
    shares = functional.one_hot(target, K).double() if row.targets == "class" else target
    torch.testing.assert_close(best_constant(row, target), shares.mean(0), rtol=1e-7, atol=1e-7)


def test_best_constant_of_absolute_error_is_the_median():
    _, target = raw_and_target(TABLE[1], (41,))
    # the smallest mean loss is at one of the rows, because it is straight between them
    candidates = target.unsqueeze(1).expand(-1, 41, -1)
    losses = torch.stack(
        [
            AbsoluteError()
            .values(candidates[..., j : j + 1], target[:, j : j + 1].expand(41, -1, -1))
            .mean(-1)
            for j in range(K)
        ],
        -1,
    )
    best = target.gather(0, losses.argmin(0, keepdim=True))[0]
    torch.testing.assert_close(best, target.median(0).values, rtol=0, atol=0)


@pytest.mark.parametrize(
    "row", [r for r in TABLE if r.name == "huber"], ids=lambda r: repr(r.component)
)
def test_best_constant_of_huber_is_the_m_estimate(row):
    delta = row.component.delta
    _, target = raw_and_target(row, (40,))
    estimates = [
        root_scalar(lambda c, y=y: np.clip(c - y, -delta, delta).sum(), bracket=[-3, 3]).root
        for y in target.T.numpy()
    ]
    torch.testing.assert_close(
        best_constant(row, target),
        torch.tensor(estimates, dtype=torch.float64),
        rtol=1e-7,
        atol=1e-7,
    )


def test_huber_lies_between_squared_and_absolute_error():
    raw, target = raw_and_target(TABLE[2])
    torch.testing.assert_close(
        Huber(1e6).values(raw, target), SquaredError().values(raw, target), rtol=1e-13, atol=0
    )
    delta = 1e-9  # far below the smallest error; the rest is K * delta^2 / 2
    torch.testing.assert_close(
        Huber(delta).values(raw, target) / delta,
        AbsoluteError().values(raw, target),
        rtol=0,
        atol=K * delta,
    )


# scikit-learn's and torch's own numbers.


def test_regression_values_are_scikit_learns():
    raw, target = raw_and_target(TABLE[0], (N,))
    z, y = raw.numpy(), target.numpy()
    squared = SquaredError().values(raw, target).mean()
    assert float(squared) == pytest.approx(K * metrics.mean_squared_error(y, z) / 2, rel=1e-13)
    absolute = AbsoluteError().values(raw, target).mean()
    assert float(absolute) == pytest.approx(K * metrics.mean_absolute_error(y, z), rel=1e-13)


def test_poisson_value_is_half_of_scikit_learns_deviance():
    (row,) = (r for r in TABLE if r.name == "poisson")
    raw, target = raw_and_target(row)
    assert (target == 0).any()
    values = Poisson().values(raw, target).mean()
    deviance = sum(
        metrics.mean_poisson_deviance(target[:, j].numpy(), raw[:, j].exp().numpy())
        for j in range(K)
    )
    assert float(values) == pytest.approx(deviance / 2, rel=1e-12)


def test_poisson_of_a_perfect_prediction_is_zero():
    target = torch.tensor([[1.0, 2.0, 30.0]], dtype=torch.float64)
    values = Poisson().values(target.log(), target)
    # rounding of terms of the size 30 log 30
    torch.testing.assert_close(values, torch.zeros_like(values), rtol=0, atol=1e-13)


def test_log_loss_values_are_scikit_learns():
    for row in TABLE:
        if row.name != "log_loss" or row.targets not in {"bit", "class"}:
            continue
        raw, target = raw_and_target(row, (40,))
        p = row.loss.inverse_link(raw).numpy()
        value = float(row.loss.values(raw, target).mean())
        if row.kind == "multilabel":
            expected = sum(metrics.log_loss(target[:, j], p[:, j]) for j in range(row.k))
        else:
            expected = metrics.log_loss(target.numpy().ravel(), p if row.k > 1 else p[:, 0])
        assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothing_of_classes_is_torchs(smoothing):
    (row,) = (r for r in TABLE if r.targets == "class")
    raw, target = raw_and_target(row)
    smoothed = row.loss.smooth(target, smoothing, K)
    # a distribution, up to float64's rounding
    sums = smoothed.double().sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-15)
    expected = functional.cross_entropy(raw, target, reduction="none", label_smoothing=smoothing)
    values = row.loss.values(raw, smoothed.double())
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothing_of_bits_is_torchs_for_two_classes(smoothing):
    row = next(r for r in TABLE if r.kind == "binary")
    raw, target = raw_and_target(row)
    values = row.loss.values(raw, row.loss.smooth(target, smoothing, 1))
    # the logistic link is the softmax of the raw outputs 0 and z
    expected = functional.cross_entropy(
        torch.cat([torch.zeros_like(raw), raw], -1),
        target[:, 0].long(),
        reduction="none",
        label_smoothing=smoothing,
    )
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("row", [r for r in TABLE if r.targets in {"bit", "class"}])
def test_smoothing_may_differ_by_member(row):
    _, target = raw_and_target(row, (3, N))
    shares = torch.tensor([0.0, 0.2, 0.5], dtype=torch.float64)
    together = row.loss.smooth(target, shares[:, None, None], row.k)
    for i, share in enumerate(shares.tolist()):
        alone = row.loss.smooth(target[i], share, row.k)
        torch.testing.assert_close(together[i], alone.double(), rtol=1e-14, atol=1e-15)


# Far from the usual.


@rows
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("far", [-1e4, 1e4])
def test_far_raw_outputs_are_finite(row, dtype, far):
    if row.name == "poisson":
        far = min(far, 80.0)  # e^80 is what float32 can hold
    _, target = raw_and_target(row, dtype=dtype)
    raw = torch.zeros((N, row.k), dtype=dtype)
    raw[:, 0] = far
    for tensor in (
        row.loss.values(raw, target),
        row.loss.gradient(raw, target),
        row.loss.inverse_link(raw),
    ):
        assert tensor.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_log_loss_far_out_is_the_margin(dtype):
    far = torch.tensor([[1e4], [-1e4]], dtype=dtype)
    wrong, right = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [0.0]])
    bits = BernoulliLogLoss()
    torch.testing.assert_close(bits.values(far, wrong.to(dtype)), torch.full((2,), 1e4).to(dtype))
    assert (bits.values(far, right.to(dtype)) == 0).all()
    classes = CategoricalLogLoss()
    raw = torch.tensor([[1e4, 0.0, -1e4]], dtype=dtype)
    for index, value in enumerate([0.0, 1e4, 2e4]):
        assert float(classes.values(raw, torch.tensor([index]))) == value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_logistic_probability_is_never_one(dtype):
    raw = torch.tensor([[20.0], [50.0], [1e4]], dtype=dtype)
    p = BernoulliLogLoss().inverse_link(raw)
    assert (p < 1).all()
    assert (1 - p).log().isfinite().all()
    # and still within one rounding of the logistic function
    torch.testing.assert_close(p, torch.sigmoid(raw), rtol=torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber"])
def test_a_perfect_prediction_has_no_loss_and_no_gradient(name):
    loss, y = LOSSES[name](), torch.linspace(-3, 3, 8).reshape(4, 2)
    assert (loss.values(y, y) == 0).all()
    assert (loss.gradient(y, y) == 0).all()


# Components.


def test_only_counts_have_a_lowest_target():
    for row in TABLE:
        faulty = row.name == "poisson"
        assert ("-0.5" in row.loss.target_fault(-0.5)) == faulty
        assert not row.loss.target_fault(0.0)
        assert not row.loss.target_fault(7.0)


@pytest.mark.parametrize(
    "loss",
    [*(row.component for row in TABLE), BernoulliLogLoss(), CategoricalLogLoss()],
    ids=repr,
)
def test_every_loss_is_a_good_component(loss):
    loss.validate()
    for other in (clone(loss), pickle.loads(pickle.dumps(loss))):
        assert type(other) is type(loss)
        assert other.get_params() == loss.get_params()
        assert repr(other) == repr(loss)
    assert type(loss).__name__ in repr(loss)
    assert type(loss).__doc__
    assert set(loss._parameter_constraints) == set(loss.get_params())


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_name_is_the_component_with_its_defaults(name):
    loss = LOSSES.resolve(name)
    assert type(loss) is LOSSES[name]
    assert LOSSES.name_of(loss) == name
    assert type(loss).__name__.lower() == name.replace("_", "")
    for kind in loss.kinds:
        bound = loss.bind(kind)
        assert kind in bound.kinds
        assert bound.bind(kind).get_params() == bound.get_params()


def test_log_loss_is_bound_to_its_task():
    kinds = {"binary": BernoulliLogLoss, "multilabel": BernoulliLogLoss}
    for kind, cls in (kinds | {"multiclass": CategoricalLogLoss}).items():
        assert type(LogLoss().bind(kind)) is cls


@pytest.mark.parametrize("delta", [0, 0.0, -1.0, math.inf, math.nan, "1", None])
def test_bad_values_are_refused(delta):
    with pytest.raises(ValueError, match="The 'delta' parameter of Huber"):
        Huber(delta).validate()
    with pytest.raises(ValueError, match="The 'delta' parameter of Huber"):
        LOSSES.resolve(Huber(delta))


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'squared_error'"):
        LOSSES.resolve("squared_eror")
    with pytest.raises(TypeError, match=r"Huber\(\) instead of Huber"):
        LOSSES.resolve(Huber)
