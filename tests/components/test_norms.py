"""Each normalization against torch's function, alone and in a stack."""

import pickle

import pytest
import torch
from sklearn.base import clone
from torch.nn import functional

from sklearn_dnn.components.norms import NORMS, BatchNorm, LayerNorm

WIDTH = 6
CLASSES = {"batch": (BatchNorm, torch.nn.BatchNorm1d), "layer": (LayerNorm, torch.nn.LayerNorm)}
OTHER_SETTINGS = {
    "batch": [{"momentum": 0.0}, {"momentum": 0.99, "epsilon": 1e-3}],
    "layer": [{"epsilon": 1e-3}],
}
BAD = [
    ("batch", {"momentum": 1.0}),
    ("batch", {"momentum": -0.1}),
    ("batch", {"momentum": None}),
    ("batch", {"epsilon": 0.0}),
    ("layer", {"epsilon": 0}),
    ("layer", {"epsilon": "small"}),
]
names = pytest.mark.parametrize("name", list(NORMS))


def settings_of(name):
    return [NORMS[name](), *(NORMS[name](**parameters) for parameters in OTHER_SETTINGS[name])]


settings = pytest.mark.parametrize("norm", [n for name in NORMS for n in settings_of(name)])


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def vectors(norm, shape, dtype=torch.float64):
    """Parameters and buffers away from their starts."""
    parameters = {
        name: (start + 0.3 * randn(*shape, seed=7 + i, dtype=dtype)).requires_grad_()
        for i, (name, start) in enumerate(norm.parameter_starts.items())
    }
    buffers = {
        name: start + 0.5 * randn(*shape, seed=17 + i, dtype=dtype).abs()
        for i, (name, start) in enumerate(norm.buffer_starts.items())
    }
    return parameters, buffers


def loaded_module(norm, parameters, buffers, training):
    module = norm.module(WIDTH).double().train(training)
    state = {norm.module_names[k]: v.detach().clone() for k, v in (parameters | buffers).items()}
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert set(missing) <= {"num_batches_tracked"}
    assert not unexpected
    return module


def torch_function(norm, z, parameters, buffers, training):
    if isinstance(norm, BatchNorm):
        return functional.batch_norm(
            z,
            buffers["mean"],
            buffers["variance"],
            parameters["weight"],
            parameters["bias"],
            training=training,
            momentum=1 - norm.momentum,
            eps=norm.epsilon,
        )
    return functional.layer_norm(
        z, (WIDTH,), parameters["weight"], parameters["bias"], norm.epsilon
    )


@settings
@pytest.mark.parametrize("training", [True, False])
def test_single_is_torchs_function_and_module(norm, training):
    parameters, buffers = vectors(norm, (WIDTH,))
    torch_buffers = {name: buffer.clone() for name, buffer in buffers.items()}
    module = loaded_module(norm, parameters, buffers, training)
    z = (3 * randn(20, WIDTH) + 1).requires_grad_()
    inputs = (z, *parameters.values())
    for step in range(3):  # the running statistics move at each
        a = norm.forward(z + step, parameters, buffers, training)
        expected = torch_function(norm, z + step, parameters, torch_buffers, training)
        torch.testing.assert_close(a, expected)
        torch.testing.assert_close(a, module(z + step))
        torch.testing.assert_close(buffers, torch_buffers)
        for name, buffer in buffers.items():
            torch.testing.assert_close(getattr(module, norm.module_names[name]), buffer)
            assert not buffer.requires_grad
        grad = randn(20, WIDTH, seed=3)
        torch.testing.assert_close(
            torch.autograd.grad(a, inputs, grad), torch.autograd.grad(expected, inputs, grad)
        )


@settings
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("gaps", [False, True])
def test_stack_is_its_members(norm, training, gaps):
    m = 3
    z = (2 * randn(m, 10, WIDTH) - 1).requires_grad_()
    parameters, buffers = vectors(norm, (m, 1, WIDTH))
    if gaps:  # as slices of one buffer that holds every member's numbers in a row
        buffers = {k: torch.cat([v, v], -1)[..., :WIDTH] for k, v in buffers.items()}
        parameters = {k: torch.cat([v, v], -1)[..., :WIDTH] for k, v in parameters.items()}
    alone = [{k: v[i, 0].clone() for k, v in buffers.items()} for i in range(m)]
    a = norm.forward(z, parameters, buffers, training)
    assert a.shape == z.shape
    expected = torch.stack(
        [
            norm.forward(
                z[i], {k: v[i, 0] for k, v in parameters.items()}, alone[i], training=training
            )
            for i in range(m)
        ]
    )
    torch.testing.assert_close(a, expected)
    for name, buffer in buffers.items():
        torch.testing.assert_close(buffer[:, 0], torch.stack([each[name] for each in alone]))
    inputs = (z, *parameters.values())
    grad = randn(m, 10, WIDTH, seed=5)
    torch.testing.assert_close(
        torch.autograd.grad(a, inputs, grad), torch.autograd.grad(expected, inputs, grad)
    )


