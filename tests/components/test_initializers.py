"""Each initializer against the variance, the bounds or the structure it promises."""

import math
import pickle
from itertools import pairwise
from typing import NamedTuple

import pytest
import torch
from scipy.stats import truncnorm
from sklearn.base import clone

from sklearn_dnn import components
from sklearn_dnn.components.activations import ACTIVATIONS
from sklearn_dnn.components.initializers import (
    INITIALIZERS,
    LSUV,
    ConstantInitializer,
    Fixup,
    IdentityInitializer,
    Initializer,
    NormalInitializer,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    UniformInitializer,
    VarianceScaling,
)
from sklearn_dnn.components.initializers._base import draw_he

FAN_IN, FAN_OUT = 400, 1000
FAN_AVG = (FAN_IN + FAN_OUT) / 2
CUT_VARIANCE = truncnorm(-2, 2).var()  # of a standard normal cut at two deviations


class Row(NamedTuple):
    """Mean, variance and law of the weights of a layer of FAN_IN inputs and FAN_OUT units."""

    mean: float
    variance: float
    law: str  # "fixed": nothing is drawn; "orthogonal": not independent


# One row a name, with its default parameters.
TABLE = {
    "glorot_normal": Row(0, 1 / FAN_AVG, "normal"),
    "glorot_uniform": Row(0, 1 / FAN_AVG, "uniform"),
    "he_normal": Row(0, 2 / FAN_IN, "normal"),
    "he_uniform": Row(0, 2 / FAN_IN, "uniform"),
    "lecun_normal": Row(0, 1 / FAN_IN, "normal"),
    "lecun_uniform": Row(0, 1 / FAN_IN, "uniform"),
    "variance_scaling": Row(0, 1 / FAN_IN, "normal"),
    "fixup": Row(0, 2 / FAN_IN, "normal"),
    # the scales of Keras
    "uniform": Row(0, 0.1**2 / 12, "uniform"),
    "normal": Row(0, 0.05**2, "normal"),
    "truncated_normal": Row(0, 0.05**2 * CUT_VARIANCE, "truncated"),
    # a tenth of each unit's weights is zero
    "sparse": Row(0, 0.9 * 0.01**2, "sparse"),
    "zeros": Row(0, 0, "fixed"),
    "constant": Row(0, 0, "fixed"),
    "identity": Row(1 / FAN_OUT, (1 - 1 / FAN_OUT) / FAN_OUT, "fixed"),
    # FAN_IN orthonormal rows of FAN_OUT
    "orthogonal": Row(0, 1 / FAN_OUT, "orthogonal"),
    "lsuv": Row(0, 1 / FAN_OUT, "orthogonal"),
}
KURTOSIS = {
    "normal": 3.0,
    "uniform": 1.8,
    "truncated": truncnorm(-2, 2).stats("k") + 3.0,
    "sparse": 3.0 / 0.9,
    "orthogonal": 3.0,  # nearly normal, and the variance is fixed by the lengths
}
BAD = [
    ("variance_scaling", {"scale": 0.0}),
    ("variance_scaling", {"scale": -1.0}),
    ("variance_scaling", {"scale": math.inf}),
    ("variance_scaling", {"mode": "fan"}),
    ("variance_scaling", {"distribution": "truncated"}),
    ("orthogonal", {"gain": 0}),
    ("orthogonal", {"gain": "relu"}),
    ("identity", {"gain": 0.0}),
    ("identity", {"gain": math.inf}),
    ("constant", {"value": math.nan}),
    ("constant", {"value": None}),
    ("uniform", {"low": -math.inf}),
    ("uniform", {"high": "0.05"}),
    ("normal", {"mean": math.inf}),
    ("normal", {"std": 0.0}),
    ("normal", {"std": -1.0}),
    ("truncated_normal", {"mean": None}),
    ("truncated_normal", {"std": 0}),
    ("sparse", {"sparsity": 1.0}),
    ("sparse", {"sparsity": -0.1}),
    ("sparse", {"std": 0.0}),
    ("lsuv", {"tolerance": 0.0}),
    ("lsuv", {"max_iter": 0}),
    ("lsuv", {"max_iter": 2.5}),
]
names = pytest.mark.parametrize("name", list(INITIALIZERS))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def check_moments(weights, row):
    """Mean, variance and bounds, to within five standard errors of n independent draws."""
    n = weights.numel()
    if row.law == "fixed":
        assert abs(weights.mean() - row.mean) < 1e-12
        assert abs(weights.var(correction=0) - row.variance) < 1e-12
        return
    std = math.sqrt(row.variance)
    kurtosis = KURTOSIS[row.law]
    assert abs(weights.mean() - row.mean) < 5 * std / math.sqrt(n)
    assert abs(weights.var() - row.variance) < 5 * row.variance * math.sqrt((kurtosis - 1) / n)
    deviations = (weights - row.mean).abs() / std
    bounds = {"uniform": math.sqrt(3), "truncated": 2 / math.sqrt(CUT_VARIANCE)}
    if row.law in bounds:
        assert deviations.max() <= bounds[row.law] * (1 + 1e-12)
        assert deviations.max() > 0.999 * bounds[row.law]
    if row.law == "normal":
        # Not truncated: the share beyond two deviations is the normal law's.
        share = (deviations > 2).double().mean()
        assert abs(share - 0.0455) < 5 * math.sqrt(0.0455 / n)
    if row.law == "truncated":
        # Not a heap at the bounds: half of the weights lie within the law's quartile.
        share = (deviations * math.sqrt(CUT_VARIANCE) < truncnorm(-2, 2).ppf(0.75)).double().mean()
        assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(n)


