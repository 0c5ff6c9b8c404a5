"""The block within which joblib's calls are trained in stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from numbers import Integral
from os import PathLike

from joblib import parallel_config
from joblib.parallel import get_active_backend

from .._interruption import in_loop, loop
from ._backend import StackingBackend
from ._watching import Watchers


@contextmanager
def stacking(
    *,
    verbose: int = 0,
    checkpoint: str | PathLike[str] | None = None,
    progress: bool = False,
    early_termination: int | None = None,
    continue_training: bool = False,
) -> Iterator[StackingBackend]:
    """Within the block, searches and validation functions train networks in stacks.

    For scikit-learn's own functions and classes, and for others that are built on them;
    those of this module do it by themselves.

    Parameters
    ----------
    verbose : int, default=0
        From 2 on, what is stacked, and why not what is not, is printed.
    checkpoint : path-like, default=None
        A folder in which the result of each fit is kept as soon as it is there. Where the same
        fit is asked for once more, with the same data, its result is taken from there; see
        :class:`GridSearchCV`.
    progress : bool, default=False
        Whether to show a bar over the epochs of all fits, with the best test score so far. It
        needs tqdm (the extra ``progress``).
    early_termination : int, default=None
        The epoch from which on fits end that are worse than the median of the others on the
        same rows; see :class:`RandomizedSearchCV`.
    continue_training : bool, default=False
        Whether a fit that is asked for again with a larger ``max_iter`` goes on where it ended;
        see :class:`HalvingGridSearchCV`.

    Yields
    ------
    StackingBackend
        The joblib backend that does it.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, where a network that was cut off would be judged, and from all that is asked
        for afterwards. Searches and validations whose fits may fail return what was done, once.
    ValueError
        If a parameter is not allowed.
    ImportError
        If a bar is asked for, and tqdm is not installed.
    """
    if early_termination is not None and not (
        isinstance(early_termination, Integral) and early_termination >= 1
    ):
        raise ValueError(
            "early_termination must be None or a whole number of epochs of at least 1. Got "
            f"{early_termination!r} instead."
        )
    if progress and find_spec("tqdm") is None:
        raise ImportError(
            "progress=True needs tqdm: pip install 'sklearn-dnn[progress]', or progress=False."
        )
    workers, n_jobs = get_active_backend()
    if isinstance(workers, StackingBackend):
        workers = workers.workers
    alternative, _ = get_active_backend(prefer="threads")  # heeded where none was chosen
    if isinstance(alternative, StackingBackend):
        alternative = alternative.workers
    backend = StackingBackend(
        workers,
        n_jobs,
        asked_for=type(alternative) is type(workers),
        verbose=verbose,
        checkpoint=checkpoint,
        watchers=Watchers(early_termination),
        progress=progress,
        continues=continue_training,
        nested=in_loop(),
    )
    with loop(), parallel_config(backend=backend, n_jobs=n_jobs):
        yield backend
