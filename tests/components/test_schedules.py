from __future__ import annotations

import importlib
import math
import pickle
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import SGDRegressor
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from torch.optim import lr_scheduler

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    FunctionSchedule,
    HorizonSchedule,
    InverseScaling,
    InverseSquareRoot,
    InverseTime,
    Linear,
    MomentumCycle,
    OneCycle,
    Performance,
    Piecewise,
    Polynomial,
    Power,
    Schedule,
    Sequential,
    Step,
    Warmup,
    as_schedule,
)


@dataclass
class Row:
    """What is known of a schedule: its factors at (t, horizon), by its formula."""

    name: str
    schedule: Schedule
    points: dict[tuple[float, float], float]
    bad: list[dict] = field(default_factory=list)  # the first name is the one that is told of
    per_step: bool = True  # of the class with its defaults, as are the next two
    ends_with_training: bool = False
    watches_loss: bool = False


BAD_BOUNDARIES = [
    {"boundaries": (10, 5)},
    {"boundaries": (5, 5)},
    {"boundaries": (0, 5)},
    {"boundaries": ("a", "b")},
    {"boundaries": 5},
]
BAD_HORIZON = [{"horizon": 0}, {"horizon": -1.0}, {"horizon": "all"}]
BAD_PARTS = [
    {"up_fraction": 0.0},
    {"down_fraction": 1.0},
    {"up_fraction": 0.6, "down_fraction": 0.5},
]

TABLE = [
    Row("constant", Constant(), {(0, 10): 1.0, (99.5, 10): 1.0}, per_step=False),
    Row(
        "linear",
        Linear(final_factor=0.2),
        {(0, 10): 1.0, (2.5, 10): 0.8, (5, 10): 0.6, (10, 10): 0.2, (25, 10): 0.2},
        [{"final_factor": -0.1}, {"final_factor": math.inf}, *BAD_HORIZON],
        ends_with_training=True,
    ),
    Row(
        "polynomial",
        Polynomial(power=3, final_factor=0.1),
        {(0, 8): 1.0, (4, 8): 0.1 + 0.9 / 8, (6, 8): 0.1 + 0.9 / 64, (8, 8): 0.1, (9, 8): 0.1},
        [{"power": 0}, {"final_factor": -0.1}, *BAD_HORIZON],
        ends_with_training=True,
    ),
    Row(
        "cosine",
        Cosine(final_factor=0.1),
        {(0, 8): 1.0, (2, 8): 0.1 + 0.45 * (1 + 0.5**0.5), (4, 8): 0.55, (8, 8): 0.1, (9, 8): 0.1},
        [{"final_factor": -0.1}, {"final_factor": math.nan}, *BAD_HORIZON],
        ends_with_training=True,
    ),
    Row(
        "step",
        Step(every=3, ratio=0.5),
        {(0, 9): 1.0, (2.99, 9): 1.0, (3, 9): 0.5, (6, 9): 0.25, (30, 9): 2.0**-10},
        [{"every": 0}, {"ratio": 0.0}, {"ratio": 1.5}],
        per_step=False,
    ),
    Row(
        "piecewise",
        Piecewise(),
        {(0, 20): 1.0, (4, 20): 1.0, (5, 20): 0.1, (9, 20): 0.1, (10, 20): 0.01, (50, 20): 0.01},
        [
            *BAD_BOUNDARIES,
            {"boundaries": (5,)},
            {"factors": (1.0, 0.1)},
            {"factors": (1.0, 0.1, -0.1)},
            {"factors": (1.0, 0.1, math.nan)},
        ],
        per_step=False,
    ),
    # half after s, a third after two times s
    Row(
        "power",
        Power(),
        {(0, 99): 1.0, (10, 99): 1 / 2, (20, 99): 1 / 3, (5, 99): 1 / 1.5},
        [{"s": 0}, {"c": -1.0}, {"interval": "batch"}],
    ),
    # ten times smaller every s
    Row(
        "exponential",
        Exponential(),
        {(0, 99): 1.0, (20, 99): 0.1, (40, 99): 0.01, (10, 99): 0.1**0.5},
        [{"s": 0}, {"base": 0.0}, {"base": 2.0}, {"interval": "batch"}],
    ),
    Row(
        "inverse_time",
        InverseTime(s=4.0, rate=0.5),
        {(0, 99): 1.0, (4, 99): 1 / 1.5, (8, 99): 1 / 2, (2, 99): 1 / 1.25},
        [{"s": 0}, {"rate": -1.0}, {"interval": "batch"}],
    ),
    Row(
        "inverse_scaling",
        InverseScaling(power_t=0.5, per_epoch=3.0),
        {(0, 99): 1.0, (0.9, 99): 1.0, (1, 99): 1 / 2, (5, 99): 1 / 4, (33, 99): 1 / 10},
        [{"power_t": -1.0}, {"per_epoch": 0}, {"interval": "s"}],
        per_step=False,
    ),
    Row(
        "inverse_square_root",
        InverseSquareRoot(warmup=4.0, initial_factor=0.2),
        {(0, 99): 0.2, (2, 99): 0.6, (4, 99): 1.0, (16, 99): 0.5, (100, 99): 0.2},
        [{"warmup": 0}, {"initial_factor": -0.1}],
    ),
    Row(
        "cyclic",
        Cyclic(period=8.0, min_factor=0.2, up_fraction=0.25),
        {(0, 9): 0.2, (1, 9): 0.6, (2, 9): 1.0, (5, 9): 0.6, (8, 9): 0.2, (18, 9): 1.0},
        [
            {"period": 0},
            {"min_factor": -0.1},
            {"min_factor": 1.1},
            {"mode": "square"},
            {"gamma": 0.0},
            {"gamma": 1.1},
            {"up_fraction": 1.0},
        ],
    ),
    # waves of 10, 20 and 40 epochs
    Row(
        "cosine_restarts",
        CosineRestarts(final_factor=0.2),
        {
            (0, 99): 1.0,
            (5, 99): 0.6,
            (9, 99): 0.6 + 0.4 * math.cos(0.9 * math.pi),
            (10, 99): 1.0,
            (20, 99): 0.6,
            (30, 99): 1.0,
            (50, 99): 0.6,
            (70, 99): 1.0,
        },
        [{"period": 0}, {"multiplier": 0.5}, {"final_factor": 1.1}],
    ),
    Row(
        "one_cycle",
        OneCycle(),
        {
            (0, 100): 0.1,
            (22.5, 100): 0.55,
            (45, 100): 1.0,
            (67.5, 100): 0.55,
            (90, 100): 0.1,
            (95, 100): (0.1 + 0.001) / 2,
            (100, 100): 0.001,
            (150, 100): 0.001,
        },
        [
            {"initial_divisor": 0.5},
            {"final_divisor": 0.5},
            {"anneal": "cubic"},
            *BAD_PARTS,
            *BAD_HORIZON,
        ],
        ends_with_training=True,
    ),
    # a momentum of 0.95 falls to 0.85 and comes back
    Row(
        "momentum_cycle",
        MomentumCycle(),
        {
            (0, 100): 1.0,
            (22.5, 100): 0.90 / 0.95,
            (45, 100): 0.85 / 0.95,
            (67.5, 100): 0.90 / 0.95,
            (90, 100): 1.0,
            (95, 100): 1.0,
            (150, 100): 1.0,
        },
        [{"low_factor": -0.1}, {"low_factor": 1.1}, {"anneal": "no"}, *BAD_PARTS, *BAD_HORIZON],
        ends_with_training=True,
    ),
    Row(
        "performance",
        Performance(),
        {(0, 10): 1.0, (9, 10): 1.0},
        [
            {"reduction": 1.0},
            {"patience": 0},
            {"threshold": -1.0},
            {"min_factor": -1.0},
            {"threshold_mode": "rel"},
            {"reference": "best"},
            {"cooldown": -1},
        ],
        per_step=False,
        watches_loss=True,
    ),
    # the schedule behind it begins at 4 and has 16 epochs left
    Row(
        "warmup",
        Warmup(Linear(final_factor=0.0), epochs=4.0, initial_factor=0.2),
        {(0, 20): 0.2, (2, 20): 0.6, (4, 20): 1.0, (8, 20): 0.75, (12, 20): 0.5, (20, 20): 0.0},
        [
            {"schedule": "cosin"},
            {"schedule": 3.0},
            {"epochs": 0},
            {"initial_factor": -0.1},
            {"shape": "round"},
        ],
    ),
    # each has the time and the length of its piece
    Row(
        "sequential",
        Sequential((Linear(final_factor=0.5), "constant", Linear(final_factor=0.0)), (4, 6)),
        {
            (0, 10): 1.0,
            (2, 10): 0.75,
            (4, 10): 1.0,
            (5.9, 10): 1.0,
            (6, 10): 1.0,
            (8, 10): 0.5,
            (10, 10): 0.0,
        },
        [
            *BAD_BOUNDARIES,
            {"schedules": ("constant",)},
            {"schedules": "constant"},
            {"schedules": ("constant", "performance")},
        ],
        ends_with_training=True,
    ),
]
ROWS = {row.name: row for row in TABLE}
NAMES = list(SCHEDULES)
OF_TIME = [name for name in NAMES if name != "performance"]


