"""Each augmentation against the moments and the formula it promises."""

import math
import pickle
import re

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.base import clone

from sklearn_dnn.components.augmentations import (
    AUGMENTATIONS,
    Adversarial,
    Augmentation,
    FunctionAugmentation,
    InputNoise,
    LabelNoise,
    LossView,
    Mixup,
    TargetNoise,
    as_augmentations,
)
from sklearn_dnn.components.augmentations._rows import draw_symmetric_beta
from sklearn_dnn.components.losses import LogLoss, SquaredError

# for each name: the class, its defaults, parameters of no effect, bad parameters
CLASSES = {
    "input_noise": (
        InputNoise,
        {"std": 0.1, "distribution": "normal"},
        [{"std": 0.0}],
        [{"std": -0.1}, {"std": math.nan}, {"std": math.inf}, {"distribution": "flat"}],
    ),
    "target_noise": (TargetNoise, {"std": 0.1}, [{"std": 0}], [{"std": -1}, {"std": "a"}]),
    "label_noise": (LabelNoise, {"std": 0.1}, [{"std": 0}], [{"std": -1}, {"std": None}]),
    "mixup": (Mixup, {"alpha": 0.2}, [{"alpha": 0}], [{"alpha": -0.2}, {"alpha": math.inf}]),
    "adversarial": (
        Adversarial,
        {"epsilon": 0.05, "clean_share": 0.5},
        [{"epsilon": 0}, {"clean_share": 1}],
        [{"epsilon": -1}, {"clean_share": 1.1}, {"clean_share": -0.1}],
    ),
}
# for each name: the tasks, whether it needs distributions, smoothed labels, a gradient
FACTS = {
    "input_noise": ("rbcl", False, False, False),
    "target_noise": ("r", False, False, False),
    "label_noise": ("bcl", False, True, False),
    "mixup": ("rbcl", True, False, False),
    "adversarial": ("rbcl", False, False, True),
}
KINDS = {"regression": "r", "binary": "b", "multiclass": "c", "multilabel": "l"}
names = pytest.mark.parametrize("name", list(AUGMENTATIONS))
shapes = pytest.mark.parametrize("rows", [(12,), (3, 12)])
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, dtype=torch.float64, seed=99):
    return torch.randn(shape, dtype=dtype, generator=seeded(seed))


def view(kind="regression", n_outputs=2):
    """What a linear model with all weights 1 and its loss answer."""
    loss = SquaredError() if kind == "regression" else LogLoss().bind(kind)

    def input_gradient(x, y):
        x = x.detach().requires_grad_()
        raw = x.sum(-1, keepdim=True) * torch.linspace(1, 2, n_outputs, dtype=x.dtype)
        return torch.autograd.grad(loss.values(raw, y).sum(), x)[0]

    return LossView(input_gradient, lambda y, smoothing: loss.smooth(y, smoothing, n_outputs))


def run(augmentation, x, y, share, seed=0, c=None, loss=None):
    c = augmentation.coefficients() if c is None else c
    return augmentation.forward(x, y, share, c, seeded(seed), loss or view(n_outputs=y.shape[-1]))


def batch(name, rows=(12,), dtype=torch.float64):
    """Inputs, targets, shares and a loss that an augmentation is for."""
    x = randn(*rows, 5, dtype=dtype)
    weight = randn(*rows, 1, dtype=dtype, seed=7).abs() + 0.1
    share = weight / weight.sum(-2, keepdim=True)
    if "regression" in AUGMENTATIONS[name].kinds:
        return x, randn(*rows, 2, dtype=dtype, seed=8), share, view()
    y = torch.randint(3, rows, generator=seeded(8))
    return x, y, share, view("multiclass", 3)


# What every one promises


@names
def test_component_round_trips(name):
    cls, defaults, off, bad = CLASSES[name]
    augmentation = AUGMENTATIONS.resolve(name)
    assert type(augmentation) is cls
    assert augmentation.get_params() == defaults
    for copy in (clone(augmentation), pickle.loads(pickle.dumps(augmentation))):
        assert type(copy) is cls
        assert copy.get_params() == defaults
    assert set(cls._parameter_constraints) == set(defaults)
    for parameters in off:
        AUGMENTATIONS.resolve(cls(**parameters))
    for parameters in bad:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            AUGMENTATIONS.resolve(cls(**parameters))


