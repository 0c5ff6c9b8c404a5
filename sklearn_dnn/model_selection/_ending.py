"""How our searches end: what was found is kept, whatever comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil, floor, log
from typing import Any

from joblib.parallel import get_active_backend
from sklearn.utils import Tags, get_tags

from .._core.fitting.transaction import put_back
from .._warnings import warn
from ._backend import StackingBackend
from ._stacking import stacking


class StackedSearch:
    """Mixin of scikit-learn's searches."""

    estimator: Any

    def __sklearn_tags__(self) -> Tags:
        """Say whether what is searched takes gaps, which scikit-learn's searches do not."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of the search it is mixed into
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags

    def _run_search(
        self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None
    ) -> None:
        """Keep results as they come: a refit that is cut off would lose them."""
        backend, _ = get_active_backend()
        assert isinstance(backend, StackingBackend)
        n_done = 0

        def evaluated(*args: Any, **kwargs: Any) -> Any:
            nonlocal n_done
            known = backend.interrupted  # which was told
            try:
                self.cv_results_ = evaluate_candidates(*args, **kwargs)
            except KeyboardInterrupt:
                if n_done == 0 or backend.nested:
                    raise
                if not known:
                    warn(
                        f"Interrupted by the user in iteration {n_done}, counted from 0, which "
                        f"does not count: the best of iteration {n_done - 1} is taken."
                    )
                raise _EndedError from None
            n_done += 1
            return self.cv_results_

        try:
            # of the search it is mixed into
            super()._run_search(evaluated, callback_ctx=callback_ctx)  # type: ignore[misc]
        except _EndedError:
            _cut(self, n_done)
        backend.interrupted = False  # the refit, which has inner searches perhaps, is to be done


class _EndedError(Exception):
    """Ends successive halving, which alone evaluates more than once."""


def _cut(search: Any, n_iterations: int) -> None:
    """The attributes of successive halving that was ended after some iterations."""
    search.n_resources_ = search.n_resources_[:n_iterations]
    search.n_candidates_ = search.n_candidates_[:n_iterations]
    search.n_iterations_ = n_iterations
    search.n_remaining_candidates_ = ceil(search.n_candidates_[-1] / search.factor)
    search.n_required_iterations_ = 1 + floor(log(search.n_candidates_[0], search.factor))
    search.n_possible_iterations_ = 1 + floor(
        log(search.max_resources_ // search.min_resources_, search.factor)
    )


@contextmanager
def stacks_of(search: Any, **more: Any) -> Iterator[None]:
    """The block within which a search trains networks in stacks.

    After an error it is as it was before, unless it found something anew, which is kept.
    """
    before = dict(vars(search))
    with stacking(
        verbose=search.verbose, checkpoint=search.checkpoint, progress=search.progress, **more
    ):
        try:
            yield
        except BaseException as error:
            found = vars(search).get("cv_results_") is not before.get("cv_results_")
            if "cv_results_" in before and not found:
                put_back(search, before)
            changed = vars(search).get("best_estimator_") is not before.get("best_estimator_")
            if changed and isinstance(error, KeyboardInterrupt):
                # neither half-trained, nor of the search before
                del search.best_estimator_
                vars(search).pop("refit_time_", None)
                error.add_note(
                    "The search itself is done: cv_results_ and best_params_ tell what it found. "
                    "The best candidate was not fitted to the end, and there is no best_estimator_."
                )
            raise
