"""Each activation against its definition, its kernels against autograd, its facts by numbers."""

import math
import pickle
from functools import partial
from typing import NamedTuple

import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from torch.nn import functional

from sklearn_dnn import components
from sklearn_dnn.components.activations import (
    ACTIVATIONS,
    Activation,
    FunctionActivation,
    TorchActivation,
)


def halves(z):
    return z[..., : z.shape[-1] // 2], z[..., z.shape[-1] // 2 :]


def glu(z):
    a, b = halves(z)
    return a / (1 + torch.exp(-b))


def swiglu(z):
    a, b = halves(z)
    return a / (1 + torch.exp(-a)) * b


def geglu(z):
    a, b = halves(z)
    return a * torch.special.ndtr(a) * b


def line(z, low, high):
    return torch.minimum(torch.maximum(z, torch.full_like(z, low)), torch.full_like(z, high))


def leaky(z, slope):
    return torch.where(z > 0, z, slope * z)


class Row(NamedTuple):
    """What a name means with its default parameters."""

    formula: object
    initializer: str
    smooth: bool
    saturates: str
    odd: bool
    range: tuple
    has_kernel: bool = True


INF = math.inf
GELU_DIP = minimize_scalar(lambda z: z / 2 * math.erfc(-z / math.sqrt(2)), bounds=(-3, 0)).fun
SILU_DIP = minimize_scalar(lambda z: z / (1 + math.exp(-z)), bounds=(-3, 0)).fun
MISH_DIP = minimize_scalar(lambda z: z * math.tanh(math.log1p(math.exp(z))), bounds=(-3, 0)).fun
GLOROT, HE, LECUN = "glorot_uniform", "he_normal", "lecun_normal"
# One row a name: formula, initializer, smooth, saturates, odd, range, whether it has a kernel.
TABLE = {
    "identity": Row(lambda z: z, GLOROT, True, "none", True, (-INF, INF)),
    "logistic": Row(lambda z: 1 / (1 + torch.exp(-z)), GLOROT, True, "both", False, (0, 1)),
    "tanh": Row(
        lambda z: (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z)),
        GLOROT, True, "both", True, (-1, 1),
    ),
    "relu": Row(
        lambda z: torch.maximum(z, torch.zeros_like(z)), HE, False, "below", False, (0, INF)
    ),
    "relu6": Row(lambda z: line(z, 0, 6), HE, False, "both", False, (0, 6)),
    "leaky_relu": Row(partial(leaky, slope=0.01), HE, False, "none", False, (-INF, INF)),
    "prelu": Row(partial(leaky, slope=0.25), HE, False, "none", False, (-INF, INF), False),
    "rrelu": Row(partial(leaky, slope=11 / 48), HE, False, "none", False, (-INF, INF), False),
    "elu": Row(
        lambda z: torch.where(z > 0, z, torch.exp(z) - 1), HE, True, "below", False, (-1, INF)
    ),
    "celu": Row(
        lambda z: torch.where(z > 0, z, torch.exp(z) - 1), HE, True, "below", False, (-1, INF)
    ),
    # what it levels off at stands in the paper as alpha' = -lambda alpha
    "selu": Row(
        functional.selu, LECUN, False, "below", False, (-1.7580993408473766, INF)
    ),
    "gelu": Row(
        lambda z: z * torch.special.ndtr(z), HE, True, "below", False, (GELU_DIP, INF)
    ),
    "silu": Row(lambda z: z / (1 + torch.exp(-z)), HE, True, "below", False, (SILU_DIP, INF)),
    "mish": Row(
        lambda z: z * torch.tanh(torch.log(1 + torch.exp(z))),
        HE, True, "below", False, (MISH_DIP, INF),
    ),
    "hard_swish": Row(
        lambda z: z * line(z + 3, 0, 6) / 6, HE, False, "below", False, (-3 / 8, INF)
    ),
    "hard_sigmoid": Row(lambda z: line(z / 6 + 0.5, 0, 1), GLOROT, False, "both", False, (0, 1)),
    "sparse_sigmoid": Row(lambda z: line(z / 2 + 0.5, 0, 1), GLOROT, False, "both", False, (0, 1)),
    "hard_tanh": Row(lambda z: line(z, -1, 1), GLOROT, False, "both", True, (-1, 1)),
    "softsign": Row(lambda z: z / (1 + z.abs()), GLOROT, True, "both", True, (-1, 1)),
    "softplus": Row(lambda z: torch.log(1 + torch.exp(z)), HE, True, "below", False, (0, INF)),
    "squareplus": Row(
        lambda z: (z + torch.sqrt(z * z + 4)) / 2, HE, True, "below", False, (0, INF)
    ),
    "sparse_plus": Row(
        lambda z: torch.where(z > 1, z, torch.where(z < -1, torch.zeros_like(z), (z + 1) ** 2 / 4)),
        HE, True, "below", False, (0, INF),
    ),
    "log_sigmoid": Row(
        lambda z: torch.log(1 / (1 + torch.exp(-z))), HE, True, "above", False, (-INF, 0)
    ),
    "exponential": Row(torch.exp, GLOROT, True, "below", False, (0, INF)),
    "softshrink": Row(
        lambda z: torch.sign(z) * torch.relu(z.abs() - 0.5), GLOROT, False, "none", True,
        (-INF, INF),
    ),
    "hardshrink": Row(lambda z: z * (z.abs() > 0.5), GLOROT, False, "none", True, (-INF, INF)),
    "tanhshrink": Row(lambda z: z - torch.tanh(z), GLOROT, True, "none", True, (-INF, INF)),
    "glu": Row(glu, HE, True, "below", False, (-INF, INF), False),
    "swiglu": Row(swiglu, LECUN, True, "below", False, (-INF, INF), False),
    "geglu": Row(geglu, LECUN, True, "below", False, (-INF, INF), False),
}  # fmt: skip
GATES = {"glu": 1, "swiglu": 0, "geglu": 0}  # the half that is the gate
LEARNS = {"prelu": {"slope": 0.25}}
NOISY = {"rrelu"}
OTHER_SETTINGS = [
    ("leaky_relu", {"negative_slope": 0.3}, partial(leaky, slope=0.3)),
    ("leaky_relu", {"negative_slope": 2}, partial(leaky, slope=2)),  # max(a z, z) is not that
    ("leaky_relu", {"negative_slope": 0}, torch.relu),
    ("prelu", {"initial_slope": -0.5}, partial(leaky, slope=-0.5)),
    ("rrelu", {"lower": 0.2}, partial(leaky, slope=4 / 15)),
    ("rrelu", {"upper": 0.125}, partial(leaky, slope=0.125)),
    ("elu", {"alpha": 0.5}, lambda z: torch.where(z > 0, z, 0.5 * torch.expm1(z))),
    ("elu", {"alpha": 2}, lambda z: torch.where(z > 0, z, 2 * torch.expm1(z))),
    ("celu", {"alpha": 0.5}, lambda z: torch.where(z > 0, z, 0.5 * torch.expm1(z / 0.5))),
    ("celu", {"alpha": 3}, lambda z: torch.where(z > 0, z, 3 * torch.expm1(z / 3))),
    (
        "gelu",
        {"approximate": "tanh"},
        lambda z: z / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    ),
    ("squareplus", {"b": 0.5}, lambda z: (z + torch.sqrt(z * z + 0.5)) / 2),
    ("softshrink", {"threshold": 2}, lambda z: torch.sign(z) * torch.relu(z.abs() - 2)),
    ("softshrink", {"threshold": 0}, lambda z: z),
    ("hardshrink", {"threshold": 2.0}, lambda z: z * (z.abs() > 2)),
    ("hardshrink", {"threshold": 0.0}, lambda z: z),
]
ALL = [(name, {}, None) for name in ACTIVATIONS] + OTHER_SETTINGS
BAD = [
    ("leaky_relu", {"negative_slope": -0.1}),
    ("leaky_relu", {"negative_slope": "0.1"}),
    ("leaky_relu", {"negative_slope": math.inf}),
    ("prelu", {"initial_slope": math.nan}),
    ("prelu", {"initial_slope": math.inf}),
    ("prelu", {"initial_slope": "0.25"}),
    ("rrelu", {"lower": -0.1}),
    ("rrelu", {"upper": None}),
    ("elu", {"alpha": 0.0}),
    ("elu", {"alpha": -1.0}),
    ("elu", {"alpha": None}),
    ("celu", {"alpha": 0.0}),
    ("gelu", {"approximate": "sigmoid"}),
    ("gelu", {"approximate": None}),
    ("squareplus", {"b": 0.0}),
    ("softshrink", {"threshold": -0.5}),
    ("hardshrink", {"threshold": -0.5}),
]

