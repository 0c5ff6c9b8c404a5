"""Each normalization against torch's function, alone and in a stack."""

import pickle

import pytest
import torch
from sklearn.base import clone
from torch.nn import functional

from sklearn_dnn.components.norms import NORMS, BatchNorm, GroupNorm, LayerNorm, RMSNorm, WeightNorm

WIDTH = 6
# One row a name: class, torch's module, settings besides the default.
ROWS = {
    "batch": (
        BatchNorm,
        torch.nn.BatchNorm1d,
        [{"momentum": 0.0}, {"momentum": 0.99, "epsilon": 1e-3}],
    ),
    "layer": (LayerNorm, torch.nn.LayerNorm, [{"epsilon": 1e-3}]),
    "rms": (RMSNorm, torch.nn.RMSNorm, [{"epsilon": 1e-3}]),
    "group": (
        GroupNorm,
        torch.nn.GroupNorm,
        [{"n_groups": 2}, {"n_groups": 3, "epsilon": 1e-3}, {"n_groups": 1}],
    ),
    "weight": (WeightNorm, torch.nn.Identity, []),
}
BAD = [
    ("batch", {"momentum": 1.0}),
    ("batch", {"momentum": -0.1}),
    ("batch", {"momentum": None}),
    ("batch", {"epsilon": 0.0}),
    ("layer", {"epsilon": 0}),
    ("layer", {"epsilon": "small"}),
    ("rms", {"epsilon": 0}),
    ("group", {"epsilon": -1.0}),
    ("group", {"n_groups": 0}),
    ("group", {"n_groups": 2.0}),
    ("group", {"n_groups": "all"}),
    *((name, {"position": p}) for name in ROWS if name != "weight" for p in ("behind", None)),
]
names = pytest.mark.parametrize("name", list(NORMS))


def settings_of(name):
    return [NORMS[name](), *(NORMS[name](**parameters) for parameters in ROWS[name][2])]


def test_every_name_has_a_row():
    assert set(ROWS) == set(NORMS)


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


def followed(norm, z, parameters):
    """What the output depends on."""
    return (z,) if norm.on_weights else (z, *parameters.values())


