"""Interleaved timing, and the record of where and when it was done."""

import json
import os
import platform
import random
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path

import torch


def interleaved(works: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Run each piece of work once a round, in an order drawn anew, after one round that is not counted.

    What ran before leaves its mark on caches and on the memory that is free: so no piece always follows the same one.

    Args:
        works: each returns how many units (tokens, items) it did.
        rounds: counted rounds, at least 1.

    Returns:
        units a second of each piece of work, one number a round.
    """
    rates: dict[str, list[float]] = {name: [] for name in works}
    draw = random.Random(1)
    for counted in range(-1, rounds):
        for name, work in draw.sample(list(works.items()), len(works)):
            start = time.perf_counter()
            units = work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if counted >= 0:
                rates[name].append(units / (time.perf_counter() - start))
    return rates


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