settings = pytest.mark.parametrize(
    ("name", "parameters", "reference"), ALL, ids=lambda v: str(v) if isinstance(v, str) else ""
)
kernels = pytest.mark.parametrize(
    ("name", "parameters"),
    [row[:2] for row in ALL if ACTIVATIONS[row[0]].saves is not None],
    ids=lambda v: str(v) if isinstance(v, str) else "",
)
names = pytest.mark.parametrize("name", list(ACTIVATIONS))
dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
shapes = pytest.mark.parametrize("shape", [(7, 6), (3, 7, 6)])


def test_every_name_has_a_row():
    assert set(TABLE) == set(ACTIVATIONS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def inputs(shape, dtype):
    z = 3 * torch.randn(shape, dtype=dtype, generator=seeded())
    z[..., 0, 0] = 15.0
    z[..., 1, 0] = -15.0
    return z


# The functions


@settings
@shapes
@dtypes
def test_forward_is_the_formula(name, parameters, reference, shape, dtype):
    reference = reference or TABLE[name].formula
    z = inputs(shape, dtype)
    before = z.clone()
    activation = ACTIVATIONS[name](**parameters)
    a = activation.forward(z)
    assert a.shape == (*shape[:-1], shape[-1] // activation.inputs_per_unit)
    assert a.dtype == dtype
    assert torch.equal(z, before)
    expected = reference(z.double()).to(dtype)
    # gelu's and softplus' own roundings, near the ends, are those of the sum 1 + something small.
    torch.testing.assert_close(
        a, expected, rtol=1e-5, atol=1e-12 if dtype == torch.double else 1e-6
    )


@kernels
@shapes
@dtypes
def test_kernels_are_forward_and_its_gradient(name, parameters, shape, dtype):
    activation = ACTIVATIONS[name](**parameters)
    # e^15 needs a measure of its own
    largest = 1.0 if name != "exponential" else math.exp(15)
    z = inputs(shape, dtype).requires_grad_()
    a = activation.forward(z)
    grad = torch.randn(shape, dtype=dtype, generator=seeded(1))
    (expected,) = torch.autograd.grad(a, z, grad)
    a, z = a.detach().clone(), z.detach()
    tolerance = {"rtol": 0, "atol": largest * (1e-13 if dtype == torch.double else 5e-6)}

    out = torch.full_like(z, math.nan)
    activation.apply(z, out)
    torch.testing.assert_close(out, a, **tolerance)
    if activation.saves == "output":
        in_place = z.clone()
        activation.apply(in_place, in_place)
        torch.testing.assert_close(in_place, a, **tolerance)

    saved = {"output": a, "input": z}[activation.saves]
    saved_before, grad_before = saved.clone(), grad.clone()
    out = torch.full_like(z, math.nan)
    activation.gradient(grad, saved, out)
    torch.testing.assert_close(out, expected, **tolerance)
    assert torch.equal(saved, saved_before)
    assert torch.equal(grad, grad_before)
    activation.gradient(grad, saved, grad)
    torch.testing.assert_close(grad, expected, **tolerance)


@pytest.mark.parametrize("name", [n for n, row in TABLE.items() if row.has_kernel])
@dtypes
def test_kernels_agree_with_autograd_at_the_kinks(name, dtype):
    activation = ACTIVATIONS[name]()
    z = torch.tensor([[-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6]], dtype=dtype, requires_grad=True)
    a = activation.forward(z)
    (expected,) = torch.autograd.grad(a.sum(), z)
    saved = {"output": a, "input": z}[activation.saves].detach().clone()
    out = torch.empty_like(saved)
    activation.gradient(torch.ones_like(saved), saved, out)
    rtol = 1e-12 if dtype == torch.double else 1e-5
    torch.testing.assert_close(out, expected, rtol=rtol, atol=rtol)


@names
def test_who_has_a_kernel(name):
    activation = ACTIVATIONS[name]()
    assert (activation.saves is not None) == TABLE[name].has_kernel
    if not TABLE[name].has_kernel:
        z = torch.zeros(1, 2)
        with pytest.raises(AssertionError, match="no kernel"):
            activation.apply(z, z)
        with pytest.raises(AssertionError, match="no kernel"):
            activation.gradient(z, z, z)


@settings
def test_gradient_is_the_slope(name, parameters, reference):
    del reference
    activation = ACTIVATIONS[name](**parameters)
    z = inputs((3, 4, 6), torch.float64)
    if name == "exponential":
        z = z.clamp(max=3)
    if activation.smooth and not parameters:
        z[0, 0, :3] = torch.tensor([0.0, 1.0, -1.0])  # where formulas have cases
    assert torch.autograd.gradcheck(activation.forward, (z.requires_grad_(),))


@settings
@dtypes
def test_far_inputs_are_finite(name, parameters, reference, dtype):
    del reference
    activation = ACTIVATIONS[name](**parameters)
    z = torch.tensor([[-1e4, -100.0, 0.0, 0.0, 100.0, 1e4]], dtype=dtype)
    if name == "exponential":
        z = z.clamp(max=80)  # it overflows by its nature
    z.requires_grad_()
    a = activation.forward(z)
    (slope,) = torch.autograd.grad(a.sum(), z)
    assert a.isfinite().all()
    assert slope.isfinite().all()
    if activation.saves is None:
        return
    out = torch.empty_like(a)
    with torch.no_grad():
        activation.apply(z, out)
        assert out.isfinite().all()
        activation.gradient(torch.ones_like(a), {"output": a, "input": z}[activation.saves], out)
        assert out.isfinite().all()


def test_squareplus_does_not_cancel_far_below_zero():
    z = torch.tensor([[-1e4]], dtype=torch.float32)
    torch.testing.assert_close(ACTIVATIONS["squareplus"]().forward(z).item(), 1e-4)


def test_sparse_sigmoid_is_the_slope_of_sparse_plus():
    z = torch.linspace(-2, 2, 101, dtype=torch.double).requires_grad_()
    (slope,) = torch.autograd.grad(ACTIVATIONS["sparse_plus"]().forward(z).sum(), z)
    torch.testing.assert_close(slope, ACTIVATIONS["sparse_sigmoid"]().forward(z).detach())


def test_selu_keeps_mean_and_variance():
    z = torch.randn((1000, 1000), dtype=torch.double, generator=seeded())
    a = ACTIVATIONS["selu"]().forward(z)
    assert abs(a.mean()) < 5e-3
    assert abs(a.var() - 1) < 1e-2


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.25, 0.7])
def test_the_variance_that_leaky_slopes_ask_for(slope):
    # weights of variance 2 / ((1 + slope^2) fan_in) give pre-activations of variance v a mean
    # square of the next layer's inputs of v (1 + slope^2) / 2
    z = torch.randn((1000, 1000), dtype=torch.double, generator=seeded())
    a = ACTIVATIONS["leaky_relu"](negative_slope=slope).forward(z)
    assert abs(2 / (1 + slope**2) * a.square().mean() - 1) < 1e-2


