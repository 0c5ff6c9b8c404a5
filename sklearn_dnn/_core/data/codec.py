"""What every codec of targets does.

``n`` rows, ``k`` raw outputs of the network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor


class Codec(ABC):
    """Encodes targets for the network and decodes its predictions."""

    kind: ClassVar[str]
    is_numeric: ClassVar[bool] = False
    n_outputs: int
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    @abstractmethod
    def read(cls, attributes: Mapping[str, Any]) -> Codec:
        """The codec from an estimator's fitted attributes."""

    @abstractmethod
    def attributes(self, temperature: float) -> dict[str, Any]:
        """The fitted attributes that :meth:`read` takes, and what raw outputs are divided by."""

    @abstractmethod
    def encode(self, y: np.ndarray, dtype: torch.dtype) -> Tensor:
        """Targets as the loss takes them: ``(n, k)`` numbers or ``(n,)`` class indices."""

    @abstractmethod
    def decode(self, prediction: np.ndarray) -> np.ndarray:
        """Predictions of the network, ``(n, k)``, in the user's units, labels and shape."""

    @abstractmethod
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Offset and factor (k,) that turn the network's predictions into the user's units."""

    @abstractmethod
    def score(self, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """The estimator's default score from network predictions ``(..., n, k)``: ``(...)``."""

    # What targets of rows that train decide

    def in_units_of(
        self,
        y: np.ndarray,
        weight: np.ndarray | None,
        *,
        standardised: bool,
        bounds: tuple[float, float] | None,
        reach: tuple[float, float],
    ) -> Codec:
        """The codec with the units that a network learns in, by the rows that train.

        Parameters
        ----------
        standardised : bool
            Whether the mean and the deviation of the targets are taken out.
        bounds : tuple of float or None
            What predictions stay within.
        reach : tuple of float
            What the output's link can give.
        """
        return self

    def strata(self, y: np.ndarray) -> np.ndarray | None:
        """What a split of rows stratifies by: their labels; None of numbers."""
        return y

    def suits_float32(self, y: np.ndarray) -> bool:
        """Whether float32 tells the targets of rows that train apart."""
        return True

    def lacks_classes(self, y: np.ndarray) -> bool:
        """Whether a class has no row."""
        return False
