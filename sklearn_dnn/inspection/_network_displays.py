"""Displays of a fitted network: statistics of its layers, weights, activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._axes import BLUE, GREEN, ORANGE, PINK, axes_for
from ._layers import activations, layer_statistics
from ._network import MLP, refuse_ensemble, require_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class LayerStatisticsDisplay:
    """Activations, or gradients, of the hidden layers, from the inputs on.

    Parameters
    ----------
    statistics : DataFrame
        What :func:`layer_statistics` returns.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    errorbar_ : matplotlib ErrorbarContainer or None
        Mean and standard deviation of the activations.
    lines_ : dict of str to matplotlib Line2D
        Curves by the names of their columns.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, statistics: pd.DataFrame) -> None:
        self.statistics = statistics

    @classmethod
    def from_estimator(
        cls,
        estimator: MLP,
        X: Any,
        y: Any = None,
        *,
        kind: Literal["activations", "shares", "gradients"] = "activations",
        ax: Axes | None = None,
    ) -> Self:
        """Plot :func:`layer_statistics` of a fitted estimator; gradients need `y`."""
        return cls(layer_statistics(estimator, X, y)).plot(ax, kind=kind)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["activations", "shares", "gradients"] = "activations",
    ) -> Self:
        """Draw one point a layer.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None.
        kind : {"activations", "shares", "gradients"}, default="activations"
            Mean and standard deviation, with the extremes; shares of dead units and saturated
            activations; or norms of gradients, on a logarithmic axis.

        Returns
        -------
        self
        """
        columns = {
            "activations": ("min", "max"),
            "shares": ("dead_share", "saturated_share"),
            "gradients": ("gradient_norm", "signal_gradient"),
        }
        if kind not in columns:
            raise ValueError(f"kind must be one of {sorted(columns)}. Got {kind!r} instead.")
        table = self.statistics
        if kind == "gradients" and "gradient_norm" not in table:
            raise ValueError("kind='gradients' needs statistics that were computed with y.")
        ax = axes_for(self, ax)
        self.errorbar_ = None
        if kind == "activations":
            self.errorbar_ = ax.errorbar(
                table.index, table["mean"], yerr=table["std"], fmt="o", color=BLUE, capsize=3,
                label="mean and standard deviation",
            )  # fmt: skip
        self.lines_ = {}
        for name, colour, marker in zip(columns[kind], (ORANGE, GREEN), "v^", strict=True):
            (self.lines_[name],) = ax.plot(
                table.index,
                table[name],
                color=colour,
                marker=marker,
                linestyle="--" if kind == "activations" else "-",
                label=name.replace("_", " "),
            )
        if kind == "gradients":
            ax.set_yscale("log")
        labels = {"activations": "activation", "shares": "share", "gradients": "norm of gradient"}
        ax.set(xlabel="hidden layer", ylabel=labels[kind], xticks=list(table.index))
        ax.legend()
        return self