# What a layer computes


def vectors(activation, k, dtype, m=None):
    shape = (k,) if m is None else (m, 1, k)
    return {
        key: torch.full(shape, start, dtype=dtype)
        for key, start in activation.parameter_starts.items()
    }


@names
@dtypes
def test_a_layer_starts_with_the_activation(name, dtype):
    activation = ACTIVATIONS[name]()
    k = 6 // activation.inputs_per_unit
    for m in (None, 3):
        z = inputs((7, 6) if m is None else (m, 7, 6), dtype)
        parameters = vectors(activation, k, dtype, m)
        a = activation.layer_forward(z, parameters, None)
        torch.testing.assert_close(a, activation.forward(z))
        if not activation.noisy:
            again = activation.layer_forward(z, parameters, seeded())
            assert torch.equal(a, again)


@names
def test_who_learns_and_who_draws(name):
    activation = ACTIVATIONS[name]()
    assert dict(activation.parameter_starts) == LEARNS.get(name, {})
    assert activation.noisy == (name in NOISY)
    assert activation.inputs_per_unit == (2 if name in GATES else 1)


def test_prelu_has_the_slopes_it_is_given():
    prelu = ACTIVATIONS["prelu"](initial_slope=0.5)
    assert prelu.parameter_starts == {"slope": 0.5}
    slopes = torch.tensor([0.0, 0.1, -0.3], dtype=torch.double, requires_grad=True)
    z = inputs((7, 3), torch.double).requires_grad_()
    a = prelu.layer_forward(z, {"slope": slopes}, None)
    torch.testing.assert_close(a, functional.prelu(z, slopes))
    grad = torch.randn(a.shape, dtype=a.dtype, generator=seeded(1))
    ours = torch.autograd.grad(a, (z, slopes), grad)
    theirs = torch.autograd.grad(functional.prelu(z, slopes), (z, slopes), grad)
    torch.testing.assert_close(ours, theirs)


