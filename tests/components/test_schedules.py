import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_dnn.components.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    Linear,
    OneCycle,
    Performance,
    Piecewise,
    Power,
    Schedule,
)

# for each name: a schedule, and its factors at (epoch, horizon)
POINTS = {
    "constant": (Constant(), {(0, 10): 1.0, (99.5, 10): 1.0}),
    "linear": (
        Linear(final_factor=0.2),
        {(0, 10): 1.0, (2.5, 10): 0.8, (5, 10): 0.6, (10, 10): 0.2, (25, 10): 0.2},
    ),
    "piecewise": (
        Piecewise(),
        {(0, 20): 1.0, (4, 20): 1.0, (5, 20): 0.1, (9, 20): 0.1, (10, 20): 0.01, (50, 20): 0.01},
    ),
    "power": (Power(), {(0, 99): 1.0, (10, 99): 1 / 2, (20, 99): 1 / 3, (5, 99): 1 / 1.5}),
    "exponential": (
        Exponential(),
        {(0, 99): 1.0, (20, 99): 0.1, (40, 99): 0.01, (10, 99): 0.1**0.5},
    ),
    "cosine": (
        Cosine(final_factor=0.1),
        {(0, 8): 1.0, (2, 8): 0.1 + 0.45 * (1 + 0.5**0.5), (4, 8): 0.55, (8, 8): 0.1, (9, 8): 0.1},
    ),
    "performance": (Performance(), {(0, 10): 1.0, (9, 10): 1.0}),
    "one_cycle": (
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
    ),
}

BAD = {
    "constant": [],
    "linear": [{"final_factor": -0.1}, {"final_factor": 1.1}, {"horizon": 0}, {"horizon": "all"}],
    "piecewise": [
        {"boundaries": (5,)},
        {"boundaries": (10, 5)},
        {"boundaries": (5, 5)},
        {"boundaries": (0, 5)},
        {"boundaries": ("a", "b")},
        {"boundaries": 5},
        {"factors": (1.0, 0.1)},
        {"factors": (1.0, 0.1, -0.1)},
        {"factors": (1.0, 0.1, math.nan)},
    ],
    "power": [{"s": 0}, {"c": -1.0}, {"interval": "batch"}],
    "exponential": [{"s": 0}, {"base": 0.0}, {"base": 2.0}, {"interval": "batch"}],
    "cosine": [{"final_factor": -0.1}, {"final_factor": 1.1}, {"horizon": 0}],
    "performance": [{"reduction": 1.0}, {"patience": 0}, {"threshold": -1.0}, {"min_factor": -1.0}],
    "one_cycle": [
        {"initial_divisor": 0.5},
        {"final_divisor": 0.5},
        {"up_fraction": 0.0},
        {"down_fraction": 1.0},
        {"up_fraction": 0.6, "down_fraction": 0.5},
        {"horizon": -1},
    ],
}
PER_STEP = {"linear", "cosine", "one_cycle", "power", "exponential"}
HORIZON = {"linear", "cosine", "one_cycle"}


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_stated_points(name):
    schedule, points = POINTS[name]
    for (t, horizon), expected in points.items():
        assert schedule.factor(t, horizon, schedule.start()) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_facts(name):
    schedule = SCHEDULES.resolve(name)
    assert schedule.per_step is (name in PER_STEP)
    assert schedule.has_horizon is (name in HORIZON)
    assert ("horizon" in schedule.get_params()) is (name in HORIZON)
    assert schedule.watches_loss is (name == "performance")


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_component_round_trips(name):
    for schedule in (SCHEDULES.resolve(name), POINTS[name][0]):
        for copy in (clone(schedule), pickle.loads(pickle.dumps(schedule))):
            assert type(copy) is SCHEDULES[name]
            assert copy.get_params() == schedule.get_params()
        assert repr(schedule).startswith(type(schedule).__name__ + "(")
        assert set(schedule._parameter_constraints) == set(schedule.get_params())


