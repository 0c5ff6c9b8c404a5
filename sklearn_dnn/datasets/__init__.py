"""Tables that come with the package, for examples and first tries."""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import Literal, overload

import pandas as pd

__all__ = ["load_california_housing"]


@overload
def load_california_housing(*, return_X_y: Literal[False] = False) -> pd.DataFrame: ...


@overload
def load_california_housing(*, return_X_y: Literal[True]) -> tuple[pd.DataFrame, pd.Series]: ...


@overload
def load_california_housing(
    *, return_X_y: bool
) -> pd.DataFrame | tuple[pd.DataFrame, pd.Series]: ...


def load_california_housing(
    *, return_X_y: bool = False
) -> pd.DataFrame | tuple[pd.DataFrame, pd.Series]:
    """Load the California housing table: 20640 rows, a category and gaps included.

    Median house values of the block groups of the 1990 US census (Pace and Barry, "Sparse
    Spatial Autoregressions", Statistics & Probability Letters 33, 1997). The target
    `median_house_value` is in US dollars and capped at 500001; `total_bedrooms` has 207 gaps;
    `ocean_proximity` is text. Nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to give the columns and the target apart.

    Returns
    -------
    frame : DataFrame of shape (20640, 10)
        With `return_X_y`, the pair of a DataFrame of shape (20640, 9) and the target, a Series.
    """
    resource = files(__name__).joinpath("california_housing.csv.gz")
    with resource.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as text:
        frame = pd.read_csv(text)
    if not return_X_y:
        return frame
    return frame.drop(columns="median_house_value"), frame["median_house_value"]