def test_members_of_a_stack_have_slopes_of_their_own():
    prelu = ACTIVATIONS["prelu"]()
    slopes = torch.randn((4, 1, 3), dtype=torch.double, generator=seeded(2))
    z = inputs((4, 7, 3), torch.double)
    a = prelu.layer_forward(z, {"slope": slopes}, None)
    for i in range(4):
        alone = prelu.layer_forward(z[i], {"slope": slopes[i, 0]}, None)
        assert torch.equal(a[i], alone)


@pytest.mark.parametrize("shape", [(500, 40), (4, 125, 40)])
def test_rrelu_draws_a_slope_a_unit_and_row(shape):
    rrelu = ACTIVATIONS["rrelu"](lower=0.2, upper=0.6)
    z = -torch.ones(shape, dtype=torch.double)
    a = rrelu.layer_forward(z, {}, seeded(3))
    slopes = -a
    n = slopes.numel()
    assert slopes.min() >= 0.2
    assert slopes.max() <= 0.6
    assert slopes.unique().numel() == n
    assert abs(slopes.mean() - 0.4) < 5 * 0.4 / math.sqrt(12 * n)
    assert torch.equal(a, rrelu.layer_forward(z, {}, seeded(3)))
    assert not torch.equal(a, rrelu.layer_forward(z, {}, seeded(4)))
    assert torch.equal(rrelu.layer_forward(-z, {}, seeded(3)), -z)


