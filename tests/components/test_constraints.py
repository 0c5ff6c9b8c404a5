"""Each constraint against what it promises: bounds, nearest points, Keras' formulas."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components.constraints import (
    CONSTRAINTS,
    Box,
    MaxNorm,
    MinMaxNorm,
    NonNegative,
    UnitNorm,
)


def lengths(w):
    return w.square().sum(-2, keepdim=True).sqrt()


def scaled(w, wanted):
    """Columns of the wanted lengths; zero columns stay."""
    return torch.where(lengths(w) > 0, w / lengths(w) * wanted, w)


# One row a name: class, settings besides the default, the projection by its formula, and whether
# an entry or column is allowed.
ROWS = {
    "max_norm": (
        MaxNorm,
        [{"limit": 0.5}, {"limit": 100.0}],
        lambda c, w: torch.where(lengths(w) > c.limit, scaled(w, c.limit), w),
        lambda c, w: lengths(w) <= c.limit,
    ),
    "unit_norm": (
        UnitNorm,
        [],
        lambda _, w: scaled(w, 1.0),
        lambda _, w: lengths(w) == 1,
    ),
    "min_max_norm": (
        MinMaxNorm,
        [{"low": 1.5, "high": 2.5}, {"low": 1.0, "high": 1.0}, {"low": 4.0, "high": 1e3}],
        lambda c, w: scaled(w, lengths(w).clamp(c.low, c.high)),
        lambda c, w: (lengths(w) >= c.low) & (lengths(w) <= c.high),
    ),
    "non_negative": (
        NonNegative,
        [],
        lambda _, w: w.relu(),
        lambda _, w: w >= 0,
    ),
    "box": (
        Box,
        [{"low": -0.1, "high": 0.3}, {"low": 0.5, "high": 0.5}, {"low": -3, "high": -1}],
        lambda c, w: torch.clamp(w, c.low, c.high),
        lambda c, w: (w >= c.low) & (w <= c.high),
    ),
}
BAD = [
    ("max_norm", {"limit": 0.0}),
    ("max_norm", {"limit": -1.0}),
    ("max_norm", {"limit": None}),
    ("min_max_norm", {"low": -0.1}),
    ("min_max_norm", {"high": 0.0}),
    ("min_max_norm", {"rate": 0.0}),
    ("min_max_norm", {"rate": 1.1}),
    ("box", {"low": "small"}),
    ("box", {"high": float("inf")}),
]
names = pytest.mark.parametrize("name", list(CONSTRAINTS))
ALL = [(name, row[0](**more)) for name, row in ROWS.items() for more in ({}, *row[1])]
settings = pytest.mark.parametrize(("name", "constraint"), ALL)
constraints = pytest.mark.parametrize("constraint", [constraint for _, constraint in ALL])
shapes = pytest.mark.parametrize("shape", [(5, 7), (1, 7), (3, 5, 7)])
ZERO = 2  # a column without weights


def test_every_name_has_a_row():
    assert set(ROWS) == set(CONSTRAINTS)


def matrix(*shape, seed=0, dtype=torch.float64):
    """Columns shorter and longer than all bounds, and a zero one."""
    w = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    w = w * torch.logspace(-2, 1, shape[-1], dtype=dtype)
    w[..., ZERO] = 0.0
    return w


def projected(constraint, weight, **numbers):
    result = weight.clone()
    constraint.project_(result, **numbers)
    return result


@settings
@shapes
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projection_is_its_formula_and_holds(name, constraint, shape, dtype):
    _, _, formula, allowed = ROWS[name]
    w = matrix(*shape, dtype=dtype)
    result = projected(constraint, w)
    assert result.dtype == dtype
    assert result.isfinite().all()
    torch.testing.assert_close(result, formula(constraint, w))
    rounding = 1e-5 if dtype == torch.float32 else 1e-12
    assert constraint.satisfied(result, rounding)
    # what was allowed is not changed by a bit
    fine = allowed(constraint, w).expand_as(w)
    assert torch.equal(result[fine], w[fine])
    torch.testing.assert_close(projected(constraint, result), result)


@settings
@shapes
def test_satisfied_is_its_definition(name, constraint, shape):
    allowed = ROWS[name][3]
    for size in (1e-3, 0.1, 1.0, 10.0):
        w = size * matrix(*shape)
        of_columns = "norm" in name
        fine = allowed(constraint, w)
        if of_columns:
            fine[..., ZERO] = True  # no direction to be lengthened in
        assert constraint.satisfied(w, 0.0) == fine.all()
        assert constraint.satisfied(w, 1e3)


@constraints
def test_projection_is_the_nearest_allowed_point(constraint):
    w = matrix(5, 7)
    w[:, ZERO] = 0.3
    nearest = (w - projected(constraint, w)).norm(dim=0)
    for seed in range(200):
        # near the projection and far away
        other = projected(constraint, w) + matrix(5, 7, seed=seed) * (0.02 if seed % 2 else 1)
        other[:, ZERO] += 0.01
        other = projected(constraint, other)
        assert ((w - other).norm(dim=0) >= nearest - 1e-12).all()


@constraints
def test_stack_is_its_members(constraint):
    w = matrix(3, 5, 7)
    torch.testing.assert_close(
        projected(constraint, w), torch.stack([projected(constraint, each) for each in w])
    )


@names
def test_members_may_differ(name):
    cls, others, _, _ = ROWS[name]
    members = [cls(), *(cls(**parameters) for parameters in others)]
    w = matrix(len(members), 5, 7, dtype=torch.float32)
    columns = {
        key: torch.tensor([m.coefficients()[key] for m in members], dtype=torch.float64).view(
            -1, 1, 1
        )
        for key in cls.varying
    }
    result = projected(members[0], w, c=columns)
    assert result.dtype == torch.float32
    expected = torch.stack(
        [projected(member, each) for member, each in zip(members, w, strict=True)]
    )
    torch.testing.assert_close(result, expected)
    assert members[0].satisfied(result, 1e-5, columns)
    assert members[0].satisfied(w, 0.0, columns) == all(
        member.satisfied(each, 0.0) for member, each in zip(members, w, strict=True)
    )


@constraints
def test_views_of_a_flat_buffer_are_changed_in_place(constraint):
    buffer = torch.full((3, 50), 9.0, dtype=torch.float64)
    view = buffer[:, 4:39].view(3, 5, 7)
    view.copy_(matrix(3, 5, 7))
    constraint.project_(view)
    torch.testing.assert_close(view, projected(constraint, matrix(3, 5, 7)))
    assert (buffer[:, :4] == 9).all()
    assert (buffer[:, 39:] == 9).all()


@constraints
def test_weights_that_are_not_numbers_are_seen(constraint):
    w = projected(constraint, matrix(5, 7))
    assert constraint.satisfied(w)
    w[1, 3] = torch.nan
    assert not constraint.satisfied(w)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keras_max_norm(dtype):
    # keras.constraints.MaxNorm(2, axis=0): w * clip(norm, 0, 2) / (1e-7 + norm)
    w = matrix(5, 7, dtype=dtype)
    norms = w.square().sum(0, keepdim=True).sqrt()
    keras = w * (norms.clamp(0, 2) / (1e-7 + norms))
    torch.testing.assert_close(projected(MaxNorm(2), w), keras, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rate", [0.1, 0.7, 1.0])
def test_keras_min_max_norm(rate):
    # the formula of keras.constraints.MinMaxNorm on the first axis
    w = matrix(5, 7)
    norms = w.square().sum(0, keepdim=True).sqrt()
    desired = rate * norms.clamp(0.5, 2.0) + (1 - rate) * norms
    constraint = MinMaxNorm(low=0.5, high=2.0, rate=rate)
    keras = w * (desired / (1e-7 + norms))
    torch.testing.assert_close(projected(constraint, w), keras, rtol=1e-4, atol=1e-7)


def test_part_of_the_way_reaches_the_bounds_in_the_limit():
    constraint = MinMaxNorm(low=0.5, high=2.0, rate=0.3)
    w = matrix(5, 7)
    outside = (lengths(w) - lengths(w).clamp(0.5, 2.0)).abs()
    for step in range(1, 6):
        constraint.project_(w)
        left = (lengths(w) - lengths(w).clamp(0.5, 2.0)).abs()
        expected = outside * 0.7**step
        expected[:, ZERO] = 0.5
        torch.testing.assert_close(left, expected)
    for _ in range(100):
        constraint.project_(w)
    assert constraint.satisfied(w)


@names
def test_every_name_is_a_good_component(name):
    cls, others, _, _ = ROWS[name]
    assert CONSTRAINTS[name] is cls
    constraint = CONSTRAINTS.resolve(name)
    for original in (constraint, *(cls(**parameters) for parameters in others)):
        original.validate()
        for other in (clone(original), pickle.loads(pickle.dumps(original))):
            assert type(other) is cls
            assert other.get_params() == original.get_params()
    assert repr(constraint) == f"{cls.__name__}()"
    assert cls.__doc__
    assert set(cls._parameter_constraints) == set(constraint.get_params()) == set(cls.varying)


@pytest.mark.parametrize(("name", "parameters"), BAD)
def test_bad_parameters_are_refused(name, parameters):
    (parameter,) = parameters
    cls = CONSTRAINTS[name]
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of {cls.__name__}"):
        cls(**parameters).validate()


@pytest.mark.parametrize("cls", [Box, MinMaxNorm])
def test_crossed_bounds_are_refused(cls):
    with pytest.raises(ValueError, match=rf"{cls.__name__} got low=2.0 above high=1.5"):
        cls(low=2.0, high=1.5).validate()


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_vectors_of_norms_are_left_alone(norm):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = MLPRegressor(
        (4, 4), norm=norm, constraint=Box(-0.1, 0.1), max_iter=3, tol=0.0, random_state=0
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, X[:, 0])
    assert all(np.abs(w).max() <= 0.1 + 1e-6 for w in model.coefs_)
    assert all((vectors["weight"] > 0.5).all() for vectors in model.norm_weights_)