@pytest.mark.parametrize("shape", [(50, WIDTH), (3, 50, WIDTH)])
def test_batch_norm_by_its_formula(shape):
    norm = BatchNorm(momentum=0.8, epsilon=1e-4)
    z = 2 * randn(*shape) + 5
    vector = (*shape[:-2], 1, WIDTH) if len(shape) > 2 else (WIDTH,)
    parameters, buffers = vectors(norm, vector)
    before = {name: buffer.clone() for name, buffer in buffers.items()}
    a = norm.forward(z, parameters, buffers, training=True)
    mean = z.mean(-2, keepdim=True)
    variance = (z - mean).square().mean(-2, keepdim=True)
    expected = parameters["weight"] * (z - mean) / (variance + 1e-4).sqrt() + parameters["bias"]
    torch.testing.assert_close(a, expected)
    torch.testing.assert_close(
        buffers["mean"], 0.8 * before["mean"] + 0.2 * mean.view_as(before["mean"])
    )
    unbiased = (variance * 50 / 49).view_as(before["variance"])
    torch.testing.assert_close(buffers["variance"], 0.8 * before["variance"] + 0.2 * unbiased)


def test_batch_norm_prediction_reads_the_buffers_only():
    norm = BatchNorm()
    parameters, buffers = vectors(norm, (WIDTH,))
    before = {name: buffer.clone() for name, buffer in buffers.items()}
    z = randn(8, WIDTH)
    together = norm.forward(z, parameters, buffers, training=False)
    one_by_one = [norm.forward(z[i : i + 1], parameters, buffers, False) for i in range(8)]
    torch.testing.assert_close(together, torch.cat(one_by_one))
    assert all(torch.equal(buffers[name], before[name]) for name in before)


@pytest.mark.parametrize("shape", [(4, WIDTH), (3, 4, WIDTH)])
def test_layer_norm_by_its_formula(shape):
    norm = LayerNorm(epsilon=1e-3)
    z = 2 * randn(*shape) + 5
    parameters, _ = vectors(norm, (3, 1, WIDTH) if len(shape) > 2 else (WIDTH,))
    mean, variance = z.mean(-1, keepdim=True), z.var(-1, correction=0, keepdim=True)
    expected = parameters["weight"] * (z - mean) / (variance + 1e-3).sqrt() + parameters["bias"]
    for training in (True, False):
        torch.testing.assert_close(norm.forward(z, parameters, {}, training), expected)


@names
@pytest.mark.parametrize("lead", [(), (3,)])
def test_one_row_in_training_is_finite(name, lead):
    norm = NORMS[name]()
    vector = (*lead, 1, WIDTH) if lead else (WIDTH,)
    parameters, buffers = vectors(norm, vector)
    before = {key: buffer.clone() for key, buffer in buffers.items()}
    z = randn(*lead, 1, WIDTH).requires_grad_()
    a = norm.forward(z, parameters, buffers, training=True)
    assert a.shape == z.shape
    assert a.isfinite().all()
    gradients = torch.autograd.grad(a.square().sum(), (z, *parameters.values()))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all(buffer.isfinite().all() for buffer in buffers.values())
    if name == "batch":
        torch.testing.assert_close(a, parameters["bias"].expand_as(a))
        torch.testing.assert_close(
            buffers["mean"], 0.9 * before["mean"] + 0.1 * z.detach().view(vector)
        )
        torch.testing.assert_close(buffers["variance"], 0.9 * before["variance"])


@names
def test_two_batches_before_one_backward(name):
    norm = NORMS[name]()
    parameters, buffers = vectors(norm, (WIDTH,))
    z = randn(8, WIDTH).requires_grad_()
    first = norm.forward(z, parameters, buffers, training=True)
    second = norm.forward(2 * z, parameters, buffers, training=True)
    (first * second).sum().backward()
    assert z.grad.isfinite().all()


@names
def test_float32(name):
    norm = NORMS[name]()
    z = randn(2, 5, WIDTH, dtype=torch.float32)
    parameters, buffers = vectors(norm, (2, 1, WIDTH), dtype=torch.float32)
    assert norm.forward(z, parameters, buffers, training=True).dtype == torch.float32


@names
def test_every_name_is_a_good_component(name):
    cls, module_class = CLASSES[name]
    assert NORMS[name] is cls
    norm = NORMS.resolve(name)
    norm.validate()
    for other in (clone(norm), pickle.loads(pickle.dumps(norm))):
        assert type(other) is cls
        assert other.get_params() == norm.get_params()
    assert repr(norm) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(norm.get_params())
    assert set(norm.module_names) == set(norm.parameter_starts) | set(norm.buffer_starts)
    module = norm.module(WIDTH)
    assert type(module) is module_class
    for key, start in (norm.parameter_starts | norm.buffer_starts).items():
        expected = torch.full((WIDTH,), start)
        assert torch.equal(getattr(module, norm.module_names[key]).detach(), expected)


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    cls = NORMS[name]
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of {cls.__name__}"):
        cls(**parameters).validate()