class WeightsDisplay:
    """Weights of a layer as a heat map, units of it as small images, or all as histograms.

    Parameters
    ----------
    coefs : list of ndarray of shape (n_in, n_out)
        Such as ``est.coefs_``. The first layer's refer to standardised columns.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    image_ : matplotlib AxesImage or None
    patches_ : list of matplotlib artists
        One a layer, of histograms.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, coefs: Sequence[np.ndarray]) -> None:
        self.coefs = coefs

    @classmethod
    def from_estimator(
        cls,
        estimator: MLP,
        *,
        kind: Literal["image", "histogram"] = "image",
        layer: int = 0,
        shape: tuple[int, int] | None = None,
        max_units: int = 25,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the weights of a fitted estimator; the rest is as in `plot`."""
        require_network(estimator, "WeightsDisplay.from_estimator")
        check_is_fitted(estimator)
        refuse_ensemble(estimator, "WeightsDisplay.from_estimator")
        display = cls(estimator.coefs_)
        return display.plot(ax, kind=kind, layer=layer, shape=shape, max_units=max_units)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["image", "histogram"] = "image",
        layer: int = 0,
        shape: tuple[int, int] | None = None,
        max_units: int = 25,
    ) -> Self:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None.
        kind : {"image", "histogram"}, default="image"
            A heat map of one layer, rows being its inputs and columns its units; or the
            distribution of each layer's weights.
        layer : int, default=0
            The layer of a heat map.
        shape : (height, width), default=None
            Draw the weights into each unit as an image of this shape, units side by side: for
            a first layer over pixels, ``height * width`` inputs.
        max_units : int, default=25
            Units to draw with `shape`.

        Returns
        -------
        self
        """
        if kind not in {"image", "histogram"}:
            raise ValueError(f"kind must be 'image' or 'histogram'. Got {kind!r} instead.")
        if not -len(self.coefs) <= layer < len(self.coefs):
            raise ValueError(f"layer must be one of {len(self.coefs)} layers. Got {layer!r}.")
        weights = np.asarray(self.coefs[layer])
        if shape is not None and shape[0] * shape[1] != weights.shape[0]:
            raise ValueError(
                f"shape={shape!r} has {shape[0] * shape[1]} pixels, but layer {layer} has "
                f"{weights.shape[0]} inputs."
            )
        ax = axes_for(self, ax)
        self.image_, self.patches_ = None, []
        if kind == "histogram":
            for i, coef in enumerate(self.coefs):
                found: Any = ax.hist(
                    np.ravel(coef), bins=30, density=True, histtype="step", label=f"layer {i}"
                )
                self.patches_ += list(found[2])
            ax.set(xlabel="weight", ylabel="density")
            ax.legend()
            return self
        values = weights if shape is None else _mosaic(weights, shape, max_units)
        bound = float(np.nanmax(np.abs(values)))
        self.image_ = ax.imshow(values, cmap="RdBu_r", vmin=-bound, vmax=bound, aspect="equal")
        self.figure_.colorbar(self.image_, ax=ax, label="weight")
        if shape is None:
            ax.set_aspect("auto")
            ax.set(xlabel="unit", ylabel="input")
        else:
            ax.set_axis_off()
        return self


def _mosaic(weights: np.ndarray, shape: tuple[int, int], max_units: int) -> np.ndarray:
    """Units' weights (n_in, n_out) as images in a square grid, with empty lines between them."""
    height, width = shape
    units = min(weights.shape[1], max_units)
    side = int(np.ceil(np.sqrt(units)))
    rows = -(-units // side)
    grid = np.full((rows * (height + 1) - 1, side * (width + 1) - 1), np.nan)
    for unit in range(units):
        top, left = unit // side * (height + 1), unit % side * (width + 1)
        grid[top : top + height, left : left + width] = weights[:, unit].reshape(shape)
    return grid


class ActivationsDisplay:
    """Histograms of the activations of each hidden layer.

    Parameters
    ----------
    activations : list of ndarray of shape (n_samples, n_units)
        Such as :func:`activations` returns.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    densities_, edges_ : list of ndarray
        Heights and edges of the bins, one array a layer.
    patches_ : list of matplotlib artists
        One a layer.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, activations: Sequence[np.ndarray]) -> None:
        self.activations = activations

    @classmethod
    def from_estimator(
        cls, estimator: MLP, X: Any, *, bins: int = 30, ax: Axes | None = None
    ) -> Self:
        """Plot the activations of a fitted estimator on these rows."""
        return cls(activations(estimator, X)).plot(ax, bins=bins)

    def plot(self, ax: Axes | None = None, *, bins: int = 30) -> Self:
        """Draw one histogram a layer.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A new figure's if None.
        bins : int, default=30

        Returns
        -------
        self
        """
        ax = axes_for(self, ax)
        self.densities_, self.edges_, self.patches_ = [], [], []
        colours = (BLUE, ORANGE, GREEN, PINK)
        for i, values in enumerate(self.activations):
            found: Any = ax.hist(
                np.ravel(values),
                bins=bins,
                density=True,
                histtype="step",
                color=colours[i % len(colours)],
                label=f"hidden layer {i + 1}",
            )
            density, edges, patches = found
            self.densities_.append(density)
            self.edges_.append(edges)
            self.patches_ += list(patches)
        ax.set(xlabel="activation", ylabel="density")
        if self.activations:
            ax.legend()
        return self
