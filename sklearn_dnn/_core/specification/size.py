"""Whether what is asked for fits into memory at all, before any of it is made."""

from __future__ import annotations

from ..._devices import whole_memory

# Weights, gradient, best weights: of each number that is trained so many copies are kept.
COPIES = 3
# Bytes of a member beside its numbers: its generators alone.
OF_A_MEMBER = 10_000
GIBIBYTE = 2**30


def refuse_too_many_members(n_members: int, n_rows: int) -> None:
    """Refuse an ensemble whose streams of chance and rows alone take more memory than there is.

    Raises
    ------
    ValueError
    """
    if n_members == 1:
        return
    needed, there = n_members * (OF_A_MEMBER + 8 * n_rows), whole_memory("cpu")
    if needed > there:
        raise ValueError(
            f"n_members={n_members} takes {_size(needed)} for the members' chance and rows alone, "
            f"but there are {_size(there)}. Use fewer members; 8 are usual."
        )


def refuse_too_large(
    n_parameters: int, n_members: int, *, itemsize: int, device: str, what: str
) -> None:
    """Refuse networks whose numbers take more memory than there is.

    Parameters
    ----------
    n_parameters : int
        Numbers of one network that are trained.
    n_members : int
    itemsize : int
        Bytes of a number.
    device : str
    what : str
        The parameters that say so, for the message.

    Raises
    ------
    ValueError
    """
    # they are drawn on the CPU in any case, one network after the other
    for where, needed in (
        (device, n_parameters * n_members * itemsize * COPIES),
        ("cpu", n_parameters * 8),
    ):
        there = whole_memory(where)
        if needed > there:
            of = "" if n_members == 1 else f" in each of {n_members} members"
            raise ValueError(
                f"{what} has {_count(n_parameters)} parameters{of}, which take "
                f"{_size(needed)} at least, but {where!r} has {_size(there)}. Use smaller layers"
                f"{' or fewer members' if of else ''}; (100,) is usual."
            )


def _count(n: int) -> str:
    return f"{n:,}" if n < 10**15 else f"{float(n):.3g}"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / GIBIBYTE:,.3g} GiB"
