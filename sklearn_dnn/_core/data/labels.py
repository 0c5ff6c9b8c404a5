"""Targets that are labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._compat import from_numpy
from ...components.losses import Loss
from .codec import Codec


class LabelCodec(Codec):
    """Labels have no units."""

    classes: np.ndarray

    def attributes(self, temperature: float) -> dict[str, Any]:
        return {"classes_": self.classes, "temperature_": temperature}

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(self.n_outputs), np.ones(self.n_outputs)

    def probabilities(self, raw: Tensor, loss: Loss) -> Tensor:
        """Probabilities of all classes or labels, ``(n, k) -> (n, n_classes)``.

        Parameters
        ----------
        raw : Tensor of shape (n, k)
        loss : Loss
            Whose inverse link they come from.
        """
        return loss.inverse_link(raw)

    def log_probabilities(self, raw: Tensor, loss: Loss) -> Tensor:
        """Their logarithms, finite also where a probability is too small for its type."""
        return loss.log_inverse_link(raw)


class ClassCodec(LabelCodec):
    """Labels of one column.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels, of any type.
    """

    def __init__(self, classes: np.ndarray) -> None:
        self.classes = classes

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> ClassCodec:
        return cls(attributes["classes_"])

    def lacks_classes(self, y: np.ndarray) -> bool:
        return len(np.unique(y)) < len(self.classes)

    def index(
        self,
        y: np.ndarray,
        way_out: str = "Name all classes in the first call of partial_fit, or call fit.",
    ) -> np.ndarray:
        """Positions of labels in `classes`.

        Raises
        ------
        ValueError
            If a label is none of them.
        """
        position = np.searchsorted(self.classes, y)
        position = np.minimum(position, len(self.classes) - 1)
        unknown = self.classes[position] != y
        if np.any(unknown):
            raise ValueError(
                f"y holds labels that are not in classes_: {np.unique(y[unknown])[:5]!r}; known "
                f"are {self.classes!r}. {way_out}"
            )
        return position


class BinaryCodec(ClassCodec):
    """Two classes on one logistic output, or the only class there is."""

    kind = "binary"
    n_outputs = 1

    def encode(self, y: np.ndarray, dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(self.index(y)).to(dtype).unsqueeze(-1)

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        # a single class has probability 1, whatever the network says
        single = float(len(self.classes) == 1)
        return np.array([single]), np.array([1 - single])

    def decode(self, prediction: np.ndarray) -> np.ndarray:
        if len(self.classes) == 1:
            return np.repeat(self.classes, len(prediction))
        return self.classes[(prediction[:, 0] > 0.5).astype(np.intp)]

    def probabilities(self, raw: Tensor, loss: Loss) -> Tensor:
        if len(self.classes) == 1:
            return torch.ones_like(raw)
        p = loss.inverse_link(raw)
        # 1 - p loses digits that the link of the other side has
        other = loss.inverse_link(-raw) if loss.has_symmetric_link else 1 - p
        return torch.cat([other, p], -1)

    def log_probabilities(self, raw: Tensor, loss: Loss) -> Tensor:
        if len(self.classes) == 1:
            return torch.zeros_like(raw)
        return torch.cat([loss.log_complement(raw), loss.log_inverse_link(raw)], -1)

    def score(self, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Accuracy."""
        return _share((prediction > 0.5).squeeze(-1) == (target > 0.5).squeeze(-1), weight)


class MulticlassCodec(ClassCodec):
    """One class of several, a softmax output for each."""

    kind = "multiclass"

    def __init__(self, classes: np.ndarray) -> None:
        super().__init__(classes)
        self.n_outputs = len(classes)

    def encode(self, y: np.ndarray, dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(self.index(y))

    def decode(self, prediction: np.ndarray) -> np.ndarray:
        return self.classes[prediction.argmax(-1)]

    def score(self, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Accuracy."""
        return _share(prediction.argmax(-1) == target, weight)


class MultilabelCodec(LabelCodec):
    """A 0/1 indicator matrix, a logistic output for each label."""

    kind = "multilabel"

    def __init__(self, n_labels: int) -> None:
        self.n_outputs = n_labels
        self.classes = np.arange(n_labels)

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> MultilabelCodec:
        return cls(len(attributes["classes_"]))

    def encode(self, y: np.ndarray, dtype: torch.dtype) -> Tensor:
        return from_numpy(np.ascontiguousarray(y)).to(dtype)

    def decode(self, prediction: np.ndarray) -> np.ndarray:
        return (prediction > 0.5).astype(np.int64)

    def score(self, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Share of rows with every label right, as scikit-learn's accuracy."""
        return _share(((prediction > 0.5) == (target > 0.5)).all(-1), weight)


def _share(right: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return right.double().mean(-1)
    return (right * weight).sum(-1) / weight.sum(-1)