@names
def test_facts(name):
    cls = AUGMENTATIONS[name]
    kinds, needs_distribution, needs_smoothing, needs_gradient = FACTS[name]
    assert {KINDS[kind] for kind in cls.kinds} == set(kinds)
    assert cls.needs_distribution is needs_distribution
    assert cls.needs_smoothing is needs_smoothing
    assert cls.needs_gradient is needs_gradient
    assert cls().coefficients() == {
        n: v for n, v in cls().get_params().items() if not isinstance(v, str)
    }
    assert cls.varying == tuple(cls().coefficients())


@names
@shapes
def test_off_is_the_identity_and_draws_nothing(name, rows):
    cls, _, off, _ = CLASSES[name]
    x, y, share, loss = batch(name, rows)
    for parameters in off:
        generator = seeded()
        state = generator.get_state()
        augmentation = cls(**parameters)
        c = augmentation.coefficients()
        for given in (share, 1 / 12):
            got = augmentation.forward(x, y, given, c, generator, loss)
            assert got[0] is x
            assert got[1] is y
            assert got[2] is given
        assert torch.equal(generator.get_state(), state)


@names
@shapes
@dtypes
def test_it_depends_on_the_generator_alone(name, rows, dtype):
    x, y, share, loss = batch(name, rows, dtype)
    kept = [t.clone() for t in (x, y, share)]
    augmentation = AUGMENTATIONS[name]()
    state = torch.get_rng_state()
    first = run(augmentation, x, y, share, 1, loss=loss)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, (x, y, share), kept))
    again, other = (run(augmentation, x, y, share, seed, loss=loss) for seed in (1, 2))
    assert all(map(torch.equal, first, again))
    assert all(map(torch.equal, first, other)) is (name == "adversarial")
    generator = seeded(1)
    c = augmentation.coefficients()
    one, two = (augmentation.forward(x, y, share, c, generator, loss) for _ in range(2))
    assert all(map(torch.equal, one, first))
    assert all(map(torch.equal, one, two)) is (name == "adversarial")


@names
@shapes
@dtypes
def test_types_and_shares(name, rows, dtype):
    x, y, share, loss = batch(name, rows, dtype)
    for given in (share, 1 / 12):
        x2, y2, share2 = run(AUGMENTATIONS[name](), x, y, given, loss=loss)
        assert x2.dtype == y2.dtype == dtype
        n_rows = 24 if name == "adversarial" else 12
        assert x2.shape == (*rows[:-1], n_rows, 5)
        assert y2.shape[: len(rows)] == (*rows[:-1], n_rows)
        if isinstance(share2, torch.Tensor):
            assert share2.dtype == dtype
            assert share2.shape == (*x2.shape[:-1], 1)
            total = share2.sum(-2)
            torch.testing.assert_close(total, torch.ones_like(total))
        else:
            assert share2 * n_rows == pytest.approx(1)


@names
def test_members_may_differ(name):
    """Members of one stack have the spread that each would have alone."""
    cls = AUGMENTATIONS[name]
    parameter = cls.varying[0]
    values = [0.0, 0.1, 0.4]
    n_rows = 4000
    x, y, share, loss = batch(name, (3, n_rows))
    c = AUGMENTATIONS[name]().coefficients()
    c[parameter] = torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
    stacked = run(cls(), x, y, share, c=c, loss=loss)
    for i, value in enumerate(values):
        single = run(cls(**{parameter: value}), x[i], y[i], share[i], seed=5 + i, loss=loss)
        mine = [t[i] for t in stacked]
        if value == 0 and name != "adversarial":
            assert torch.equal(mine[0], x[i])
            assert torch.equal(mine[2], share[i])
            one_hot = torch.nn.functional.one_hot
            given = y[i] if y.is_floating_point() else one_hot(y[i], 3).double()
            assert torch.equal(mine[1], given)
        elif name == "adversarial" and value == 0:
            assert torch.equal(mine[0], torch.cat([x[i], x[i]]))
        elif name == "adversarial":
            assert all(map(torch.equal, mine, single))
        else:
            for a, b in zip(mine, single, strict=True):
                p = scipy.stats.ks_2samp(a.flatten(), b.flatten()).pvalue
                assert p > 1e-3
    if name != "adversarial":  # members are disturbed apart from each other
        x, y, share = (t[:1].expand(3, *t.shape[1:]) for t in (x, y, share))
        c[parameter] = torch.full((3, 1, 1), 0.2, dtype=torch.float64)
        again = run(cls(), x, y, share, c=c, loss=loss)
        changed = 1 if name in {"target_noise", "label_noise"} else 0
        assert not torch.equal(again[changed][0], again[changed][1])


