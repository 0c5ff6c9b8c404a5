"""Displays: the right numbers on the right artists."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import OneCycle
from sklearn_dnn.inspection import (
    ActivationsDisplay,
    CoverageDisplay,
    LayerStatisticsDisplay,
    RangeTestDisplay,
    ScheduleDisplay,
    TrainingCurvesDisplay,
    WeightsDisplay,
    activations,
    coverage_curve,
    layer_statistics,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def network():
    return MLPClassifier(
        (12, 6), learning_rate_init=0.01, early_stopping=True, max_iter=15, tol=0.0,
        schedule="exponential", random_state=0,
    ).fit(X, Y)  # fmt: skip


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_training_curve_lies_half_an_epoch_to_the_left(network):
    display = TrainingCurvesDisplay.from_estimator(network)
    n = network.n_iter_
    np.testing.assert_allclose(display.loss_line_.get_xdata(), np.arange(n) + 0.5)
    np.testing.assert_allclose(display.loss_line_.get_ydata(), network.loss_curve_)
    np.testing.assert_allclose(display.validation_line_.get_xdata(), np.arange(1, n + 1))
    validation = display.validation_line_.get_ydata()
    np.testing.assert_allclose(validation, network.validation_loss_curve_)
    assert display.best_line_.get_xdata() == [network.best_iter_] * 2
    # the best epoch is the lowest point of the validation curve
    assert np.argmin(validation) + 1 == network.best_iter_
    assert display.score_ax_ is None
    assert display.rate_ax_ is None
    assert display.figure_ is display.ax_.figure


def test_score_and_rate_have_axes_of_their_own(network):
    display = TrainingCurvesDisplay.from_estimator(network, score=True, rate=True)
    (score,), (rate,) = display.score_ax_.get_lines(), display.rate_ax_.get_lines()
    np.testing.assert_allclose(score.get_ydata(), network.validation_scores_)
    np.testing.assert_allclose(rate.get_ydata(), network.lr_curve_)
    assert display.rate_ax_.get_yscale() == "log"
    assert len(display.ax_.get_legend().get_texts()) == 5


def test_training_without_validation_has_one_curve():
    plain = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, Y)
    display = TrainingCurvesDisplay.from_estimator(plain)
    assert display.validation_line_ is None
    with pytest.raises(ValueError, match="early_stopping=True"):
        TrainingCurvesDisplay.from_estimator(plain, score=True)
    with pytest.raises(ValueError, match="one value an epoch"):
        TrainingCurvesDisplay([3.0, 2.0]).plot(rate=True)
    gaps = TrainingCurvesDisplay([3.0, 2.0], validation_loss=[None, 1.0]).plot()
    np.testing.assert_array_equal(gaps.validation_line_.get_ydata(), [np.nan, 1.0])


def test_range_test_has_a_logarithmic_axis_and_its_suggestion():
    result = SimpleNamespace(rates=[1e-4, 1e-3, 1e-2], losses=[1.0, 0.5, 2.0], suggestion=1e-3)
    display = RangeTestDisplay.from_result(result)
    np.testing.assert_array_equal(display.line_.get_xydata(), [[1e-4, 1], [1e-3, 0.5], [1e-2, 2]])
    assert display.suggestion_line_.get_xdata()[0] == 1e-3
    assert display.ax_.get_xscale() == "log"
    assert RangeTestDisplay([1, 2], [3, 4]).plot().suggestion_line_ is None


def test_schedule_is_its_curve_times_the_rate():
    schedule = OneCycle(final_divisor=50.0)
    display = ScheduleDisplay.from_schedule(schedule, 10, steps_per_epoch=4, learning_rate_init=0.1)
    np.testing.assert_allclose(display.line_.get_ydata(), 0.1 * schedule.curve(10, 4))
    np.testing.assert_allclose(display.line_.get_xdata(), np.arange(40) / 4)
    assert display.line_.get_label() == "one_cycle"
    both = ScheduleDisplay.from_schedule("cosine", 10, ax=display.ax_)
    assert both.ax_ is display.ax_
    assert len(display.ax_.get_lines()) == 2
    with pytest.raises(ValueError, match="depends on the loss"):
        ScheduleDisplay.from_schedule("performance", 10)


def test_schedule_of_a_fit_is_its_rates(network):
    display = ScheduleDisplay.from_estimator(network)
    np.testing.assert_allclose(display.line_.get_ydata(), network.lr_curve_)
    assert display.line_.get_xdata()[0] == 1


def test_coverage_is_the_curve(network):
    display = CoverageDisplay.from_estimator(network, X, Y)
    curve = coverage_curve(network, X, Y)
    np.testing.assert_allclose(display.line_.get_xdata(), curve.coverage)
    np.testing.assert_allclose(display.line_.get_ydata(), curve.accuracy)
    assert display.line_.get_label() == "MLPClassifier"
    rival = LogisticRegression().fit(X, Y)
    CoverageDisplay.from_estimator(rival, X, Y, ax=display.ax_)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "MLPClassifier",
        "LogisticRegression",
    ]
    assert CoverageDisplay.from_curve(curve).ax_.get_legend() is None


def test_layer_statistics_are_drawn_by_layer(network):
    table = layer_statistics(network, X, Y)
    display = LayerStatisticsDisplay.from_estimator(network, X)
    points, _, (bars,) = display.errorbar_
    np.testing.assert_allclose(points.get_xydata(), table["mean"].reset_index())
    for (low, high), mean, std in zip(
        bars.get_segments(), table["mean"], table["std"], strict=True
    ):
        assert (high[1] - low[1]) / 2 == pytest.approx(std)
        assert (high[1] + low[1]) / 2 == pytest.approx(mean)
    np.testing.assert_allclose(display.lines_["max"].get_ydata(), table["max"])
    display = LayerStatisticsDisplay(table).plot(kind="gradients")
    np.testing.assert_allclose(
        display.lines_["signal_gradient"].get_ydata(), table["signal_gradient"]
    )
    assert display.ax_.get_yscale() == "log"
    display = LayerStatisticsDisplay(table).plot(kind="shares")
    np.testing.assert_allclose(display.lines_["dead_share"].get_ydata(), table["dead_share"])
    with pytest.raises(ValueError, match="computed with y"):
        LayerStatisticsDisplay.from_estimator(network, X, kind="gradients")
    with pytest.raises(ValueError, match="kind must be one of"):
        LayerStatisticsDisplay(table).plot(kind="losses")


def test_weights_are_a_heat_map_with_zero_in_the_middle(network):
    display = WeightsDisplay.from_estimator(network, layer=1)
    np.testing.assert_allclose(display.image_.get_array(), network.coefs_[1])
    low, high = display.image_.get_clim()
    assert low == -high == -np.abs(network.coefs_[1]).max()
    display = WeightsDisplay.from_estimator(network, kind="histogram")
    assert len(display.patches_) == 3
    with pytest.raises(ValueError, match="layer must be one of 3"):
        WeightsDisplay.from_estimator(network, layer=3)


def test_units_over_pixels_are_images():
    digits, y = load_digits(return_X_y=True)
    network = MLPClassifier((7,), max_iter=1, random_state=0).fit(digits[:100], y[:100])
    display = WeightsDisplay.from_estimator(network, shape=(8, 8), max_units=5)
    grid = display.image_.get_array().filled(np.nan)
    assert grid.shape == (2 * 9 - 1, 3 * 9 - 1)  # two rows of three, a line between
    for unit, (row, column) in enumerate([(0, 0), (0, 9), (0, 18), (9, 0), (9, 9)]):
        shown = grid[row : row + 8, column : column + 8]
        np.testing.assert_allclose(shown.ravel(), network.coefs_[0][:, unit])
    assert np.isnan(grid[9:, 18:]).all()
    with pytest.raises(ValueError, match=r"63 pixels.*64 inputs"):
        WeightsDisplay.from_estimator(network, shape=(7, 9))


def test_activations_are_histograms_that_count_every_unit_and_row(network):
    display = ActivationsDisplay.from_estimator(network, X, bins=20)
    for values, density, edges in zip(
        activations(network, X), display.densities_, display.edges_, strict=True
    ):
        counts = np.histogram(values, edges)[0]
        assert counts.sum() == values.size
        np.testing.assert_allclose(density, counts / counts.sum() / np.diff(edges))
    assert len(display.patches_) == 2


def test_given_axes_are_drawn_on_and_no_figure_is_opened(network):
    figure, axes = plt.subplots(3, 2)
    before = plt.get_fignums()
    displays = [
        TrainingCurvesDisplay.from_estimator(network, ax=axes[0, 0]),
        ScheduleDisplay.from_estimator(network, ax=axes[0, 1]),
        LayerStatisticsDisplay.from_estimator(network, X, ax=axes[1, 0]),
        WeightsDisplay.from_estimator(network, ax=axes[1, 1]),
        ActivationsDisplay.from_estimator(network, X, ax=axes[2, 0]),
        CoverageDisplay.from_estimator(network, X, Y, ax=axes[2, 1]),
    ]
    assert [display.ax_ for display in displays] == list(axes.ravel())
    assert {display.figure_ for display in displays} == {figure}
    assert plt.get_fignums() == before
    figure.canvas.draw()


FROM_ESTIMATOR = {
    TrainingCurvesDisplay: (),
    ScheduleDisplay: (),
    LayerStatisticsDisplay: (X,),
    WeightsDisplay: (),
    ActivationsDisplay: (X,),
    CoverageDisplay: (X, Y),
}


@pytest.mark.parametrize("display", list(FROM_ESTIMATOR))
def test_unfitted_estimators_are_refused(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(MLPClassifier(), *FROM_ESTIMATOR[display])


@pytest.mark.parametrize("display", [d for d in FROM_ESTIMATOR if d is not CoverageDisplay])
def test_foreign_estimators_are_refused(display):
    with pytest.raises(TypeError, match=r"Got LogisticRegression instead"):
        display.from_estimator(LogisticRegression().fit(X, Y), *FROM_ESTIMATOR[display])


@pytest.mark.parametrize("display", list(FROM_ESTIMATOR))
def test_without_matplotlib_the_extra_is_named(display, network, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-dnn\[report\]"):
        display.from_estimator(network, *FROM_ESTIMATOR[display])
