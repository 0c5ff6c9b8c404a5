"""Each dropout against the shares and the moments it promises."""

import math
import pickle

import pytest
import torch
from sklearn.base import clone

from sklearn_dnn.components.dropouts import (
    DROPOUTS,
    AlphaDropout,
    DropConnect,
    Dropout,
    GaussianDropout,
)

# One row a name: class, what it acts on, and whether it drops or only adds noise.
ROWS = {
    "dropout": (Dropout, "units", True),
    "alpha_dropout": (AlphaDropout, "units", True),
    "gaussian_dropout": (GaussianDropout, "units", False),
    "dropconnect": (DropConnect, "weights", True),
}
FLOOR = -1.0507009873554805 * 1.6732632423543772
RATES = [0.1, 0.3, 0.5, 0.9]
names = pytest.mark.parametrize("name", list(DROPOUTS))
masking = pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row[2]])
rates = pytest.mark.parametrize("rate", RATES)


def test_every_name_has_a_row():
    assert set(ROWS) == set(DROPOUTS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, generator=seeded(99))


def coefficients(name, rate):
    """What a kept unit is multiplied by and shifted by, and what a dropped one becomes."""
    kept = 1 - rate
    if name != "alpha_dropout":
        return 1 / kept, 0.0, 0.0
    A = (kept + FLOOR**2 * kept * rate) ** -0.5
    B = -A * rate * FLOOR
    return A, B, A * FLOOR + B


@masking
@rates
@pytest.mark.parametrize("shape", [(1000, 403), (4, 250, 403)])
def test_every_unit_is_kept_or_dropped(name, rate, shape):
    a = randn(*shape)
    result = DROPOUTS[name]().forward(a, rate, seeded())
    factor, shift, floor = coefficients(name, rate)
    dropped = torch.isclose(result, torch.tensor(floor, dtype=a.dtype), rtol=0, atol=1e-12)
    torch.testing.assert_close(result[~dropped], factor * a[~dropped] + shift)
    n = a.numel()
    assert abs(dropped.double().mean() - rate) < 5 * math.sqrt(rate * (1 - rate) / n)
    # Rows, units and members are masked apart from each other.
    for axis in range(a.dim()):
        share = dropped.double().mean(axis)
        error = math.sqrt(rate * (1 - rate) / a.shape[axis])
        assert abs(share.std() / error - 1) < 0.1


@pytest.mark.parametrize("name", ["dropout", "gaussian_dropout", "dropconnect"])
@rates
@pytest.mark.parametrize("shape", [(1000, 400), (2, 500, 400)])
def test_mean_is_kept_and_variance_that_of_dropout(name, rate, shape):
    a = torch.full(shape, 3.0, dtype=torch.float64)
    result = DROPOUTS[name]().forward(a, rate, seeded())
    variance = 9 * rate / (1 - rate)
    n = a.numel()
    assert abs(result.mean() - 3) < 5 * math.sqrt(variance / n) + 1e-3
    # the error of a variance comes from the fourth moment
    deviations = (result - 3).square()
    error = deviations.std() / math.sqrt(n)
    assert abs(deviations.mean() - variance) < 5 * error + 1e-3 * variance


@rates
def test_gaussian_dropout_is_normal_noise(rate):
    result = GaussianDropout().forward(torch.ones(1000, 400).double(), rate, seeded())
    z = (result - 1) * math.sqrt((1 - rate) / rate)
    below = torch.special.ndtr(z).flatten().sort().values  # uniform if z is normal
    expected = torch.linspace(0, 1, z.numel(), dtype=z.dtype)
    # Kolmogorov and Smirnov: 1.95 is passed by chance once in a thousand
    assert (below - expected).abs().max() < 1.95 / math.sqrt(z.numel())


@rates
def test_alpha_dropout_keeps_mean_and_variance(rate):
    for a in (randn(1000, 1000), torch.nn.functional.selu(randn(1000, 1000))):
        result = AlphaDropout().forward(a, rate, seeded())
        assert abs(result.mean()) < 5e-3
        assert abs(result.var() - 1) < 1e-2


@rates
def test_dropconnect_keeps_the_outputs_of_a_layer_in_mean(rate):
    x, weight = randn(3, 8), randn(8, 5) + 1
    masked = DropConnect().forward(weight.expand(20_000, 8, 5), rate, seeded())
    outputs = x @ masked
    error = outputs.std(0) / math.sqrt(20_000)
    assert ((outputs.mean(0) - x @ weight).abs() < 5 * error + 1e-3).all()