@names
def test_a_column_of_another_type_keeps_the_batch_type(name):
    x, y, share, loss = batch(name, (2, 12), torch.float32)
    c = AUGMENTATIONS[name]().coefficients()
    c = {k: torch.full((2, 1, 1), v, dtype=torch.float64) for k, v in c.items()}
    result = run(AUGMENTATIONS[name](), x, y, share, c=c, loss=loss)
    assert {t.dtype for t in result} == {torch.float32}


# Noise


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@dtypes
def test_input_noise_has_its_distribution(distribution, dtype):
    x = randn(2000, 50, dtype=dtype)
    y = randn(2000, 1)
    got, y2, share = run(InputNoise(0.3, distribution), x, y, 1 / 2000)
    assert y2 is y
    assert share == 1 / 2000
    noise = (got - x).double().flatten().numpy()
    reference = {
        "normal": scipy.stats.norm(0, 0.3),
        "uniform": scipy.stats.uniform(-0.3 * math.sqrt(3), 0.6 * math.sqrt(3)),
    }[distribution]
    assert reference.std() == pytest.approx(0.3)
    assert scipy.stats.kstest(noise, reference.cdf).pvalue > 1e-3
    # rows and columns are disturbed apart
    z = torch.from_numpy(noise).view(2000, 50) / 0.3
    correlation = z.T @ z / 2000
    assert (correlation - torch.eye(50)).abs().max() < 0.12


def test_input_noise_is_a_penalty_on_the_slope():
    """Bishop: the expected squared error rises by half sigma squared times the slope squared."""
    n_rows, std = 200_000, 0.1
    w = torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64)
    x, y = randn(n_rows, 3), torch.zeros(n_rows, 1, dtype=torch.float64)
    noisy = run(InputNoise(std), x, y, 1 / n_rows)[0]
    rise = SquaredError().values(noisy @ w, x @ w).mean()
    assert rise == pytest.approx(0.5 * std**2 * float(w.square().sum()), rel=0.02)


def test_target_noise_has_its_distribution():
    x, y = randn(20_000, 2), randn(20_000, 3)
    same, got, share = run(TargetNoise(0.3), x, y, 1 / 20_000)
    assert same is x
    assert share == 1 / 20_000
    noise = (got - y).flatten().numpy()
    assert scipy.stats.kstest(noise, scipy.stats.norm(0, 0.3).cdf).pvalue > 1e-3


def amounts(std, n=40_000):
    """The amounts of smoothing that label noise draws."""
    seen = []

    def smooth(y, smoothing):
        seen.append(smoothing)
        return y

    y = torch.zeros(n, 1, dtype=torch.float64)
    run(LabelNoise(std), randn(n, 2), y, 1 / n, loss=LossView(None, smooth))
    return seen[0].flatten()


@pytest.mark.parametrize("std", [0.1, 0.3, 5.0])
def test_label_noise_is_a_folded_normal_cut_at_a_half(std):
    amount = amounts(std)
    cut = amount == 0.5
    share = 2 * scipy.stats.norm.sf(0.5 / std)
    assert float(cut.double().mean()) == pytest.approx(share, abs=0.01)
    assert amount.min() >= 0
    assert amount.max() <= 0.5
    below = amount[~cut].numpy()
    folded = scipy.stats.halfnorm(0, std)
    assert scipy.stats.kstest(below, lambda a: folded.cdf(a) / folded.cdf(0.5)).pvalue > 1e-3