def test_every_name_has_a_row():
    assert set(TABLE) == set(INITIALIZERS)


@names
def test_named_variance(name):
    check_moments(INITIALIZERS[name]().draw(FAN_IN, FAN_OUT, seeded()), TABLE[name])


@pytest.mark.parametrize(
    ("initializer", "row"),
    [
        (ConstantInitializer(-1.5), Row(-1.5, 0, "fixed")),
        (UniformInitializer(-1, 3), Row(1, 16 / 12, "uniform")),
        (NormalInitializer(std=1.0), Row(0, 1, "normal")),  # the classic bad start
        (NormalInitializer(2.0, 0.1), Row(2, 0.01, "normal")),
        (TruncatedNormal(2.0, 0.1), Row(2, 0.01 * CUT_VARIANCE, "truncated")),
        (Sparse(0.0, std=1.0), Row(0, 1, "normal")),
        (IdentityInitializer(-3.0), Row(-3 / FAN_OUT, 9 * (1 - 1 / FAN_OUT) / FAN_OUT, "fixed")),
    ],
    ids=repr,
)
def test_plain_settings(initializer, row):
    initializer.validate()
    check_moments(initializer.draw(FAN_IN, FAN_OUT, seeded()), row)


@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
@pytest.mark.parametrize(
    ("mode", "fan"), [("fan_in", FAN_IN), ("fan_out", FAN_OUT), ("fan_avg", FAN_AVG)]
)
def test_variance_scaling(mode, fan, distribution):
    initializer = VarianceScaling(scale=1.7, mode=mode, distribution=distribution)
    initializer.validate()
    # cut and stretched: the variance is the one that was asked for, the bound is 2.27 deviations
    law = distribution.removesuffix("_normal")
    check_moments(initializer.draw(FAN_IN, FAN_OUT, seeded()), Row(0, 1.7 / fan, law))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("glorot_normal", {"mode": "fan_avg"}),
        ("glorot_uniform", {"mode": "fan_avg", "distribution": "uniform"}),
        ("he_normal", {"scale": 2.0}),
        ("he_uniform", {"scale": 2.0, "distribution": "uniform"}),
        ("lecun_normal", {}),
        ("lecun_uniform", {"distribution": "uniform"}),
        ("fixup", {"scale": 2.0}),
    ],
)
def test_names_are_settings_of_variance_scaling(name, parameters):
    named = INITIALIZERS[name]().draw(5, 9, seeded())
    assert torch.equal(named, VarianceScaling(**parameters).draw(5, 9, seeded()))


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.25, 0.9])
@pytest.mark.parametrize("fan_in", [1, 7, 40])
def test_sparse_has_its_zeros_in_every_unit(sparsity, fan_in):
    weights = Sparse(sparsity).draw(fan_in, 300, seeded())
    zeros = weights == 0
    n_zeros = math.ceil(sparsity * fan_in)
    assert (zeros.sum(dim=0) == n_zeros).all()
    # at random: each input is left out about equally often, to within five standard errors
    share = n_zeros / fan_in
    shares = zeros.double().mean(dim=1)
    assert ((shares - share).abs() <= 5 * math.sqrt(share * (1 - share) / 300)).all()
    theirs = torch.nn.init.sparse_(torch.empty(fan_in, 300), sparsity)
    assert ((theirs == 0).sum(dim=0) == n_zeros).all()


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
def test_identity_passes_inputs_on(shape):
    weights = IdentityInitializer(gain=2.0).draw(*shape, seeded())
    assert torch.equal(weights, 2 * torch.nn.init.eye_(torch.empty(shape, dtype=torch.double)))


