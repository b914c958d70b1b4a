"""From records to the cells of a report: mean and spread over seeds of each row and column.

    records -> ``count`` (one record a seed) -> ``scores_of`` -> ``aggregate`` (cells)

A row is what was trained (objective, share of the vocabulary in the lexicon, derivation), a column what was scored.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import records as results
from fairseq_align.results.metrics import DETAIL_TABLES, PAIR_WORDS, ROLES, TABLES, TASKS, Metric, Unit, metric_of

logger = logging.getLogger(__name__)

MISSING = "—"


class Row(NamedTuple):
    """What was trained."""

    derivation: str | None
    objective: str
    lexicon_rate: float | None
    variant: str | None = None

    @property
    def sort_key(self) -> tuple:
        rate = -1.0 if self.lexicon_rate is None else self.lexicon_rate
        return self.derivation or "", list(OBJECTIVES).index(self.objective), rate, self.variant or ""

    @property
    def name(self) -> str:
        label = OBJECTIVES[self.objective].label
        return f"{label} {self.variant}" if self.variant else label

    @property
    def lexicon(self) -> str:
        return "none" if self.lexicon_rate is None else f"{100 * self.lexicon_rate:g} %"

    @property
    def label(self) -> str:
        """In figures: the name, with the share of the vocabulary in the lexicon if one was used."""
        return self.name if self.lexicon_rate is None else f"{self.name}, {self.lexicon}"


@dataclass(frozen=True)
class Column:
    """What was scored.

    Attributes:
        task, metric: names of ``metrics.TASKS``.
        split: of the data, one of the metric's.
        role: of a fine-tuned task, one of ``metrics.ROLES``.
        frozen: of a fine-tuned task, whether the word embeddings were frozen.

    Example:
        >>> Column("pos", "accuracy", "valid", "zero-shot", frozen=True).title
        'POS zero-shot, frozen (valid)'
        >>> Column("alignment", "csls_p@1", "heldout").title
        'CSLS P@1 held-out'
    """

    task: str
    metric: str
    split: str
    role: str | None = None
    frozen: bool = False

    @property
    def definition(self) -> Metric:
        return TASKS[self.task].metrics[self.metric]

    @property
    def unit(self) -> Unit:
        return self.definition.unit

    @property
    def table(self) -> str:
        """Title of the table with the column."""
        return self.definition.table

    @property
    def sort_key(self) -> tuple:
        metric = self.definition
        return (
            TABLES.index(metric.table),
            list(TASKS).index(self.task),
            list(TASKS[self.task].metrics).index(self.metric),
            self.frozen,
            list(ROLES).index(self.role) if self.role else 0,
            metric.splits.index(self.split),
        )

    @property
    def kind(self) -> str:
        """The column whatever the split of a text: ``POS zero-shot, frozen``, ``P@1 held-out``, ``MLM loss``."""
        if self.role:
            return f"{TASKS[self.task].label} {self.role}{', frozen' if self.frozen else ''}"
        label = self.definition.label
        return f"{label} {PAIR_WORDS[self.split][0]}" if self.split in PAIR_WORDS else label

    @property
    def title(self) -> str:
        """The kind, with the split of a text where it is not the usual one: ``POS zero-shot (valid)``."""
        usual = self.split in PAIR_WORDS or self.split == TASKS[self.task].usual_split
        return self.kind if usual else f"{self.kind} ({self.split})"


class SeedScore(NamedTuple):
    """A record, with the table row and column it belongs to."""

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


class CellKey(NamedTuple):
    """Row and column of a cell; ``lang`` is one scored language, or None for the mean over the row's languages."""

    row: Row
    lang: str | None
    column: Column

    @property
    def sort_key(self) -> tuple:
        return self.row.sort_key, self.lang or "", self.column.sort_key


Cells = dict[CellKey, Cell]


# records -> scores


def row_of(record: dict) -> Row:
    """What the model of a record was trained on; one that was trained without a lexicon has no rate of it.

    A variant ``+align_mlm`` names an objective that was trained along.
    """
    trained = (record["objective"], *re.split(r"[+-]", record.get("variant") or ""))
    uses_lexicon = any("lexicon" in OBJECTIVES[name].needs for name in trained if name in OBJECTIVES)
    rate = record["lexicon_rate"] if uses_lexicon else None  # of mlm, that of a lexicon that it is scored on
    return Row(record["derivation"], record["objective"], rate, record.get("variant"))