def test_every_schedule_has_one_row():
    assert sorted(row.name for row in TABLE) == sorted(NAMES)
    assert all(type(row.schedule) is SCHEDULES[row.name] for row in TABLE)


@pytest.mark.parametrize("name", NAMES)
def test_stated_points(name):
    row = ROWS[name]
    row.schedule.validate()
    for (t, horizon), expected in row.points.items():
        factor = row.schedule.factor(t, horizon, row.schedule.start())
        assert factor == pytest.approx(expected, rel=1e-12, abs=1e-15), (t, horizon)
        assert type(factor) is float


@pytest.mark.parametrize("name", NAMES)
def test_facts(name):
    row, schedule = ROWS[name], SCHEDULES.resolve(name)
    assert schedule.per_step is row.per_step
    assert schedule.ends_with_training is row.ends_with_training
    assert schedule.watches_loss is row.watches_loss
    assert isinstance(schedule, HorizonSchedule) is ("horizon" in schedule.get_params())


@pytest.mark.parametrize("name", OF_TIME)
def test_per_step_is_whether_the_factor_changes_within_an_epoch(name):
    schedule = SCHEDULES[name]()
    # two cycles, all parts, and the time before and after each boundary
    by_step = np.array([schedule.factor(k / 7, 20, {}) for k in range(7 * 20)]).reshape(20, 7)
    assert schedule.per_step is bool((by_step != by_step[:, :1]).any())


@pytest.mark.parametrize("name", NAMES)
def test_component_round_trips(name):
    for schedule in (SCHEDULES.resolve(name), ROWS[name].schedule):
        for copy in (clone(schedule), pickle.loads(pickle.dumps(schedule))):
            assert type(copy) is SCHEDULES[name]
            assert repr(copy) == repr(schedule)
            assert copy.factor(1.5, 10, copy.start()) == schedule.factor(1.5, 10, schedule.start())
        assert repr(schedule).startswith(type(schedule).__name__ + "(")
        assert set(schedule._parameter_constraints) == set(schedule.get_params(deep=False))


