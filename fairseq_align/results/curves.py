"""Learning curves from the logs of ``fairseq-train``, with ``--log-format simple`` or ``json``."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError

METRICS = ("mlm_loss", "align_cos")
_LINE = re.compile(r"\| train_inner \| (.*)")
_VALUE = re.compile(r"(\w+)=([^,\s]+)")


class Curve(NamedTuple):
    """Values of one metric during training.

    Attributes:
        updates: where the values stand, ascending.
        values: means since the point before.
    """

    updates: list[int]
    values: list[float]


def read(path: str | Path) -> dict[str, Curve]:
    """Curves of ``METRICS`` in a log; a metric that the run did not log is left out.

    Where training was resumed and repeats updates, the last value of an update counts.

    Raises:
        InputError: there is no such file, or it holds no line of training.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found {error}, expected a log of fairseq-train") from error
    found: dict[str, dict[int, float]] = {metric: {} for metric in METRICS}
    for line in text.split("\n"):
        if match := _LINE.search(line):
            logged = _logged(match[1])
            for metric in METRICS:
                if metric in logged and "num_updates" in logged:
                    found[metric][int(float(logged["num_updates"]))] = float(logged[metric])
    curves = {metric: Curve(sorted(values), [values[update] for update in sorted(values)])
              for metric, values in found.items() if values}  # fmt: skip
    if not curves:
        raise InputError(
            f"{path}: found no train_inner line with {' or '.join(METRICS)}, expected a log of fairseq-train with "
            "--criterion align_mlm and --log-format simple or json; for short runs lower --log-interval"
        )
    return curves


def _logged(text: str) -> dict[str, str | float]:
    """What one line logs, by name."""
    start = text.find("{")
    if start >= 0 and text.rstrip().endswith("}"):
        return json.loads(text[start:])
    return dict(_VALUE.findall(text))


def names(paths: Sequence[Path]) -> list[str]:
    """Short names of logs: their paths without what all begin and end with; of one, its two folders."""
    parts = [path.absolute().parts for path in paths]
    if len(parts) == 1:
        return ["/".join(parts[0][-3:-1])]
    for cut, end in ((slice(1, None), 0), (slice(-1), -1)):
        while len({some[end] for some in parts}) == 1 and min(map(len, parts)) > 1:
            parts = [some[cut] for some in parts]
    return ["/".join(some) for some in parts]
