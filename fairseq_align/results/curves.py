"""Learning curves from the logs of ``fairseq-train``, with ``--log-format simple`` or ``json``."""

import json
import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines

logger = logging.getLogger(__name__)

METRICS = ("mlm_loss", "align_cos")
LARGEST = 1e30  # of a value that is drawn
MOST_UPDATES = 1e15
_LINE = re.compile(r"\| train_inner \| (.*)")
_VALUE = re.compile(r"(\w+)=([^,\s]+)")


class Curve(NamedTuple):
    """Values of one metric during training.

    Attributes:
        updates: at which the values were logged, ascending.
        values: means since the update before; NaN where the log has none that can be drawn.
    """

    updates: list[int]
    values: list[float]


def read_all(paths: Sequence[Path]) -> dict[str, dict[str, Curve]]:
    """Curves of each log by its short name, in the order of the paths.

    Raises:
        InputError: see ``read``.
    """
    return dict(zip(names(paths), map(read, paths), strict=True))


def read(path: str | Path) -> dict[str, Curve]:
    """Curves of ``METRICS`` in a log; a metric that the run did not log is left out.

    Where training was resumed and repeats updates, the last value of an update counts. A line that breaks off, as where
    a run was killed, is left out, and the log says so.

    Raises:
        InputError: there is no such file, it holds no line of training, or a number of updates is none.
    """
    values: dict[str, dict[int, float]] = {metric: {} for metric in METRICS}
    for number, line in read_lines(path, "a log of fairseq-train"):
        if match := _LINE.search(line):
            logged = _logged(match[1])
            if logged is None:
                logger.warning("%s:%d: left out a line that breaks off", path, number)
                continue
            for metric in METRICS:
                if metric in logged and "num_updates" in logged:
                    value = _number(logged[metric])
                    values[metric][_update(f"{path}:{number}", logged["num_updates"])] = (
                        value if abs(value) < LARGEST else math.nan
                    )
    curves = {metric: Curve(sorted(by_update), [by_update[update] for update in sorted(by_update)])
              for metric, by_update in values.items() if by_update}  # fmt: skip
    if not curves:
        raise InputError(
            f"{path}: found no train_inner line with {' or '.join(METRICS)}, expected a log of fairseq-train with "
            "--criterion align_mlm and --log-format simple or json; for short runs lower --log-interval"
        )
    return curves


def _logged(text: str) -> dict[str, object] | None:
    """The values that one line logs, by name; None for JSON that is not whole."""
    start = text.find("{")
    if start < 0:
        return dict(_VALUE.findall(text))
    try:
        logged = json.loads(text[start:]) if len(text) < LONGEST_ROW else None
    except (ValueError, RecursionError):
        return None
    return logged if isinstance(logged, dict) else None


def _number(value: object) -> float:
    """A logged value, which JSON logs have as a string; NaN for what is no number."""
    try:
        return float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _update(where: str, value: object) -> int:
    number = _number(value)
    if not 0 <= number <= MOST_UPDATES:
        raise InputError(f"{where}: found num_updates {value!r:.40}, expected a number of updates; delete the line")
    return int(number)


def names(paths: Sequence[Path]) -> list[str]:
    """Short names of logs: their paths without the folders that all begin and end with; of one log, its two folders.

    Example:
        >>> names([Path("runs/mlm-1/train.log"), Path("runs/align-1/train.log")])
        ['mlm-1', 'align-1']
    """
    if not paths:
        return []
    parts = [path.absolute().parts for path in paths]
    if len(parts) == 1:
        return ["/".join(parts[0][-3:-1])]
    for rest, end in ((slice(1, None), 0), (slice(-1), -1)):
        while len({names[end] for names in parts}) == 1 and min(map(len, parts)) > 1:
            parts = [names[rest] for names in parts]
    return ["/".join(names) for names in parts]