@pytest.mark.parametrize(("name", "bad"), [(n, bad) for n in list(SCHEDULES) for bad in BAD[n]])
def test_bad_values_are_refused(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SCHEDULES.resolve(SCHEDULES[name](**bad))


def test_contradictions_show_both_values():
    with pytest.raises(ValueError, match=r"factors=\(1.0, 0.5\).*boundaries=\(5, 10\).*give 3"):
        Piecewise(factors=(1.0, 0.5)).validate()
    with pytest.raises(ValueError, match=r"up_fraction=0.6.*down_fraction=0.5"):
        OneCycle(up_fraction=0.6, down_fraction=0.5).validate()


TIMES = st.floats(0, 1e6, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), t=TIMES, horizon=st.floats(0.01, 1e4))
def test_factor_is_in_the_unit_interval(data, t, horizon):
    unit = st.floats(0, 1)
    schedule = data.draw(
        st.one_of(
            st.builds(Linear, final_factor=unit, horizon=st.none() | st.floats(0.01, 100)),
            st.builds(Cosine, final_factor=unit, horizon=st.none() | st.floats(0.01, 100)),
            st.builds(Power, s=st.floats(1e-6, 1e6), c=st.floats(0, 1e3)),
            st.builds(Exponential, s=st.floats(1e-6, 1e6), base=st.floats(1e-6, 1)),
            st.builds(
                OneCycle,
                initial_divisor=st.floats(1, 1e9),
                final_divisor=st.floats(1, 1e9),
                up_fraction=st.floats(0.01, 0.5),
                down_fraction=st.floats(0.01, 0.5),
            ),
            st.sampled_from([SCHEDULES[name]() for name in SCHEDULES]),
        )
    )
    schedule.validate()
    assert 0.0 <= schedule.factor(t, horizon, schedule.start()) <= 1.0


@pytest.mark.parametrize("name", sorted(PER_STEP))
def test_continuous(name):
    schedule = SCHEDULES[name]()
    factors = schedule.curve(10, 10_000)
    assert np.abs(np.diff(factors)).max() < 1e-3


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "performance"])
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


def test_curve_of_performance_is_refused():
    with pytest.raises(ValueError, match="depends on the loss"):
        Performance().curve(5)


@pytest.mark.parametrize("cls", [Linear, Cosine, OneCycle])
def test_own_horizon_comes_before_that_of_training(cls):
    schedule = cls(horizon=4)
    end = schedule.factor(4, 100, {})
    assert end == cls().factor(100, 100, {})
    assert schedule.factor(3.9, 100, {}) != end
    assert schedule.factor(50, 100, {}) == end
    assert schedule.factor(2, 100, {}) == cls().factor(50, 100, {})


@pytest.mark.parametrize("cls", [Power, Exponential])
def test_by_epoch_is_a_staircase(cls):
    smooth, stairs = cls(s=3.0), cls(s=3.0, interval="epoch")
    assert smooth.per_step
    assert not stairs.per_step
    for t in (0.0, 0.5, 1.0, 1.99, 7.0, 7.3):
        assert stairs.factor(t, 10, {}) == smooth.factor(math.floor(t), 10, {})


def test_piecewise_within_an_epoch_is_per_step():
    schedule = Piecewise(boundaries=np.array([0.5, 2.0]), factors=[2.0, 1.0, 0.5])
    schedule.validate()
    assert schedule.per_step
    np.testing.assert_array_equal(schedule.curve(3, 2), [2.0, 1.0, 1.0, 1.0, 0.5, 0.5])


def test_fractions_that_fill_the_horizon_are_allowed():
    schedule = OneCycle(up_fraction=0.3, down_fraction=0.7)
    schedule.validate()
    assert schedule.factor(3, 10, {}) == 1.0
    assert schedule.factor(9.999, 10, {}) == pytest.approx(0.1, rel=1e-2)
    assert schedule.factor(10, 10, {}) == 0.001


def run(schedule, values):
    state = schedule.start()
    factors = []
    for epoch, value in enumerate(values):
        factors.append(schedule.factor(epoch, len(values), state))
        schedule.observe(state, value)
    return factors


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


def test_schedule_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Schedule()
