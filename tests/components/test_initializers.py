"""Each initializer against the variance, the bounds or the orthogonality it promises."""

import math
import pickle

import pytest
import torch
from sklearn.base import clone

from sklearn_dnn.components.initializers import INITIALIZERS, Orthogonal, VarianceScaling

FAN_IN, FAN_OUT = 400, 1000
FAN_AVG = (FAN_IN + FAN_OUT) / 2
# Name: variance and distribution of the weights of a layer of FAN_IN inputs and FAN_OUT units.
SCALED = {
    "glorot_normal": (1 / FAN_AVG, "normal"),
    "glorot_uniform": (1 / FAN_AVG, "uniform"),
    "he_normal": (2 / FAN_IN, "normal"),
    "he_uniform": (2 / FAN_IN, "uniform"),
    "lecun_normal": (1 / FAN_IN, "normal"),
    "lecun_uniform": (1 / FAN_IN, "uniform"),
    "variance_scaling": (1 / FAN_IN, "normal"),
}
NOT_SCALED = {"orthogonal"}
BAD = [
    ("variance_scaling", {"scale": 0.0}),
    ("variance_scaling", {"scale": -1.0}),
    ("variance_scaling", {"scale": math.inf}),
    ("variance_scaling", {"mode": "fan"}),
    ("variance_scaling", {"distribution": "truncated"}),
    ("orthogonal", {"gain": 0}),
    ("orthogonal", {"gain": "relu"}),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def check_moments(weights, variance, distribution):
    n = weights.numel()
    kurtosis = {"normal": 3.0, "uniform": 1.8}[distribution]
    assert abs(weights.mean()) < 5 * math.sqrt(variance / n)
    assert abs(weights.var() - variance) < 5 * variance * math.sqrt((kurtosis - 1) / n)
    bound = math.sqrt(3 * variance)
    if distribution == "uniform":
        assert weights.abs().max() <= bound
        assert weights.abs().max() > 0.999 * bound
    else:
        # Not truncated: the share beyond two deviations is the normal law's.
        share = (weights.abs() > 2 * math.sqrt(variance)).double().mean()
        assert abs(share - 0.0455) < 5 * math.sqrt(0.0455 / n)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name not in NOT_SCALED])
def test_named_variance(name):
    variance, distribution = SCALED[name]
    check_moments(INITIALIZERS[name]().draw(FAN_IN, FAN_OUT, seeded()), variance, distribution)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize(
    ("mode", "fan"), [("fan_in", FAN_IN), ("fan_out", FAN_OUT), ("fan_avg", FAN_AVG)]
)
def test_variance_scaling(mode, fan, distribution):
    initializer = VarianceScaling(scale=1.7, mode=mode, distribution=distribution)
    initializer.validate()
    check_moments(initializer.draw(FAN_IN, FAN_OUT, seeded()), 1.7 / fan, distribution)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("glorot_uniform", {"mode": "fan_avg", "distribution": "uniform"}),
        ("he_normal", {"scale": 2.0}),
        ("lecun_normal", {}),
    ],
)
def test_names_are_settings_of_variance_scaling(name, parameters):
    named = INITIALIZERS[name]().draw(5, 9, seeded())
    assert torch.equal(named, VarianceScaling(**parameters).draw(5, 9, seeded()))


@pytest.mark.parametrize(("fan_in", "fan_out"), [(30, 30), (50, 20), (20, 50), (1, 6), (6, 1)])
@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_orthogonal_keeps_lengths(fan_in, fan_out, gain):
    weights = Orthogonal(gain=gain).draw(fan_in, fan_out, seeded())
    gram = weights.T @ weights if fan_in >= fan_out else weights @ weights.T
    identity = torch.eye(min(fan_in, fan_out), dtype=torch.double)
    torch.testing.assert_close(gram, gain**2 * identity, rtol=0, atol=1e-12)


def test_orthogonal_has_no_preferred_sign():
    first = torch.stack([Orthogonal().draw(3, 3, seeded(seed)) for seed in range(400)])
    # Every element has mean 0 and variance 1/3; uncorrected, the diagonal leans to one side.
    assert (first.mean(0).abs() < 5 * math.sqrt(1 / 3 / 400)).all()
    assert (first.square().mean(0) - 1 / 3).abs().max() < 0.08


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_draws_depend_on_the_generator_alone(name):
    initializer = INITIALIZERS[name]()
    state = torch.get_rng_state()
    weights = initializer.draw(7, 4, seeded(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert weights.shape == (7, 4)
    assert weights.dtype == torch.float64
    assert weights.device.type == "cpu"
    assert weights.is_contiguous()
    assert initializer.draw(4, 7, seeded()).is_contiguous()
    assert torch.equal(weights, initializer.draw(7, 4, seeded(3)))
    assert not torch.equal(weights, initializer.draw(7, 4, seeded(4)))
    generator = seeded(3)
    assert not torch.equal(initializer.draw(7, 4, generator), initializer.draw(7, 4, generator))


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_every_name_is_a_good_component(name):
    assert (name in SCALED) != (name in NOT_SCALED), f"{name!r} has no row in this table"
    cls = INITIALIZERS[name]
    assert cls.__name__.lower() == name.replace("_", "")
    initializer = INITIALIZERS.resolve(name)
    initializer.validate()
    for other in (clone(initializer), pickle.loads(pickle.dumps(initializer))):
        assert type(other) is cls
        assert other.get_params() == initializer.get_params()
    assert repr(initializer) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(initializer.get_params())


def test_auto_is_not_a_component():
    assert "auto" not in INITIALIZERS


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    cls = INITIALIZERS[name]
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of {cls.__name__}"):
        cls(**parameters).validate()
