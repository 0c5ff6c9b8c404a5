"""Each curriculum against the shares it promises."""

import math
import pickle
import re

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.base import clone

from sklearn_dnn.components.curricula import (
    CURRICULA,
    Curriculum,
    ExponentialCurriculum,
    FunctionCurriculum,
    LinearCurriculum,
    as_curriculum,
    ranks,
)

# for each name: the class, its defaults, a curriculum without a random share, what easiest share
# it draws from at (epoch, horizon), bad parameters
TABLE = {
    "linear": (
        LinearCurriculum,
        {"start": 0.2, "epochs": 10.0, "random_share": 0.2},
        LinearCurriculum(start=0.2, epochs=8, random_share=0),
        {(0, 99): 0.2, (1, 99): 0.3, (4, 99): 0.6, (7, 99): 0.9, (8, 99): 1, (50, 99): 1},
        [{"start": 0}, {"start": 1.1}, {"epochs": 0}, {"random_share": -0.1}, {"random_share": 2}],
    ),
    "exponential": (
        ExponentialCurriculum,
        {"start": 0.2, "growth": 2.0, "every": 3.0, "random_share": 0.2},
        ExponentialCurriculum(start=0.1, growth=3.0, every=2, random_share=0),
        {(0, 9): 0.1, (1, 9): 0.1, (2, 9): 0.3, (3.5, 9): 0.3, (4, 9): 0.9, (6, 9): 1, (1e9, 9): 1},
        [{"start": 0}, {"growth": 1}, {"growth": 0.5}, {"every": 0}, {"random_share": 1.5}],
    ),
}
names = pytest.mark.parametrize("name", list(CURRICULA))


def row_ranks(n=1000, dtype=torch.float64):
    order = np.random.default_rng(0).permutation(n)
    return torch.from_numpy(ranks(order)).to(dtype), order


@names
def test_component_round_trips(name):
    cls, defaults, _, _, bad = TABLE[name]
    curriculum = CURRICULA.resolve(name)
    assert type(curriculum) is cls
    assert curriculum.get_params() == defaults
    for copy in (clone(curriculum), pickle.loads(pickle.dumps(curriculum))):
        assert type(copy) is cls
        assert copy.get_params() == defaults
    assert set(cls._parameter_constraints) == set(defaults)
    for parameters in bad:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            CURRICULA.resolve(cls(**parameters))


@names
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_easiest_share_is_drawn(name, dtype):
    _, _, pure, points, _ = TABLE[name]
    rank, order = row_ranks(dtype=dtype)
    for (t, horizon), share in points.items():
        weights = pure.weights(rank, t, horizon)
        if share == 1:
            assert weights is None
            continue
        # not a row more or less, save for one that rounding of the share decides
        n_easy = int((weights > 0).sum())
        assert abs(n_easy - share * 1000) <= 1
        assert set(order[weights > 0]) == set(range(n_easy))
        assert weights.dtype == dtype
        torch.testing.assert_close(weights[weights > 0], weights.new_full((n_easy,), 1 / n_easy))


@names
@pytest.mark.parametrize("random_share", [0.0, 0.25, 0.9])
def test_a_random_share_comes_from_all_rows(name, random_share):
    cls = CURRICULA[name]
    rank, _ = row_ranks()
    pure = cls(random_share=0).weights(rank, 2.0, 20)
    mixed = cls(random_share=random_share).weights(rank, 2.0, 20)
    torch.testing.assert_close(mixed, (1 - random_share) * pure + random_share / 1000)
    torch.testing.assert_close(mixed.sum(), torch.ones((), dtype=mixed.dtype))
    assert cls(random_share=1).weights(rank, 2.0, 20) is None
    assert cls(start=1).weights(rank, 0.0, 20) is None


@names
def test_more_rows_come_as_time_goes(name):
    rank, _ = row_ranks()
    curriculum = CURRICULA[name](random_share=0)
    counts = []
    for t in range(30):
        weights = curriculum.weights(rank, float(t), 30)
        counts.append(1000 if weights is None else int((weights > 0).sum()))
    assert counts == sorted(counts)
    assert counts[0] == 200
    assert counts[10] == 1000


@names
def test_draws_have_the_shares(name):
    rank, _ = row_ranks(200)
    weights = CURRICULA[name]().weights(rank, 0.0, 10)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(weights, 20_000, replacement=True, generator=generator)
    hard = (rank[drawn] >= 0.2).double().mean()
    assert float(hard) == pytest.approx(0.2 * 0.8, abs=0.01)  # the random share's hard rows


@names
def test_rows_without_difference_are_all_easy(name):
    rank = torch.from_numpy(ranks(np.full(30, 7.0)))
    weights = CURRICULA[name]().weights(rank, 0.0, 10)
    torch.testing.assert_close(weights, torch.full((30,), 1 / 30, dtype=torch.float64))