def test_label_noise_mean_is_as_said():
    assert float(amounts(0.1).mean()) == pytest.approx(0.08, abs=0.001)


@pytest.mark.parametrize("form", ["index", "distribution"])
def test_label_noise_of_several_classes(form):
    labels = torch.randint(4, (500,), generator=seeded())
    one_hot = torch.nn.functional.one_hot(labels, 4).double()
    y = labels if form == "index" else one_hot
    _, got, _ = run(LabelNoise(0.2), randn(500, 2), y, 1 / 500, loss=view("multiclass", 4))
    torch.testing.assert_close(got.sum(-1), torch.ones(500, dtype=torch.float64))
    assert torch.equal(got.argmax(-1), labels)
    eps = got.min(-1).values * 4  # the other classes get eps / k each
    others = torch.where(one_hot == 1, eps.unsqueeze(1), 4 * got)
    torch.testing.assert_close(others, eps.unsqueeze(1).expand(500, 4))
    assert eps.unique().numel() > 400


@pytest.mark.parametrize(("kind", "k"), [("binary", 1), ("multilabel", 3)])
def test_label_noise_of_yes_or_no_labels(kind, k):
    y = torch.randint(2, (500, k), generator=seeded()).double()
    _, got, _ = run(LabelNoise(0.2), randn(500, 2), y, 1 / 500, loss=view(kind, k))
    error = (got - y).abs()
    assert torch.equal(got.round(), y)  # a label stays the likelier side
    torch.testing.assert_close(error, error[:, :1].expand(500, k))  # one amount a row
    assert error.max() <= 0.25


# Mixup


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 3.0, 100.0])
def test_symmetric_beta(alpha):
    device = torch.device("cpu")
    draws = draw_symmetric_beta(alpha, (20_000, 1), device, seeded(3)).flatten().numpy()
    assert draws.min() >= 0
    assert draws.max() <= 1
    assert draws.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    # near its ends a small alpha has values that no float64 below 1 can tell apart
    inside = (draws > 1e-9) & (draws < 1 - 1e-9)
    beta = scipy.stats.beta(alpha, alpha)
    low, high = beta.cdf([1e-9, 1 - 1e-9])
    assert inside.mean() == pytest.approx(high - low, abs=0.015)
    found = scipy.stats.kstest(draws[inside], lambda a: (beta.cdf(a) - low) / (high - low))
    assert found.pvalue > 1e-3


@pytest.mark.parametrize("alpha", [1e-300, 1e-8, 1e8, 1e300])
def test_symmetric_beta_at_its_limits(alpha):
    draws = draw_symmetric_beta(alpha, (1000, 1), torch.device("cpu"), seeded(3))
    near = 0.5 if alpha > 1 else draws.round()
    torch.testing.assert_close(draws, torch.zeros_like(draws) + near, rtol=0, atol=1e-3)
    assert 0.4 < float(draws.round().mean()) < 0.6 or alpha > 1


@shapes
def test_mixup_mixes_inputs_and_targets_alike(rows):
    """A target that is linear in the inputs stays so, and each row lies between two."""
    x = randn(*rows, 4)
    w = randn(4, 2, seed=3)
    x2, y2, share = run(Mixup(1.0), x, x @ w, 1 / 12)
    torch.testing.assert_close(y2, x2 @ w)
    assert share == 1 / 12
    singles = zip(x.reshape(-1, 12, 4), x2.reshape(-1, 12, 4), strict=True)
    for old, new in singles:
        for i in range(12):
            step, way = old - old[i], new[i] - old[i]
            part = (step @ way) / step.square().sum(-1).clamp(min=1e-12)
            between = (part.unsqueeze(1) * step - way).abs().max(-1).values < 1e-9
            assert (between & (part >= 0) & (part <= 1)).any()


