"""Medians of interleaved repeats: the only figures that hold on a noisy machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from time import perf_counter, sleep


def interleaved(runs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each run, taken in turn after one warm-up each.

    Before each run the process rests for a moment: the threads of a peer's BLAS go on spinning
    for a while after its work, and would be charged to whoever comes next.

    Parameters
    ----------
    runs : mapping of str to callable
    repeats : int
        Counted runs of each.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            sleep(0.2)
            start = perf_counter()
            run()
            seconds[name].append(perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def show(title: str, header: list[str], rows: Iterable[list[str]]) -> None:
    """Print a table in Markdown, row by row as they come."""
    print(f"\n## {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