@names
def test_input_is_left_alone_and_members_may_have_an_axis(name):
    rank = torch.stack([row_ranks(50)[0], row_ranks(50)[0].flip(0)])
    before = rank.clone()
    curriculum = CURRICULA[name]()
    together = curriculum.weights(rank, 1.0, 10)
    assert torch.equal(rank, before)
    for i in range(2):
        assert torch.equal(together[i], curriculum.weights(rank[i], 1.0, 10))


def test_linear_over_the_whole_of_training():
    rank, _ = row_ranks()
    whole, ten = LinearCurriculum(epochs=None), LinearCurriculum(epochs=10)
    assert torch.equal(whole.weights(rank, 20.0, 40), ten.weights(rank, 5.0, 999))
    assert whole.weights(rank, 39.0, 40) is not None
    assert whole.weights(rank, 40.0, 40) is None


def test_exponential_reaches_all_rows_exactly():
    curriculum = ExponentialCurriculum(start=0.125, growth=2.0, every=1)
    assert [curriculum.easiest(t, 9) for t in range(5)] == [0.125, 0.25, 0.5, 1.0, 1.0]


# Ranks


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_ranks_are_shares_of_easier_rows(dtype):
    difficulty = np.random.default_rng(0).integers(0, 30, 100).astype(dtype)
    kept = difficulty.copy()
    got = ranks(difficulty)
    np.testing.assert_array_equal(got, [(difficulty < d).mean() for d in difficulty])
    np.testing.assert_array_equal(difficulty, kept)
    np.testing.assert_allclose(got, (scipy.stats.rankdata(difficulty, "min") - 1) / 100)
    assert got.dtype == np.float64
    # of any unit: only the order counts
    np.testing.assert_array_equal(ranks(np.exp(difficulty / 50.0)), got)


def test_ranks_of_odd_input():
    np.testing.assert_array_equal(ranks([2, math.inf, 1, -math.inf]), [0.5, 0.75, 0.25, 0])
    np.testing.assert_array_equal(ranks(np.array([True, False, False])), [2 / 3, 0, 0])
    np.testing.assert_array_equal(ranks([5]), [0])
    with pytest.raises(ValueError, match=r"difficulty .*2 of its 3 values are NaN.*median"):
        ranks([1, math.nan, math.nan])
    with pytest.raises(ValueError, match=r"difficulty .*one number a row.*\(2, 1\)"):
        ranks([[1], [2]])
    with pytest.raises(ValueError, match=r"difficulty .*one number a row"):
        ranks(["easy", "hard"])


# A user's function


def hard_first(t, rank):
    return None if t >= 2 else rank


def test_function_gives_weights():
    rank, _ = row_ranks(10, torch.float32)
    curriculum = FunctionCurriculum(hard_first)
    weights = curriculum.weights(rank, 1.0, 5)
    torch.testing.assert_close(weights, rank / rank.sum())
    assert weights.dtype == torch.float32
    assert curriculum.weights(rank, 2.0, 5) is None
    for copy in (clone(curriculum), pickle.loads(pickle.dumps(curriculum))):
        assert copy.get_params() == {"function": hard_first}
    with pytest.raises(ValueError, match="function"):
        FunctionCurriculum("hard").validate()


def test_function_can_not_change_the_ranks():
    rank, _ = row_ranks(10)
    before = rank.clone()
    FunctionCurriculum(lambda _, r: r.__iadd__(1)).weights(rank, 0.0, 5)
    assert torch.equal(rank, before)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones(9), r"one weight a row.*shape \(9,\) for 10 rows at epoch 3"),
        (1.0, "one weight a row"),
        (np.zeros(10), "not all 0.*Got 0 to 0"),
        (np.arange(-1, 9), "at least 0.*Got -1 to 8.*return None"),
        (np.full(10, math.nan), "finite weights"),
        (np.full(10, math.inf), "finite weights"),
    ],
)
def test_function_that_returns_something_else(result, message):
    with pytest.raises(ValueError, match=message):
        FunctionCurriculum(lambda *_: result).weights(row_ranks(10)[0], 3.0, 5)


def test_only_a_plan_for_the_whole_of_training_ends_with_it():
    assert LinearCurriculum(epochs=None).ends_with_training
    others = (LinearCurriculum(), ExponentialCurriculum(), FunctionCurriculum(hard_first))
    assert not any(plan.ends_with_training for plan in others)


# From values of the parameter


def test_as_curriculum():
    own = LinearCurriculum(start=0.5)
    assert as_curriculum(None) is None
    assert as_curriculum(own) is own
    assert type(as_curriculum("exponential")) is ExponentialCurriculum
    assert as_curriculum(hard_first).function is hard_first


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("lineal", ValueError, "'curriculum' parameter.*Did you mean 'linear'"),
        (LinearCurriculum, TypeError, r"write LinearCurriculum\(\) instead"),
        (0.5, ValueError, re.escape("function(t, difficulty_rank)")),
        (["linear"], ValueError, r"Got \['linear'\]"),
        (LinearCurriculum(start=0), ValueError, "'start' parameter of LinearCurriculum"),
    ],
)
def test_as_curriculum_refuses(value, error, message):
    with pytest.raises(error, match=message):
        as_curriculum(value)


def test_curriculum_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Curriculum()
