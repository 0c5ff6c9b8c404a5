"""What is said where a network gets columns as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..._warnings import warn
from ..data.features import fit_scaling
from ..specification import warn_of_broken_conditions
from .session import Session

# Rows that are looked at to judge columns by, and the mean or deviation that is far from standard.
SEEN_ROWS = 10_000
FAR = 10.0
# What is too small, where all columns are, and how unlike columns may be that are one row's.
SMALL, UNLIKE = 0.01, 1000.0


def warn_of_scales(session: Session) -> None:
    """Say so where the network gets columns as they are, and they are far from standard."""
    norm = session.spec.input_norm
    by_row = norm is not None and norm.input_scaling != "standard"
    if sp.issparse(session.given.X) or not (session.spec.input_scaling is None or by_row):
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    some = session.training[:SEEN_ROWS]
    fill = np.nan_to_num(session.columns.fill) if session.given.gappy else None
    scaling = fit_scaling(session.given.X, some, None, fill)
    seen = session.given.X[some]
    spread = np.fmin.reduce(seen, axis=0) < np.fmax.reduce(seen, axis=0)
    varied = spread & ~session.columns.categorical
    mean, scale = np.abs(scaling.mean[varied]), scaling.scale[varied]
    if by_row:
        _warn_of_unlike_columns(norm, np.hypot(mean, scale))
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    if mean.size and (mean.max() > FAR or scale.max() > FAR):
        warn(
            f"input_scaling=None, but columns of X have means up to {mean.max():.3g} and standard "
            f"deviations up to {scale.max():.3g}; networks train badly on such. Use "
            "input_scaling='standard', or scale X before."
        )
    elif mean.size and scale.max() < SMALL and mean.max() < SMALL:
        warn(
            "input_scaling=None, but no column of X has a mean or a standard deviation above "
            f"{max(scale.max(), mean.max()):.3g}; a network learns little from numbers so small. "
            "Use input_scaling='standard', or scale X before."
        )
    near = (mean < 0.5) & (scale > 0.5) & (scale < 2.0)
    warn_of_broken_conditions(session.spec, standardised=bool(near.all()))


def _warn_of_unlike_columns(norm: Any, size: np.ndarray) -> None:
    """Say so where a norm of rows meets a column beside which others are nothing."""
    if size.size and size.max() > UNLIKE * size.min():
        warn(
            f"input_scaling={norm!r} normalises each row, but columns of X differ in size from "
            f"{size.min():.3g} to {size.max():.3g}, so that the small ones are lost beside the "
            "large. Use input_scaling='standard' or 'batch_norm', or scale X before."
        )
