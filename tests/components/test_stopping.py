"""The epoch at which training ends, by every rule, against a count by brute force."""

import json
import math
import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_dnn._core.training.stopping import Patience
from sklearn_dnn.components.stopping import EarlyStopping

DEFAULTS = {
    "patience": "auto",
    "min_delta": 0.0,
    "relative": False,
    "mode": "auto",
    "baseline": None,
    "baseline_patience": None,
    "target": None,
    "start_after": 0,
    "restore_best": True,
    "watch": "validation",
    "refit": False,
}


def follow(patience, values, sign=1.0):
    """(epoch of the end, its reason, the best epoch) over a curve of monitored values."""
    for n_iter, value in enumerate(values, start=1):
        patience.update(sign * value, n_iter)
        if patience.ended is not None:
            return n_iter, patience.ended, patience.best_iter
    return None, None, patience.best_iter


def ends(rule, values, scored=False):
    return follow(Patience.of(rule.settled(10), scored), values, rule.sign(scored))


def better(rule, value, reference, falls):
    """Whether a value is an improvement, in words rather than signs."""
    least = rule.min_delta * abs(reference) if rule.relative else rule.min_delta
    gain = reference - value if falls else value - reference
    return gain > 0 and gain >= least


def brute_force(rule, values, falls=True):
    """The same by looking at the whole curve anew at every epoch."""
    pick = min if falls else max

    def best_of(n):
        return pick(values[rule.start_after : n])

    best_epoch = 0
    for n in range(1, len(values) + 1):
        if n <= rule.start_after:
            best_epoch = 1 + values.index(pick(values[:n]))
            continue
        seen = values[rule.start_after : n]
        best_epoch = rule.start_after + 1 + seen.index(pick(seen))
        if rule.target is not None and (
            best_of(n) <= rule.target if falls else best_of(n) >= rule.target
        ):
            return n, "target", best_epoch
        borne = rule.patience if rule.baseline_patience is None else rule.baseline_patience
        beaten = rule.baseline is not None and better(rule, best_of(n), rule.baseline, falls)
        if rule.baseline is not None and not beaten and len(seen) > borne:
            return n, "baseline", best_epoch
        improved = [
            e for e in range(rule.start_after + 2, n + 1)
            if better(rule, values[e - 1], best_of(e - 1), falls)
        ]  # fmt: skip
        last = max([rule.start_after + 1, *improved])
        if n - last > rule.patience:
            return n, "patience", best_epoch
    return None, None, best_epoch


# Halves, so that differences and multiples are exact
GRID = st.integers(-6, 12).map(lambda i: i / 2)


@settings(max_examples=600, deadline=None)
@given(
    rule=st.builds(
        EarlyStopping,
        patience=st.integers(0, 4) | st.just(math.inf),
        min_delta=st.sampled_from([0.0, 0.5, 1.0]),
        mode=st.just("auto"),
        baseline=st.none() | GRID,
        baseline_patience=st.none(),
        target=st.none() | GRID,
        start_after=st.integers(0, 4),
    ),
    own=st.none() | st.integers(0, 6),
    values=st.lists(GRID, min_size=1, max_size=25),
    scored=st.booleans(),
)
def test_end_by_brute_force(rule, own, values, scored):
    if rule.baseline is not None:
        rule.baseline_patience = 3 if own is None and rule.patience == math.inf else own
    rule.validate()
    assert ends(rule, values, scored) == brute_force(rule, values, falls=not scored)


@settings(max_examples=300, deadline=None)
@given(
    rule=st.builds(
        EarlyStopping,
        patience=st.integers(0, 3),
        min_delta=st.sampled_from([0.0, 0.25, 0.5]),
        relative=st.just(True),
        baseline=st.none() | GRID,
    ),
    values=st.lists(GRID, min_size=1, max_size=20),
    scored=st.booleans(),
)
def test_end_with_a_relative_delta_by_brute_force(rule, values, scored):
    assert ends(rule, values, scored) == brute_force(rule, values, falls=not scored)


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(st.floats(-5, 5), min_size=1, max_size=30),
    tol=st.sampled_from([0.01, 0.5]),
    patience=st.integers(0, 4),
)
def test_where_tol_is_not_0_it_is_the_rule_of_the_parameters(values, tol, patience):
    """``early_stopping=True`` with `tol` and `n_iter_no_change` is the same rule."""
    plain = Patience(tol, patience)
    by_component = Patience.of(EarlyStopping(patience, tol).settled(10), scored=False)
    for n_iter, value in enumerate(values, start=1):
        assert plain.update(value, n_iter) == by_component.update(value, n_iter)
        assert plain.export() == by_component.export()
        assert plain.ended == by_component.ended == ("patience" if plain.exhausted else None)


