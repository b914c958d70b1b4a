"""Learning curves from the logs of ``fairseq-train``, with ``--log-format simple`` or ``json``."""

import json
import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fairseq_align import files
from fairseq_align.errors import InputError
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import records
from fairseq_align.results.aggregate import Row, row_of

logger = logging.getLogger(__name__)

METRICS = ("mlm_loss", "align_cos")  # of the lines of training
VALIDATED = ("whole_p1", "seen_p1", "heldout_p1")  # of those of validation
TOKENS = "tokens"  # seen since the first update
EXPECTED = "a log of fairseq-train"
LARGEST = 1e30  # of a value that is drawn
MOST_UPDATES = 1e15
_TRAINING = re.compile(r"\| train_inner \| (.*)")
_VALIDATION = re.compile(r"\| (valid\S*) \| (epoch .*|\{.*)")
_SETTINGS = re.compile(r"\| fairseq_cli\.train \| (\{.*)")
_VALUE = re.compile(r"(\w+)=([^,\s]+)")
_VALIDATED_VALUE = re.compile(r"\| (\S+) ([^\s|]+)(?= \||$)")
_SETTING = re.compile(r"'(\w+)': ('[^']*'|[^,{}\[\]']+)")


class Curve(NamedTuple):
    """Values of one metric during training.

    Attributes:
        updates: at which the values were logged, ascending.
        values: means since the update before; NaN where the log has none that can be drawn.
    """

    updates: list[int]
    values: list[float]


@dataclass(frozen=True)
class Run:
    """What the log of a run says.

    Attributes:
        name: short name of the log, the same for runs that differ in their seed alone.
        row: what was trained, from the scores beside the log; None where there are none.
        objective: of ``OBJECTIVES``; None: the log does not say.
        curves: by metric, those of ``METRICS`` and ``VALIDATED`` that were logged, and ``TOKENS``.
    """

    name: str
    row: Row | None
    objective: str | None
    curves: dict[str, Curve]

    @property
    def label(self) -> str:
        """What was trained, as the tables write it; else the name of the log."""
        return self.row.label if self.row else self.name

    @property
    def derivation(self) -> str | None:
        return self.row.derivation if self.row else None


def read_all(paths: Sequence[Path]) -> dict[str, Run]:
    """Runs of several logs by short name, in the order of the paths.

    Raises:
        InputError: see ``read``.
    """
    return {name: _run(path, name, read(path)) for name, path in zip(names(paths), paths, strict=True)}


def read_beside(results: Sequence[Path]) -> dict[str, Run]:
    """Runs whose logs are where the recipes leave them, ``runs/*/pretrain/train.log`` beside a file of results.

    Logs without curves, of runs that have just begun, are left out.
    """
    folders = dict.fromkeys(path.absolute().parent for path in results)
    paths = [path for folder in folders for path in sorted(folder.glob("runs/*/pretrain/train.log"))]
    read = {path: curves for path in paths if (curves := _read(path))}
    return {name: _run(path, name, read[path]) for name, path in zip(names(list(read)), read, strict=True)}


def read(path: str | Path) -> dict[str, Curve]:
    """Curves of a log; a metric that the run did not log is left out.

    Where training was resumed and repeats updates, the last value of an update counts. ``heldout_p1`` and its like are
    means over the pairs of languages where there are several. ``tokens`` are those of all updates so far. A line that
    breaks off, as where a run was killed, is left out, and the log says so.

    Raises:
        InputError: there is no such file, it holds no line of training, or a number of updates is none.
    """
    curves = _read(path)
    if not curves:
        raise InputError(
            f"{path}: found no train_inner line with {' or '.join(METRICS)}, expected {EXPECTED} with "
            "--criterion align_mlm and --log-format simple or json; for short runs lower --log-interval"
        )
    return curves


