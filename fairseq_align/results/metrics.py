"""The tasks that are scored and their metrics: one table with all that records, tables, figures and legends say.

To add a task, add a row to ``TASKS``: its label, and its metrics with unit, range, splits and, for those that tables
show, the table and a line of the legend. Validation of records, reports and figures iterate the table.
"""

import math
from typing import NamedTuple


class Unit(NamedTuple):
    """How a value is shown: ``value * scale`` with ``decimals`` decimals, in ``name``.

    Example:
        >>> PERCENT.show(0.6123), COSINE.show(-0.0001)
        ('61.2', '0.000')
    """

    name: str
    scale: float
    decimals: int

    def show(self, value: float) -> str:
        shown = f"{value * self.scale:.{self.decimals}f}"
        return shown.removeprefix("-") if float(shown) == 0 else shown  # no "-0.0"


PERCENT = Unit("%", 100, 1)
COSINE = Unit("cosine", 1, 3)
NATS = Unit("nats", 1, 2)
RECIPROCAL = Unit("mean reciprocal rank", 1, 3)
DISTANCE = Unit("distance", 1, 3)

TEXT = ("test", "valid")  # splits of text, labelled or not
PAIRS = ("seen", "heldout")  # splits of a bilingual dictionary: trained on, and kept from training
HELDOUT = ("heldout",)
WHOLE = ("whole",)  # all pieces that a derivation translates, in a bilingual dictionary or not
VOCABULARY = ("vocabulary",)  # all words of both languages, without a dictionary

TRANSFER = "Zero-shot transfer"
GEOMETRY = "Cosine and language model"
TABLES = (TRANSFER, GEOMETRY)  # titles, in the order of a report
IN_DETAIL = "Alignment in detail"
SHAPE = "Likeness in shape"
INDUCED = "Induced dictionary"
DETAIL_TABLES = (
    IN_DETAIL,
    SHAPE,
    INDUCED,
)  # a line for all that was compared: layer, mapping, direction, band of words


class Metric(NamedTuple):
    """A score of a task.

    Attributes:
        label: in the columns of tables and on the axes of figures.
        unit: how values are shown.
        splits: of data that it is computed on, in the order of columns.
        low, high: range of the values, as fractions, cosines, nats or distances.
        table: title of the table with its columns, one of ``TABLES``; None: it is recorded, not shown. Of a fine-tuned
            task exactly one metric has a table.
        details: title of its detailed table, one of ``DETAIL_TABLES``; None: none.
        difference: metrics (a, b) of the task that it is computed from as a - b for each seed; such a metric is never
            recorded. None: it is scored.
        baseline: whether no model is scored; a detailed table has its column only where there are such scores.
        legend: a word of its columns and what the word means; None: nothing to explain.
    """

    label: str
    unit: Unit
    splits: tuple[str, ...] = TEXT
    low: float = 0
    high: float = 1
    table: str | None = None
    details: str | None = None
    difference: tuple[str, str] | None = None
    baseline: bool = False
    legend: tuple[str, str] | None = None


class Task(NamedTuple):
    """What a model is scored on.

    Attributes:
        label: in tables and figures.
        metrics: by their names in records, in the order of columns.
        fine_tuned: whether the scored model was fine-tuned for the task; its columns then say the language of
            fine-tuning and whether the word embeddings were frozen, see ``ROLES``.
        usual_split: of text, the split that column titles leave out.
    """

    label: str
    metrics: dict[str, Metric]
    fine_tuned: bool = False
    usual_split: str = "test"

    @property
    def recorded(self) -> dict[str, Metric]:
        """Metrics that a record may have: all but the differences of others."""
        return {name: metric for name, metric in self.metrics.items() if metric.difference is None}

    @property
    def main(self) -> str | None:
        """Name of the first metric with a table, which stands for the task in figures; None: no table has the task."""
        return next((name for name, metric in self.metrics.items() if metric.table), None)


def _retrieval(prefix: str, label: str, **of_first) -> dict[str, Metric]:
    """Metrics of bilingual lexicon induction with one way to compare words; ``of_first`` is said of P@1 alone."""
    units = {"p@1": PERCENT, "p@5": PERCENT, "p@10": PERCENT, "mrr": RECIPROCAL}
    metrics = {
        prefix + name: Metric(label + name.upper(), unit, PAIRS, details=IN_DETAIL) for name, unit in units.items()
    }
    return metrics | {f"{prefix}p@1": metrics[f"{prefix}p@1"]._replace(table=TRANSFER, **of_first)}


