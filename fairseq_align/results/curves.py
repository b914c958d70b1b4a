"""Learning curves from the logs of ``fairseq-train``, with ``--log-format simple`` or ``json``."""

import json
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

METRICS = ("mlm_loss", "align_cos")  # of the lines of training
VALIDATED = ("whole_p1", "seen_p1", "heldout_p1")  # of those of validation
TOKENS = "tokens"  # seen since the first update
EXPECTED = "a log of fairseq-train"
LARGEST = 1e30  # a value beyond is that of a run that has diverged
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
        values: means since the update before.
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
    means over the pairs of languages where there are several. ``tokens`` are those of all updates so far.

    Raises:
        InputError: there is no such file, or it holds no line of training.
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
        seen[update] = seen.get(before, 0.0) + of_update * (update - before)
    values[TOKENS] = seen
    curves = {metric: Curve(sorted(by_update), [by_update[update] for update in sorted(by_update)])
              for metric, by_update in values.items() if by_update}  # fmt: skip
    return curves if curves.keys() - {TOKENS} else {}


def _lines(path: str | Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Of each line of training or validation, the update and the values that are looked for."""
    for _, line in files.read_lines(path, EXPECTED):
        if match := _TRAINING.search(line):
            logged = _numbers(_json(match[1]) or dict(_VALUE.findall(match[1])))
            found = {metric: logged[metric] for metric in METRICS if metric in logged}
            if "wpb" in logged:
                found[TOKENS] = logged["wpb"]
        elif match := _VALIDATION.search(line):
            prefix = f"{match[1]}_"
            logged = {name.removeprefix(prefix): value for name, value in (_json(match[2]) or {}).items()}
            logged = _numbers(logged or dict(_VALIDATED_VALUE.findall(match[2])))
            found = {}
            for metric in VALIDATED:
                if scores := [v for name, v in logged.items() if name == metric or name.startswith(f"{metric}_")]:
                    found[metric] = sum(scores) / len(scores)
        else:
            continue
        if found and 0 <= logged.get("num_updates", -1) < 1e15:
            yield int(logged["num_updates"]), found


def _json(text: str) -> dict:
    """The object that a line ends with; empty where it does not."""
    start = text.find("{")
    if start < 0 or not text.rstrip().endswith("}"):
        return {}
    try:
        logged = json.loads(text[start:])
    except (ValueError, RecursionError):  # of a line that was torn
        return {}
    return logged if isinstance(logged, dict) else {}


def _numbers(logged: dict[str, object]) -> dict[str, float]:
    """The values that are numbers, and of a run that has not diverged."""
    numbers = {}
    for name, value in logged.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(number) and abs(number) <= LARGEST:
            numbers[name] = number
    return numbers


def _run(path: Path, name: str, curves: dict[str, Curve]) -> Run:
    """What was trained: from the scores that a recipe leaves beside the folder of the log, else from the settings."""
    scores = path.parent.with_name(path.parent.name + ".jsonl")
    rows = {row_of(record) for record in records.read(scores)} if scores.is_file() else set()
    row = rows.pop() if len(rows) == 1 else None
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
    return _numbers({"": text}).get("", text.strip("'"))


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