def _read(path: str | Path) -> dict[str, Curve]:
    """The same; nothing of a log without curves."""
    values: dict[str, dict[int, float]] = {metric: {} for metric in (*METRICS, *VALIDATED, TOKENS)}
    for update, logged in _lines(path):
        for metric, value in logged.items():
            values[metric][update] = value
    seen = {}
    for update, of_update in sorted(values[TOKENS].items()):  # of one update, the mean since the line before
        before = max(seen, default=0)
        if of_update >= 0:
            seen[update] = seen.get(before, 0.0) + of_update * (update - before)
    values[TOKENS] = seen
    curves = {metric: Curve(sorted(by_update), [by_update[update] for update in sorted(by_update)])
              for metric, by_update in values.items() if by_update}  # fmt: skip
    return curves if curves.keys() - {TOKENS} else {}


def _lines(path: str | Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Of each line of training or validation, the update and the values that are looked for."""
    for number, line in files.read_lines(path, EXPECTED):
        if match := _TRAINING.search(line):
            logged = _logged(match[1], _VALUE)
            found = {metric: [metric] for metric in METRICS} | {TOKENS: ["wpb"]}
        elif match := _VALIDATION.search(line):
            logged = _logged(match[2], _VALIDATED_VALUE)
            logged = logged and {name.removeprefix(f"{match[1]}_"): value for name, value in logged.items()}
            found = {metric: [name for name in logged or () if name == metric or name.startswith(f"{metric}_")]
                     for metric in VALIDATED}  # fmt: skip
        else:
            continue
        if logged is None:
            logger.warning("%s:%d: left out a line that breaks off", path, number)
            continue
        values = {
            metric: [_number(logged[name]) for name in names if name in logged] for metric, names in found.items()
        }
        values = {metric: sum(scores) / len(scores) for metric, scores in values.items() if scores}
        if values and "num_updates" in logged:
            yield _update(f"{path}:{number}", logged["num_updates"]), values


def _logged(text: str, simple: re.Pattern) -> dict[str, object] | None:
    """The values that one line logs, by name; None for JSON that is not whole.

    Args:
        simple: finds names and values where it is no JSON.
    """
    start = text.find("{")
    if start < 0:
        return dict(simple.findall(text))
    try:
        logged = json.loads(text[start:]) if len(text) < files.LONGEST_ROW else None
    except (ValueError, RecursionError):
        return None
    return logged if isinstance(logged, dict) else None


def _number(value: object) -> float:
    """A logged value, which JSON logs have as a string; NaN for what is no number or cannot be drawn."""
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return math.nan
    return number if abs(number) < LARGEST else math.nan


def _update(where: str, value: object) -> int:
    number = _number(value)
    if not 0 <= number <= MOST_UPDATES:
        raise InputError(f"{where}: found num_updates {value!r:.40}, expected a number of updates; delete the line")
    return int(number)


def row_beside(folder: Path) -> Row | None:
    """What was trained in a folder, from the scores that a recipe leaves beside it, ``pretrain.jsonl``; None: none."""
    scores = folder.with_name(folder.name + ".jsonl")
    rows = {row_of(record) for record in records.read(scores)} if scores.is_file() else set()
    return rows.pop() if len(rows) == 1 else None


def _run(path: Path, name: str, curves: dict[str, Curve]) -> Run:
    """What was trained: from the scores beside the folder of the log, else from the settings in the log."""
    row = row_beside(path.parent)
    return Run(_without_seed(name), row, row.objective if row else _objective(path), curves)


def _objective(path: Path) -> str | None:
    """The objective that the settings in a log name: the last one of ``OBJECTIVES`` that is a part of the loss."""
    for _, line in files.read_lines(path, EXPECTED):
        if match := _SETTINGS.search(line):
            settings = {name: _setting(value.strip()) for name, value in _SETTING.findall(match[1])}
            return [name for name, row in OBJECTIVES.items() if row.is_active(settings, settings)][-1]
    return None


def _setting(text: str) -> object:
    if text in ("None", "False", "''"):
        return None
    number = _number(text)
    return text.strip("'") if math.isnan(number) else number


def _without_seed(name: str) -> str:
    return re.sub(r"-\d+(?=/|$)", "", name)


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