TASKS: dict[str, Task] = {
    "alignment": Task(
        "Alignment",
        {
            **_retrieval(
                "",
                "",
                splits=(*WHOLE, *PAIRS),
                legend=(
                    "P@1",
                    "share of a dictionary's source words whose nearest target word by cosine is a translation, in %; "
                    "candidates are the whole target vocabulary",
                ),
            ),
            "spelling_p@1": Metric(
                "spelling P@1",
                PERCENT,
                PAIRS,
                table=TRANSFER,
                details=IN_DETAIL,
                baseline=True,
                legend=(
                    "spelling",
                    "a baseline without training or model: the candidate nearest in spelling, by the cosine of the "
                    "counts of pairs and triples of characters",
                ),
            ),
            **_retrieval(
                "csls_",
                "CSLS ",
                legend=(
                    "CSLS",
                    "the same with cross-domain similarity local scaling of 10 neighbours in place of the cosine",
                ),
            ),
            "cos": Metric(
                "cosine",
                COSINE,
                PAIRS,
                low=-1,
                table=GEOMETRY,
                details=IN_DETAIL,
                legend=("cosine", "mean cosine of the word embeddings of dictionary pairs, in [-1, 1]"),
            ),
            "eigenvectors": Metric("eigenvectors", DISTANCE, VOCABULARY, high=math.inf, details=SHAPE),
            "gromov_hausdorff": Metric("Gromov-Hausdorff", DISTANCE, VOCABULARY, high=2, details=SHAPE),
        },
    ),
    "induction": Task(
        "Induced dictionary",
        {
            "precision": Metric("precision", PERCENT, HELDOUT, details=INDUCED),
            "spelling_precision": Metric("spelling", PERCENT, HELDOUT, details=INDUCED, baseline=True),
            "chance": Metric("chance", PERCENT, HELDOUT, details=INDUCED, baseline=True),
            "coverage": Metric("coverage", PERCENT, HELDOUT, details=INDUCED),
            "spelling_coverage": Metric("spelling coverage", PERCENT, HELDOUT, details=INDUCED, baseline=True),
            "score": Metric("least score", COSINE, HELDOUT, low=-4, high=4, details=INDUCED),  # the range of CSLS
        },
    ),
    "xnli": Task(
        "XNLI",
        {
            "accuracy": Metric(
                "accuracy",
                PERCENT,
                table=TRANSFER,
                legend=("XNLI", "accuracy of natural language inference, in %"),
            )
        },
        fine_tuned=True,
    ),
    "ner": Task(
        "NER",
        {
            "f1": Metric(  # of strict IOB2 spans
                "F1", PERCENT, table=TRANSFER, legend=("NER", "strict F1 of named entities, in %")
            ),
            "seqeval_f1": Metric("seqeval F1", PERCENT),  # seqeval's default mode
            "accuracy": Metric("accuracy", PERCENT),
        },
        fine_tuned=True,
    ),
    "pos": Task(
        "POS",
        {
            "accuracy": Metric(
                "accuracy", PERCENT, table=TRANSFER, legend=("POS", "accuracy of part-of-speech tags, in %")
            ),
            "f1": Metric("F1", PERCENT),  # mean over the tags
            "seqeval_f1": Metric("seqeval F1", PERCENT),
        },
        fine_tuned=True,
    ),
    "retrieval": Task("Retrieval", {"accuracy": Metric("accuracy", PERCENT)}),  # of parallel sentences
    "mlm": Task(
        "MLM",
        {
            "loss": Metric(
                "MLM loss",
                NATS,
                high=math.inf,
                table=GEOMETRY,
                legend=("MLM loss", "loss of masked tokens, in nats a token"),
            ),
            "unigram_entropy": Metric(  # of the same text
                "unigram entropy",
                NATS,
                high=math.inf,
                table=GEOMETRY,
                legend=(
                    "unigram entropy",
                    "loss of a model that knows the frequencies of tokens and no context, in nats a token",
                ),
            ),
            "entropy_minus_loss": Metric(
                "entropy − loss",
                NATS,
                low=-math.inf,
                high=math.inf,
                table=GEOMETRY,
                difference=("unigram_entropy", "loss"),
                legend=("entropy − loss", "what context gives the model, in nats a token"),
            ),
        },
        usual_split="valid",
    ),
}

PAIR_WORDS = {  # splits of translation pairs as tables write them, and what they are
    "whole": (
        "whole",
        "all pieces that the derivation translates, in the lexicon or not, among all derived ones; the paper's measure",
    ),
    "seen": ("seen", "pairs in the lexicon of training"),
    "heldout": ("held-out", "pairs kept from training"),
}
ROLES = {  # of the language of fine-tuning and the scored one, in the order of columns
    "source": "fine-tuned and scored on the source language",
    "supervised": "fine-tuned and scored on the target language, the paper's B_S",
    "zero-shot": "fine-tuned on the source language, scored on the target language, the paper's B_Z",
    "gap": "zero-shot minus supervised (B_Z − B_S) of the same seed, in points",
    "reverse": "fine-tuned on the target language, scored on the source language",
}
FROZEN = {"frozen": "fine-tuned with the word embeddings as pre-trained; other columns: all weights tuned"}


def metric_of(record: dict) -> Metric:
    """The row of a record's task and metric."""
    return TASKS[record["task"]].metrics[record["metric"]]


def metric_names() -> list[str]:
    """Metrics that some task records, each once, in the order of the table."""
    return list(dict.fromkeys(name for task in TASKS.values() for name in task.recorded))


def split_names() -> list[str]:
    """Splits that some metric is computed on, each once, in the order of the table."""
    return list(dict.fromkeys(name for task in TASKS.values() for m in task.metrics.values() for name in m.splits))


def fine_tuned_tasks() -> dict[str, Task]:
    """Tasks that models are fine-tuned for."""
    return {name: task for name, task in TASKS.items() if task.fine_tuned}


def glossary() -> dict[str, str]:
    """The words of column names and what they mean, in the order of a legend."""
    rows = [(task, metric) for task in TASKS.values() for metric in task.metrics.values() if metric.legend]
    of_pairs = dict(metric.legend for _, metric in rows if set(PAIRS) <= set(metric.splits))
    of_tasks = dict(metric.legend for task, metric in rows if task.fine_tuned)
    others = dict(metric.legend for _, metric in rows)
    return of_pairs | dict(PAIR_WORDS.values()) | of_tasks | ROLES | FROZEN | others