@pytest.mark.parametrize(("name", "bad"), [(row.name, bad) for row in TABLE for bad in row.bad])
def test_bad_values_are_refused(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SCHEDULES.resolve(SCHEDULES[name](**bad))


def test_contradictions_show_both_values():
    with pytest.raises(ValueError, match=r"factors=\(1.0, 0.5\).*boundaries=\(5, 10\).*give 3"):
        Piecewise(factors=(1.0, 0.5)).validate()
    for cls in (OneCycle, MomentumCycle):
        with pytest.raises(ValueError, match=rf"{cls.__name__}.*=0.6 with down_fraction=0.5"):
            cls(up_fraction=0.6, down_fraction=0.5).validate()
    with pytest.raises(ValueError, match=r"schedules=\('step',\).*boundaries=\(3,\).*give 2"):
        Sequential(("step",), (3,)).validate()


def test_schedule_is_abstract():
    for cls in (Schedule, HorizonSchedule):
        with pytest.raises(TypeError, match="abstract"):
            cls()


# Properties

TIMES = st.floats(0, 1e6, allow_nan=False)
UNIT = st.floats(0, 1)
RATIOS = st.floats(1e-6, 1)
LENGTHS = st.floats(1e-3, 1e3)
ENDS = st.none() | st.floats(0.01, 100)
GROWN = st.floats(0, 100)
SHAPES = st.sampled_from(["linear", "cosine"])
INTERVALS = st.sampled_from(["step", "epoch", "s"])
PARTS = st.floats(0.01, 0.5)
WITH_HORIZON = st.one_of(
    st.builds(Linear, final_factor=GROWN, horizon=ENDS),
    st.builds(Cosine, final_factor=GROWN, horizon=ENDS),
    st.builds(Polynomial, power=st.floats(0.01, 100), final_factor=GROWN, horizon=ENDS),
    st.builds(
        OneCycle,
        initial_divisor=st.floats(1, 1e9),
        final_divisor=st.floats(1, 1e9),
        up_fraction=PARTS,
        down_fraction=PARTS,
        horizon=ENDS,
        anneal=SHAPES,
    ),
    st.builds(
        MomentumCycle,
        low_factor=UNIT,
        up_fraction=PARTS,
        down_fraction=PARTS,
        horizon=ENDS,
        anneal=SHAPES,
    ),
)
FALLING = st.one_of(
    st.builds(Step, every=LENGTHS, ratio=RATIOS),
    st.builds(Power, s=st.floats(1e-6, 1e6), c=st.floats(0, 1e3), interval=INTERVALS),
    st.builds(Exponential, s=st.floats(1e-6, 1e6), base=RATIOS, interval=INTERVALS),
    st.builds(InverseTime, s=st.floats(1e-6, 1e6), rate=st.floats(0, 1e6), interval=INTERVALS),
    st.builds(InverseScaling, power_t=st.floats(0, 10), per_epoch=st.floats(0.1, 1e9)),
)
TURNING = st.one_of(
    st.builds(InverseSquareRoot, warmup=LENGTHS, initial_factor=UNIT),
    st.builds(
        Cyclic,
        period=LENGTHS,
        min_factor=UNIT,
        mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
        gamma=RATIOS,
        up_fraction=st.floats(0.01, 0.99),
    ),
    st.builds(CosineRestarts, period=LENGTHS, multiplier=st.floats(1, 10), final_factor=UNIT),
)
ANY = st.one_of(WITH_HORIZON, FALLING, TURNING, st.sampled_from([SCHEDULES[n]() for n in NAMES]))
COMBINED = st.one_of(
    st.builds(Warmup, ANY, epochs=LENGTHS, initial_factor=UNIT, shape=SHAPES),
    st.builds(
        lambda first, second, boundary: Sequential((first, second), (boundary,)),
        WITH_HORIZON,
        FALLING,
        LENGTHS,
    ),
)


@settings(max_examples=300, deadline=None)
@given(schedule=st.one_of(ANY, COMBINED), t=TIMES, horizon=st.floats(0.01, 1e4))
def test_factor_is_finite_and_never_negative(schedule, t, horizon):
    schedule.validate()
    factor = schedule.factor(t, horizon, schedule.start())
    assert 0.0 <= factor < math.inf


@settings(max_examples=200, deadline=None)
@given(schedule=st.one_of(FALLING, TURNING), t=TIMES)
def test_factor_of_those_that_do_not_grow_is_at_most_one(schedule, t):
    assert schedule.factor(t, 10.0, {}) <= 1.0 + 1e-12


@settings(max_examples=200, deadline=None)
@given(schedule=FALLING, t=TIMES, later=TIMES)
def test_those_that_fall_never_rise(schedule, t, later):
    first, second = sorted((t, later))
    assert schedule.factor(second, 10.0, {}) <= schedule.factor(first, 10.0, {})


@settings(max_examples=200, deadline=None)
@given(schedule=WITH_HORIZON, t=st.floats(1, 100), horizon=st.floats(0.01, 1e4))
def test_constant_after_the_horizon(schedule, t, horizon):
    end = horizon if schedule.horizon is None else schedule.horizon
    assert schedule.factor(end * t, horizon, {}) == schedule.factor(end, horizon, {})


@pytest.mark.parametrize("name", [row.name for row in TABLE if row.per_step])
def test_continuous(name):
    factors = SCHEDULES[name]().curve(10, 1000)
    assert np.abs(np.diff(factors)).max() < 1e-3


@pytest.mark.parametrize("name", [row.name for row in TABLE if "horizon" in vars(row.schedule)])
def test_own_horizon_comes_before_that_of_training(name):
    cls = SCHEDULES[name]
    schedule = cls(horizon=4)
    assert not schedule.ends_with_training
    for t in np.linspace(0, 6, 25):
        assert schedule.factor(t, 100, {}) == pytest.approx(cls().factor(25 * t, 100, {}))
    assert schedule.factor(50, 100, {}) == cls().factor(100, 100, {})


# Curves


@pytest.mark.parametrize("name", OF_TIME)
def test_curve_has_one_value_a_step(name):
    schedule = SCHEDULES[name]()
    curve = schedule.curve(12, 7)
    assert curve.shape == (84,)
    assert curve.dtype == np.float64
    per_epoch = curve.reshape(12, 7)
    if schedule.per_step:
        expected = [schedule.factor(k / 7, 12, {}) for k in range(84)]
        np.testing.assert_array_equal(curve, expected)
    else:
        assert (per_epoch == per_epoch[:, :1]).all()
    np.testing.assert_array_equal(schedule.curve(12), per_epoch[:, 0])
    np.testing.assert_array_equal(schedule.curve(12, 7, losses=[1.0] * 12), curve)


def test_curve_of_those_that_watch_the_loss_takes_the_losses():
    losses = [1.0, 0.5, 0.5, 0.5, 0.5]
    assert Performance(patience=2).curve(5, 2, losses).tolist() == [1.0] * 8 + [0.5] * 2
    warm = Warmup(Performance(patience=2), epochs=2).curve(5, 2, losses=np.array(losses))
    assert warm.tolist() == [0.0, 0.25, 0.5, 0.75, *[1.0] * 4, 0.5, 0.5]
    for schedule in (Performance(), Warmup("performance")):
        with pytest.raises(ValueError, match=r"depends on the loss: give .* losses="):
            schedule.curve(5)
    with pytest.raises(ValueError, match=r"'losses'.*4 values for n_epochs=5"):
        Performance().curve(5, losses=losses[:4])


# The numbers of textbooks


def test_piecewise_by_default_cuts_after_epochs_five_and_ten():
    rates = 0.1 * Piecewise().curve(15, 3)
    np.testing.assert_allclose(rates, np.repeat([0.1, 0.01, 0.001], 15), rtol=1e-12)


def test_linear_ends_at_one_percent():
    # (1 - a) e0 + a e_tau with a = k / tau, over tau = 20 steps, 4 an epoch
    alpha = np.minimum(np.arange(28) / 20, 1)
    expected = (1 - alpha) * 0.5 + alpha * 0.005
    np.testing.assert_allclose(0.5 * Linear(horizon=5).curve(7, 4), expected, rtol=1e-12)


def test_exponential_is_the_natural_one_of_a_rate():
    t = np.arange(60) / 6
    curve = Exponential(s=4.0).curve(10, 6)
    np.testing.assert_allclose(curve, np.exp(-t * math.log(10) / 4.0), rtol=1e-12)
    natural = Exponential(s=4.0, base=math.exp(-0.7)).curve(10, 6)
    np.testing.assert_allclose(natural, np.exp(-0.7 * t / 4.0), rtol=1e-12)


def test_one_cycle_of_the_rate_and_of_the_momentum_mirror_each_other():
    up = OneCycle(initial_divisor=2.0).curve(20, 5)
    down = MomentumCycle(low_factor=0.5).curve(20, 5)
    first = np.arange(100) <= 90  # then the rate goes to nothing, the momentum stays
    np.testing.assert_allclose((up + down)[first], 1.5, rtol=1e-12)
    assert (down[~first] == 1.0).all()


def test_cyclic_keeps_between_a_quarter_and_the_maximum():
    curve = Cyclic().curve(40, 10)
    assert curve.min() == 0.25
    assert curve.max() == 1.0
    np.testing.assert_allclose(curve[:100], curve[100:200], rtol=1e-12)


def test_cyclic_modes_lower_the_peaks():
    peaks = [5.0, 15.0, 25.0]
    halves = Cyclic(mode="triangular2", min_factor=0.2)
    assert [halves.factor(t, 9, {}) for t in peaks] == pytest.approx([1.0, 0.6, 0.4])
    shrinks = Cyclic(mode="exp_range", min_factor=0.2, gamma=0.9)
    expected = [0.2 + 0.8 * 0.9**t for t in peaks]
    assert [shrinks.factor(t, 9, {}) for t in peaks] == pytest.approx(expected)


def test_inverse_square_root_is_that_of_the_transformer():
    d_model, w, steps = 512, 4000, 500  # w in steps
    k = np.arange(1, 12 * steps, 37)
    published = d_model**-0.5 * np.minimum(k**-0.5, k * w**-1.5)
    schedule = InverseSquareRoot(warmup=w / steps)
    ours = np.array([schedule.factor(step / steps, 99, {}) for step in k])
    np.testing.assert_allclose(ours * (d_model * w) ** -0.5, published, rtol=1e-12)
    composed = Warmup(Power(s=8.0, c=0.5), epochs=8.0)
    np.testing.assert_allclose(composed.curve(30, 6), schedule.curve(30, 6), rtol=1e-12)


# Stairs


@pytest.mark.parametrize("cls", [Power, Exponential, InverseTime])
def test_stairs_of_an_epoch_and_of_s(cls):
    smooth, by_epoch = cls(s=3.0), cls(s=3.0, interval="epoch")
    by_s, by_part = cls(s=3.0, interval="s"), cls(s=0.3, interval="s")
    assert smooth.per_step
    assert by_part.per_step
    assert not by_epoch.per_step
    assert not by_s.per_step
    for t in (0.0, 0.5, 1.0, 1.99, 3.0, 7.0, 7.3):
        assert by_epoch.factor(t, 10, {}) == smooth.factor(math.floor(t), 10, {})
        assert by_s.factor(t, 10, {}) == smooth.factor(3 * math.floor(t / 3), 10, {})
    # 0.9 / 0.3 is less than 3 in floating point; the stair is there all the same
    assert [by_part.factor(k / 10, 10, {}) for k in range(12)] == pytest.approx(
        [smooth.factor(3 * (k // 3), 10, {}) for k in range(12)]
    )


def test_step_within_an_epoch():
    schedule = Step(every=0.3, ratio=0.5)
    assert schedule.per_step
    assert schedule.curve(1, 10).tolist() == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


def test_piecewise_within_an_epoch_is_per_step():
    schedule = Piecewise(boundaries=np.array([0.5, 2.0]), factors=[2.0, 1.0, 0.5])
    schedule.validate()
    assert schedule.per_step
    np.testing.assert_array_equal(schedule.curve(3, 2), [2.0, 1.0, 1.0, 1.0, 0.5, 0.5])


# Equality with torch, step by step; n is the number of steps in an epoch

N = 6


def of_torch(make, n_steps, what="lr"):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    values = []
    for _ in range(n_steps):
        values.append(optimizer.param_groups[0][what])
        optimizer.step()
        scheduler.step()
    return np.array(values, dtype=np.float64)


BY_STEP = {
    "exponential": (
        Exponential(s=3.0),
        lambda o: lr_scheduler.ExponentialLR(o, gamma=0.1 ** (1 / (3 * N))),
    ),
    "step": (Step(every=2, ratio=0.3), lambda o: lr_scheduler.StepLR(o, 2 * N, gamma=0.3)),
    "stairs": (
        Exponential(s=2.5, base=0.3, interval="s"),
        lambda o: lr_scheduler.StepLR(o, 15, gamma=0.3),
    ),
    "piecewise": (
        Piecewise((5, 10), (1.0, 0.1, 0.01)),
        lambda o: lr_scheduler.MultiStepLR(o, [5 * N, 10 * N], gamma=0.1),
    ),
    "cosine": (
        Cosine(final_factor=0.1),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 20 * N, eta_min=0.1),
    ),
    "restarts": (
        CosineRestarts(period=3, multiplier=1, final_factor=0.1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3 * N, eta_min=0.1),
    ),
    "longer restarts": (
        CosineRestarts(period=1.5, multiplier=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9, T_mult=2),
    ),
    "much longer restarts": (
        CosineRestarts(period=0.5, multiplier=3),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, T_mult=3),
    ),
    "cyclic": (
        Cyclic(period=4.0, min_factor=0.2, up_fraction=0.25),
        lambda o: lr_scheduler.CyclicLR(
            o, 0.2, 1.0, step_size_up=N, step_size_down=3 * N, cycle_momentum=False
        ),
    ),
    "cyclic, halved": (
        Cyclic(period=4.0, min_factor=0.2, mode="triangular2"),
        lambda o: lr_scheduler.CyclicLR(
            o, 0.2, 1.0, step_size_up=2 * N, mode="triangular2", cycle_momentum=False
        ),
    ),
    "cyclic, shrinking": (
        Cyclic(period=4.0, min_factor=0.2, mode="exp_range", gamma=0.99**N),
        lambda o: lr_scheduler.CyclicLR(
            o, 0.2, 1.0, step_size_up=2 * N, mode="exp_range", gamma=0.99, cycle_momentum=False
        ),
    ),
    "linear": (
        Linear(final_factor=0.1, horizon=15),
        lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=15 * N),
    ),
    "warmup": (
        Warmup(epochs=2.5, initial_factor=0.1),
        lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, total_iters=15),
    ),
    "polynomial": (
        Polynomial(power=2.5, horizon=15),
        lambda o: lr_scheduler.PolynomialLR(o, 15 * N, power=2.5),
    ),
    "power": (
        Power(s=2.0, c=0.7),
        lambda o: lr_scheduler.LambdaLR(o, lambda k: (1 + k / (2 * N)) ** -0.7),
    ),
    "sequential": (
        Sequential((Cosine(final_factor=0.5, horizon=4), Exponential(s=5.0)), (3,)),
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.CosineAnnealingLR(o, 4 * N, eta_min=0.5),
                lr_scheduler.ExponentialLR(o, gamma=0.1 ** (1 / (5 * N))),
            ],
            [3 * N],
        ),
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")
@pytest.mark.parametrize("case", BY_STEP)
def test_equals_torch_step_by_step(case):
    schedule, make = BY_STEP[case]
    np.testing.assert_allclose(schedule.curve(20, N), of_torch(make, 20 * N), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("anneal", ["linear", "cosine"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_and_its_momentum_equal_torch_step_by_step(anneal, three_phase):
    p, total = 0.3, 20 * N

    def make(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=1.0,
            total_steps=total,
            pct_start=p,
            anneal_strategy={"linear": "linear", "cosine": "cos"}[anneal],
            three_phase=three_phase,
        )

    up = (p * total - 1) / (total - 1)  # torch's parts end with the last step done in them
    shared = {
        "up_fraction": up,
        "down_fraction": up if three_phase else 1 - up,
        "horizon": (total - 1) / N,
        "anneal": anneal,
    }
    rates = OneCycle(initial_divisor=25.0, final_divisor=25e4, **shared)
    momentums = MomentumCycle(**shared)
    for schedule, what, first in ((rates, "lr", 1.0), (momentums, "momentum", 0.95)):
        schedule.validate()
        of_theirs = of_torch_less_one(make, total, what)
        np.testing.assert_allclose(first * schedule.curve(20, N), of_theirs, rtol=1e-9)


def of_torch_less_one(make, total, what):
    """As `of_torch`, for a scheduler that refuses the step after its last."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    values = [optimizer.param_groups[0][what]]
    for _ in range(total - 1):
        optimizer.step()
        scheduler.step()
        values.append(optimizer.param_groups[0][what])
    return np.array(values, dtype=np.float64)


def test_one_cycle_of_the_course_equals_torch_with_three_phases():
    total = 100

    def make(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=1.0,
            total_steps=total,
            pct_start=0.45,
            anneal_strategy="linear",
            three_phase=True,
            div_factor=10.0,
            final_div_factor=100.0,
        )

    up = (0.45 * total - 1) / (total - 1)
    schedule = OneCycle(up_fraction=up, down_fraction=up, horizon=total - 1)
    np.testing.assert_allclose(
        schedule.curve(total), of_torch_less_one(make, total, "lr"), rtol=1e-9
    )


@pytest.mark.parametrize("anneal", ["linear", "cosine"])
def test_fractions_that_fill_the_horizon_leave_two_parts(anneal):
    schedule = OneCycle(up_fraction=0.3, down_fraction=0.7, anneal=anneal)
    schedule.validate()
    assert schedule.factor(3, 10, {}) == 1.0
    assert schedule.factor(6.5, 10, {}) == pytest.approx((1 + 0.001) / 2)  # the middle of both
    assert schedule.factor(9.9999, 10, {}) == pytest.approx(0.001, rel=0.05)
    assert schedule.factor(10, 10, {}) == 0.001


# Keras' formulas, worked by hand as its documentation states them; times in steps there


def test_exponential_and_inverse_time_are_those_of_keras():
    k, decay_steps, decay_rate = np.arange(20 * N), 2 * N, 0.6
    stairs = np.floor(k / decay_steps)
    for interval, passed in (("step", k / decay_steps), ("s", stairs)):
        exponential = Exponential(s=2.0, base=decay_rate, interval=interval).curve(20, N)
        np.testing.assert_allclose(exponential, decay_rate**passed, rtol=1e-12)
        inverse = InverseTime(s=2.0, rate=decay_rate, interval=interval).curve(20, N)
        np.testing.assert_allclose(inverse, 1 / (1 + decay_rate * passed), rtol=1e-12)
    same = Power(s=2.0 / decay_rate).curve(20, N)
    np.testing.assert_allclose(InverseTime(s=2.0, rate=decay_rate).curve(20, N), same, rtol=1e-12)


def test_power_is_the_decay_argument_of_keras():
    lr, decay, steps = 0.01, 1e-6, 500
    k = np.arange(4 * steps)
    schedule = Power(s=1 / (decay * steps))
    np.testing.assert_allclose(lr * schedule.curve(4, steps), lr / (1 + decay * k), rtol=1e-12)


def test_polynomial_is_that_of_keras():
    initial, end, power, decay_steps = 0.1, 0.02, 0.5, 15 * N
    step = np.minimum(np.arange(20 * N), decay_steps)
    published = (initial - end) * (1 - step / decay_steps) ** power + end
    schedule = Polynomial(power=power, final_factor=end / initial, horizon=15)
    np.testing.assert_allclose(initial * schedule.curve(20, N), published, rtol=1e-12)


def test_cosine_is_that_of_keras():
    alpha, decay_steps = 0.05, 15 * N
    step = np.minimum(np.arange(20 * N), decay_steps)
    published = (1 - alpha) * 0.5 * (1 + np.cos(np.pi * step / decay_steps)) + alpha
    curve = Cosine(final_factor=alpha, horizon=15).curve(20, N)
    np.testing.assert_allclose(curve, published, rtol=1e-12)


# scikit-learn's rates


def test_inverse_scaling_by_epoch_is_that_of_scikit_learns_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    theirs = SklearnMLPClassifier(
        (3,),
        solver="sgd",
        learning_rate="invscaling",
        learning_rate_init=0.1,
        power_t=0.4,
        batch_size=7,
        random_state=0,
    )
    rates = [0.1]
    for _ in range(6):
        theirs.partial_fit(X, y, classes=[0, 1])
        rates.append(theirs._optimizer.learning_rate)
    schedule = InverseScaling(power_t=0.4, per_epoch=30)
    np.testing.assert_allclose(0.1 * schedule.curve(7), rates, rtol=1e-12)


def test_inverse_scaling_by_step_is_that_of_scikit_learns_linear_models():
    # with x = y = 1 the error left after a step of rate e is 1 - e of that before
    model = SGDRegressor(
        eta0=0.3,
        learning_rate="invscaling",
        power_t=0.25,
        penalty=None,
        alpha=0.0,
        fit_intercept=False,
    )
    errors = [1.0]
    for _ in range(12):
        model.partial_fit([[1.0]], [1.0])
        errors.append(1.0 - model.coef_[0])
    rates = 1.0 - np.divide(errors[1:], errors[:-1])
    schedule = InverseScaling(power_t=0.25, per_epoch=3, interval="step")
    np.testing.assert_allclose(0.3 * schedule.curve(4, 3), rates, rtol=1e-9)


# Performance


def run(schedule, values):
    return schedule.curve(len(values), losses=values).tolist()


def test_performance_cuts_after_exactly_patience_idle_epochs():
    # the value of epoch 1 is the last to fall; epochs 2, 3, 4 are idle, so epoch 5 has less
    factors = run(Performance(patience=3), [3.0, 2.0, 2.0, 2.5, 2.0, 2.0, 2.0, 2.0, 2.0])
    assert factors == [1.0] * 5 + [0.5] * 3 + [0.25]


def test_performance_a_fall_restarts_the_count():
    factors = run(Performance(patience=2), [3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    assert factors == [1.0] * 7 + [0.5]


def test_performance_threshold_is_absolute():
    values = [1.0, 0.9375, 0.875, 0.8125]
    assert run(Performance(patience=1, threshold=0.0625), values) == [1.0, 1.0, 0.5, 0.25]
    assert run(Performance(patience=1, threshold=0.06), values) == [1.0] * 4


def test_performance_threshold_may_be_relative():
    # falls of an eighth of the value, also of one below 0, as of a negated score
    relative = {"patience": 1, "threshold_mode": "relative"}
    for values in ([64.0, 56.0, 49.0, 42.875], [-8.0, -9.0, -10.125, -11.390625]):
        assert run(Performance(threshold=0.12, **relative), values) == [1.0] * 4
        assert run(Performance(threshold=0.13, **relative), values) == [1.0, 1.0, 0.5, 0.25]


def test_performance_small_falls_add_up_to_the_last_that_counted():
    values = [1.0, 0.75, 0.5, 0.25, 0.0]
    lowest = Performance(patience=2, threshold=0.3)
    assert run(lowest, values) == [1.0, 1.0, 1.0, 0.5, 0.5]
    last = Performance(patience=2, threshold=0.3, reference="last_fall")
    assert run(last, values) == [1.0] * 5


def test_performance_cooldown_is_not_counted():
    factors = run(Performance(patience=1, cooldown=2), [1.0] * 8)
    # cut after epochs 1, 4 and 7: epochs 2, 3 and 5, 6 are let pass
    assert factors == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_performance_stops_at_the_least_factor():
    factors = run(Performance(patience=1, reduction=0.1, min_factor=0.05), [1.0] * 5)
    assert factors == pytest.approx([1.0, 1.0, 0.1, 0.05, 0.05])


def test_performance_counts_nan_as_idle():
    assert run(Performance(patience=1), [1.0, math.nan, 0.5, 0.4]) == [1.0, 1.0, 0.5, 0.5]


def test_performance_states_are_apart():
    schedule = Performance(patience=1)
    first, second = schedule.start(), schedule.start()
    for value in (1.0, 1.0):
        schedule.observe(first, value)
    assert schedule.factor(2, 9, first) == 0.5
    assert schedule.factor(2, 9, second) == 1.0


LOSSES = st.lists(st.sampled_from([0.5, 0.7, 0.79, 0.8, 0.85, 0.9, 1.0, 1.1]), min_size=1)


@settings(max_examples=150, deadline=None)
@given(
    values=LOSSES,
    patience=st.integers(0, 4),
    cooldown=st.integers(0, 3),
    mode=st.sampled_from(["rel", "abs"]),
    threshold=st.sampled_from([0.0, 0.03, 0.15]),
    min_lr=st.sampled_from([0.0, 0.2]),
)
def test_performance_equals_torch_cut_by_cut(values, patience, cooldown, mode, threshold, min_lr):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=0.5,
        patience=patience,
        threshold=threshold,
        threshold_mode=mode,
        cooldown=cooldown,
        min_lr=min_lr,
        eps=0.0,
    )
    rates = []
    for value in values:
        rates.append(optimizer.param_groups[0]["lr"])
        theirs.step(value)
    ours = Performance(
        patience=patience + 1,  # torch's is the number of idle epochs that it bears
        threshold=threshold,
        threshold_mode={"rel": "relative", "abs": "absolute"}[mode],
        reference="last_fall",
        cooldown=cooldown,
        min_factor=min_lr,
    )
    assert run(ours, values) == rates


@settings(max_examples=150, deadline=None)
@given(values=LOSSES, patience=st.integers(1, 4), cooldown=st.integers(1, 3))
def test_performance_equals_keras_cut_by_cut(values, patience, cooldown):
    rates, rate, best, wait, resting = [], 1.0, math.inf, 0, 0
    for value in values:
        rates.append(rate)
        if resting > 0:
            resting -= 1
            wait = 0
        if value < best - 0.03:
            best, wait = value, 0
        elif resting == 0:
            wait += 1
            if wait >= patience:
                rate, resting, wait = max(0.5 * rate, 0.2), cooldown, 0
    ours = Performance(
        patience=patience,
        threshold=0.03,
        reference="last_fall",
        cooldown=cooldown - 1,
        min_factor=0.2,
    )
    assert run(ours, values) == rates


# Combinators and functions


def halved_by_ten(t, horizon):
    """A user's function; at the level of the module, so that it pickles."""
    return 1 - 0.5 * t / horizon


class Slope:
    def __init__(self, by):
        self.by = by

    def __call__(self, t, horizon):
        return np.float32(1 + self.by * t)


def test_as_schedule():
    assert as_schedule("cosine") == "cosine"
    given = Cosine()
    assert as_schedule(given) is given
    made = as_schedule(halved_by_ten)
    assert type(made) is FunctionSchedule
    assert made.curve(4, 2).tolist() == [1 - k / 16 for k in range(8)]
    for wrong in (Cosine, 3.0, None):  # for the registry to refuse
        assert as_schedule(wrong) is wrong
        with pytest.raises((TypeError, ValueError), match="'schedule' parameter"):
            SCHEDULES.resolve(as_schedule(wrong))


def test_function_schedule():
    smooth = FunctionSchedule(halved_by_ten)
    stairs = FunctionSchedule(halved_by_ten, interval="epoch")
    assert smooth.per_step
    assert not stairs.per_step
    assert stairs.factor(5.9, 10, {}) == smooth.factor(5, 10, {}) == 0.75
    for schedule in (SCHEDULES.resolve(smooth), FunctionSchedule(Slope(0.5))):
        for copy in (clone(schedule), pickle.loads(pickle.dumps(schedule))):
            np.testing.assert_array_equal(copy.curve(5, 3), schedule.curve(5, 3))
    assert FunctionSchedule(Slope(0.5)).factor(4, 10, {}) == 3.0  # more than 1 is allowed
    with pytest.raises(ValueError, match="'function' parameter"):
        FunctionSchedule(0.5).validate()


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf, None, "much", np.ones(2)])
def test_function_must_return_a_factor(wrong):
    schedule = FunctionSchedule(lambda *_: wrong)
    message = re.escape(f"Got {wrong!r}") + r".*t=1.5 of horizon=10"
    with pytest.raises(ValueError, match=message):
        schedule.factor(1.5, 10, {})


@pytest.mark.parametrize("name", [name for name in NAMES if name != "warmup"])
def test_warmup_in_front_of_any(name):
    inner = ROWS[name].schedule
    schedule = Warmup(inner, epochs=2.0, initial_factor=0.5)
    schedule.validate()
    assert schedule.watches_loss is inner.watches_loss
    assert schedule.ends_with_training is inner.ends_with_training
    assert schedule.start() == inner.start()
    losses = [1.0] * 22
    first = inner.factor(0, 20, inner.start())
    rise, after = np.split(schedule.curve(22, 5, losses), [10])
    np.testing.assert_allclose(rise, first * np.linspace(0.5, 1, 11)[:-1], rtol=1e-12)
    if not inner.watches_loss:  # else it has counted two epochs already
        expected = [inner.factor(k / 5, 20, {}) for k in range(100)]
        np.testing.assert_allclose(after, expected, rtol=1e-9, atol=1e-12)


def test_warmup_of_a_cosine_rises_slowly_at_both_ends():
    schedule = Warmup(epochs=4.0, shape="cosine")
    assert [schedule.factor(t, 9, {}) for t in (0, 1, 2, 3, 4)] == pytest.approx(
        [(1 - math.cos(math.pi * t / 4)) / 2 for t in range(5)]
    )


def test_warmup_longer_than_training_is_all_there_is():
    schedule = Warmup("cosine", epochs=8.0)
    np.testing.assert_allclose(schedule.curve(4, 2), np.arange(8) / 16)
    assert schedule.factor(9.0, 4, {}) == 0.0  # training went on, past the end of the cosine


def test_warmup_reaches_what_is_nested():
    schedule = Warmup(Power(s=4.0)).set_params(schedule__s=2.0, epochs=1.0)
    assert schedule.factor(3.0, 9, {}) == 0.5
    model = MLPClassifier(schedule=Warmup(Cosine())).set_params(
        schedule__schedule__final_factor=0.5, schedule__epochs=2.0
    )
    assert model.schedule.factor(100, 10, {}) == 0.5
    with pytest.raises(ValueError, match="final_factor"):
        SCHEDULES.resolve(Warmup(Cosine(final_factor=-1.0)))


def test_warmup_and_sequential_take_names_components_and_functions():
    for value in ("linear", Linear(), halved_by_ten):
        SCHEDULES.resolve(Warmup(value))
        SCHEDULES.resolve(Sequential(["constant", value]))
    assert Warmup(halved_by_ten, epochs=2.0).factor(7.0, 12, {}) == 0.75
    for cls in (Warmup, lambda value: Sequential(("step", value))):
        with pytest.raises(TypeError, match=r"write Cosine\(\) instead"):
            SCHEDULES.resolve(cls(Cosine))


def test_sequential_is_asked_as_often_as_its_parts():
    assert not Sequential(("constant", "step", "piecewise"), (3, 9)).per_step
    assert Sequential(("constant", "step"), (2.5,)).per_step
    assert Sequential(("constant", "cosine"), (2,)).per_step
    assert not Sequential(("cosine", "constant"), (2,)).ends_with_training


# In training


def fitted(schedule, **parameters):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    model = MLPClassifier(
        (4,),
        schedule=schedule,
        learning_rate_init=0.01,
        batch_size=10,
        max_iter=8,
        random_state=0,
        early_stopping=False,
        tol=0.0,
        n_iter_no_change=100,
        **parameters,
    )
    return model, X, (X[:, 0] > 0).astype(int)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_fit_has_the_rates_of_the_curve(name):
    model, X, y = fitted(name)
    model.fit(X, y)
    expected = SCHEDULES[name]().curve(8, 4, losses=model.loss_curve_)
    last_of_epoch = expected.reshape(8, 4)[:, -1]
    np.testing.assert_allclose(model.lr_curve_, 0.01 * last_of_epoch, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_another_schedule_behind_a_warmup_may_follow():
    model, X, y = fitted(Warmup("cosine", epochs=2.0), warm_start=True)
    model.fit(X, y).set_params(schedule=Warmup("performance", epochs=2.0)).fit(X, y)
    assert len(model.lr_curve_) == 16
    np.testing.assert_allclose(model.lr_curve_[8:], 0.01, rtol=1e-12)


# The page that says how a schedule is added

PAGE = Path(__file__).parents[2] / "docs" / "adding_a_schedule.rst"


def blocks():
    """The blocks of code of the page, as they stand."""
    found = re.findall(r"::(?: python)?\n\n((?:    ?\S?.*\n|\n)+)", PAGE.read_text())
    return [textwrap.dedent(block) for block in found]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_worked_example_of_the_page(tmp_path, monkeypatch, capsys):
    function, module, use, entry, row = blocks()
    (tmp_path / "cooldown.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    exec(use, {"__name__": "page"})
    assert "[1.   1.   1.   1.   1.   0.75 0.5  0.25]" in capsys.readouterr().out
    names = {}
    exec(function, names)
    cls = importlib.import_module("cooldown").Cooldown
    np.testing.assert_allclose(names["schedule"].curve(9, 4), cls().curve(9, 4), rtol=1e-12)
    assert 'register("cooldown")\nclass Cooldown(HorizonSchedule):' in entry
    known = eval(row.strip().removesuffix(","), {**globals(), "Cooldown": cls})
    for (t, horizon), expected in known.points.items():
        assert known.schedule.factor(t, horizon, {}) == pytest.approx(expected)
    for bad in known.bad:
        with pytest.raises(ValueError, match=next(iter(bad))):
            SCHEDULES.resolve(cls(**bad))
    assert cls().ends_with_training is known.ends_with_training
    monkeypatch.delitem(sys.modules, "cooldown")
