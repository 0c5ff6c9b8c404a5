"""Each loss against its formula, scikit-learn, torch, and the constant it is best at."""

import math
import pickle
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, root_scalar
from sklearn import metrics
from sklearn.base import clone
from sklearn.linear_model import GammaRegressor, TweedieRegressor
from sklearn.svm import LinearSVC
from torch.nn import functional

from sklearn_dnn.components.losses import (
    LOSSES,
    AbsoluteError,
    AbsolutePercentageError,
    BernoulliFocal,
    BernoulliLogLoss,
    BernoulliPoly1,
    CategoricalFocal,
    CategoricalLogLoss,
    CategoricalPoly1,
    CrammerSinger,
    ElementwiseLoss,
    EpsilonInsensitive,
    Focal,
    Gamma,
    Gaussian,
    Hinge,
    Huber,
    LabelMargin,
    LogCosh,
    LogLoss,
    Loss,
    OneVsRestMargin,
    Poisson,
    Poly1,
    Quantile,
    SquaredError,
    SquaredHinge,
    SquaredLogError,
    Tweedie,
)

N, K = 12, 3
E80 = 80.0  # e^80 is what float32 can hold


@dataclass(frozen=True)
class Row:
    """What one loss means.

    `targets` names the kind of targets that it is tried on, `formula` is its definition in
    float64 and `link` the function from raw outputs to predictions. `t` is the number of
    targets, `far` the size of raw outputs that it bears in float32, `activation` the name of
    its link.
    """

    name: str
    component: Any
    kind: str
    targets: str
    formula: Any
    link: Any = torch.clone
    t: int = K
    far: float = 1e4
    activation: str = "identity"

    def __repr__(self):
        return f"{self.component!r}-{self.kind}"

    @property
    def loss(self):
        return self.component.bind(self.kind)

    @property
    def k(self):
        return self.t * self.loss.outputs_per_target


# Definitions, without regard to speed or range. z are raw outputs, y targets.


def by_target(formula):
    """The formula of an error, summed over targets."""
    return lambda z, y: formula(z - y).sum(-1)


def huber(delta):
    def formula(e):
        return torch.where(e.abs() <= delta, e**2 / 2, delta * (e.abs() - delta / 2))

    return by_target(formula)


def pinball(z, y, q):
    return torch.where(y >= z, q * (y - z), (1 - q) * (z - y))


def three_quantiles(z):
    z = z.reshape(*z.shape[:-1], -1, 3)
    low = z[..., 0]
    middle = low + torch.log(1 + torch.exp(z[..., 1]))
    return low, middle, middle + torch.log(1 + torch.exp(z[..., 2]))


def three_pinballs(levels):
    def formula(z, y):
        found = three_quantiles(z)
        return sum(pinball(f, y, q) for f, q in zip(found, levels, strict=True)).sum(-1)

    return formula


def gaussian(floor):
    def formula(z, y):
        mean, s = z[..., 0::2], z[..., 1::2]
        sigma = floor + torch.log(1 + torch.exp(s))
        normal = torch.distributions.Normal(mean, sigma)
        return -(normal.log_prob(y) + math.log(2 * math.pi) / 2).sum(-1)

    return formula


def gamma(z, y):
    ratio = y / torch.exp(z)
    return (ratio - torch.log(ratio) - 1).sum(-1)


def poisson(z, y):
    return (torch.exp(z) - y * z + torch.xlogy(y, y) - y).sum(-1)


def tweedie(p):
    def formula(z, y):
        mu = torch.exp(z)
        a, b = 1 - p, 2 - p
        return (y**b / (a * b) - y * mu**a / a + mu**b / b).sum(-1)

    return formula


def sigmoid(z):
    return 1 / (1 + torch.exp(-z))


def softmax(z):
    e = torch.exp(z)
    return e / e.sum(-1, keepdim=True)


def of_labels(of_right):
    """Expected loss of labels, from the loss of a right label's probability."""

    def formula(z, y):
        p = sigmoid(z)
        return (y * of_right(p) + (1 - y) * of_right(1 - p)).sum(-1)

    return formula


def shares(z, y):
    return y if y.is_floating_point() else functional.one_hot(y, z.shape[-1])


def of_classes(of_right):
    return lambda z, y: (shares(z, y) * of_right(softmax(z))).sum(-1)


def entropy(p):
    return -torch.log(p)


def focal(gamma):
    return lambda p: -((1 - p) ** gamma) * torch.log(p)


def poly1(epsilon):
    return lambda p: -torch.log(p) + epsilon * (1 - p)