def loaded_module(norm, parameters, buffers, training):
    module = norm.module(WIDTH).double().train(training)
    vectors = parameters | buffers
    state = {there: vectors[k].detach().clone() for k, there in norm.module_names.items()}
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
    if isinstance(norm, WeightNorm):
        return z.clone()
    if isinstance(norm, RMSNorm):
        return functional.rms_norm(z, (WIDTH,), parameters["weight"], norm.epsilon)
    if isinstance(norm, GroupNorm):
        n_groups = 1 if norm.n_groups == "auto" else norm.n_groups
        return functional.group_norm(
            z, n_groups, parameters["weight"], parameters["bias"], norm.epsilon
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
    inputs = followed(norm, z, parameters)
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
    inputs = followed(norm, z, parameters)
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
    gradients = torch.autograd.grad(a.square().sum(), followed(norm, z, parameters))
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
    cls, module_class, _ = ROWS[name]
    assert NORMS[name] is cls
    norm = NORMS.resolve(name)
    norm.validate()
    for other in (clone(norm), pickle.loads(pickle.dumps(norm))):
        assert type(other) is cls
        assert other.get_params() == norm.get_params()
    assert repr(norm) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(norm.get_params())
    if not norm.on_weights:
        assert set(norm.module_names) == set(norm.parameter_starts) | set(norm.buffer_starts)
        assert "position" in norm.get_params()
    module = norm.module(WIDTH)
    assert type(module) is module_class
    starts = norm.parameter_starts | norm.buffer_starts
    for key, there in norm.module_names.items():
        assert torch.equal(getattr(module, there).detach(), torch.full((WIDTH,), starts[key]))


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    cls = NORMS[name]
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of {cls.__name__}"):
        cls(**parameters).validate()


@pytest.mark.parametrize("shape", [(5, WIDTH), (3, 5, WIDTH)])
def test_rms_norm_by_its_formula(shape):
    norm = RMSNorm(epsilon=1e-3)
    z = 2 * randn(*shape) + 5
    parameters, _ = vectors(norm, (3, 1, WIDTH) if len(shape) > 2 else (WIDTH,))
    expected = parameters["weight"] * z / (z.square().mean(-1, keepdim=True) + 1e-3).sqrt()
    for training in (True, False):
        torch.testing.assert_close(norm.forward(z, parameters, {}, training), expected)


def test_a_group_is_neighbours_normalized_together():
    z = randn(4, WIDTH)
    parameters = {"weight": torch.ones(WIDTH).double(), "bias": torch.zeros(WIDTH).double()}
    a = GroupNorm(n_groups=2).forward(z, parameters, {}, True)
    ones = {name: vector[:3] for name, vector in parameters.items()}
    halves = [LayerNorm().forward(half, ones, {}, True) for half in z.split(3, dim=1)]
    torch.testing.assert_close(a, torch.cat(halves, 1))


@pytest.mark.parametrize(
    ("width", "n_groups"),
    [(1, 1), (6, 1), (8, 1), (15, 1), (16, 2), (31, 1), (32, 4), (50, 5), (64, 8), (100, 5),
     (512, 8)],
)  # fmt: skip
def test_groups_chosen_by_width(width, n_groups):
    norm = GroupNorm()
    norm.check_width(width)
    assert norm.module(width).num_groups == n_groups


@pytest.mark.parametrize(("n_groups", "width"), [(8, 100), (4, 4), (4, 2), (3, 64)])
def test_width_that_groups_do_not_divide_is_refused(n_groups, width):
    norm = GroupNorm(n_groups=n_groups)
    norm.validate()
    with pytest.raises(ValueError, match=rf"n_groups={n_groups}\).*{width} units.*'auto'"):
        norm.check_width(width)


@names
def test_every_other_width_can_be_normalized(name):
    for width in (1, 2, 7, 100):
        NORMS[name]().check_width(width)


@names
@pytest.mark.parametrize("lead", [(), (3,)])
def test_starts_have_a_number_a_unit(name, lead):
    norm = NORMS[name]()
    weight = randn(*lead, 5, WIDTH)
    starts = norm.start_vectors(weight)
    assert set(starts) == set(norm.parameter_starts)
    for key, vector in starts.items():
        assert vector.shape == ((*lead, 1, WIDTH) if lead else (WIDTH,))
        assert vector.dtype == weight.dtype
        if not norm.on_weights:
            assert (vector == norm.parameter_starts[key]).all()
    # a network starts with the weights that were drawn
    torch.testing.assert_close(norm.weight(weight, starts), weight)
    if not norm.on_weights:
        assert norm.weight(weight, starts) is weight


@pytest.mark.parametrize(
    ("norm", "drops"),
    [(n, False) for name in ROWS if name != "batch" for n in settings_of(name)]
    + [(BatchNorm(), True), (BatchNorm(position="after"), False)],
)
def test_bias_in_front_is_redundant(norm, drops):
    assert norm.drops_bias == drops
    if norm.position == "after":
        return
    parameters, buffers = vectors(norm, (WIDTH,))
    z, shift = randn(20, WIDTH), randn(WIDTH, seed=1)
    plain, moved = (norm.forward(x, parameters, buffers, True) for x in (z, z + shift))
    assert torch.allclose(plain, moved) == drops


@settings
@pytest.mark.parametrize("lead", [(), (3,)])
def test_fold_is_the_norm_in_prediction(norm, lead):
    vector = (*lead, 1, WIDTH) if lead else (WIDTH,)
    parameters, buffers = vectors(norm, vector)
    z = 3 * randn(*lead, 20, WIDTH) + 1
    a = norm.forward(z, parameters, buffers, training=False)
    folded = norm.fold(parameters, buffers)
    if folded is None:
        # twice the input is not the same affine map: the norm measures the row
        torch.testing.assert_close(
            norm.forward(1e3 * z, parameters, buffers, False),
            norm.forward(1e4 * z, parameters, buffers, False),
            rtol=1e-4,
            atol=1e-4,
        )
        return
    scale, shift = folded
    assert scale.shape == shift.shape == vector
    torch.testing.assert_close(scale * z + shift, a)


@pytest.mark.parametrize("m", [1, 3])
def test_weight_norm_is_torchs(m):
    norm = WeightNorm()
    drawn = randn(m, 5, WIDTH)
    v = (2 * drawn + 0.1 * randn(m, 5, WIDTH, seed=1)).requires_grad_()
    gain = norm.start_vectors(drawn)["gain"] + 0.3
    gain.requires_grad_()
    x, grad = randn(m, 8, 5, seed=2), randn(m, 8, WIDTH, seed=3)
    single = m == 1
    weight = (
        norm.weight(v[0], {"gain": gain[0, 0]}).unsqueeze(0)
        if single
        else norm.weight(v, {"gain": gain})
    )
    slopes = torch.autograd.grad(x @ weight, (v, gain), grad)
    for i in range(m):
        linear = torch.nn.Linear(5, WIDTH, bias=False).double()
        torch.nn.utils.parametrizations.weight_norm(linear)
        theirs = linear.parametrizations.weight
        assert theirs.original0.shape == (WIDTH, 1)
        with torch.no_grad():
            theirs.original0.copy_(gain[i].T)
            theirs.original1.copy_(v[i].T)
        torch.testing.assert_close(weight[i], linear.weight.T)
        linear(x[i]).backward(grad[i])
        torch.testing.assert_close(slopes[0][i], theirs.original1.grad.T)
        torch.testing.assert_close(slopes[1][i], theirs.original0.grad.T)


def test_weight_norm_parts_length_and_direction():
    norm = WeightNorm()
    v, gain = randn(5, WIDTH), randn(WIDTH, seed=1)
    weight = norm.weight(v, {"gain": gain})
    torch.testing.assert_close(weight.norm(dim=0), gain.abs())
    torch.testing.assert_close(norm.weight(7 * v, {"gain": gain}), weight)


def test_weight_norm_of_a_zero_column_is_finite():
    norm = WeightNorm()
    drawn = randn(5, WIDTH)
    drawn[:, 2] = 0
    drawn.requires_grad_()
    starts = {"gain": norm.start_vectors(drawn.detach())["gain"].requires_grad_()}
    weight = norm.weight(drawn, starts)
    torch.testing.assert_close(weight, drawn)
    slopes = torch.autograd.grad(weight.square().sum() + weight.sum(), (drawn, starts["gain"]))
    assert all(slope.isfinite().all() for slope in slopes)