def test_rrelu_passes_gradients_through_the_slopes_it_drew():
    rrelu = ACTIVATIONS["rrelu"]()
    z = inputs((7, 6), torch.double).requires_grad_()
    state = torch.get_rng_state()
    a = rrelu.layer_forward(z, {}, seeded(3))
    assert torch.equal(torch.get_rng_state(), state)
    (slopes,) = torch.autograd.grad(a.sum(), z)
    torch.testing.assert_close(slopes, (a / z).detach())


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("glu", lambda w, v, x: functional.glu(torch.cat([x @ w, x @ v], -1))),
        ("swiglu", lambda w, v, x: functional.silu(x @ w) * (x @ v)),
        ("geglu", lambda w, v, x: functional.gelu(x @ w) * (x @ v)),
    ],
)
def test_gated_units_are_two_products(name, module):
    x, w, v = (
        torch.randn(shape, dtype=torch.double, generator=seeded(i))
        for i, shape in enumerate([(7, 5), (5, 4), (5, 4)])
    )
    a = ACTIVATIONS[name]().forward(x @ torch.cat([w, v], dim=1))
    torch.testing.assert_close(a, module(w, v, x))


# The facts that people choose by


def slopes_of(name, z):
    """Largest derivative by any input; of a gated unit, with a one beside the gate's `z`."""
    z = z[:, None]
    if name in GATES:
        pair = [torch.ones_like(z), torch.ones_like(z)]
        pair[GATES[name]] = z
        z = torch.cat(pair, dim=-1)
    z = z.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(ACTIVATIONS[name]().forward(z).sum(), z)
    return slopes.abs().amax(dim=-1)