def label_of(record: dict) -> str:
    """In figures: the label of the row, and what was compared where it is not what commands compare by default.

    Example:
        >>> about = {"objective": "mlm", "derivation": None, "lexicon_rate": None}
        >>> label_of(about | {"similarity": "csls"}), label_of(about | {"layer": 2, "mapping": "procrustes"})
        ('MLM', 'MLM, layer 2, procrustes')
    """
    layer = None if record.get("layer") is None else f"layer {record['layer']}"
    similarity = None if record.get("similarity") == "csls" else record.get("similarity")
    names = (layer, record.get("mapping"), similarity, record.get("pairing"))
    return ", ".join([row_of(record).label, *filter(None, names)])


def shown(records: Iterable[dict]) -> list[dict]:
    """The records of a report: those whose metric has a table or a detailed table."""
    return [record for record in records if metric_of(record).table or metric_of(record).details]


def in_detail(record: dict) -> bool:
    """Whether only a detailed table has a record: the metric has no other, or a part of the words was compared."""
    narrowed = any(record.get(name) is not None for name in ("layer", "mapping", "direction", "band"))
    return metric_of(record).details in DETAIL_TABLES and (narrowed or metric_of(record).table is None)


def target_langs(records: Iterable[dict]) -> dict[str | None, set[str]]:
    """Target languages of each derivation: those of its alignment scores, and those that are only transferred to."""
    targets: dict[str | None, set[str]] = defaultdict(set)
    transfers: dict[str | None, set[tuple[str, str]]] = defaultdict(set)
    for record in records:
        if record["task"] == "alignment":
            targets[record["derivation"]].add(record["lang"])
        elif TASKS[record["task"]].fine_tuned:
            transfers[record["derivation"]].add((record["source_lang"], record["lang"]))
    for derivation, pairs in transfers.items():
        targets[derivation] |= {
            target for source, target in pairs if source != target and (target, source) not in pairs
        }
    return targets


def columns(records: Sequence[dict]) -> list[Column]:
    """The column of each record, over all languages."""
    targets = target_langs(records)
    return [_column(record, targets[record["derivation"]]) for record in records]


def _column(record: dict, targets: set[str]) -> Column:
    column = Column(record["task"], record["metric"], record["split"])
    if not TASKS[record["task"]].fine_tuned:
        return column
    return replace(column, role=_role(record, targets), frozen=record["freeze_embeddings"])


def _role(record: dict, targets: set[str]) -> str:
    """Role of the language of fine-tuning and the scored one."""
    same = record["lang"] == record["source_lang"]
    if record["source_lang"] in targets:
        return "supervised" if same else "reverse"
    return "source" if same else "zero-shot"


def count(records: Iterable[dict]) -> list[dict]:
    """The records that count: one for each row, column, language and seed, the last one read.

    A run repeated with its seed gives another checkpoint, and both would count as two seeds; the log says so.
    """
    counted: dict[tuple, dict] = {}
    records = results.latest(records)
    for record, column in zip(records, columns(records), strict=True):
        key = (row_of(record), column, record["lang"], record["seed"])
        if key in counted:
            row, column, lang, seed = key
            logger.warning(
                "%s, lexicon %s, %s, %s, seed %d: several checkpoints, lexicons or source languages, the last counts",
                row.name, row.lexicon, column.title, lang, seed,
            )  # fmt: skip
        counted[key] = record
    return list(counted.values())


def scores_of(records: Sequence[dict]) -> list[SeedScore]:
    """Counted records in their rows and columns, and the differences that follow from them."""
    scores = [
        SeedScore(row_of(record), column, record["lang"], record["seed"], record["value"], record["n"])
        for record, column in zip(records, columns(records), strict=True)
    ]
    return scores + differences(scores)