def test_mixup_pairs_by_a_permutation():
    """With the middle of two rows the column sums tell that every row was a partner once."""
    x = torch.eye(50, dtype=torch.float64)
    x2, _, _ = run(Mixup(1e12), x, torch.zeros(50, 1, dtype=torch.float64), 1 / 50)
    torch.testing.assert_close(x2.sum(0), torch.ones(50, dtype=torch.float64), atol=1e-4, rtol=0)
    assert float(x2.diagonal().mean()) == pytest.approx(0.5, abs=0.05)


def test_mixup_has_a_part_a_row():
    x = torch.arange(1000.0, dtype=torch.float64).unsqueeze(1)
    x2, y2, _ = run(Mixup(0.5), x, torch.cat([x, x.square()], 1), 1 / 1000)
    # x' = l a + (1 - l) b and y' = l a^2 + (1 - l) b^2 of whole a, b: a is the row itself
    a, first, second = x[:, 0], x2[:, 0], y2[:, 1]
    partner = (second - a.square()) / (first - a) - a  # (b^2 - a^2) / (b - a) - a
    part = (first - partner) / (a - partner)
    moved = (first - a).abs() > 1e-6
    torch.testing.assert_close(partner[moved], partner[moved].round(), atol=1e-3, rtol=0)
    assert len(part[moved].unique()) > 900
    assert scipy.stats.kstest(part[moved], scipy.stats.beta(0.5, 0.5).cdf).pvalue > 1e-3


def test_mixup_makes_distributions_of_classes():
    y = torch.nn.functional.one_hot(torch.randint(3, (200,), generator=seeded()), 3).double()
    _, got, _ = run(Mixup(1.0), randn(200, 2), y, 1 / 200)
    torch.testing.assert_close(got.sum(-1), torch.ones(200, dtype=torch.float64))
    assert ((got > 0).sum(-1) <= 2).all()
    assert ((got > 0).sum(-1) == 2).any()


def test_mixup_mixes_weights():
    """The weights as inputs, targets and shares: all three are mixed by the same parts."""
    weight = randn(300, 1, seed=2).abs() + 0.1
    share = weight / weight.sum()
    x2, y2, share2 = run(Mixup(0.7), share, share, share)
    assert torch.equal(x2, y2)
    torch.testing.assert_close(share2, x2 / x2.sum())


# Adversarial rows