@names
def test_facts_are_the_tables(name):
    row, activation = TABLE[name], ACTIVATIONS[name]()
    assert (activation.smooth, activation.saturates, activation.odd) == row[2:5]
    low, high = activation.range
    assert (low, high) == pytest.approx(row.range, rel=1e-9)


@names
def test_smooth_is_what_it_says(name):
    # the slopes of neighbours differ by a kink, or by the step times a curvature of 2 at most,
    # or of the exponential its slope
    step = 1e-3
    slopes = slopes_of(name, torch.arange(-8, 8, step, dtype=torch.double))
    jumps = slopes.diff().abs() / slopes[1:].clamp_min(1)
    assert (jumps.max() < 2 * step) == ACTIVATIONS[name].smooth


@names
def test_saturates_is_where_the_slope_vanishes(name):
    ends = torch.tensor([-1e5, 600.0 if name == "exponential" else 1e5], dtype=torch.double)
    below, above = (slopes_of(name, ends) < 1e-6).tolist()
    said = {(False, False): "none", (True, False): "below", (False, True): "above"}
    assert said.get((below, above), "both") == ACTIVATIONS[name].saturates


@names
def test_odd_is_the_symmetry(name):
    activation = ACTIVATIONS[name]()
    z = inputs((50, 6), torch.double)
    same = torch.allclose(activation.forward(-z), -activation.forward(z), rtol=1e-12, atol=1e-12)
    assert same == activation.odd


@settings
def test_outputs_fill_the_range(name, parameters, reference):
    del reference
    activation = ACTIVATIONS[name](**parameters)
    z = torch.cat([torch.tensor([-1e6, 1e6]).double(), torch.linspace(-8, 8, 16001).double()])
    if name == "exponential":
        z = z.clamp(max=700.0)
    z = z[:, None]
    if name in GATES:
        z = torch.cartesian_prod(z[::7, 0], torch.tensor([-1e3, 0.0, 1.0, 1e3]).double())
        z = torch.cat([z, z.flip(-1)])
    a = activation.forward(z)
    if name == "prelu":  # whatever the slopes become
        a = activation.layer_forward(z, {"slope": torch.tensor([-1.0, 1.0]).double()}, None)
    low, high = activation.range
    assert a.min() >= low - 1e-12
    assert a.max() <= high + 1e-12
    # the bounds are reached, or as nearly as one likes
    assert abs(a.min() - low) < 1e-5 if math.isfinite(low) else a.min() < -100
    assert abs(a.max() - high) < 1e-5 if math.isfinite(high) else a.max() > 100