def differences(scores: Sequence[SeedScore]) -> list[SeedScore]:
    """The columns that subtract one score of a seed from another, wherever both exist for a language and split.

    These are the ``gap`` of fine-tuned tasks, zero-shot minus supervised, and the metrics with a ``difference``.
    """
    known = {(score.row, score.column, score.lang, score.seed): score for score in scores}
    computed = []
    for score in scores:
        for column, subtracted in _differences_from(score.column):
            if other := known.get((score.row, subtracted, score.lang, score.seed)):
                computed.append(score._replace(column=column, value=score.value - other.value))
    return computed


def _differences_from(minuend: Column) -> list[tuple[Column, Column]]:
    """The columns computed from this one, each with the column that is subtracted."""
    if minuend.role:
        if minuend.role != "zero-shot":
            return []
        return [(replace(minuend, role="gap"), replace(minuend, role="supervised"))]
    return [
        (replace(minuend, metric=name), replace(minuend, metric=metric.difference[1]))
        for name, metric in TASKS[minuend.task].metrics.items()
        if metric.difference and metric.difference[0] == minuend.metric
    ]


# scores -> cells


def aggregate(scores: Iterable[SeedScore]) -> Cells:
    """Cells of every row and column over languages and, where a column has several languages, of each of them.

    A seed's value is the mean over all languages that the column has for the derivation, its ``n`` their sum. A seed
    that lacks one of them is left out, as its mean would be that of other languages; the log says so.
    """
    grouped: dict[tuple[Row, Column], dict[str, dict[int, SeedScore]]] = defaultdict(lambda: defaultdict(dict))
    langs: dict[tuple[str | None, Column], set[str]] = defaultdict(set)
    for score in scores:
        grouped[score.row, score.column][score.lang][score.seed] = score
        langs[score.row.derivation, score.column].add(score.lang)
    several = {column for (_, column), names in langs.items() if len(names) > 1}
    cells: Cells = {}
    for (row, column), by_lang in grouped.items():
        cells[CellKey(row, None, column)] = _mean_cell(by_lang, sorted(langs[row.derivation, column]), row, column)
        for lang, by_seed in by_lang.items() if column in several else ():
            cells[CellKey(row, lang, column)] = _cell([by_seed], sorted(by_seed))
    return {key: cells[key] for key in sorted(cells, key=lambda key: key.sort_key) if cells[key].seeds}


def _mean_cell(by_lang: dict[str, dict[int, SeedScore]], langs: Sequence[str], row: Row, column: Column) -> Cell:
    """The mean over ``langs``, of the seeds that have them all."""
    by_seeds = [by_lang.get(lang, {}) for lang in langs]
    with_all = set.intersection(*map(set, by_seeds))
    for seed in sorted(set.union(*map(set, by_seeds)) - with_all):
        logger.warning(
            "%s, lexicon %s, %s: seed %d lacks one of the languages %s and is left out of their mean",
            row.name, row.lexicon, column.title, seed, ", ".join(langs),
        )  # fmt: skip
    return _cell(by_seeds, sorted(with_all))


def _cell(by_seeds: Sequence[dict[int, SeedScore]], seeds: Sequence[int]) -> Cell:
    """One cell of these seeds from the scores of each language by seed."""
    values = tuple(float(np.mean([by_seed[seed].value for by_seed in by_seeds])) for seed in seeds)
    return Cell(tuple(seeds), values, tuple(sum(by_seed[seed].n for by_seed in by_seeds) for seed in seeds))


def rows_of(cells: Cells) -> list[Row]:
    return sorted({key.row for key in cells}, key=lambda row: row.sort_key)


def columns_of(cells: Cells) -> list[Column]:
    return sorted({key.column for key in cells}, key=lambda column: column.sort_key)


def show(cell: Cell | None, unit: Unit, seeds: int) -> str:
    """``43.4 ± 1.2``, without a spread for one seed, with ``(2)`` where the cell has 2 seeds and ``seeds`` differs."""
    if cell is None:
        return MISSING
    spread = "" if cell.spread is None else f" ± {unit.show(cell.spread)}"
    fewer = "" if len(cell.seeds) == seeds else f" ({len(cell.seeds)})"
    return unit.show(cell.mean) + spread + fewer