def hidden_units(initializer, zero_output):
    """The hidden layer's weights after some steps of gradient descent."""
    generator = seeded()
    x = torch.randn((20, 3), dtype=torch.double, generator=generator)
    y = x[:, :1] * x[:, 1:2]
    first = initializer.draw(3, 4, generator).requires_grad_()
    last = initializer.draw(4, 1, generator)
    last = (last.zero_() if zero_output else last).requires_grad_()
    for _ in range(20):
        loss = (torch.tanh(x @ first) @ last - y).square().mean()
        for w, grad in zip((first, last), torch.autograd.grad(loss, (first, last)), strict=True):
            w.data.sub_(grad, alpha=0.1)
    return first.detach()


def test_equal_units_stay_equal():
    units = hidden_units(ConstantInitializer(0.5), zero_output=False)
    assert not torch.allclose(units, torch.full_like(units, 0.5))  # they learn
    assert torch.equal(units, units[:, :1].expand_as(units))
    assert not hidden_units(INITIALIZERS["zeros"](), zero_output=False).any()
    units = hidden_units(INITIALIZERS["glorot_uniform"](), zero_output=True)
    assert not torch.allclose(units, units[:, :1].expand_as(units))


@pytest.mark.parametrize(("fan_in", "fan_out"), [(30, 30), (50, 20), (20, 50), (1, 6), (6, 1)])
@pytest.mark.parametrize(
    "initializer", [Orthogonal(), Orthogonal(gain=math.sqrt(2)), LSUV()], ids=repr
)
def test_orthogonal_keeps_lengths(fan_in, fan_out, initializer):
    weights = initializer.draw(fan_in, fan_out, seeded())
    gain = initializer.gain if isinstance(initializer, Orthogonal) else 1.0
    gram = weights.T @ weights if fan_in >= fan_out else weights @ weights.T
    identity = torch.eye(min(fan_in, fan_out), dtype=torch.double)
    torch.testing.assert_close(gram, gain**2 * identity, rtol=0, atol=1e-12)


def test_orthogonal_has_no_preferred_sign():
    first = torch.stack([Orthogonal().draw(3, 3, seeded(seed)) for seed in range(400)])
    # Every element has mean 0 and variance 1/3; uncorrected, the diagonal leans to one side.
    assert (first.mean(0).abs() < 5 * math.sqrt(1 / 3 / 400)).all()
    assert (first.square().mean(0) - 1 / 3).abs().max() < 0.08