def focal_ratio(gamma):
    """p / phi(p) of Charoenphakdee et al., Theorem 11."""

    def ratio(p):
        q = 1 - p
        return p / (q**gamma - gamma * q ** (gamma - 1) * p * torch.log(p))

    return ratio


def poly1_ratio(epsilon):
    return lambda p: p / (1 + epsilon * p)


def labels_of(ratio):
    return lambda z: ratio(sigmoid(z)) / (ratio(sigmoid(z)) + ratio(sigmoid(-z)))


def classes_of(ratio):
    return lambda z: ratio(softmax(z)) / ratio(softmax(z)).sum(-1, keepdim=True)


def margin(power):
    def formula(z, y):
        y = shares(z, y).double()
        yes = torch.relu(1 - z) ** power
        return (y * yes + (1 - y) * torch.relu(1 + z) ** power).sum(-1)

    return formula


def rival(z, y):
    right = z.gather(-1, y[..., None])[..., 0]
    wrong = torch.where(functional.one_hot(y, z.shape[-1]) == 1, -math.inf, z)
    return torch.relu(1 + wrong.max(-1).values - right)


def middle_of_labels(z):
    return (1 + z) / 2


def regression(name, component, formula, targets="real", **more):
    return Row(name, component, "regression", targets, formula, **more)


def classification(name, component, labels, classes, link, class_link, **more):
    """Rows of all kinds of a loss of labels and classes."""
    return [
        Row(name, component, "binary", "bit", labels, link, t=1, **more),
        Row(name, component, "binary", "probability", labels, link, t=1, **more),
        Row(name, component, "multilabel", "bit", labels, link, **more),
        Row(name, component, "multiclass", "class", classes, class_link, **more),
        Row(name, component, "multiclass", "shares", classes, class_link, **more),
    ]


EXP = {"link": torch.exp, "far": E80, "activation": "exp"}
LEVELS = (0.1, 0.5, 0.8)
UNEVEN = (0.2, 0.6, 0.9)
HINGES = {"link": middle_of_labels, "class_link": middle_of_labels, "activation": "affine"}

TABLE = [
    regression("squared_error", SquaredError(), by_target(lambda e: e**2 / 2)),
    regression("absolute_error", AbsoluteError(), by_target(torch.abs)),
    regression("huber", Huber(), huber(1.0)),
    regression("huber", Huber(delta=0.3), huber(0.3)),
    regression("log_cosh", LogCosh(), by_target(lambda e: torch.log(torch.cosh(e)))),
    regression(
        "epsilon_insensitive",
        EpsilonInsensitive(),
        by_target(lambda e: torch.relu(e.abs() - 0.1)),
    ),
    regression(
        "epsilon_insensitive",
        EpsilonInsensitive(epsilon=0.7),
        by_target(lambda e: torch.relu(e.abs() - 0.7)),
    ),
    regression("quantile", Quantile(), lambda z, y: (z - y).abs().sum(-1) / 2),
    regression("quantile", Quantile(0.9), lambda z, y: pinball(z, y, 0.9).sum(-1)),
    regression(
        "quantile", Quantile(LEVELS), three_pinballs(LEVELS), link=lambda z: three_quantiles(z)[1]
    ),
    regression(
        "quantile", Quantile(UNEVEN), three_pinballs(UNEVEN), link=lambda z: three_quantiles(z)[1]
    ),
    regression("gaussian", Gaussian(), gaussian(1e-3), link=lambda z: z[..., 0::2]),
    regression("gaussian", Gaussian(0.5), gaussian(0.5), link=lambda z: z[..., 0::2]),
    regression("poisson", Poisson(), poisson, "count", **EXP),
    regression("gamma", Gamma(), gamma, "positive", **EXP),
    regression("tweedie", Tweedie(), tweedie(1.5), "count", **EXP),
    regression("tweedie", Tweedie(power=1), poisson, "count", **EXP),
    regression("tweedie", Tweedie(power=2), gamma, "positive", **EXP),
    regression("tweedie", Tweedie(power=3.0), tweedie(3.0), "positive", **EXP | {"far": 40.0}),
    regression(
        "squared_log_error",
        SquaredLogError(),
        lambda z, y: ((z - torch.log(1 + y)) ** 2).sum(-1) / 2,
        "count",
        link=lambda z: torch.exp(z) - 1,
        far=E80,
        activation="expm1",
    ),
    regression(
        "absolute_percentage_error",
        AbsolutePercentageError(),
        lambda z, y: ((torch.exp(z) - y).abs() / y).sum(-1),
        "positive",
        **EXP,
    ),
    *(
        row
        for cls, kinds in ((BernoulliLogLoss, "logistic"), (CategoricalLogLoss, "softmax"))
        for row in classification(
            "log_loss", LogLoss(), of_labels(entropy), of_classes(entropy), sigmoid, softmax
        )
        if type(row.loss) is cls
        for row in [replace(row, activation=kinds)]
    ),
    *(
        row
        for g in (2.0, 0.0, 0.5)
        for row in classification(
            "focal",
            Focal(g),
            of_labels(focal(g)),
            of_classes(focal(g)),
            labels_of(focal_ratio(g)),
            classes_of(focal_ratio(g)),
            activation="focal",
        )
    ),
    *(
        row
        for e in (1.0, -0.5, 4.0)
        for row in classification(
            "poly1",
            Poly1(e),
            of_labels(poly1(e)),
            of_classes(poly1(e)),
            labels_of(poly1_ratio(e)),
            classes_of(poly1_ratio(e)),
            activation="poly1",
        )
    ),
    *classification("hinge", Hinge(), margin(1), margin(1), **HINGES),
    Row("hinge", Hinge(multi_class="crammer_singer"), "multiclass", "class", rival),
    *classification("squared_hinge", SquaredHinge(), margin(2), margin(2), **HINGES),
]
BOUND = [
    BernoulliLogLoss(),
    CategoricalLogLoss(),
    BernoulliFocal(),
    CategoricalFocal(1.0),
    BernoulliPoly1(),
    CategoricalPoly1(2.0),
    LabelMargin(2),
    OneVsRestMargin(),
    CrammerSinger(),
]
rows = pytest.mark.parametrize("row", TABLE, ids=lambda r: f"{r.component!r}-{r.kind}-{r.targets}")
leads = pytest.mark.parametrize("lead", [(N,), (4, N)], ids=["single", "stack"])


