"""results.jsonl: scores as JSON lines, one score a line, each with what is needed to repeat it.

A line is a flat object with exactly the fields of ``FIELDS``. ``value`` is a fraction, never a percentage.
``objective``, ``derivation``, ``lexicon_rate``, ``seed`` and ``source_lang`` describe the *run*, so they are the same
in all its scores: ``lexicon_rate`` is the share of the vocabulary in the lexicon that training used, null where it used
none, and scores on the source language carry the derivation too. ``lexicon`` is the checksum of the lexicon that the
score was computed on or the run trained with.

Fields of ``OPTIONAL`` are left out where they say nothing; a missing one and null mean the same.

Files only grow. The fields of ``MEASURED`` are results, all others are the key of a record: of records with the same
key, ``latest`` keeps the last one. Tasks and metrics, with their ranges and units, are those of ``metrics.TASKS``.
"""

import fcntl
import functools
import json
import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import (  # the former of lexicons and checkpoints, where records are made
    LONGEST_ROW,
    checksum,  # noqa: F401
)
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results.metrics import PERCENT, TASKS, metric_names, metric_of, split_names
from fairseq_align.version import __version__


class Field(NamedTuple):
    """The values a field may have: a test of the JSON value, and the same in words."""

    holds: Callable[[object], bool]
    expected: str


LONGEST_NAME = 200  # characters


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_number(value) -> bool:
    return (_is_int(value) or isinstance(value, float)) and math.isfinite(value)


def _is_name(value) -> bool:
    """Names are parts of signatures and tables, so they may not contain the separators of these."""
    return _is_text(value) and re.fullmatch(r"[^|\s]+", value) is not None


def _is_text(value) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def _is_date(value) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_versions(value) -> bool:
    packages = {"fairseq_align", "torch", "fairseq"}
    return isinstance(value, dict) and packages <= value.keys() and all(map(_is_text, chain(*value.items())))


def _is_checksum(value) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{12}", value) is not None


def _or_null(field: Field) -> Field:
    return Field(lambda value: value is None or field.holds(value), f"{field.expected} or null")


@dataclass(frozen=True)
class NameIn:
    """A field that holds one of the names in a table, which may get rows later: it is read at every check."""

    names: Callable[[], Iterable[str]]

    def holds(self, value) -> bool:
        return isinstance(value, str) and value in self.names()

    @property
    def expected(self) -> str:
        return f"one of {', '.join(dict.fromkeys(self.names()))}"


def _only(*names: str) -> Field:
    return Field(lambda value: value is None or value in names, f"one of {', '.join(names)} or null")


NAME = Field(_is_name, f"a name without spaces or '|', of at most {LONGEST_NAME} characters")
COUNT = Field(lambda value: _is_int(value) and value >= 0, "an integer, at least 0 and of 64 bits")
CHECKSUM = Field(_is_checksum, "the first 12 hexadecimal digits of a sha256 sum")
FIELDS = {
    "task": NameIn(lambda: TASKS),
    "metric": NameIn(metric_names),
    "value": Field(_is_number, "a finite number"),
    "n": Field(lambda value: _is_int(value) and value > 0, "the number of items scored, at least 1"),
    "lang": NAME,  # scored language; for alignment the target language
    "source_lang": _or_null(NAME),  # language of fine-tuning; transfer to any other is zero-shot
    "split": NameIn(split_names),
    "seed": COUNT,
    "objective": NameIn(lambda: OBJECTIVES),
    "derivation": _or_null(NAME),  # e.g. "transliterate+invert"; null for natural languages
    "lexicon_rate": _or_null(Field(lambda value: _is_number(value) and 0 <= value <= 1, "a fraction in [0, 1]")),
    "variant": _or_null(NAME),  # what else sets the training apart, e.g. "contrastive"; null: nothing
    "freeze_embeddings": _or_null(Field(lambda value: isinstance(value, bool), "true, false")),
    "checkpoint": CHECKSUM,
    "vocabulary": _or_null(CHECKSUM),  # of dict.txt, as lexicons and derivation.json have it
    "sentencepiece": _or_null(CHECKSUM),  # of the model beside dict.txt; null: there is none
    "lexicon": _or_null(CHECKSUM),
    "layer": _or_null(COUNT),  # alignment: the encoder layer whose states were compared; null: word embeddings
    "mapping": _only("procrustes"),  # alignment: what was learnt on the seen pairs; null: nothing
    "direction": _only("backward"),  # alignment: the queries were target words; null: source words
    "similarity": _only("csls", "cosine"),  # induction: what is nearest
    "pairing": _only("one-way"),  # induction: every word has an answer; null: words that are each other's nearest
    "band": _or_null(NAME),  # alignment: the scored words, e.g. "pieces:2", "overlap:none"; null: all
    "ties": _or_null(COUNT),  # alignment: of n, words that share their rank with a wrong candidate
    "oov": _or_null(COUNT),  # alignment: pairs of the lexicon with a piece out of vocabulary, not in n
    "versions": Field(_is_versions, "an object of strings with fairseq_align, torch and fairseq"),
    "date": Field(_is_date, "an ISO 8601 date"),
}
OPTIONAL = (
    "variant", "layer", "mapping", "direction", "similarity", "pairing", "band", "ties", "oov", "vocabulary",
    "sentencepiece",
)  # fmt: skip
MEASURED = ("value", "n", "ties", "oov", "vocabulary", "sentencepiece", "versions", "date")  # all others: the key


def now() -> str:
    """The time in UTC to the second, as the field ``date`` has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of this package, torch and fairseq; ``unknown`` for a fairseq that no installation brought."""
    distributions = metadata.packages_distributions().get("fairseq", [])  # it is published under several names
    fairseq = metadata.version(distributions[0]) if distributions else "unknown"
    return {"fairseq_align": __version__, "torch": metadata.version("torch"), "fairseq": fairseq}


