"""Targets: from what the user calls them to what a network learns, and back.

A codec owns units and labels.
"""

from __future__ import annotations

from .codec import Codec
from .labels import BinaryCodec, ClassCodec, LabelCodec, MulticlassCodec, MultilabelCodec
from .numbers import RegressionCodec

# By the kind of a task.
CODECS: dict[str, type[Codec]] = {
    codec.kind: codec for codec in (RegressionCodec, BinaryCodec, MulticlassCodec, MultilabelCodec)
}

__all__ = [
    "CODECS",
    "BinaryCodec",
    "ClassCodec",
    "Codec",
    "LabelCodec",
    "MulticlassCodec",
    "MultilabelCodec",
    "RegressionCodec",
]