CURVES = [
    # (parameters, values, end, reason, best epoch)
    ({"patience": 2}, [5, 4, 4.5, 4.2, 4.1, 1], 5, "patience", 2),  # third idle epoch in a row
    ({"patience": 0}, [5, 4, 3, 3.5, 1], 4, "patience", 3),  # the first rise
    ({"patience": 2}, [5, 4, 4, 4, 4, 4], 5, "patience", 2),  # ties are idle
    ({"patience": 2}, [5, 4, 9, 9, 3, 9, 9, 9], 8, "patience", 5),
    ({"patience": 1, "min_delta": 0.5}, [5, 4.5, 4.0, 3.5], None, None, 4),  # exactly delta counts
    ({"patience": 1, "min_delta": 0.5}, [5, 4.75, 4.5], 3, "patience", 3),  # idle, yet the best
    ({"patience": 1, "min_delta": 0.1, "relative": True}, [10, 9, 8, 7.5, 7], 5, "patience", 5),
    ({"patience": 1, "min_delta": 0.1}, [10, 9, 8, 7.5, 7], None, None, 5),
    ({"patience": math.inf}, [1] * 50, None, None, 1),
    ({"target": 3}, [5, 4, 3, 2], 3, "target", 3),
    ({"target": 3, "patience": 0}, [5, 4, 4, 3], 3, "patience", 2),
    ({"patience": 1, "baseline": 2}, [5, 4, 3, 1], 2, "baseline", 2),  # improves, yet too slowly
    ({"patience": 1, "baseline": 2, "baseline_patience": 3}, [5, 4, 3, 1, 1], None, None, 4),
    ({"patience": 1, "baseline": 2, "baseline_patience": 3}, [5, 4, 3, 2, 1], 4, "baseline", 4),
    ({"patience": 1, "baseline": 2, "baseline_patience": 8}, [5, 6, 6, 1], 3, "patience", 1),
    ({"patience": 3, "baseline": 2}, [1, 9, 9, 9, 9], 5, "patience", 1),  # beaten once is enough
    ({"patience": 1, "start_after": 3}, [1, 2, 3, 4, 5, 6], 6, "patience", 4),
    ({"patience": 1, "start_after": 9}, [3, 1, 2, 4, 5], None, None, 2),  # the best until then
    ({"target": 3, "start_after": 2}, [1, 1, 5, 3, 9], 4, "target", 4),
    ({"patience": 1, "baseline": 2, "start_after": 2}, [1, 1, 3, 3], 4, "baseline", 3),
]


@pytest.mark.parametrize(("parameters", "values", "end", "reason", "best"), CURVES)
def test_curves_by_hand(parameters, values, end, reason, best):
    rule = EarlyStopping(**parameters)
    rule.validate()
    rule = rule.settled(10)
    assert ends(rule, values) == (end, reason, best)
    assert brute_force(rule, values) == (end, reason, best)
    # as scores, and as errors that a function gives in place of a score
    mirrored = {
        name: -value if name in {"target", "baseline"} else value
        for name, value in parameters.items()
    }
    assert ends(EarlyStopping(**mirrored), [-v for v in values], True) == (end, reason, best)
    assert ends(EarlyStopping(**parameters, mode="min"), values, True) == (end, reason, best)
    assert ends(EarlyStopping(**mirrored, mode="max"), [-v for v in values], True) == (
        (end, reason, best)
    )


def keras(values, patience, min_delta=0.0, start_from_epoch=0):
    """What Keras' callback does after each epoch, without baseline; epochs from 1."""
    best, wait = math.inf, 0
    for epoch, value in enumerate(values):
        if epoch < start_from_epoch:
            continue
        wait += 1
        if value + min_delta < best:
            best, wait = value, 0
        elif wait >= patience and epoch > 0:
            return epoch + 1
    return None


def test_keras_by_hand():
    values = [5, 4, 4.5, 4.5, 4.5, 1]
    assert [keras(values, p) for p in range(6)] == [3, 3, 4, 5, None, None]
    assert [ends(EarlyStopping(p), values)[0] for p in range(5)] == [3, 4, 5, None, None]


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(GRID, min_size=1, max_size=25),
    patience=st.integers(0, 5),
    start=st.integers(0, 3),
)
def test_keras_patience_is_one_more(values, patience, start):
    ours = ends(EarlyStopping(patience, start_after=start), values)[0]
    assert ours == keras(values, patience + 1, start_from_epoch=start)
    if patience == 0:
        assert ours == keras(values, 0, start_from_epoch=start)


