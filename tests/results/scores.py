"""Records of invented studies, and their cells and tables."""

from hypothesis import strategies as st

from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import aggregate
from fairseq_align.results.comparison import comparisons
from fairseq_align.results.records import key
from fairseq_align.results.tables import tables

RUN = {
    "lang": "en-x", "source_lang": "en", "seed": 1, "objective": "align_mlm", "derivation": "transliterate+invert",
    "lexicon_rate": 0.5, "freeze_embeddings": None, "checkpoint": "1f3a9c000000", "lexicon": None, "n": 1000,
    "versions": {"fairseq_align": "0.1.0", "torch": "2.13.0", "fairseq": "0.12.3.1"}, "date": "2025-11-22",
}  # fmt: skip


def pos(value, **fields):
    score = {"task": "pos", "metric": "accuracy", "split": "test", "value": value, "freeze_embeddings": False}
    return RUN | score | fields


def supervised(value, **fields):
    return pos(value, source_lang="en-x", **fields)


def alignment(value, **fields):
    return RUN | {"task": "alignment", "metric": "p@1", "split": "seen", "value": value} | fields


def whole(value, **fields):
    """The paper's measure."""
    return alignment(value, split="whole", **fields)


def mlm(metric, value, **fields):
    return RUN | {"task": "mlm", "metric": metric, "split": "valid", "value": value} | fields


STUDY = [
    *(pos(value, seed=seed) for seed, value in enumerate([0.40, 0.44, 0.48])),
    *(pos(value, seed=seed, lang="en") for seed, value in enumerate([0.75, 0.76])),
    *(alignment(value, seed=seed, n=1000 + seed) for seed, value in enumerate([0.9, 1.0, 0.95])),
    pos(0.089, objective="mlm", lexicon_rate=None),
    pos(0.111, objective="mlm", lexicon_rate=None, freeze_embeddings=True),
]

RECORDS = st.builds(
    lambda make, seed, objective, lang: make | {"seed": seed, "objective": objective, "lang": lang},
    st.sampled_from([pos(0.5), pos(0.25, freeze_embeddings=True), alignment(0.75), alignment(0.1, split="heldout"),
                     mlm("loss", 4.0), mlm("unigram_entropy", 6.0)]),
    st.integers(0, 3),
    st.sampled_from(list(OBJECTIVES)),
    st.sampled_from(["en", "en-x", "de"]),
)  # fmt: skip

DISTINCT = st.lists(RECORDS, min_size=1, max_size=40, unique_by=key)


def cells_of(records):
    return aggregate.aggregate(aggregate.scores_of(aggregate.count(records)))


def tables_of(cells, details=()):
    return tables(cells, comparisons(cells), details)


def table_of(records, title="Zero-shot transfer"):
    return tables_of(cells_of(records))[title]