@names
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_neighbours_are_independent(name, width):
    result = DROPOUTS[name]().forward(torch.ones(40_000, width), 0.5, seeded())
    noise = (result - result.mean(0)).double() / result.double().std(0)
    correlation = noise.T @ noise / 40_000
    assert (correlation - torch.eye(width)).abs().max() < 0.03


@names
def test_no_rate_changes_nothing(name):
    a = randn(20, 7)
    torch.testing.assert_close(DROPOUTS[name]().forward(a, 0.0, seeded()), a)
    rate = torch.zeros(2, 1, 1, dtype=a.dtype)
    a = randn(2, 20, 7)
    torch.testing.assert_close(DROPOUTS[name]().forward(a, rate, seeded()), a)


@names
@pytest.mark.parametrize("shape", [(20, 7), (3, 20, 7)])
def test_masks_depend_on_the_generator_alone(name, shape):
    a = randn(*shape)
    before = a.clone()
    rule = DROPOUTS[name]()
    state = torch.get_rng_state()
    result = rule.forward(a, 0.4, seeded(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a, before)
    assert result.shape == a.shape
    assert torch.equal(result, rule.forward(a, 0.4, seeded(1)))
    assert not torch.equal(result, rule.forward(a, 0.4, seeded(2)))
    generator = seeded(1)
    first, second = (rule.forward(a, 0.4, generator) for _ in range(2))
    assert not torch.equal(first, second)


@names
def test_members_may_differ_in_rate(name):
    values = [0.0, 0.2, 0.7]
    a = randn(3, 1000, 101)
    rate = torch.tensor(values, dtype=a.dtype).view(3, 1, 1)
    result = DROPOUTS[name]().forward(a, rate, seeded())
    for member, value in enumerate(values):
        # The same bits, compared with another threshold.
        alone = DROPOUTS[name]().forward(a, value, seeded())[member]
        torch.testing.assert_close(result[member], alone)


@names
@pytest.mark.parametrize("rate", [0.4, torch.tensor([0.2, 0.6]).view(2, 1, 1)])
def test_gradient_follows_the_mask(name, rate):
    a = randn(2, 20, 7).requires_grad_()
    rate = rate.double() if isinstance(rate, torch.Tensor) else rate
    result = DROPOUTS[name]().forward(a, rate, seeded())
    (gradient,) = torch.autograd.grad(result.sum(), a)
    # with given noise the rule is affine in its input
    shift = DROPOUTS[name]().forward(torch.zeros_like(a), rate, seeded())
    torch.testing.assert_close(gradient * a + shift, result)
    if not ROWS[name][2]:
        return
    for member in range(2):
        value = float(rate[member]) if isinstance(rate, torch.Tensor) else rate
        factor, shift, _ = coefficients(name, value)
        kept = torch.isclose(result[member], factor * a[member] + shift)
        torch.testing.assert_close(gradient[member], factor * kept.double())


@names
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_is_kept_and_the_share_with_it(name, dtype):
    a = torch.ones(4, 300, 100, dtype=dtype)
    result = DROPOUTS[name]().forward(a, 0.1, seeded())
    assert result.dtype == dtype
    if ROWS[name][2]:
        assert abs((result == result.min()).double().mean() - 0.1) < 5e-3
    else:
        assert abs(result.double().mean() - 1) < 5e-3


@names
def test_transposed_input(name):
    a = randn(30, 20).T
    result = DROPOUTS[name]().forward(a, 0.5, seeded())
    torch.testing.assert_close(result, DROPOUTS[name]().forward(a.contiguous(), 0.5, seeded()))


@names
def test_every_name_is_a_good_component(name):
    cls, on, _ = ROWS[name]
    assert cls.on == on
    assert DROPOUTS[name] is cls
    rule = DROPOUTS.resolve(name)
    rule.validate()
    for original in (rule, cls(rate=0.25)):
        for other in (clone(original), pickle.loads(pickle.dumps(original))):
            assert type(other) is cls
            assert other.get_params() == original.get_params()
    assert repr(rule) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(rule.get_params())


@names
@pytest.mark.parametrize("rate", [-0.1, 1.0, 2, None, "half"])
def test_bad_rates_are_refused(name, rate):
    cls = DROPOUTS[name]
    with pytest.raises(ValueError, match=f"The 'rate' parameter of {cls.__name__}"):
        cls(rate=rate).validate()
    cls(rate=0).validate()