@pytest.mark.parametrize(
    ("name", "parameters", "range"),
    [
        ("elu", {"alpha": 0.5}, (-0.5, INF)),
        ("celu", {"alpha": 2}, (-2.0, INF)),
        ("leaky_relu", {"negative_slope": 0}, (0.0, INF)),
        ("rrelu", {"lower": 0, "upper": 0}, (0.0, INF)),
    ],
)
def test_range_follows_parameters(name, parameters, range):
    assert ACTIVATIONS[name](**parameters).range == range


def test_nothing_is_claimed_of_a_users_own():
    class Own(Activation):
        """A user's."""

        def forward(self, z):
            return z.sin()

    assert Own().range == (-INF, INF)
    assert (Own.smooth, Own.saturates, Own.odd) == (False, "none", False)
    z = torch.ones(2, 3)
    assert torch.equal(Own().layer_forward(z, {}, None), z.sin())


# As components


@names
def test_every_name_is_a_good_component(name):
    cls = ACTIVATIONS[name]
    plain = name.replace("_", "")
    assert cls.__name__.lower() in {plain, plain + "activation"}
    assert cls.initializer == TABLE[name].initializer
    activation = ACTIVATIONS.resolve(name)
    activation.validate()
    for other in (clone(activation), pickle.loads(pickle.dumps(activation))):
        assert type(other) is cls
        assert other.get_params() == activation.get_params()
    assert repr(activation) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(activation.get_params())
    assert getattr(components, cls.__name__) is cls


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    with pytest.raises(
        ValueError, match=f"The '{parameter}' parameter of {ACTIVATIONS[name].__name__}"
    ):
        ACTIVATIONS[name](**parameters).validate()


def test_rrelus_bounds_may_not_cross():
    with pytest.raises(ValueError, match=r"lower=0\.4 and upper=0\.3.*upper that is at least"):
        ACTIVATIONS["rrelu"](lower=0.4, upper=0.3).validate()
    ACTIVATIONS["rrelu"](lower=0.3, upper=0.3).validate()


@pytest.mark.parametrize(("name", "parameters", "_"), OTHER_SETTINGS)
def test_settings_survive_clone_and_pickle(name, parameters, _):
    activation = ACTIVATIONS[name](**parameters)
    activation.validate()
    expected = ACTIVATIONS[name]().get_params() | parameters
    assert clone(activation).get_params() == expected
    assert pickle.loads(pickle.dumps(activation)).get_params() == expected
    (parameter,) = parameters
    assert parameter in repr(activation)


# From outside


def sine(z):
    return torch.sin(z)


class Wobble(torch.nn.Module):
    """A user's module, of a parameter that is no weight."""

    def __init__(self, width=1.0):
        super().__init__()
        self.width = width

    def forward(self, z):
        return z + torch.sin(self.width * z)


