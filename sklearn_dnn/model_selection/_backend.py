"""A joblib backend that waits until it has seen all calls, and trains their networks in stacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import itemgetter
from os import PathLike
from threading import Lock
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.parallel import ParallelBackendBase, ThreadingBackend

from .._compat import TerminatedWorkerError, shares_memory
from .._core.training.engine import Observer
from .._warnings import warn
from ..estimators._stacked_fit import Fit
from ..estimators._stacks import open_stacks, train_stack
from ._calls import Call
from ._checkpoint import ResultFolder
from ._plan import units
from ._results import give_up, is_of_use, judged_together, tell_what_was_stacked, undone
from ._waiting import waited_for
from ._watching import BarObserver, SearchBar, Watchers
from ._worker import call_alone, calls_in_step, train_and_call

# Times that work is done again after a worker was lost.
RETRIES = 2
# What new processes take to start and to import torch; a stack that is done sooner stays here.
SECONDS_TO_START = 1.0
Results = Iterator[tuple[int, Any]]
# What workers return beside Ctrl-C: joblib would throw away what others have done where one raises.
Trained = tuple[Sequence[Fit], KeyboardInterrupt | None]


class Job:
    """What joblib gets back for calls that it handed over."""

    def __init__(self, calls: list[Call], callback: Callable[[Any], None] | None) -> None:
        self.calls = calls
        self.callback = callback
        self.results: list[Any] | None = None


class StackingBackend(ParallelBackendBase):
    """Holds calls back until the first result is asked for; by then all have come.

    Parameters
    ----------
    workers : ParallelBackendBase
        The backend of the processes or threads that work.
    n_jobs : int or None
        How many of them, where who uses joblib does not say.
    asked_for : bool
        Whether the backend was chosen by the user, and gets all of the work.
    verbose : int
        From 2 on, what is stacked and what is not is printed.
    checkpoint : path-like or None
        A folder that keeps results, and that they are taken from.
    watchers : Watchers or None
        Makes the observers of a stack from its fits.
    progress : bool
        Whether a bar is shown.
    continues : bool
        Whether a candidate that is asked for with a larger ``max_iter`` goes on where it ended.
        Its state stays in this process, which then does all the work, in threads if in several.
    nested : bool
        Whether another loop asks for the work, and must not be given a part of it as the whole.
    """

    supports_sharedmem = True

    def __init__(
        self,
        workers: ParallelBackendBase,
        n_jobs: int | None = None,
        *,
        asked_for: bool = True,
        verbose: int = 0,
        checkpoint: str | PathLike[str] | None = None,
        watchers: Watchers | None = None,
        progress: bool = False,
        continues: bool = False,
        nested: bool = False,
    ) -> None:
        super().__init__(nesting_level=workers.nesting_level)
        self.workers = workers
        self.pool = workers  # of the calls at hand, which may ask for threads
        self.n_jobs = n_jobs
        self.asked_for = asked_for
        self.verbose = verbose
        self.checkpoint = None if checkpoint is None else ResultFolder(checkpoint)
        self.watchers = watchers or Watchers()
        self.progress = progress
        self.bar: SearchBar | None = None
        self.lengths: list[int] = []  # epochs of each call, as the bar counts them
        self.ended: dict[Any, Fit] | None = {} if continues else None
        self.nested = nested
        self.interrupted = False
        # filters of warnings belong to the process: who changes them does so alone
        self._turn = Lock()
        self._waiting: list[Job] = []

    # What joblib asks for

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """At least two, since joblib does without a backend for a single one."""
        return max(2, self._count(n_jobs))

    def configure(
        self,
        n_jobs: int | None = 1,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        **backend_kwargs: Any,
    ) -> int:
        """Ask for all calls at once: a table is held once, whatever the number of calls."""
        self.parallel = parallel
        stays = self.ended is not None or self.watchers.stay
        threads = prefer == "threads" or require == "sharedmem" or stays
        alien = threads and not shares_memory(self.workers)
        self.pool = ThreadingBackend(nesting_level=self.nesting_level) if alien else self.workers
        self._n_workers = self._count(n_jobs)
        if isinstance(parallel.pre_dispatch, str):
            parallel.pre_dispatch = "all"
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Job:
        """Take calls in."""
        job = Job([Call.read(*item) for item in func.items], callback)
        self._waiting.append(job)
        return job

    def retrieve_result(self, out: Job, timeout: float | None = None) -> list[Any]:
        """The results of a job; the first to be asked for starts the work."""
        if out.results is None:
            jobs, self._waiting = self._waiting, []
            results = iter(self._all([call for job in jobs for call in job.calls]))
            for job in jobs:
                job.results = [next(results) for _ in job.calls]
            for job in jobs:
                if job.callback is not None:
                    job.callback(job)
        assert out.results is not None
        return out.results

    def _count(self, n_jobs: int | None) -> int:
        return self.workers.effective_n_jobs(self.n_jobs if n_jobs is None else n_jobs)

    def within(self) -> StackingBackend:
        """The backend of searches within the calls of this one."""
        return StackingBackend(self.workers, self.n_jobs, watchers=self.watchers, nested=True)

    # The work

    def _all(self, calls: list[Call]) -> list[Any]:
        """The results of calls, in order."""
        if not any(call.asked for call in calls):  # such as the trees of a forest
            return [result for _, result in sorted(self._missing(calls, {}), key=itemgetter(0))]
        if self.interrupted:
            raise KeyboardInterrupt("Ctrl-C ended the search before.")
        results: dict[int, Any] = {}
        groups = judged_together(calls)
        if self.checkpoint is not None:
            results = self.checkpoint.load(calls)
        if self.progress:
            self.lengths = [call.n_epochs for call in calls]
            self.bar = SearchBar(sum(n for i, n in enumerate(self.lengths) if i not in results))
        try:
            for i, result in self._missing(calls, results):
                results[i] = result
                if self.checkpoint is not None:
                    self.checkpoint.keep(calls[i], result)
                if self.bar is not None:
                    self.bar.score(result)
        except KeyboardInterrupt as error:
            self.interrupted = True
            if self.nested:
                raise
            if not is_of_use(groups, results):
                folder = None if self.checkpoint is None else self.checkpoint.folder
                error.add_note(undone(len(results), len(calls), folder))
                raise
            give_up(calls, results)
        finally:
            if self.bar is not None:
                self.bar.close()
        tell_what_was_stacked(calls, self.verbose)
        return [results[i] for i in range(len(calls))]

    def _missing(self, calls: list[Call], results: dict[int, Any]) -> Results:
        """Work on the calls that have no result yet, again where a worker was lost."""
        shared = self._n_workers == 1 or shares_memory(self.pool) or self._is_soon_done(calls)
        work = self._in_this_process if shared else self._in_others
        for again in range(RETRIES + 1):
            left = [i for i in range(len(calls)) if i not in results]
            try:
                yield from work(calls, left)
                return
            except TerminatedWorkerError as error:
                if again == RETRIES:
                    raise
                warn(f"A worker was lost ({error}); what it worked on is begun once more.")

    def _is_soon_done(self, calls: list[Call]) -> bool:
        """Whether the networks are trained before new processes would have started."""
        return not self.asked_for and sum(call.seconds for call in calls) < SECONDS_TO_START

    def _in_this_process(self, calls: list[Call], left: list[int]) -> Results:
        """Train stacks in threads, if in several, and judge them here."""
        owner: dict[int, int] = {}
        alone = set(left)
        for stack, interruption in self._as_they_end(self._stacks(calls, left, owner)):
            # of one that was cut off what was trained before, if in parts
            for fit in (fit for fit in stack if fit.is_done):
                i = owner.pop(id(fit))
                alone.remove(i)
                if self.bar is not None:  # of what was done by a fit that this one goes on from
                    trained = 0 if fit.error is not None else fit.n_epochs * fit.n_members
                    self.bar.advance(self.lengths[i] - trained)
                yield i, self._judged(calls[i])
            if interruption is not None:
                raise interruption
        for i in [i for i in owner.values() if calls[i].is_fitted]:  # they ended in earlier calls
            alone.remove(i)
            if self.bar is not None:
                self.bar.advance(self.lengths[i])
            yield i, self._judged(calls[i])
        for i, result in calls_in_step([(i, calls[i]) for i in sorted(alone)]):
            alone.remove(i)
            if self.bar is not None:
                self.bar.advance(self.lengths[i])
            yield i, result
        tasks = (delayed(call_alone)(i, calls[i]) for i in sorted(alone))
        for i, result, interruption in self._parallel(tasks):
            if interruption is not None:
                raise interruption
            if self.bar is not None:
                self.bar.advance(self.lengths[i])
            yield i, result

    def _judged(self, call: Call) -> Any:
        """The result of a call whose network is trained."""
        with self._turn:
            result = call.run()
        if self.ended is None:
            call.release()
        return result

    def _stacks(
        self, calls: list[Call], left: list[int], owner: dict[int, int]
    ) -> Iterator[list[Fit]]:
        """Stacks to train, begun when they are asked for; `owner` gets the call of each fit."""
        n_threads = self._n_workers if shares_memory(self.pool) else 1
        compositions: dict[Any, Any] = {}
        wanted = Counter(calls[i].table_key for i in left if calls[i].reason is None)
        for unit in units([calls[i] for i in left], n_threads):
            members = [left[k] for k in unit if calls[left[k]].reason is None]
            if not members:  # a transformer's own calls come while its pipeline has the turn
                continue
            with self._turn:
                fits = [calls[i].prepare(compositions, self.ended) for i in members]
                owner |= {id(fit): i for i, fit in zip(members, fits, strict=True) if fit}
                stacks = open_stacks([fit for fit in fits if fit], n_at_once=n_threads)
            wanted.subtract(calls[i].table_key for i in members)
            for key in [key for key in compositions if wanted[key] == 0]:
                del compositions[key]
            yield from stacks

    def _as_they_end(self, stacks: Iterable[Sequence[Fit]]) -> Iterator[Trained]:
        """Trained stacks, in the order of their ends, and what cut them off."""
        if not shares_memory(self.pool):
            yield from map(self._train, stacks)
            return
        yield from self._parallel(delayed(self._train)(stack) for stack in stacks)

    def _train(self, stack: Sequence[Fit]) -> Trained:
        try:
            train_stack(stack, self._watched)
        except KeyboardInterrupt as interruption:
            return stack, interruption
        return stack, None

    @contextmanager
    def _watched(self, stack: Sequence[Fit]) -> Iterator[list[Observer]]:
        """The observers of a stack, whose epochs do not count where it breaks off."""
        observers: list[Observer] = self.watchers(stack)
        if self.bar is None:
            yield observers
            return
        ticking = BarObserver(self.bar, [f.n_epochs for f in stack for _ in range(f.n_members)])
        try:
            yield [*observers, ticking]
        except BaseException:
            ticking.take_back()
            raise
        ticking.close()

    def _in_others(self, calls: list[Call], left: list[int]) -> Results:
        """Send calls to processes that share no memory, which train and judge."""
        plan = units([calls[i] for i in left], self._n_workers)
        named = [[left[k] for k in unit] for unit in plan]
        tables: list[Any] = []
        light = {i: calls[i].without_tables(tables) for i in left}
        tasks = (
            delayed(train_and_call)(u, [light[i] for i in u], self.watchers, *tables) for u in named
        )
        for results, reasons, interrupted in self._parallel(tasks):
            for i, reason in reasons:
                calls[i].reason = reason
            if self.bar is not None:
                self.bar.advance(sum(self.lengths[i] for i, _ in results))
            yield from results
            if interrupted:
                raise KeyboardInterrupt("Ctrl-C ended the work of another process.")

    def _parallel(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """Results of tasks by the workers, in the order of their ends if they tell of these."""
        if self._n_workers == 1:
            for function, args, kwargs in tasks:
                # what is searched within has other calls, of which this backend must not know
                with parallel_config(backend=self.within(), n_jobs=self.n_jobs):
                    result = function(*args, **kwargs)
                yield result
            return
        if not shares_memory(self.pool):
            yield from self._in_pool(tasks)
            return
        with waited_for() as does:
            yield from self._in_pool(delayed(does)(task, *args) for task, args, _ in tasks)

    def _in_pool(self, tasks: Iterable[Any]) -> Iterator[Any]:
        # Ray's workers, as other pools, give all results at the end
        how = "generator_unordered" if self.pool.supports_return_generator else "list"
        with parallel_config(backend=self.pool):
            results = Parallel(n_jobs=self._n_workers, return_as=how)(tasks)
            try:
                for result in results:  # noqa: UP028 - which would close them first
                    yield result
            except GeneratorExit:
                if isinstance(results, Generator):  # closed, it would warn of what is left
                    with suppress(KeyboardInterrupt):
                        results.throw(KeyboardInterrupt())
                raise
