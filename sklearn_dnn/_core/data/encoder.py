"""Rows of raw tables as rows of network inputs, in torch, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .columns import Columns
from .features import Encoding, Standardiser

# Numbers of the robust scaling stay within (-CLIP, CLIP).
CLIP = 3.0
# Beyond it they are at CLIP already, and their squares might not be finite.
FAR = 1e6


@dataclass(frozen=True)
class PlanTensors:
    """A plan as tensors, for ``q`` columns of numbers and ``c`` of categories.

    Attributes
    ----------
    numbers : Tensor of int64, shape (q,)
        Raw positions.
    fill : Tensor of shape (q,)
    gaps : Tensor of int64
        Positions, among the numbers, of those with an indicator.
    center, factor : Tensor of shape (q,) or None
        Of "standard" and the robust scalings.
    clips : bool
        Whether numbers are drawn smoothly into bounds: the robust ones.
    knots, scores : Tensor of shape (q, k) or None
        Of the quantile scalings.
    categories, offsets, n_codes : Tensor of int64, shape (c,)
        Raw positions; where each column's slots begin, behind that of unknown levels; its codes.
    slots : Tensor of int64
        Of all columns, behind each other.
    hot_of, hot_slot : Tensor of int64
        For each column of zeros and ones the category, and the slot that makes it one.
    coded : Tensor of int64
        The categories that become codes.
    """

    numbers: Tensor
    fill: Tensor
    gaps: Tensor
    center: Tensor | None
    factor: Tensor | None
    clips: bool
    knots: Tensor | None
    scores: Tensor | None
    categories: Tensor
    offsets: Tensor
    n_codes: Tensor
    slots: Tensor
    hot_of: Tensor
    hot_slot: Tensor
    coded: Tensor

    @classmethod
    def of(cls, columns: Columns, dtype: torch.dtype, device: torch.device | str) -> PlanTensors:
        """The tensors of a plan, those of numbers in `dtype`."""

        def integers(array: np.ndarray | Sequence[int]) -> Tensor:
            return torch.tensor(np.asarray(array, dtype=np.int64), device=device)

        def floats(array: np.ndarray | None) -> Tensor | None:
            if array is None:
                return None
            return torch.tensor(array[..., numbers].astype(np.float64)).to(device, dtype)

        numbers = columns.numbers
        lengths = [len(slots) for slots in columns.slots]
        hot = []
        for i, (slots, width) in enumerate(zip(columns.slots, columns.widths, strict=True)):
            last = int(slots.max())
            hot += [(i, slot) for slot in range(last - int(width) + 1, last + 1) if width > 0]
        knots, scores = floats(columns.knots), floats(columns.scores)
        fill = floats(columns.fill)
        assert fill is not None
        return cls(
            numbers=integers(numbers),
            fill=fill,
            gaps=integers(np.flatnonzero(columns.gaps[numbers])),
            center=floats(columns.center),
            factor=floats(None if columns.scale is None else 1.0 / columns.scale),
            clips=columns.scaling in {"robust", "quantile_robust"},
            knots=None if knots is None else knots.T.contiguous(),
            scores=None if scores is None else scores.T.contiguous(),
            categories=integers(np.flatnonzero(columns.categorical)),
            offsets=integers(np.cumsum([0, *lengths])[:-1] + 1),
            n_codes=integers([length - 2 for length in lengths]),
            slots=integers(np.concatenate([*columns.slots, np.zeros(0)])),
            hot_of=integers([i for i, _ in hot]),
            hot_slot=integers([slot for _, slot in hot]),
            coded=integers(np.flatnonzero(columns.widths < 0)),
        )


def encode(x: Tensor, parts: PlanTensors) -> Tensor:
    """Numbers, then what passes as it is, then codes: (..., p) -> (..., width)."""
    given = x.index_select(-1, parts.numbers)
    missing = torch.isnan(given)
    given = torch.where(missing, parts.fill, given)
    numbers = given
    if parts.center is not None:
        assert parts.factor is not None
        numbers = (numbers - parts.center) * parts.factor
    if parts.clips:
        numbers = numbers.clamp(-FAR, FAR)
        numbers = numbers / torch.sqrt(1 + (numbers / CLIP) ** 2)
    found = [numbers]
    if parts.knots is not None:
        assert parts.scores is not None
        found = [to_normal(given, parts.knots, parts.scores)]
        if parts.clips:
            found.append(numbers)
    if len(parts.gaps):
        found.append(missing.index_select(-1, parts.gaps).to(x.dtype))
    if len(parts.categories):
        codes = x.index_select(-1, parts.categories)
        at = torch.where(torch.isnan(codes), parts.n_codes.to(x.dtype), codes).long()
        slots = parts.slots[at + parts.offsets]
        if len(parts.hot_of):
            found.append((slots.index_select(-1, parts.hot_of) == parts.hot_slot).to(x.dtype))
        if len(parts.coded):
            found.append(slots.index_select(-1, parts.coded).to(x.dtype))
    return found[0] if len(found) == 1 else torch.cat(found, -1)


def to_normal(x: Tensor, knots: Tensor, scores: Tensor) -> Tensor:
    """Numbers (..., q) as normal ones, interpolated between knots (q, k); constant beyond them."""
    shape = x.shape
    if shape[-1] == 0:
        return x
    values = x.reshape(-1, shape[-1]).T.contiguous()  # (..., q) -> (q, b)
    right = torch.searchsorted(knots, values.detach(), right=True).clamp_(1, knots.shape[-1] - 1)
    low, high = knots.gather(1, right - 1), knots.gather(1, right)
    apart = torch.where(high > low, high - low, 1.0)  # the last knot may be repeated
    share = ((values - low) / apart).clamp(0, 1)
    bottom, top = scores.gather(1, right - 1), scores.gather(1, right)
    return torch.lerp(bottom, top, share).T.reshape(shape)  # (q, b) -> (..., q)


class Encoder(Encoding):
    """Turns rows of a raw table into rows of network inputs, by a plan.

    Parameters
    ----------
    columns : Columns
    dtype : torch.dtype
        Of the result. Numbers are scaled in the table's own type.
    device : str
    """

    by_member = False

    def __init__(self, columns: Columns, dtype: torch.dtype, device: str) -> None:
        self.columns = columns
        self.dtype = dtype
        self.device = device
        self._parts: dict[tuple[torch.dtype, torch.device], PlanTensors] = {}

    def width(self, n_raw: int) -> int:
        """Columns of the network's input."""
        return self.columns.width

    def select(self, members: Sequence[int]) -> Encoder:
        """The same for some of the members, who have all things in common."""
        return self

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Rows (b, p) as the network reads them, in its type and place; `out` is not used."""
        parts = self._parts.get((x.dtype, x.device))
        if parts is None:
            parts = self._parts[x.dtype, x.device] = PlanTensors.of(self.columns, x.dtype, x.device)
        return encode(x, parts).to(device=self.device, dtype=self.dtype)


def encoding_for(
    columns: Columns, dtype: torch.dtype, device: str, *, gappy: bool
) -> Standardiser | Encoder:
    """What turns rows of a raw table, which may have gaps, into rows of network inputs."""
    if columns.is_plain and not gappy:
        return Standardiser(columns.plain_scaling, dtype, device)
    return Encoder(columns, dtype, device)