@pytest.mark.parametrize(
    ("activation", "reference"),
    [
        (
            TorchActivation(torch.nn.Hardshrink, lambd=0.3),
            lambda z: functional.hardshrink(z, 0.3),
        ),
        (
            TorchActivation(torch.nn.Threshold, threshold=0.1, value=-2.0),
            lambda z: functional.threshold(z, 0.1, -2.0),
        ),
        (TorchActivation(torch.nn.Softmax, dim=-1), lambda z: z.softmax(-1)),
        (TorchActivation(torch.nn.Identity), lambda z: z),
        (TorchActivation(Wobble, width=2.0), lambda z: z + torch.sin(2 * z)),
        (FunctionActivation(sine), torch.sin),
        (FunctionActivation(torch.sin), torch.sin),
        (FunctionActivation(partial(torch.clamp, min=-0.5)), lambda z: z.clamp(min=-0.5)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Activation) else "",
)
def test_activations_from_outside(activation, reference):
    state = torch.get_rng_state()
    assert ACTIVATIONS.resolve(activation) is activation
    assert torch.equal(torch.get_rng_state(), state)
    assert type(activation) not in ACTIVATIONS.classes.values()
    for shape, dtype in (((7, 6), torch.float32), ((3, 7, 6), torch.float64)):
        z = inputs(shape, dtype)
        assert torch.equal(activation.forward(z), reference(z))
        assert torch.equal(activation.layer_forward(z, {}, None), reference(z))
    for other in (clone(activation), pickle.loads(pickle.dumps(activation))):
        assert repr(other) == repr(activation)
        assert torch.equal(other.forward(z), reference(z))
    assert activation.saves is None


def test_arguments_of_a_module_are_parameters():
    activation = TorchActivation(torch.nn.Hardshrink, lambd=0.3)
    assert activation.get_params() == {"wrapped": torch.nn.Hardshrink, "lambd": 0.3}
    activation.set_params(lambd=1.0).validate()
    z = inputs((7, 6), torch.double)
    assert torch.equal(activation.forward(z), functional.hardshrink(z, 1.0))
    assert "lambd=1.0" in repr(activation)
    with pytest.raises(ValueError, match=r"'lamda' is no argument of Hardshrink.*'lambd'"):
        activation.set_params(lamda=1.0)


def changes_its_argument(z):
    return z.mul_(2)


def detaches(z):
    return z.detach() * 2


def counts_rows(z):
    return z / len(z)


def to_array(z):
    return z.detach().numpy()


def narrows(z):
    return z[..., :1]


def lowers(z):
    return z.float()


def fails(z):
    raise RuntimeError(f"no such thing as {type(z).__name__}")


@pytest.mark.parametrize(
    ("activation", "error", "message"),
    [
        (TorchActivation(torch.nn.PReLU), ValueError, r"weight.*activation='prelu'"),
        (TorchActivation(torch.nn.Linear, in_features=2, out_features=2), ValueError, "bias"),
        (TorchActivation(torch.nn.RReLU), ValueError, "random.*activation='rrelu'"),
        (TorchActivation(torch.nn.Dropout), ValueError, "random.*dropout"),
        (TorchActivation(torch.nn.GLU), ValueError, r"shape \(2, 4, 6\).*'swiglu'"),
        (TorchActivation(torch.nn.Softmax, dim=0), ValueError, "alone.*dim=-1"),
        (TorchActivation(torch.nn.Softmax, dim=1), ValueError, "alone.*dim=-1"),
        (TorchActivation(torch.nn.Threshold), ValueError, "cannot be built.*'value'"),
        (TorchActivation(torch.nn.ReLU, inplace=True), ValueError, "'inplace' is no argument"),
        (TorchActivation(torch.nn.Hardshrink, lamda=1), ValueError, "mean 'lambd'"),
        (TorchActivation(torch.nn.ReLU()), TypeError, "wraps a class"),
        (TorchActivation(dict), TypeError, r"torch\.nn\.Module.*FunctionActivation"),
        (FunctionActivation(changes_its_argument), ValueError, "in place"),
        (FunctionActivation(detaches), ValueError, "no gradient"),
        (FunctionActivation(counts_rows), ValueError, "counts_rows gives a row another result"),
        (FunctionActivation(to_array), ValueError, "ndarray, not a tensor"),
        (FunctionActivation(narrows), ValueError, r"into one of \(2, 4, 1\)"),
        (FunctionActivation(lowers), ValueError, r"torch\.float32"),
        (FunctionActivation(fails), ValueError, "no such thing"),
        (FunctionActivation(torch.rand_like), ValueError, "random"),
        (FunctionActivation(torch.nn.ReLU), TypeError, r"TorchActivation\(ReLU\)"),
        (FunctionActivation(torch.nn.ReLU()), TypeError, r"TorchActivation\(ReLU, ...\)"),
        (FunctionActivation("relu"), ValueError, "'function' parameter of FunctionActivation"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Activation) else "",
)
def test_misfits_from_outside_are_refused(activation, error, message):
    state = torch.get_rng_state()
    with pytest.raises(error, match=message):
        activation.validate()
    assert torch.equal(torch.get_rng_state(), state)
