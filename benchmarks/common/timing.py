"""Interleaved timing, and the record of where and when it was done."""

import gc
import json
import os
import platform
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from importlib import metadata
from pathlib import Path

import torch

WARM = 3  # rounds that are not counted: fairseq gives all memory of a GPU back in its first update, to get it anew


def interleaved(
    works: dict[str, Callable[[], int]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Run each piece of work once a round, in an order drawn anew, after some rounds that are not counted.

    What ran before leaves its mark on caches and on the memory that is free: so no piece always follows the same one.

    Args:
        works: each returns how many units (tokens, items) it did.
        rounds: counted rounds, at least 1.
        clock: ``time.process_time`` on a machine that others use, for work of one thread.

    Returns:
        units a second of each piece of work, one number a round.
    """
    rates: dict[str, list[float]] = {name: [] for name in works}
    draw = random.Random(1)
    for counted in range(-WARM, rounds):
        for name, work in draw.sample(list(works.items()), len(works)):
            rate = _rate(work, clock)
            if counted >= 0:
                rates[name].append(rate)
    return rates


Makers = dict[str, Callable[[], Callable[[], int]]]  # each makes a piece of work


def models(makers: Makers, rounds: int) -> dict[str, list[float]]:
    """``interleaved`` on a CPU, ``apart`` on a GPU: its rate drifts little, and its memory may not hold all models."""
    if torch.cuda.is_available():
        return apart(makers, rounds)
    return interleaved({name: make() for name, make in makers.items()}, rounds)


def apart(makers: Makers, rounds: int) -> dict[str, list[float]]:
    """The figures of ``interleaved``, with one piece of work in memory at a time.

    Args:
        makers: what one makes is dropped before the next one is called; their order is drawn.
        rounds: counted rounds of each, at least 1, after some that are not counted.
    """
    rates = {}
    for name, make in random.Random(1).sample(list(makers.items()), len(makers)):
        work = make()
        rates[name] = [_rate(work) for _ in range(WARM + rounds)][WARM:]
        del work
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return {name: rates[name] for name in makers}


def _rate(work: Callable[[], int], clock: Callable[[], float] = time.perf_counter) -> float:
    """Units a second, until the GPU is done with them."""
    start = clock()
    units = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return units / (clock() - start)


@contextmanager
def remembered_peak() -> Iterator[None]:
    """Context manager: the highest memory of a GPU is that of all that runs within; fairseq forgets it every update."""
    reset = torch.cuda.reset_peak_memory_stats
    if torch.cuda.is_available():
        reset()
    torch.cuda.reset_peak_memory_stats = lambda *args: None
    try:
        yield
    finally:
        torch.cuda.reset_peak_memory_stats = reset


def ratio(rates: dict[str, list[float]], ours: str, other: str) -> float:
    """Median over rounds of ours / other: machines drift, pairs of neighbouring rounds less."""
    return statistics.median(a / b for a, b in zip(rates[ours], rates[other], strict=True))


def peak() -> float:
    """MiB that the process has had at once so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> dict[str, str]:
    """Date, processor and versions, for the record."""
    processor = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(": ")[2] for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0] if names else processor
    versions = {name: metadata.version(name) for name in ("torch", "numpy", "fairseq-fixed")}
    return {"date": date.today().isoformat(), "processor": processor, "cores": str(os.cpu_count()), **versions}


RESULTS = Path(__file__).parents[1] / "results"


def save(name: str, record: dict, folder: Path = RESULTS) -> None:
    """Write ``<folder>/<name>.json``."""
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**machine(), **record}, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")
