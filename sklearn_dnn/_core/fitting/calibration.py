"""The temperature of a fit, from the rows that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..._compat import from_numpy
from ..._threads import limit_threads
from ..messages import memory_advice
from ..network.architecture import Architecture
from ..network.mlp import Evaluator
from ..training.ends import Outcome
from ..training.forward import raw_outputs
from ..training.temperature import POWER, fitted_temperature
from .session import Session


def calibrated(session: Session, outcomes: Sequence[Outcome]) -> Session:
    """The session with the temperature that suits its members' raw outputs best.

    Where each member holds out a fold, all rows count, each with the outputs of the member that
    did not learn from it, and a power of the temperature is taken. Where the same rows judge all
    members, the mean of their raw outputs does.
    """
    spec, held = session.spec, session.held
    if spec.calibration is None or held is None:
        return session
    architecture = Architecture.of(spec)
    rows = from_numpy(held.rows)
    with torch.no_grad(), limit_threads(spec.n_threads), memory_advice(spec.device):
        features = session.features(held.given)
        y = session.codec.encode(held.given.y, spec.torch_dtype).to(spec.device)
        raws = []
        for i, outcome in enumerate(outcomes):
            network = outcome.weights.network(spec.torch_dtype, spec.device)
            own = rows[i] if held.by_member else rows
            raw = raw_outputs(features, own, Evaluator(network, architecture))
            raws.append(raw if spec.n_shared == 1 else raw.mean(0))
        raw = torch.cat(raws) if held.by_member else torch.stack(raws).mean(0)
        index = rows.flatten().to(y.device)
        weight = None
        if held.given.weight is not None:
            weight = from_numpy(held.given.weight).to(y.device)[index]
        temperature = fitted_temperature(spec.objective, raw, y[index], weight)
        if held.by_member:
            temperature **= POWER
    return replace(session, temperature=temperature)