def raw_and_target(row, lead=(N,), dtype=torch.float64, seed=0):
    """Raw outputs and targets, of shapes (.., n, k) and what the loss takes."""
    generator = torch.Generator().manual_seed(seed)
    raw = 1.5 * torch.randn((*lead, row.k), generator=generator, dtype=torch.float64)
    uniform = torch.rand((*lead, row.t), generator=generator, dtype=torch.float64)
    target = {
        "real": 4 * uniform - 2,
        "count": (5 * uniform).floor(),
        "positive": 5 * uniform + 0.1,
        "bit": (uniform > 0.4).double(),
        "probability": uniform,
        "class": (row.t * uniform[..., 0]).long(),
        "shares": uniform / uniform.sum(-1, keepdim=True),
    }[row.targets]
    return raw.to(dtype), target if row.targets == "class" else target.to(dtype)


def mean_loss(row, constants, target, weight):
    """Mean loss of constant raw outputs, (k,) or many (c, k)."""
    raw = constants.unsqueeze(-2).expand(*constants.shape[:-1], len(target), -1)
    values = row.loss.values(raw, target.expand(*raw.shape[:-2], *target.shape))
    return (weight * values).sum(-1) / weight.sum()


def weights(n):
    """Weights of rows, one of them 0."""
    weight = torch.rand(n, generator=torch.Generator().manual_seed(7), dtype=torch.float64) + 0.1
    weight[1] = 0.0
    return weight


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


@rows
def test_link_has_its_name(row):
    assert row.loss.out_activation == row.activation
    # only with the identity do standardised targets mean the same
    assert row.loss.scales_target == (row.activation == "identity" and row.kind == "regression")


# What the best constant is: the raw outputs that make the mean loss smallest.


@rows
@pytest.mark.parametrize("weighted", [False, True])
def test_no_constant_is_better_than_the_best(row, weighted):
    _, target = raw_and_target(row, (40,))
    weight = weights(40) if weighted else torch.ones(40, dtype=torch.float64)
    best = row.loss.best_constant(target, weight if weighted else None, row.k)
    assert best.shape == (row.k,)
    assert best.dtype == torch.float64
    lowest = mean_loss(row, best, target, weight)
    sizes = torch.logspace(-4, 1, 60, dtype=torch.float64)
    steps = torch.cat([sizes, -sizes])
    generator = torch.Generator().manual_seed(1)
    directions = torch.randn((30, row.k), generator=generator, dtype=torch.float64)
    ways = torch.cat([torch.eye(row.k, dtype=torch.float64), directions])
    others = best + (steps[:, None, None] * ways).reshape(-1, row.k)
    # up to the rounding of a mean
    assert (mean_loss(row, others, target, weight) >= lowest - 1e-13).all()


def searched(row):
    """Several labels are several searches: by default of one loss."""
    slow = row.kind == "multilabel" and row.name != "log_loss"
    return pytest.param(row, marks=[pytest.mark.slow] if slow else [])


