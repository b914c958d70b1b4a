"""Cells of a report: from results to the mean and spread over seeds of each row and column.

    records -> ``count`` (one score a seed) -> ``scores_of`` -> ``aggregate`` (cells)

A row is what was trained (objective, share of the vocabulary in the lexicon, derivation), a column what was scored.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fairseq_align.results import paper
from fairseq_align.results import records as results
from fairseq_align.results.records import NATS, OBJECTIVES, PERCENT, Unit

logger = logging.getLogger(__name__)

MISSING = "—"
TASKS = {task: task.upper() for task in paper.TASKS}
MAIN_METRIC = {"xnli": "accuracy", "ner": "f1", "pos": "accuracy"}
GROUPS = ("Zero-shot transfer", "Cosine and language model")  # one table each
ROLES = ("source", "supervised", "zero-shot", "gap", "reverse")  # of the language of fine-tuning and the one scored
ALIGNMENT = {"p@1": "P@1", "csls_p@1": "CSLS P@1", "cos": "cosine"}  # metrics with a column of their own
ORDER = (
    "P@1 seen", "P@1 held-out", "CSLS P@1 seen", "CSLS P@1 held-out",
    *(f"{task} {role}{frozen}" for task in TASKS.values() for frozen in ("", ", frozen") for role in ROLES),
    "cosine seen", "cosine held-out", "MLM loss", "unigram entropy", "entropy − loss",
)  # fmt: skip


class Row(NamedTuple):
    """What was trained."""

    derivation: str | None
    objective: str
    lexicon_rate: float | None
    variant: str | None = None

    @property
    def sort_key(self) -> tuple:
        rate = -1.0 if self.lexicon_rate is None else self.lexicon_rate
        return self.derivation or "", OBJECTIVES.index(self.objective), rate, self.variant or ""

    @property
    def name(self) -> str:
        return self.objective.replace("_", "-").upper() + (f" {self.variant}" if self.variant else "")

    @property
    def lexicon(self) -> str:
        return "none" if self.lexicon_rate is None else f"{100 * self.lexicon_rate:g} %"


@dataclass(frozen=True)
class Column:
    """What was scored.

    Attributes:
        kind: one of ``ORDER``.
        split: split of the data, or "seen" / "heldout".
        unit: how values are shown.
    """

    kind: str
    split: str
    unit: Unit

    @property
    def sort_key(self) -> tuple:
        return ORDER.index(self.kind), self.split

    @property
    def group(self) -> str:
        return GROUPS[self.kind.startswith(("cosine", "MLM", "unigram", "entropy"))]

    @property
    def title(self) -> str:
        """The kind, with the split where it is not the usual one: ``POS zero-shot (valid)``."""
        first = self.kind.split()[0]
        usual = self.split if first in ("P@1", "CSLS", "cosine") else "test" if first in TASKS.values() else "valid"
        return self.kind if self.split == usual else f"{self.kind} ({self.split})"


class Score(NamedTuple):
    """One record in its place of the table."""

    row: Row
    column: Column
    lang: str
    seed: int
    value: float
    n: int


@dataclass(frozen=True)
class Cell:
    """Scores of one row and column: a value and the number of items scored for each seed, in the order of seeds."""

    seeds: tuple[int, ...]
    values: tuple[float, ...]
    n: tuple[int, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over seeds; None for a single seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


class Place(NamedTuple):
    """Where a cell stands; ``lang`` is one scored language, or None for the mean over the row's languages."""

    row: Row
    lang: str | None
    column: Column

    @property
    def sort_key(self) -> tuple:
        return self.row.sort_key, self.lang or "", self.column.sort_key


Cells = dict[Place, Cell]


# records -> scores


def row_of(record: dict) -> Row:
    return Row(record["derivation"], record["objective"], record["lexicon_rate"], record.get("variant"))


def in_detail(record: dict) -> bool:
    """Whether a score of alignment has its place in the detailed table alone."""
    narrowed = any(record.get(name) is not None for name in ("layer", "mapping", "direction", "band"))
    return record["task"] == "alignment" and (narrowed or record["metric"] not in ALIGNMENT)


def target_langs(records: Iterable[dict]) -> dict[str | None, set[str]]:
    """Target languages of each derivation: those of its alignment scores, and those that are only transferred to."""
    targets: dict[str | None, set[str]] = defaultdict(set)
    transfers: dict[str | None, set[tuple[str, str]]] = defaultdict(set)
    for record in records:
        if record["task"] == "alignment":
            targets[record["derivation"]].add(record["lang"])
        elif record["task"] in TASKS:
            transfers[record["derivation"]].add((record["source_lang"], record["lang"]))
    for derivation, pairs in transfers.items():
        targets[derivation] |= {to for start, to in pairs if start != to and (to, start) not in pairs}
    return targets


def columns(records: Sequence[dict]) -> list[Column]:
    """The column of each record, over all languages."""
    targets = target_langs(records)
    return [_column(record, targets[record["derivation"]]) for record in records]


def _column(record: dict, targets: set[str]) -> Column:
    match record["task"], record["metric"]:
        case ["alignment", metric]:
            kind = f"{ALIGNMENT[metric]} {'held-out' if record['split'] == 'heldout' else 'seen'}"
        case ["mlm", metric]:
            kind = {"loss": "MLM loss", "unigram_entropy": "unigram entropy"}[metric]
        case [task, _]:
            kind = f"{TASKS[task]} {_role(record, targets)}" + ", frozen" * record["freeze_embeddings"]
    return Column(kind, record["split"], results.metric_of(record).unit)