def test_adversarial_by_hand():
    # a model f = x1 + x2 with squared error: the derivative by both inputs is f - y
    x = torch.tensor([[1.0, 2.0], [0.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
    y = torch.tensor([[1.0], [3.0], [4.0]], dtype=torch.float64)
    x2, y2, share = run(Adversarial(0.25), x, y, 1 / 3)
    twins = torch.tensor([[1.25, 2.25], [-0.25, 0.75], [2.0, 2.0]], dtype=torch.float64)
    assert torch.equal(x2, torch.cat([x, twins]))
    assert torch.equal(y2, torch.cat([y, y]))
    assert share == 1 / 6


@shapes
def test_adversarial_rows_have_a_larger_loss(rows):
    x, y = randn(*rows, 5), randn(*rows, 1)
    twins = run(Adversarial(0.1), x, y, 1 / 12)[0][..., 12:, :]
    loss = SquaredError()
    assert (loss.values(twins.sum(-1, keepdim=True), y) > loss.values(x.sum(-1, True), y)).all()
    torch.testing.assert_close((twins - x).abs(), torch.full_like(x, 0.1))


@pytest.mark.parametrize("clean", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_adversarial_loss_is_the_mixture(clean, weighted):
    x, y, share, loss = batch("adversarial")
    given = share if weighted else 1 / 12
    x2, y2, share2 = run(Adversarial(0.1, clean), x, y, given, loss=loss)
    values = (x2.sum(-1) - y2.sum(-1)).square().unsqueeze(-1)  # any loss of a row
    direct = clean * (values[:12] * given).sum() + (1 - clean) * (values[12:] * given).sum()
    torch.testing.assert_close((values * share2).sum(), direct)


def test_adversarial_takes_indices_of_classes():
    y = torch.tensor([0, 2, 1])
    x2, y2, _ = run(Adversarial(), randn(3, 4), y, 1 / 3, loss=view("multiclass", 3))
    assert x2.shape == (6, 4)
    assert torch.equal(y2, torch.tensor([0, 2, 1, 0, 2, 1]))
    y = torch.tensor([[0, 2, 1], [1, 1, 0]])
    x2, y2, _ = run(Adversarial(), randn(2, 3, 4), y, 1 / 3, loss=view("multiclass", 3))
    assert x2.shape == (2, 6, 4)
    assert torch.equal(y2, torch.cat([y, y], 1))


# A user's function


def double(x, y, generator):
    x.mul_(2)
    return x, y + torch.randn(y.shape, generator=generator, dtype=y.dtype)


def test_function_sees_copies_and_the_generator():
    x, y = randn(12, 3), randn(12, 1)
    kept = x.clone(), y.clone()
    x2, y2, share = run(FunctionAugmentation(double), x, y, 1 / 12)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])
    assert torch.equal(x2, 2 * x)
    assert torch.equal(y2 - y, torch.randn((12, 1), generator=seeded(), dtype=y.dtype) + y - y)
    assert share == 1 / 12


def test_function_component_round_trips():
    component = FunctionAugmentation(double)
    component.validate()
    for copy in (clone(component), pickle.loads(pickle.dumps(component))):
        assert copy.get_params() == {"function": double}
    assert component.coefficients() == {}
    with pytest.raises(ValueError, match="function"):
        FunctionAugmentation("double").validate()


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda *a: a[0], TypeError, "return two tensors.*Got Tensor"),
        (lambda *_: None, TypeError, "return two tensors.*Got NoneType"),
        (lambda *a: (a[0].numpy(), a[1]), ValueError, r"return x .*shape \(12, 3\).*Got ndarray"),
        (lambda *a: (a[0][:3], a[1]), ValueError, r"return x .*Got one of shape \(3, 3\)"),
        (lambda *a: (a[0], a[1].float()), ValueError, r"return y .*Got .*torch\.float32"),
    ],
)
def test_function_that_returns_something_else(function, error, message):
    with pytest.raises(error, match=message):
        run(FunctionAugmentation(function), randn(12, 3), randn(12, 1), 1 / 12)


# From values of the parameter


def test_as_augmentations():
    noise = InputNoise(0.2)
    assert as_augmentations(None) == ()
    assert as_augmentations([]) == ()
    (named,) = as_augmentations("mixup")
    assert type(named) is Mixup
    assert as_augmentations(noise) == (noise,)
    (wrapped,) = as_augmentations(double)
    assert type(wrapped) is FunctionAugmentation
    assert wrapped.function is double
    several = as_augmentations([noise, "mixup", double])
    assert [type(each) for each in several] == [InputNoise, Mixup, FunctionAugmentation]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("mixap", ValueError, "'augmentation' parameter.*Did you mean 'mixup'"),
        (["mixup", "noise"], ValueError, "'augmentation' parameter.*Got 'noise'"),
        (InputNoise, TypeError, r"write InputNoise\(\) instead"),
        (dict, ValueError, "'augmentation' parameter"),
        (0.1, ValueError, re.escape("function(x, y, generator) -> (x, y)")),
        (("mixup", ["mixup"]), ValueError, "a list of these"),
        (Mixup(-1.0), ValueError, "'alpha' parameter of Mixup"),
        ([None], ValueError, "Got None"),
    ],
)
def test_as_augmentations_refuses(value, error, message):
    with pytest.raises(error, match=message):
        as_augmentations(value)


def test_augmentation_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Augmentation()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@names
def test_on_a_gpu(name):
    x, y, share, loss = batch(name, (3, 12))
    x, y, share = x.cuda(), y.cuda(), share.cuda()
    if name == "adversarial":
        loss = LossView(lambda x, _: x, loss.smooth)
    generator = torch.Generator("cuda").manual_seed(0)
    cls = AUGMENTATIONS[name]
    result = cls().forward(x, y, share, cls().coefficients(), generator, loss)
    assert all(t.is_cuda and torch.isfinite(t).all() for t in result)
    assert np.isclose(float(result[2].sum()), 3)