# where several raw outputs meet in a kink, a search by axes can stick
SEARCHED = [searched(row) for row in TABLE if row.component.outputs_per_target < 3]


@pytest.mark.parametrize("row", SEARCHED, ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_search_that_any_loss_has_finds_the_same(row, weighted):
    _, target = raw_and_target(row, (40,))
    weight = weights(40) if weighted else torch.ones(40, dtype=torch.float64)
    found = Loss.best_constant(row.loss, target, weight if weighted else None, row.k)
    best = row.loss.best_constant(target, weight if weighted else None, row.k)
    assert found.shape == best.shape
    # in value, since a flat minimum has no one place
    values = mean_loss(row, torch.stack([found, best]), target, weight).tolist()
    assert values[0] == pytest.approx(values[1], rel=1e-6, abs=1e-9)


@rows
def test_single_precision_targets_have_the_same_best_constant(row):
    _, target = raw_and_target(row, (40,))
    if row.targets == "class":
        target = target[:20].repeat(2)
        alike = target
    else:
        alike = target.float()
        target = alike.double()
    best, other = (row.loss.best_constant(t, None, row.k) for t in (target, alike))
    assert other.dtype == torch.float64
    torch.testing.assert_close(other, best, rtol=0, atol=0)


def middle(row, target, weight=None):
    return row.loss.inverse_link(row.loss.best_constant(target, weight, row.k)[None])[0]


# whose best constant predicts the mean of the targets
MEANS = {"squared_error", "poisson", "gamma", "tweedie", "gaussian"}


@pytest.mark.parametrize("row", [r for r in TABLE if r.name in MEANS], ids=lambda r: r.name)
def test_best_constant_is_the_mean(row):
    _, target = raw_and_target(row, (40,))
    mean = np.average(target.numpy(), axis=0)
    np.testing.assert_allclose(middle(row, target), mean, rtol=1e-13)
    mean = np.average(target.numpy(), axis=0, weights=weights(40).numpy())
    np.testing.assert_allclose(middle(row, target, weights(40)), mean, rtol=1e-13)


CALIBRATED = {"log_loss", "focal", "poly1", "squared_hinge"}


@pytest.mark.parametrize("row", [r for r in TABLE if r.name in CALIBRATED], ids=repr)
def test_best_constant_is_the_frequency(row):
    _, target = raw_and_target(row, (40,))
    found = functional.one_hot(target, K).double() if row.targets == "class" else target
    # several classes of focal and poly1 are searched: flat up to the root of the rounding
    tolerance = 1e-7 if row.name in {"focal", "poly1"} and row.kind == "multiclass" else 1e-12
    mean = np.average(found.numpy(), axis=0, weights=weights(40).numpy())
    np.testing.assert_allclose(middle(row, target, weights(40)), mean, rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", [40, 41])
def test_best_constant_of_absolute_error_is_the_median(n):
    _, target = raw_and_target(TABLE[1], (n,))
    best = AbsoluteError().best_constant(target)
    np.testing.assert_allclose(best, np.median(target.numpy(), axis=0), rtol=1e-15)


def test_best_constant_counts_a_weight_as_so_many_rows():
    _, target = raw_and_target(TABLE[1], (20,))
    times = torch.arange(20) % 4
    repeated = target.repeat_interleave(times, 0)
    for loss in (AbsoluteError(), Huber(), Quantile(0.3), Gaussian(), LogCosh()):
        torch.testing.assert_close(
            loss.best_constant(target, times.double()),
            loss.best_constant(repeated),
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.parametrize("levels", [0.25, 0.5, (0.1, 0.5, 0.9), (0.3, 0.6)])
@pytest.mark.parametrize("n", [40, 37])
def test_best_constant_of_quantiles_is_numpys(levels, n):
    _, target = raw_and_target(TABLE[1], (n,))
    loss = Quantile(levels)
    found = loss.quantiles(loss.best_constant(target)[None])[0]
    expected = np.quantile(
        target.numpy(), np.atleast_1d(levels), axis=0, method="averaged_inverted_cdf"
    )
    np.testing.assert_allclose(found, expected.T, rtol=1e-12)


def test_increments_of_equal_quantiles_can_still_learn():
    target = torch.tensor([[0.0]] * 9 + [[1.0]], dtype=torch.float64)
    for y, least in ((target, 1e-4), (torch.ones_like(target), 1e-3)):
        raw = Quantile((0.1, 0.5)).best_constant(y)
        increment = functional.softplus(raw[1])
        assert float(increment) == pytest.approx(least, rel=1e-9)


def test_best_constant_of_gaussian_is_mean_and_deviation():
    _, target = raw_and_target(TABLE[0], (40,))
    loss = Gaussian()
    deviation = loss.deviation(loss.best_constant(target)[None])[0]
    np.testing.assert_allclose(deviation, target.numpy().std(axis=0), rtol=1e-12)
    flat = loss.best_constant(torch.full((5, 1), 2.0, dtype=torch.float64))
    assert flat.isfinite().all()
    assert float(loss.deviation(flat)) == pytest.approx(1e-3, rel=2e-3)


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
    np.testing.assert_allclose(row.loss.best_constant(target), estimates, rtol=0, atol=1e-9)


def test_of_many_best_constants_the_middle_one_is_given():
    target = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    for loss in (AbsoluteError(), EpsilonInsensitive(), EpsilonInsensitive(2.0), Huber(0.2)):
        assert float(loss.best_constant(target)) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("name", ["log_loss", "focal", "poly1", "hinge", "squared_hinge"])
def test_a_class_or_label_without_rows_has_a_finite_best_constant(name):
    loss = LOSSES[name]()
    index = torch.tensor([0, 2, 2, 0, 2])
    best = loss.bind("multiclass").best_constant(index, None, 4)
    assert best.isfinite().all()
    # the classes in order of their rows; the two without any alike
    assert best[2] >= best[0] >= best[1]
    assert float(best[1]) == pytest.approx(float(best[3]), abs=1e-6)
    bits = torch.tensor([[0.0, 1.0, 1.0]] * 5)
    best = loss.bind("multilabel").best_constant(bits)
    assert best.isfinite().all()
    assert float(best[0]) == pytest.approx(-float(best[1]), abs=1e-9)


def test_classes_without_rows_count_as_half_a_row():
    best = CategoricalLogLoss().best_constant(torch.tensor([0, 0, 1, 1]), None, 3)
    shares = np.array([0.5, 0.5, 0.125])
    np.testing.assert_allclose(best.exp(), shares / shares.sum(), rtol=1e-14)
    best = BernoulliLogLoss().best_constant(torch.ones(4, 1))
    np.testing.assert_allclose(torch.sigmoid(best), [0.875], rtol=1e-14)
    np.testing.assert_allclose(Poisson().best_constant(torch.zeros(4, 1)).exp(), [0.125])


def test_classes_are_counted_where_their_number_is_not_given():
    for row in (r for r in TABLE if r.kind == "multiclass"):
        _, target = raw_and_target(row, (40,))
        torch.testing.assert_close(
            row.loss.best_constant(target), row.loss.best_constant(target, None, K)
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


def targets_apart(metric, target, prediction):
    return sum(metric(target[:, j].numpy(), prediction[:, j].numpy()) for j in range(K))


# for a loss, how often it stands in the metric of scikit-learn's, a target
METRICS = {
    "quantile": (Quantile(0.9), 1, lambda y, p: metrics.mean_pinball_loss(y, p, alpha=0.9)),
    "gamma": (Gamma(), 2, metrics.mean_gamma_deviance),
    "tweedie 1.2": (Tweedie(1.2), 2, lambda y, p: metrics.mean_tweedie_deviance(y, p, power=1.2)),
    "tweedie 2": (Tweedie(2), 2, lambda y, p: metrics.mean_tweedie_deviance(y, p, power=2)),
    "tweedie 3": (Tweedie(3), 2, lambda y, p: metrics.mean_tweedie_deviance(y, p, power=3)),
    "squared_log_error": (SquaredLogError(), 2, metrics.mean_squared_log_error),
    "absolute_percentage_error": (
        AbsolutePercentageError(),
        1,
        metrics.mean_absolute_percentage_error,
    ),
}


@pytest.mark.parametrize("name", METRICS)
def test_values_are_scikit_learns_metric(name):
    loss, factor, metric = METRICS[name]
    row = next(r for r in TABLE if r.name == "gamma")
    raw, target = raw_and_target(row)
    raw = raw.abs()  # of all links predictions that every metric takes
    expected = targets_apart(metric, target, loss.inverse_link(raw))
    value = factor * float(loss.values(raw, target).mean())
    assert value == pytest.approx(expected, rel=1e-12)


def test_several_quantiles_sum_scikit_learns_pinball_losses():
    row = next(r for r in TABLE if r.component.outputs_per_target == 3)
    raw, target = raw_and_target(row)
    found = row.loss.quantiles(raw)
    assert found.shape == (N, K, 3)
    assert (found.diff(dim=-1) > 0).all()
    expected = sum(
        targets_apart(
            lambda y, p, q=q: metrics.mean_pinball_loss(y, p, alpha=q), target, found[..., i]
        )
        for i, q in enumerate(LEVELS)
    )
    assert float(row.loss.values(raw, target).mean()) == pytest.approx(expected, rel=1e-12)


def test_hinge_values_are_scikit_learns():
    raw, target = raw_and_target(next(r for r in TABLE if r.name == "hinge" and r.t == 1))
    value = Hinge().bind("binary").values(raw, target).mean()
    expected = metrics.hinge_loss(target[:, 0].numpy(), raw[:, 0].numpy())
    assert float(value) == pytest.approx(expected, rel=1e-13)
    (row,) = (r for r in TABLE if type(r.loss) is CrammerSinger)
    raw, target = raw_and_target(row)
    value = row.loss.values(raw, target).mean()
    expected = metrics.hinge_loss(target.numpy(), raw.numpy(), labels=range(K))
    assert float(value) == pytest.approx(expected, rel=1e-13)


TORCHS = {
    "squared_error": (SquaredError(), lambda z, y: functional.mse_loss(z, y, reduction="none") / 2),
    "huber": (Huber(0.7), torch.nn.HuberLoss(reduction="none", delta=0.7)),
    "absolute_error": (AbsoluteError(), torch.nn.L1Loss(reduction="none")),
    "log_loss": (BernoulliLogLoss(), torch.nn.BCEWithLogitsLoss(reduction="none")),
    "log_loss of classes": (CategoricalLogLoss(), torch.nn.CrossEntropyLoss(reduction="none")),
}


@pytest.mark.parametrize("name", TORCHS)
def test_values_are_torchs(name):
    loss, theirs = TORCHS[name]
    row = next(r for r in TABLE if type(r.loss) is type(loss) and r.t == K)
    raw, target = raw_and_target(row)
    expected = theirs(raw, target)
    expected = expected if expected.dim() == 1 else expected.sum(-1)
    torch.testing.assert_close(loss.values(raw, target), expected, rtol=1e-13, atol=1e-15)


def test_gaussian_values_are_torchs():
    loss = Gaussian(0.1)
    raw, target = raw_and_target(next(r for r in TABLE if r.name == "gaussian"))
    theirs = torch.nn.GaussianNLLLoss(reduction="none")
    expected = theirs(loss.inverse_link(raw), target, loss.deviation(raw).square()).sum(-1)
    torch.testing.assert_close(loss.values(raw, target), expected, rtol=1e-12, atol=1e-13)


def linear_optimum(loss, X, target, alpha, n_outputs=1):
    """Weights with the smallest mean loss and alpha / 2 times their squares, no intercept."""
    X = torch.from_numpy(X)

    def objective(flat):
        w = torch.tensor(flat.reshape(X.shape[1], n_outputs), requires_grad=True)
        value = loss.values(X @ w, target).mean() + alpha / 2 * w.square().sum()
        value.backward()
        return value.item(), w.grad.numpy().ravel()

    start = np.zeros(X.shape[1] * n_outputs)
    found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    return found.x.reshape(-1, n_outputs).T


@pytest.mark.parametrize("power", [1.5, 2])
def test_optimum_is_tweedie_regressors(power):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = rng.gamma(3.0, np.exp(X @ [0.5, -0.3, 0.2]) / 3)
    theirs = TweedieRegressor(
        power=power, link="log", alpha=0.1, fit_intercept=False, tol=1e-10, solver="newton-cholesky"
    ).fit(X, y)
    ours = linear_optimum(Tweedie(power), X, torch.from_numpy(y)[:, None], 0.1)[0]
    np.testing.assert_allclose(ours, theirs.coef_, rtol=1e-6)
    if power == 2:
        theirs = GammaRegressor(alpha=0.1, fit_intercept=False, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(ours, theirs.coef_, rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_optimum_of_squared_hinge_is_linear_svcs(n_classes):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 4))
    y = (X[:, 0] + rng.normal(size=60) > 0).astype(int) + (n_classes == 3) * (X[:, 1] > 0)
    theirs = LinearSVC(C=2 / 60, fit_intercept=False, dual=False, tol=1e-10).fit(X, y)
    if n_classes == 2:
        loss, target = SquaredHinge().bind("binary"), torch.from_numpy(y)[:, None].double()
    else:
        loss, target = SquaredHinge().bind("multiclass"), torch.from_numpy(y)
    # their C a row: half the squares + C times a sum is a mean + squares / (2 C n)
    ours = linear_optimum(loss, X, target, 0.5, 1 if n_classes == 2 else 3)
    np.testing.assert_allclose(ours, theirs.coef_, rtol=1e-5, atol=1e-7)


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
    (row,) = (r for r in TABLE if r.targets == "class" and r.name == "log_loss")
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


SMOOTHED = [
    r for r in TABLE if r.targets in {"bit", "class"} and type(r.loss).smooth is not Loss.smooth
]


def test_every_loss_of_labels_or_classes_but_one_can_smooth_them():
    others = {type(r.loss) for r in TABLE if r.kind != "regression"}
    assert others - {type(r.loss) for r in SMOOTHED} == {CrammerSinger}


@pytest.mark.parametrize("row", SMOOTHED, ids=repr)
def test_a_smoothed_target_has_the_expected_loss(row):
    raw, target = raw_and_target(row)
    whole = row.loss.values(raw, row.loss.smooth(target, 0.3, row.k))
    if row.kind == "multiclass":
        labels = [torch.full_like(target, c) for c in range(row.k)]
        wrong = sum(row.loss.values(raw, c) for c in labels) / row.k
    else:
        wrong = sum(row.loss.values(raw, torch.full_like(raw, y)) for y in (0, 1)) / 2
    expected = 0.7 * row.loss.values(raw, target) + 0.3 * wrong
    torch.testing.assert_close(whole, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "row", [r for r in TABLE if r.targets == "class" and r in SMOOTHED], ids=repr
)
def test_prepared_classes_have_the_same_loss(row):
    raw, target = raw_and_target(row, (4, N))
    prepared = row.loss.prepare(target, K, torch.float64)
    assert prepared.is_floating_point()
    for method in (row.loss.values, row.loss.gradient):
        torch.testing.assert_close(
            method(raw, prepared), method(raw, target), rtol=1e-13, atol=1e-14
        )


@pytest.mark.parametrize("row", SMOOTHED, ids=repr)
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
    far = math.copysign(row.far, far)
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


ERRORS = ["squared_error", "absolute_error", "huber", "log_cosh", "epsilon_insensitive", "quantile"]


@pytest.mark.parametrize("name", ERRORS)
def test_a_perfect_prediction_has_no_loss_and_no_gradient(name):
    loss, y = LOSSES[name](), torch.linspace(-3, 3, 8).reshape(4, 2)
    assert (loss.values(y, y) == 0).all()
    assert (loss.gradient(y, y) == 0).all()


DEVIANCES = [Poisson(), Gamma(), Tweedie(), Tweedie(2), Tweedie(3), SquaredLogError()]


@pytest.mark.parametrize("loss", [*DEVIANCES, AbsolutePercentageError()], ids=repr)
def test_a_deviance_of_a_perfect_prediction_is_zero(loss):
    target = torch.tensor([[1.0, 2.0, 30.0, 0.01]], dtype=torch.float64)
    raw = target.log1p() if isinstance(loss, SquaredLogError) else target.log()
    torch.testing.assert_close(loss.inverse_link(raw), target, rtol=1e-14, atol=0)
    # rounding of terms of the size 30 log 30, or 1 / 0.01 for the power 3
    zero = torch.zeros(1, dtype=torch.float64)
    torch.testing.assert_close(loss.values(raw, target), zero, rtol=0, atol=1e-13)
    for step in (0.01, -0.01):
        assert (loss.values(raw + step, target) > 0).all()


def test_log_cosh_is_near_half_a_square_and_a_shifted_size():
    small, large = torch.tensor([[1e-3]]).double(), torch.tensor([[30.0]]).double()
    zero = torch.zeros_like(small)
    torch.testing.assert_close(
        LogCosh().values(small, zero)[0], small[0, 0] ** 2 / 2, rtol=1e-6, atol=0
    )
    torch.testing.assert_close(LogCosh().values(large, zero)[0], large[0, 0] - math.log(2))


def test_names_of_special_cases():
    raw, target = raw_and_target(next(r for r in TABLE if r.name == "quantile"))
    pairs = [
        (Quantile([0.3]), Quantile(0.3)),
        (Focal(0).bind("multilabel"), BernoulliLogLoss()),
        (Poly1(0).bind("multilabel"), BernoulliLogLoss()),
    ]
    for special, plain in pairs:
        for method in ("values", "gradient"):
            torch.testing.assert_close(
                getattr(special, method)(raw, torch.sigmoid(target)),
                getattr(plain, method)(raw, torch.sigmoid(target)),
                rtol=1e-12,
                atol=1e-14,
            )
        torch.testing.assert_close(special.inverse_link(raw), plain.inverse_link(raw))


@pytest.mark.parametrize(
    "row", [r for r in TABLE if r.name in {"focal", "poly1"} and r.kind != "multilabel"], ids=repr
)
def test_calibrated_probabilities_make_the_expected_loss_smallest(row):
    raw, _ = raw_and_target(row)
    p = row.loss.inverse_link(raw)
    # the slope of the expected loss, over targets that follow the prediction
    slope = row.loss.gradient(raw, p)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-14)
    if row.kind == "multiclass":
        assert torch.equal(p.argsort(-1), raw.argsort(-1))
        torch.testing.assert_close(p.sum(-1), torch.ones_like(p[:, 0]), rtol=0, atol=1e-14)
    else:
        torch.testing.assert_close(row.loss.inverse_link(-raw), 1 - p, rtol=0, atol=1e-15)


@rows
def test_autograd_is_finite_far_out(row):
    # what trains a network with a norm or dropout: no infinity times zero on the way back
    _, target = raw_and_target(row, dtype=torch.float32)
    for far in (row.far, -row.far):
        raw = torch.zeros((N, row.k))
        raw[:, 0] = far
        raw.requires_grad_()
        (slope,) = torch.autograd.grad(row.loss.values(raw, target).sum(), raw)
        assert slope.isfinite().all()


@rows
def test_what_a_loss_says_that_it_has(row):
    raw, _ = raw_and_target(row, (4, N))
    loss = row.loss
    assert loss.inverse_link(raw).shape == (4, N, row.t)
    for has, method, more in (
        (loss.has_deviation, loss.deviation, ()),
        (loss.has_quantiles, loss.quantiles, (loss.outputs_per_target,)),
    ):
        if has:
            assert method(raw).shape == (4, N, row.t, *more)
        else:
            with pytest.raises(AssertionError, match="predicts no"):
                method(raw)
    assert loss.has_deviation == (row.name == "gaussian")
    assert loss.has_quantiles == (row.name == "quantile")
    if row.kind != "regression":
        assert loss.has_probabilities == ("hinge" not in row.name)
        assert row.component.has_probabilities == loss.has_probabilities


@rows
def test_terms_sum_to_values(row):
    raw, target = raw_and_target(row, (4, N))
    assert isinstance(row.loss, ElementwiseLoss) == (row.kind != "multiclass")
    if row.kind == "multiclass":
        return
    terms = row.loss.terms(raw, target)
    assert terms.shape == (4, N, row.t)
    for j in range(row.t):
        r = row.loss.outputs_per_target
        alone = row.loss.values(raw[..., j * r : (j + 1) * r], target[..., j : j + 1])
        torch.testing.assert_close(terms[..., j], alone, rtol=1e-14, atol=1e-15)


# Components.


# the smallest target that is refused, and one just above that is not
LOWEST = {
    Poisson(): (-0.5, 0.0),
    Gamma(): (0.0, 0.1),
    Tweedie(): (-0.5, 0.0),
    Tweedie(2): (0.0, 0.1),
    SquaredLogError(): (-1.0, -0.9),
    AbsolutePercentageError(): (0.0, 0.1),
}


@rows
def test_targets_out_of_range_are_told(row):
    limits = {repr(loss): pair for loss, pair in LOWEST.items()}
    refused, allowed = limits.get(repr(row.component), (None, 0.1))
    positive = row.targets in {"count", "positive"}
    assert positive == (row.component.target_fault(-2.0) != "")
    assert not row.component.target_fault(allowed)
    assert not row.component.target_fault(7.0)
    if refused is not None:
        assert f"{refused:g}" in row.component.target_fault(refused)


@pytest.mark.parametrize(
    "loss",
    [*{repr(row.component): row.component for row in TABLE}.values(), *BOUND],
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


BAD = [
    (EpsilonInsensitive(-0.1), "epsilon"),
    (Quantile(1.0), "quantile"),
    (Quantile(0), "quantile"),
    (Quantile("0.5"), "quantile"),
    (Quantile(()), "quantile"),
    (Quantile((0.5, 0.1)), "quantile"),
    (Quantile((0.5, 0.5)), "quantile"),
    (Quantile((0.5, 1.0)), "quantile"),
    (Quantile((0.5, "a")), "quantile"),
    (Gaussian(0.0), "min_deviation"),
    (Tweedie(0.5), "power"),
    (Tweedie(math.inf), "power"),
    (Focal(-1.0), "gamma"),
    (Poly1(-1.0), "epsilon"),
    (Hinge("both"), "multi_class"),
]


@pytest.mark.parametrize(("loss", "parameter"), BAD, ids=repr)
def test_bad_parameters_are_refused(loss, parameter):
    name = type(loss).__name__
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of {name}"):
        loss.validate()


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'squared_error'"):
        LOSSES.resolve("squared_eror")
    with pytest.raises(TypeError, match=r"Huber\(\) instead of Huber"):
        LOSSES.resolve(Huber)