# Going on


@settings(max_examples=200, deadline=None)
@given(
    parameters=st.sampled_from([parameters for parameters, *_ in CURVES]),
    values=st.lists(GRID, min_size=2, max_size=15),
    cut=st.integers(1, 14),
)
def test_a_count_that_is_saved_goes_on(parameters, values, cut):
    rule = EarlyStopping(**parameters)
    whole, first = (Patience.of(rule.settled(10), False) for _ in range(2))
    for n_iter, value in enumerate(values[:cut], start=1):
        whole.update(value, n_iter)
        first.update(value, n_iter)
    saved = json.loads(json.dumps(first.export()))
    second = Patience.of(rule.settled(10), False).resumed(saved)
    assert second == first == replace(first)
    for n_iter, value in enumerate(values[cut:], start=cut + 1):
        assert whole.update(value, n_iter) == second.update(value, n_iter)
        assert whole.ended == second.ended
    assert whole == second


def test_what_was_saved_before_there_was_a_baseline_goes_on():
    saved = {"best": 2.0, "best_iter": 3, "count": 1, "other": "things"}
    patience = Patience(0.1, 5).resumed(saved)
    assert patience == Patience(0.1, 5, 2.0, 3, 1)


def test_forgetting_begins_anew():
    rule = EarlyStopping(patience=2, baseline=0.5)
    patience = Patience.of(rule.settled(10), False)
    for n_iter, value in enumerate([1, 2], start=1):
        patience.update(value, n_iter)
    patience.forget()
    assert patience == Patience.of(rule.settled(10), False)
    shifted = [patience.update(v, n) and patience.ended for n, v in ((3, 9.0), (4, 8.0))]
    assert shifted == [None, None]
    patience.update(7.0, 5)
    assert patience.ended == "baseline"


def test_best_weights_are_told_of_through_the_first_epochs():
    patience = Patience.of(EarlyStopping(start_after=2).settled(10), False)
    told = [patience.update(v, n) for n, v in enumerate([3, 1, 5, 4, 4.5], start=1)]
    assert told == [True, True, True, True, False]  # what came before the third is forgotten


# The component


def test_component_round_trips():
    rule = EarlyStopping()
    assert rule.get_params() == DEFAULTS
    assert set(EarlyStopping._parameter_constraints) == set(DEFAULTS)
    rule = EarlyStopping(3, baseline=0.5, watch="training")
    for copy in (clone(rule), pickle.loads(pickle.dumps(rule))):
        copy.validate()
        assert copy.get_params() == rule.get_params()


@pytest.mark.parametrize(
    "bad",
    [
        {"patience": -1},
        {"patience": 1.5},
        {"patience": None},
        {"min_delta": -0.1},
        {"min_delta": math.nan},
        {"relative": "yes"},
        {"mode": "lowest"},
        {"baseline": math.nan},
        {"baseline": math.inf},
        {"baseline": "ridge"},
        {"baseline_patience": -1, "baseline": 1.0},
        {"target": -math.inf},
        {"start_after": -1},
        {"restore_best": None},
        {"watch": "test"},
        {"refit": "all"},
    ],
)
def test_bad_values_are_refused(bad):
    with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter of EarlyStopping"):
        EarlyStopping(**bad).validate()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"baseline_patience": 3}, "baseline_patience=3.*baseline=None.*give the baseline"),
        ({"baseline": 1.0, "patience": math.inf}, "baseline=1.0.*patience=inf.*baseline_patience"),
        ({"relative": True, "min_delta": 1.0}, "min_delta=1.0.*relative=True.*below 1"),
        ({"refit": True, "watch": "training"}, "refit=True.*watch='training'.*refit=False"),
    ],
)
def test_contradictions_show_both_values(parameters, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**parameters).validate()


@pytest.mark.parametrize(
    ("mode", "scored", "sign"),
    [
        ("auto", False, 1),
        ("auto", True, -1),
        ("min", False, 1),
        ("min", True, 1),
        ("max", True, -1),
    ],
)
def test_direction(mode, scored, sign):
    assert EarlyStopping(mode=mode).sign(scored) == sign


def test_a_loss_can_not_be_asked_to_rise():
    with pytest.raises(ValueError, match=r"mode='max'.*the loss is monitored.*mode='auto'"):
        EarlyStopping(mode="max").sign(scored=False)
