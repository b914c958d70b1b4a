"""Learning curves from the logs of ``fairseq-train``, with ``--log-format simple`` or ``json``."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError, reason_of

METRICS = ("mlm_loss", "align_cos")
_LINE = re.compile(r"\| train_inner \| (.*)")
_VALUE = re.compile(r"(\w+)=([^,\s]+)")


class Curve(NamedTuple):
    """Values of one metric during training.

    Attributes:
        updates: at which the values were logged, ascending.
        values: means since the update before.
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

    Where training was resumed and repeats updates, the last value of an update counts.

    Raises:
        InputError: there is no such file, or it holds no line of training.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found {reason_of(error)}, expected a log of fairseq-train") from error
    values: dict[str, dict[int, float]] = {metric: {} for metric in METRICS}
    for line in text.split("\n"):
        if match := _LINE.search(line):
            logged = _logged(match[1])
            for metric in METRICS:
                if metric in logged and "num_updates" in logged:
                    values[metric][int(float(logged["num_updates"]))] = float(logged[metric])
    curves = {metric: Curve(sorted(by_update), [by_update[update] for update in sorted(by_update)])
              for metric, by_update in values.items() if by_update}  # fmt: skip
    if not curves:
        raise InputError(
            f"{path}: found no train_inner line with {' or '.join(METRICS)}, expected a log of fairseq-train with "
            "--criterion align_mlm and --log-format simple or json; for short runs lower --log-interval"
        )
    return curves


def _logged(text: str) -> dict[str, str | float]:
    """The values that one line logs, by name."""
    start = text.find("{")
    if start >= 0 and text.rstrip().endswith("}"):
        return json.loads(text[start:])
    return dict(_VALUE.findall(text))


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
