"""Many fits at once that each believe to be alone: their epochs are trained as stacks.

Each runs in a thread of its own, of which one works at a time. Where it asks for an epoch it
waits; once all wait, or have ended, those alike train as one stack, and all go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar, copy_context
from queue import SimpleQueue
from threading import Condition, Lock, Thread
from time import perf_counter
from typing import Any

# Threads at once; what is left begins when all of them have ended.
AT_ONCE = 200


class Stopped(BaseException):
    """What a fit was for has ended; unlike Ctrl-C, no estimator takes it for its own end."""


class Asked:
    """An epoch that a fit waits for.

    Attributes
    ----------
    fit : object
    rows : ndarray of int
        In the order in which they train.
    loss : float or None
        What came of it.
    error : Exception or None
        Why nothing came of it.
    seconds : float
        Its share of the time that its stack took.
    """

    def __init__(self, fit: Any, rows: Any) -> None:
        self.fit, self.rows = fit, rows
        self.loss: float | None = None
        self.error: Exception | None = None
        self.seconds = 0.0


Train = Callable[[Sequence[Asked]], None]


class Meeting:
    """Where fits wait for each other.

    Parameters
    ----------
    train : callable
        ``train(asked)`` gives each of the epochs that are asked for its loss, or its error.
    n_running : int
        Threads that may ask.
    """

    def __init__(self, train: Train, n_running: int) -> None:
        self.turn = Lock()
        self.is_over = False
        self._train = train
        self._running = n_running
        self._changed = Condition()
        self._asked: list[Asked] = []

    def epoch(self, asked: Asked) -> float:
        """Wait until all others wait, too, and the epoch is trained; its loss."""
        began = perf_counter()
        with self._changed:
            self._asked.append(asked)
            self._leave()
            self.turn.release()
            self._changed.wait_for(lambda: asked.loss is not None or asked.error is not None)
        self.turn.acquire()
        spent = _SPENT.get()
        spent[0] += asked.seconds - (perf_counter() - began)
        if self.is_over:
            raise Stopped
        if asked.error is not None:
            raise asked.error
        assert asked.loss is not None
        return asked.loss

    def end(self) -> None:
        """A thread asks no more."""
        with self._changed:
            self._leave()

    def _leave(self) -> None:
        """One thread less runs; the last one trains what all wait for."""
        self._running -= 1
        if self._running > 0 or not self._asked:
            return
        asked, self._asked = self._asked, []
        try:
            self._train(asked)
        except Exception as error:  # who waits must not wait for ever
            for each in asked:
                each.error = each.error or error
        self._running = len(asked)
        self._changed.notify_all()


_MEETING: ContextVar[Meeting | None] = ContextVar("meeting", default=None)
# Seconds of others' work, to be taken off what a task took, as a list of one.
_SPENT: ContextVar[list[float]] = ContextVar("spent")


def meeting() -> Meeting | None:
    """That of this thread; None where a fit is alone."""
    return _MEETING.get()


def seconds_of_others() -> float:
    """What to add to the time that this thread's task took: less than 0."""
    return _SPENT.get()[0]


def in_lockstep(tasks: Sequence[Callable[[], Any]], train: Train) -> Iterator[Any]:
    """Do tasks whose fits wait for each other; the results in the order of their ends.

    An error ends those that are at work at the end of their epoch, and is raised after that.

    Parameters
    ----------
    tasks : sequence of callable
    train : callable
        See :class:`Meeting`.
    """
    for start in range(0, len(tasks), AT_ONCE):
        some = tasks[start : start + AT_ONCE]
        met, done = Meeting(train, len(some)), SimpleQueue[tuple[Any, BaseException | None]]()
        threads = [
            Thread(target=copy_context().run, args=(_work, met, task, done), daemon=True)
            for task in some
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in threads:
                result, error = done.get()
                if error is not None:
                    raise error
                yield result
        finally:
            met.is_over = True
            for thread in threads:
                thread.join()


def _work(
    met: Meeting, task: Callable[[], Any], done: SimpleQueue[tuple[Any, BaseException | None]]
) -> None:
    """One thread's task, which has its turn but while it waits."""
    _MEETING.set(met)
    _SPENT.set([0.0])
    try:
        with met.turn:
            if not met.is_over:
                done.put((task(), None))
    except BaseException as error:  # raised where the results are taken
        done.put((None, error))
    finally:
        met.end()