def _role(record: dict, targets: set[str]) -> str:
    from_target, same = record["source_lang"] in targets, record["lang"] == record["source_lang"]
    return ROLES[(1 if same else 4) if from_target else (0 if same else 2)]


def shown(records: Iterable[dict]) -> list[dict]:
    """The records that stand in tables: no retrieval of sentences, and of fine-tuned models the task's first metric."""
    return [
        record
        for record in records
        if record["task"] != "retrieval" and MAIN_METRIC.get(record["task"], record["metric"]) == record["metric"]
    ]


def count(records: Iterable[dict]) -> list[dict]:
    """The records that count: one for each row, column, language and seed, the last one read.

    A run repeated with its seed gives another checkpoint, and both would stand as two seeds; the log says so.
    """
    counted: dict[tuple, dict] = {}
    records = results.latest(records)
    for record, column in zip(records, columns(records), strict=True):
        place = (row_of(record), column, record["lang"], record["seed"])
        if place in counted:
            row, column, lang, seed = place
            logger.warning(
                "%s, lexicon %s, %s, %s, seed %d: several checkpoints, lexicons or source languages, the last counts",
                row.name, row.lexicon, column.title, lang, seed,
            )  # fmt: skip
        counted[place] = record
    return list(counted.values())


def scores_of(records: Sequence[dict]) -> list[Score]:
    """Counted records in their places, and the differences that follow from them."""
    scores = [
        Score(row_of(record), column, record["lang"], record["seed"], record["value"], record["n"])
        for record, column in zip(records, columns(records), strict=True)
    ]
    return scores + differences(scores)


def differences(scores: Sequence[Score]) -> list[Score]:
    """``entropy − loss`` and ``gap`` wherever a seed has both sides for a language and split."""
    known = {(score.row, score.column.kind, score.column.split, score.lang, score.seed): score for score in scores}
    parts = {"MLM loss": ("unigram entropy", "entropy − loss", -1, NATS)}
    for task in TASKS.values():
        for frozen in ("", ", frozen"):
            parts[f"{task} zero-shot{frozen}"] = (f"{task} supervised{frozen}", f"{task} gap{frozen}", 1, PERCENT)
    found = []
    for score in scores:
        kind, split = score.column.kind, score.column.split
        other, name, sign, unit = parts.get(kind, ("", "", 0, NATS))
        if against := known.get((score.row, other, split, score.lang, score.seed)):
            value = sign * (score.value - against.value)
            found.append(score._replace(column=Column(name, split, unit), value=value))
    return found


# scores -> cells


def aggregate(scores: Iterable[Score]) -> Cells:
    """Cells of every row and column over languages and, where a column has several languages, of each of them.

    A seed's value is the mean over all languages that the column has for the derivation, its ``n`` their sum. A seed
    that lacks one of them is left out, as its mean would stand for other languages; the log says so.
    """
    grouped: dict[tuple[Row, Column], dict[str, dict[int, Score]]] = defaultdict(lambda: defaultdict(dict))
    langs: dict[tuple[str | None, Column], set[str]] = defaultdict(set)
    for score in scores:
        grouped[score.row, score.column][score.lang][score.seed] = score
        langs[score.row.derivation, score.column].add(score.lang)
    several = {column for (_, column), names in langs.items() if len(names) > 1}
    cells: Cells = {}
    for (row, column), by_lang in grouped.items():
        cells[Place(row, None, column)] = _mean_cell(by_lang, sorted(langs[row.derivation, column]), row, column)
        for lang, by_seed in by_lang.items() if column in several else ():
            cells[Place(row, lang, column)] = _cell([by_seed], sorted(by_seed))
    return {place: cells[place] for place in sorted(cells, key=lambda place: place.sort_key) if cells[place].seeds}


def _mean_cell(by_lang: dict[str, dict[int, Score]], langs: Sequence[str], row: Row, column: Column) -> Cell:
    """The mean over ``langs``, of the seeds that have them all."""
    by_seeds = [by_lang.get(lang, {}) for lang in langs]
    with_all = set.intersection(*map(set, by_seeds))
    for seed in sorted(set.union(*map(set, by_seeds)) - with_all):
        logger.warning(
            "%s, lexicon %s, %s: seed %d lacks one of the languages %s and is left out of their mean",
            row.name, row.lexicon, column.title, seed, ", ".join(langs),
        )  # fmt: skip
    return _cell(by_seeds, sorted(with_all))


def _cell(by_seeds: Sequence[dict[int, Score]], seeds: Sequence[int]) -> Cell:
    """One cell of these seeds from the scores of each language by seed."""
    values = tuple(float(np.mean([by_seed[seed].value for by_seed in by_seeds])) for seed in seeds)
    return Cell(tuple(seeds), values, tuple(sum(by_seed[seed].n for by_seed in by_seeds) for seed in seeds))


def rows_of(cells: Cells) -> list[Row]:
    return sorted({place.row for place in cells}, key=lambda row: row.sort_key)


def columns_of(cells: Cells) -> list[Column]:
    return sorted({place.column for place in cells}, key=lambda column: column.sort_key)


def show(cell: Cell | None, unit: Unit, seeds: int) -> str:
    """``43.4 ± 1.2``, without a spread for one seed, with ``(2)`` where the cell has 2 seeds and ``seeds`` differs."""
    if cell is None:
        return MISSING
    spread = "" if cell.spread is None else f" ± {unit.show(cell.spread)}"
    fewer = "" if len(cell.seeds) == seeds else f" ({len(cell.seeds)})"
    return unit.show(cell.mean) + spread + fewer