def validate(record: object, where: str) -> None:
    """Check that a record has the fields of ``FIELDS`` and no others, each of its type, and that they fit together.

    Fields of ``OPTIONAL`` may be missing.

    Args:
        record: what one line holds.
        where: ``path`` or ``path:line``, begins the message.

    Raises:
        InputError: the record is not valid; the message names the first fault.
    """
    if not isinstance(record, dict):
        raise InputError(f"{where}: found {record!r:.60}, expected an object with the fields of a score")
    for name in sorted((record.keys() ^ FIELDS.keys()) - (set(OPTIONAL) - record.keys())):
        found = f"unknown field {name!r:.60}" if name in record else f"no field {name!r}"
        raise InputError(f"{where}: found {found}, expected the fields {', '.join(FIELDS)}")
    for name, field in FIELDS.items():
        if not field.holds(record.get(name)):
            raise InputError(f"{where}: found {name} {record[name]!r:.60}, expected {field.expected}")
    _validate_metric(record, where)


def _validate_metric(record: dict, where: str) -> None:
    """Check the fields whose values depend on the task and metric."""
    task = TASKS[record["task"]]
    score = f"{record['task']} {record['metric']}"
    if record["metric"] not in task.recorded:
        raise InputError(
            f"{where}: found metric {record['metric']!r} of task {record['task']!r}, expected one of "
            + ", ".join(task.recorded)
        )
    metric = metric_of(record)
    if record["split"] not in metric.splits:
        raise InputError(
            f"{where}: found {score} on split {record['split']!r}, expected one of {', '.join(metric.splits)}"
        )
    if not metric.low - 1e-6 <= record["value"] <= metric.high + 1e-6:  # a float32 cosine may pass 1 by a rounding
        advice = "; give fractions, not percent" if metric.unit is PERCENT else ""
        raise InputError(
            f"{where}: found {score} {record['value']}, expected a value in [{metric.low}, {metric.high}]{advice}"
        )
    for name in ("source_lang", "freeze_embeddings"):
        if task.fine_tuned and record[name] is None:
            raise InputError(
                f"{where}: found {name} null, expected a value for task {record['task']!r}; "
                "say how the model was fine-tuned"
            )


def append(path: str | Path, record: dict) -> None:
    """Append one score to a results file; a missing file is created.

    Several processes may append to one file: each line is written whole, under a lock, and is on the disk on return.
    Where an interrupted writer left half a line, the new record starts on its own line, so that only the half is lost.

    Raises:
        InputError: the record is not valid; nothing is written.
        OSError: the line could not be written whole; the file is as before.
    """
    validate(record, str(path))
    ordered = {name: record[name] for name in FIELDS if name not in OPTIONAL or record.get(name) is not None}
    line = json.dumps(ordered, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
        size = os.fstat(file.fileno()).st_size
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            line = b"\n" + line
        if file.write(line) != len(line):
            os.ftruncate(file.fileno(), size)
            raise OSError(f"{path}: the disk took only a part of a line, which was removed; make room and score again")
        os.fsync(file.fileno())


def read(*paths: str | Path) -> list[dict]:
    """All scores of the files, in the order of the lines; empty lines are skipped.

    Raises:
        InputError: a file is missing, or a line is not a valid score.
    """
    return [record for path in paths for record in _read(path)]


def _read(path: str | Path) -> list[dict]:
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # waits for a line that is being written
            lines = file.read().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: found {error.strerror}, expected a results file of JSON lines") from error
    records = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            records.append(_parse(line, f"{path}:{number}", torn=number == len(lines)))
    return records


def _parse(line: bytes, where: str, torn: bool) -> dict:
    """The valid record of one line; ``torn`` says that no line end follows the line."""
    if len(line) > LONGEST_ROW:
        raise InputError(
            f"{where}: found {len(line):,} bytes, expected a score of at most {LONGEST_ROW:,}; delete the line"
        )
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:  # bad JSON and bad UTF-8
        if torn:
            raise InputError(
                f"{where}: found a last line that breaks off after {len(line)} bytes, expected a whole JSON object; "
                "its writer was interrupted: delete the line and score again"
            ) from error
        raise InputError(f"{where}: found {error}, expected one JSON object a line; mend or delete the line") from error
    validate(record, where)
    return record


def key(record: dict) -> tuple:
    """Key of a record: every field except the measured ones."""
    return tuple(record.get(name) for name in FIELDS if name not in MEASURED)


def latest(records: Iterable[dict]) -> list[dict]:
    """The last record of each key, in the order of these last records."""
    last: dict[tuple, dict] = {}
    for record in records:
        last.pop(key(record), None)
        last[key(record)] = record
    return list(last.values())


def signature(record: dict) -> str:
    """A score and all that is needed to repeat it, on one line.

    ``pos accuracy 61.2 | lang:en-x | source_lang:en | split:test | n:25094 | seed:1 | ... | fairseq_align:0.1.0 | ...``

    Percentages have one decimal, nats two, cosines three. Fields that are null are left out, as is the date, so that a
    run scored twice has one signature.
    """
    score = f"{record['task']} {record['metric']} {metric_of(record).unit.show(record['value'])}"
    names = (
        "lang",
        "source_lang",
        "split",
        "n",
        "seed",
        "objective",
        "derivation",
        "lexicon_rate",
        "freeze_embeddings",
        "checkpoint",
        "lexicon",
        *OPTIONAL,
    )
    shown = {name: record[name] for name in names if record.get(name) is not None} | record["versions"]
    return " | ".join([score, *(f"{name}:{_plain(value)}" for name, value in shown.items())])


def _plain(value: str | int | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)
