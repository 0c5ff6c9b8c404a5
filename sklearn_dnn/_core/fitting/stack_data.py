"""What the fits of a stack train on and are judged by: each its own rows, in its own units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..._compat import from_numpy
from ..data.batches import TrainingSet
from ..data.encoder import encoding_for
from ..data.features import Encoding, Features, Standardiser
from ..data.scaling import Scaling
from ..training.evaluate import ValidationSet
from .session import Session


def data_of(sessions: Sequence[Session]) -> tuple[TrainingSet, ValidationSet | None]:
    """What the engine trains on: one table, and each member's rows, targets and scaling."""
    first = sessions[0]
    spec, given = first.spec, first.given
    features = Features(given.X, _encoding(sessions))
    found: dict[Any, int] = {}
    distinct: list[Session] = []
    which = []
    for session in sessions:
        units = tuple(part.tobytes() for part in session.codec.units())
        own = session.given.weight
        key = (units, None if own is None else own.tobytes())
        if key not in found:
            found[key] = len(distinct)
            distinct.append(session)
        which += [found[key]] * len(session.progress)
    offsets = None
    if len(distinct) > 1:
        offsets = torch.tensor(which).unsqueeze(1) * given.X.shape[0]
    encoded = [s.codec.encode(s.given.y, spec.torch_dtype) for s in distinct]
    prepared = [spec.objective.prepare(y, spec.task.n_outputs, spec.torch_dtype) for y in encoded]
    weight = None
    weights = [s.given.weight for s in distinct if s.given.weight is not None]
    if weights:  # of all, or of none
        weight = torch.cat([from_numpy(w) for w in weights])
        weight = weight.to(device=spec.device, dtype=spec.torch_dtype)
    data = TrainingSet(
        features,
        torch.cat(prepared).to(spec.device),
        weight,
        torch.cat([from_numpy(s.rows).int() for s in sessions]),
        offsets=offsets,
    )
    if first.held is None:
        return data, None
    held = ValidationSet(
        features,
        torch.cat(encoded).to(spec.device),
        weight,
        torch.cat([_judging(s) for s in sessions]),
        first.codec.score,
        offsets=offsets,
        calibrated=spec.calibration is not None,
    )
    return data, held


def _judging(session: Session) -> torch.Tensor:
    """The rows that judge each member, (m, n)."""
    assert session.held is not None
    rows = session.held.rows
    return from_numpy(np.broadcast_to(rows, (len(session.progress), rows.shape[-1])).copy())


def _encoding(sessions: Sequence[Session]) -> Encoding:
    """What turns rows into network inputs, by member where only means and scales differ."""
    first = sessions[0]
    spec, gappy = first.spec, first.given.gappy
    if gappy or not first.columns.is_plain:
        return encoding_for(first.columns, spec.torch_dtype, spec.device, gappy=gappy)
    common = _common([s.columns.plain_scaling for s in sessions for _ in s.progress])
    return Standardiser(common, spec.torch_dtype, spec.device)


def _common(scalings: Sequence[Scaling | None]) -> Scaling | list[Scaling] | None:
    """The scaling of all members, or a list where they differ."""
    there = [scaling for scaling in scalings if scaling is not None]
    if not there:  # of all, or of none
        return None
    first = there[0]
    if all(
        np.array_equal(s.mean, first.mean) and np.array_equal(s.scale, first.scale) for s in there
    ):
        return first
    return there
