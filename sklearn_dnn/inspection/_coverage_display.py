"""The display of what a classifier gains by leaving doubtful rows unanswered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from ._axes import axes_for
from ._judge import Coverage, coverage_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class CoverageDisplay:
    """Accuracy against coverage.

    Parameters
    ----------
    coverage, accuracy : array-like of shape (n_points,)
    name : str or None, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    line_ : matplotlib Line2D
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self, coverage: ArrayLike, accuracy: ArrayLike, *, name: str | None = None
    ) -> None:
        self.coverage = coverage
        self.accuracy = accuracy
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, name: str | None = None, ax: Axes | None = None
    ) -> Self:
        """Plot :func:`coverage_curve` of a fitted classifier on these rows."""
        name = type(estimator).__name__ if name is None else name
        return cls.from_curve(coverage_curve(estimator, X, y), name=name, ax=ax)

    @classmethod
    def from_curve(
        cls, curve: Coverage, *, name: str | None = None, ax: Axes | None = None
    ) -> Self:
        """Plot what :func:`coverage_curve` returned."""
        return cls(curve.coverage, curve.accuracy, name=name).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None.

        Returns
        -------
        self
        """
        ax = axes_for(self, ax)
        (self.line_,) = ax.plot(self.coverage, self.accuracy, label=self.name)
        ax.set(xlabel="share of rows answered", ylabel="accuracy of the answers", xlim=(0, 1.02))
        if self.name is not None:
            ax.legend()
        return self
