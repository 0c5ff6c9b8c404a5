"""Each activation against its definition, its kernels against autograd."""

import math
import pickle

import pytest
import torch
from sklearn.base import clone
from torch.nn import functional

from sklearn_dnn.components.activations import ACTIVATIONS

# What each name means, for its default parameters.
REFERENCES = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + torch.exp(-z)),
    "tanh": lambda z: (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z)),
    "relu": lambda z: torch.maximum(z, torch.zeros_like(z)),
    "leaky_relu": lambda z: torch.where(z > 0, z, 0.01 * z),
    "elu": lambda z: torch.where(z > 0, z, torch.exp(z) - 1),
    "selu": functional.selu,
    "gelu": lambda z: z * torch.special.ndtr(z),
    "silu": lambda z: z / (1 + torch.exp(-z)),
    "softplus": lambda z: torch.log(1 + torch.exp(z)),
}
INITIALIZERS = {
    "identity": "glorot_uniform",
    "logistic": "glorot_uniform",
    "tanh": "glorot_uniform",
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "elu": "he_normal",
    "selu": "lecun_normal",
    "gelu": "he_normal",
    "silu": "he_normal",
    "softplus": "he_normal",
}
OTHER_SETTINGS = [
    ("leaky_relu", {"negative_slope": 0.3}, lambda z: torch.where(z > 0, z, 0.3 * z)),
    ("leaky_relu", {"negative_slope": 0}, torch.relu),
    ("elu", {"alpha": 0.5}, lambda z: torch.where(z > 0, z, 0.5 * torch.expm1(z))),
    ("elu", {"alpha": 2}, lambda z: torch.where(z > 0, z, 2 * torch.expm1(z))),
    (
        "gelu",
        {"approximate": "tanh"},
        lambda z: z / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    ),
]
ALL = [(name, {}, None) for name in ACTIVATIONS] + OTHER_SETTINGS
BAD = [
    ("leaky_relu", {"negative_slope": -0.1}),
    ("leaky_relu", {"negative_slope": "0.1"}),
    ("leaky_relu", {"negative_slope": math.inf}),
    ("elu", {"alpha": 0.0}),
    ("elu", {"alpha": -1.0}),
    ("elu", {"alpha": None}),
    ("gelu", {"approximate": "sigmoid"}),
    ("gelu", {"approximate": None}),
]

settings = pytest.mark.parametrize(
    ("name", "parameters", "reference"), ALL, ids=lambda v: str(v) if isinstance(v, str) else ""
)
dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
shapes = pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5)])


def inputs(shape, dtype):
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(shape, dtype=dtype, generator=generator)
    z[..., 0, 0] = 15.0
    z[..., 1, 0] = -15.0
    return z


@settings
@shapes
@dtypes
def test_forward_is_the_formula(name, parameters, reference, shape, dtype):
    reference = reference or REFERENCES[name]
    z = inputs(shape, dtype)
    before = z.clone()
    a = ACTIVATIONS[name](**parameters).forward(z)
    assert a.shape == z.shape
    assert a.dtype == dtype
    assert torch.equal(z, before)
    expected = reference(z.double()).to(dtype)
    # gelu's and softplus' own roundings, near the ends, are those of the sum 1 + something small.
    torch.testing.assert_close(
        a, expected, rtol=1e-5, atol=1e-12 if dtype == torch.double else 1e-6
    )


@settings
@shapes
@dtypes
def test_kernels_are_forward_and_its_gradient(name, parameters, reference, shape, dtype):
    del reference
    activation = ACTIVATIONS[name](**parameters)
    z = inputs(shape, dtype).requires_grad_()
    a = activation.forward(z)
    grad = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    (expected,) = torch.autograd.grad(a, z, grad)
    a, z = a.detach().clone(), z.detach()
    tolerance = {"rtol": 0, "atol": 1e-13 if dtype == torch.double else 5e-6}

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


@settings
def test_gradient_is_the_slope(name, parameters, reference):
    del reference
    activation = ACTIVATIONS[name](**parameters)
    z = inputs((3, 4, 5), torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(activation.forward, (z,))


@settings
@dtypes
def test_far_inputs_are_finite(name, parameters, reference, dtype):
    del reference
    activation = ACTIVATIONS[name](**parameters)
    z = torch.tensor([[-1e4, -100.0, 0.0, 100.0, 1e4]], dtype=dtype)
    out, slope = torch.empty_like(z), torch.empty_like(z)
    activation.apply(z, out)
    activation.gradient(torch.ones_like(z), {"output": out, "input": z}[activation.saves], slope)
    assert out.isfinite().all()
    assert slope.isfinite().all()


def test_selu_keeps_mean_and_variance():
    z = torch.randn((1000, 1000), dtype=torch.double, generator=torch.Generator().manual_seed(0))
    a = ACTIVATIONS["selu"]().forward(z)
    assert abs(a.mean()) < 5e-3
    assert abs(a.var() - 1) < 1e-2


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_every_name_is_a_good_component(name):
    cls = ACTIVATIONS[name]
    assert cls.__name__.lower() == name.replace("_", "")
    assert cls.initializer == INITIALIZERS[name]
    activation = ACTIVATIONS.resolve(name)
    activation.validate()
    for other in (clone(activation), pickle.loads(pickle.dumps(activation))):
        assert type(other) is cls
        assert other.get_params() == activation.get_params()
    assert repr(activation) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(activation.get_params())
    assert ACTIVATIONS.name_of(activation) == name


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    with pytest.raises(
        ValueError, match=f"The '{parameter}' parameter of {ACTIVATIONS[name].__name__}"
    ):
        ACTIVATIONS[name](**parameters).validate()


@pytest.mark.parametrize(("name", "parameters", "_"), OTHER_SETTINGS)
def test_settings_survive_clone_and_pickle(name, parameters, _):
    activation = ACTIVATIONS[name](**parameters)
    activation.validate()
    assert clone(activation).get_params() == parameters
    assert pickle.loads(pickle.dumps(activation)).get_params() == parameters
    (parameter,) = parameters
    assert parameter in repr(activation)