# Layer-sequential unit variance


def variances(outputs):
    return outputs.var(dim=(-2, -1), correction=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lsuv_gives_a_layer_unit_variance(dtype):
    generator = seeded()
    x = 7 * torch.randn((50, 6), generator=generator, dtype=dtype) + 3
    start = LSUV().draw(6, 9, generator).to(dtype)
    before = start.clone()
    calls = []

    def outputs(weight):
        calls.append(weight)
        return x @ weight

    weight = LSUV(tolerance=1e-3).rescale(start, outputs)
    assert len(calls) == 2  # a dense layer is linear: one division, and a look at what it did
    assert weight.dtype == dtype
    assert torch.equal(start, before)
    torch.testing.assert_close(variances(x @ weight), torch.ones((), dtype=dtype))
    torch.testing.assert_close(weight / weight[0, 0], start / start[0, 0])


def test_lsuv_leaves_what_is_within_the_tolerance():
    x = torch.randn((50, 6), generator=seeded(), dtype=torch.double)
    weight = LSUV().rescale(torch.eye(6).double(), lambda w: x @ w)
    assert torch.equal(weight, torch.eye(6).double())
    assert abs(variances(x @ weight) - 1) <= 0.1


def test_lsuv_stops_after_max_iter():
    x = torch.randn((50, 6), generator=seeded(), dtype=torch.double)
    calls = []

    def outputs(weight):  # its standard deviation goes with the square root of the weights
        calls.append(weight)
        return (x @ weight).abs().sqrt()

    start = 100 * torch.eye(6).double()
    LSUV(tolerance=1e-6, max_iter=3).rescale(start, outputs)
    assert len(calls) == 3
    weight = LSUV(tolerance=1e-6, max_iter=50).rescale(start, outputs)
    assert abs(variances(outputs(weight)) - 1) <= 1e-6


def test_lsuv_scales_each_member_as_if_alone():
    generator = seeded()
    x = torch.randn((4, 50, 6), generator=generator, dtype=torch.double)
    scale = torch.tensor([1.0, 5.0, 0.01, 0.0]).double()[:, None, None]
    weights = torch.stack([LSUV().draw(6, 6, generator) for _ in range(4)])
    together = LSUV().rescale(weights, lambda w: scale * (x @ w))
    for i in range(4):
        alone = LSUV().rescale(weights[i], lambda w, i=i: scale[i] * (x[i] @ w))
        torch.testing.assert_close(together[i], alone, rtol=1e-12, atol=0)
    # one within the tolerance and one of dead outputs are as they were
    assert torch.equal(together[0], weights[0])
    assert torch.equal(together[3], weights[3])
    assert not torch.equal(together[1], weights[1])


def test_lsuv_suits_any_activation():
    generator = seeded()
    x = torch.randn((200, 100), generator=generator, dtype=torch.double)
    for _ in range(10):
        weight = LSUV(tolerance=1e-3).rescale(
            LSUV().draw(100, 200, generator), lambda w, x=x: x @ w
        )
        z = x @ weight
        assert abs(z.var() - 1) < 2e-3
        x = ACTIVATIONS["swiglu"]().forward(z)


# Fixup


@pytest.mark.parametrize(
    ("block_size", "n_blocks", "factor"), [(2, 4, 1 / 2), (2, 1, 1.0), (3, 16, 1 / 2), (4, 64, 0.5)]
)
def test_fixup_scales_down_with_depth(block_size, n_blocks, factor):
    for position in range(block_size):
        weights = Fixup().draw_in_block(
            FAN_IN, FAN_OUT, seeded(), position=position, block_size=block_size, n_blocks=n_blocks
        )
        if position == block_size - 1:
            assert not weights.any()
        else:
            check_moments(weights, Row(0, factor**2 * 2 / FAN_IN, "normal"))


def test_fixup_in_blocks_of_one_layer():
    weights = Fixup().draw_in_block(5, 5, seeded(), position=0, block_size=1, n_blocks=7)
    assert weights.shape == (5, 5)
    assert not weights.any()
    with pytest.raises(AssertionError, match="no layer 1"):
        Fixup().draw_in_block(5, 5, seeded(), position=1, block_size=1, n_blocks=7)


@pytest.mark.parametrize("n_blocks", [1, 100])
def test_a_step_changes_a_fixup_network_as_much_at_any_depth(n_blocks):
    generator = seeded()
    width, rate = 64, 1e-4
    x = torch.randn((32, width), generator=generator, dtype=torch.double)
    blocks = [
        [
            Fixup()
            .draw_in_block(width, width, generator, position=i, block_size=2, n_blocks=n_blocks)
            .requires_grad_()
            for i in range(2)
        ]
        for _ in range(n_blocks)
    ]

    def network():
        h = x
        for first, last in blocks:
            h = h + torch.relu(h @ first) @ last
        return h

    start = network()
    assert torch.equal(start, x)  # every block is the identity
    flat = [w for block in blocks for w in block]
    for w, grad in zip(flat, torch.autograd.grad(start.sum(), flat), strict=True):
        w.data.add_(grad, alpha=rate)
    gain = (network().sum() - start.sum()) / rate
    # Each block's last layer, at zero, has the gradient h^T 1: their squares add up, and h's are
    # 1 / n_blocks of plain He's, so that the sum is the same at any depth.
    one = torch.relu(x @ draw_he(width, width, generator))
    assert gain.item() == pytest.approx(width * one.sum(0).square().sum().item(), rel=0.25)


@names
def test_draw_in_block_is_draw_by_default(name):
    initializer = INITIALIZERS[name]()
    place = {"position": 0, "block_size": 2, "n_blocks": 1}
    in_block = initializer.draw_in_block(5, 4, seeded(), **place)
    assert torch.equal(in_block, initializer.draw(5, 4, seeded()))
    assert initializer.data_dependent == (name == "lsuv")
    assert initializer.zero_output == (name == "fixup")
    assert ("draw_in_block" in vars(type(initializer))) == (name == "fixup")


# Signals through depth


def signal(activation, initializer, scale=1.0, n_layers=10, width=400):
    """Standard deviation over rows and units of each layer's outputs before the activation."""
    generator = seeded()
    a = scale * torch.randn((256, width), dtype=torch.double, generator=generator)
    stds = []
    for _ in range(n_layers):
        z = a @ initializer.draw(width, activation.inputs_per_unit * width, generator)
        stds.append(z.std().item())
        a = activation.forward(z)
    return stds


MATCHED = ["identity", "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu"]
MATCHED += ["mish"]


@pytest.mark.parametrize(
    ("name", "scale"),
    # Glorot's argument holds where the activation is about the identity
    [*((name, 1.0) for name in MATCHED), ("tanh", 0.1), ("hard_tanh", 0.1), ("softsign", 0.01)],
)
def test_matched_pairs_keep_signals(name, scale):
    activation = ACTIVATIONS[name]()
    stds = signal(activation, INITIALIZERS[activation.initializer](), scale)
    assert 0.5 < stds[-1] / stds[0] < 2


@pytest.mark.parametrize("name", ["gelu", "silu", "hard_swish", "glu"])
def test_hes_is_the_nearest_for_self_gated_units(name):
    # no variance keeps their signals at every scale
    losses = {
        initializer: signal(ACTIVATIONS[name](), INITIALIZERS[initializer]())
        for initializer in ("he_normal", "lecun_normal")
    }
    kept = {key: (stds[-1] / stds[0]) ** (1 / 9) for key, stds in losses.items()}
    assert kept["lecun_normal"] < kept["he_normal"] < 1
    assert kept["he_normal"] > 0.7
    assert kept["lecun_normal"] < 0.55


@pytest.mark.parametrize("name", ["swiglu", "geglu"])
def test_hes_makes_products_explode(name):
    # what is paired with them dies out instead, which a norm mends and an overflow does not
    activation = ACTIVATIONS[name]()
    assert max(signal(activation, INITIALIZERS["he_normal"](), n_layers=6)) > 100
    assert max(signal(activation, INITIALIZERS[activation.initializer](), n_layers=6)) < 1.1


@pytest.mark.parametrize(
    ("name", "initializer"),
    [
        ("relu", INITIALIZERS["lecun_normal"]()),
        ("relu", VarianceScaling(1 / 3, distribution="uniform")),  # torch.nn.Linear's own
        ("selu", VarianceScaling(0.5625)),  # torch's kaiming with nonlinearity="selu"
        ("tanh", VarianceScaling(1 / 3)),
        ("gelu", INITIALIZERS["lecun_normal"]()),
        ("relu", NormalInitializer(std=0.01)),
    ],
    ids=repr,
)
def test_unmatched_pairs_lose_signals(name, initializer):
    stds = signal(ACTIVATIONS[name](), initializer)
    assert stds[-1] / stds[0] < 0.5


def test_relu_halves_the_variance_of_lecuns():
    stds = signal(ACTIVATIONS["relu"](), INITIALIZERS["lecun_normal"](), width=800)
    assert stds[-1] / stds[0] == pytest.approx(2 ** (-9 / 2), rel=0.25)


def test_unit_normal_weights_explode_or_saturate():
    # each layer multiplies the variance by fan_in / 2
    stds = signal(ACTIVATIONS["relu"](), NormalInitializer(std=1.0))
    assert stds[-1] / stds[0] > 1e6
    # the outputs of tanh are at its bounds, where no gradient passes
    z = torch.tensor(signal(ACTIVATIONS["tanh"](), NormalInitializer(std=1.0))).double()
    assert (1 - torch.tanh(z).square()).max() < 1e-6


def test_the_logistic_shrinks_signals_also_with_glorots():
    # its slope is 1/4 at zero: what tells rows apart is lost, though the mean of 1/2 stays
    generator = seeded()
    a = torch.randn((256, 400), dtype=torch.double, generator=generator)
    spread = []
    for _ in range(10):
        w = INITIALIZERS["glorot_uniform"]().draw(400, 400, generator)
        a = ACTIVATIONS["logistic"]().forward(a @ w)
        spread.append((a - a.mean(dim=0)).square().mean().sqrt().item())
    for here, there in pairwise(spread):
        assert there / here < 0.3


# As components


FIXED = {name for name, row in TABLE.items() if row.law == "fixed"}


@names
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
    same = name in FIXED
    assert torch.equal(weights, initializer.draw(7, 4, seeded(4))) == same
    generator = seeded(3)
    first = initializer.draw(7, 4, generator)
    assert torch.equal(first, initializer.draw(7, 4, generator)) == same


@names
def test_every_name_is_a_good_component(name):
    cls = INITIALIZERS[name]
    plain = name.replace("_", "")
    assert cls.__name__.lower() in {plain, plain + "initializer"}
    initializer = INITIALIZERS.resolve(name)
    initializer.validate()
    for other in (clone(initializer), pickle.loads(pickle.dumps(initializer))):
        assert type(other) is cls
        assert other.get_params() == initializer.get_params()
    assert repr(initializer) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(initializer.get_params())
    assert getattr(components, cls.__name__) is cls
    assert issubclass(cls, Initializer)


def test_auto_is_not_a_component():
    assert "auto" not in INITIALIZERS


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    cls = INITIALIZERS[name]
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of {cls.__name__}"):
        cls(**parameters).validate()


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.1), (0.2, -0.2)])
def test_uniform_bounds_may_not_cross(low, high):
    with pytest.raises(ValueError, match=rf"low={low} and high={high}: give a high"):
        UniformInitializer(low, high).validate()
