"""Displays of training: losses by epoch, rates by epoch, losses by rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ..components.schedules import SCHEDULES, Schedule
from ._axes import BLUE, GREEN, ORANGE, PINK, axes_for
from ._network import MLP, require_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


def _numbers(values: Sequence[float | None] | None) -> np.ndarray | None:
    """A curve as an array, NaN where there is no value; None without any."""
    if values is None:
        return None
    curve = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return None if np.isnan(curve).all() else curve


class TrainingCurvesDisplay:
    """Training and validation loss by epoch.

    A training loss is a mean over the steps of an epoch, so it belongs to the middle of the
    epoch: it is drawn half an epoch to the left of the validation loss, which is measured at the
    epoch's end.

    Parameters
    ----------
    loss : sequence of float
        Training loss of each epoch.
    validation_loss, validation_score, learning_rate : sequence of float or None, default=None
        After, after and in the last step of each epoch.
    best_iter : int or None, default=None
        The epoch, from 1, whose weights are kept.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    loss_line_, validation_line_, best_line_ : matplotlib Line2D, or None where there is nothing
    score_ax_, rate_ax_ : matplotlib Axes or None
        Axes of the score and of the rate, where they were asked for.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self,
        loss: Sequence[float],
        *,
        validation_loss: Sequence[float | None] | None = None,
        validation_score: Sequence[float | None] | None = None,
        learning_rate: Sequence[float] | None = None,
        best_iter: int | None = None,
    ) -> None:
        self.loss = loss
        self.validation_loss = validation_loss
        self.validation_score = validation_score
        self.learning_rate = learning_rate
        self.best_iter = best_iter

    @classmethod
    def from_estimator(
        cls, estimator: MLP, *, ax: Axes | None = None, score: bool = False, rate: bool = False
    ) -> Self:
        """Plot the history of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor
            Fitted.
        ax, score, rate
            As in `plot`.
        """
        require_network(estimator, "TrainingCurvesDisplay.from_estimator")
        check_is_fitted(estimator)
        return cls.from_history(
            estimator.history_, best_iter=estimator.best_iter_, ax=ax, score=score, rate=rate
        )

    @classmethod
    def from_history(
        cls,
        history: Mapping[str, Sequence[Any]],
        *,
        best_iter: int | None = None,
        ax: Axes | None = None,
        score: bool = False,
        rate: bool = False,
    ) -> Self:
        """Plot a history: a mapping such as ``history_``, with at least "loss"."""
        display = cls(
            history["loss"],
            validation_loss=history.get("validation_loss"),
            validation_score=history.get("validation_score"),
            learning_rate=history.get("learning_rate"),
            best_iter=best_iter,
        )
        return display.plot(ax, score=score, rate=rate)

    def plot(self, ax: Axes | None = None, *, score: bool = False, rate: bool = False) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None.
        score, rate : bool, default=False
            Whether to add the validation score, and the learning rate (logarithmic), each on an
            axis of its own on the right.

        Returns
        -------
        self
        """
        validation, scores = _numbers(self.validation_loss), _numbers(self.validation_score)
        if score and scores is None:
            raise ValueError(
                "score=True asks for the validation score, but there was no validation part: fit "
                "with early_stopping=True or with X_val and y_val."
            )
        rates = self.learning_rate
        if rate and rates is None:
            raise ValueError(
                "rate=True asks for the learning rate, but the history has none: give "
                "learning_rate=..., one value an epoch."
            )
        ax = axes_for(self, ax)
        epochs = np.arange(1, len(self.loss) + 1)
        (self.loss_line_,) = ax.plot(epochs - 0.5, self.loss, color=BLUE, label="training loss")
        self.validation_line_ = self.best_line_ = self.score_ax_ = self.rate_ax_ = None
        if validation is not None:
            (self.validation_line_,) = ax.plot(
                epochs, validation, color=ORANGE, label="validation loss"
            )
        if self.best_iter:
            self.best_line_ = ax.axvline(
                self.best_iter, color="grey", linestyle=":", label=f"best epoch, {self.best_iter}"
            )
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
        lines = [self.loss_line_, self.validation_line_, self.best_line_]
        if score and scores is not None:
            self.score_ax_ = ax.twinx()
            self.score_ax_.set_ylabel("validation score")
            lines += self.score_ax_.plot(epochs, scores, color=GREEN, label="validation score")
        if rate and rates is not None:
            self.rate_ax_ = ax.twinx()
            if score:  # beside the axis of the score
                self.rate_ax_.spines["right"].set_position(("axes", 1.18))
            self.rate_ax_.set(ylabel="learning rate", yscale="log")
            lines += self.rate_ax_.plot(epochs, rates, color=PINK, label="learning rate")
        ax.legend(handles=[line for line in lines if line is not None])
        return self


class RangeTestDisplay:
    """Loss against the learning rate of a range test.

    Parameters
    ----------
    rates, losses : array-like of shape (n_steps,)
    suggestion : float or None, default=None
        The rate that the test suggests.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    line_, suggestion_line_ : matplotlib Line2D
        The second is None without a suggestion.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self, rates: ArrayLike, losses: ArrayLike, suggestion: float | None = None
    ) -> None:
        self.rates = rates
        self.losses = losses
        self.suggestion = suggestion

    @classmethod
    def from_result(cls, result: Any, *, ax: Axes | None = None) -> Self:
        """Plot what a range test found: an object with `rates`, `losses` and `suggestion`."""
        return cls(result.rates, result.losses, result.suggestion).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the losses, with a logarithmic axis of rates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None.

        Returns
        -------
        self
        """
        ax = axes_for(self, ax)
        (self.line_,) = ax.plot(self.rates, self.losses, color=BLUE, label="loss")
        self.suggestion_line_ = None
        if self.suggestion is not None:
            self.suggestion_line_ = ax.axvline(
                self.suggestion,
                color=ORANGE,
                linestyle=":",
                label=f"suggestion, {self.suggestion:.2g}",
            )
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return self


class ScheduleDisplay:
    """Learning rate by epoch.

    Parameters
    ----------
    epochs : array-like of shape (n_points,)
        Times in epochs.
    rates : array-like of shape (n_points,)
    name : str, default="schedule"
        For the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    line_ : matplotlib Line2D
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, epochs: ArrayLike, rates: ArrayLike, *, name: str = "schedule") -> None:
        self.epochs = epochs
        self.rates = rates
        self.name = name

    @classmethod
    def from_schedule(
        cls,
        schedule: str | Schedule,
        n_epochs: int,
        *,
        steps_per_epoch: int = 10,
        learning_rate_init: float = 1.0,
        ax: Axes | None = None,
    ) -> Self:
        """Plot a schedule without training.

        Parameters
        ----------
        schedule : str or Schedule
            One that watches the loss has no curve of its own and is refused.
        n_epochs : int
        steps_per_epoch : int, default=10
        learning_rate_init : float, default=1.0
            What the factors multiply.
        ax : matplotlib Axes, default=None

        Returns
        -------
        ScheduleDisplay
        """
        component = SCHEDULES.resolve(schedule)
        factors = component.curve(n_epochs, steps_per_epoch)
        epochs = np.arange(len(factors)) / steps_per_epoch
        name = SCHEDULES.name_of(component)
        return cls(epochs, learning_rate_init * factors, name=name).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: MLP, *, ax: Axes | None = None) -> Self:
        """Plot the rates that a fitted estimator was trained with: each epoch's last step's."""
        require_network(estimator, "ScheduleDisplay.from_estimator")
        check_is_fitted(estimator)
        rates = np.asarray(estimator.lr_curve_)
        name = estimator.spec_["schedule"]["component"]
        return cls(np.arange(1, len(rates) + 1), rates, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the rates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None; several schedules can share one.

        Returns
        -------
        self
        """
        ax = axes_for(self, ax)
        (self.line_,) = ax.plot(self.epochs, self.rates, label=self.name)
        ax.set(xlabel="epoch", ylabel="learning rate")
        ax.legend()
        return self
