"""Figures of P@1 by bands of words: what each model finds of names and words spelt alike, of rare and frequent ones."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fairseq_align.results.aggregate import Cell, label_of, row_of, show
from fairseq_align.results.charts import Axis, Bar, Chart, Figure, Name, colour_of
from fairseq_align.results.metrics import PERCENT
from fairseq_align.results.records import latest

SPELLING = "spelling alone"


class Banding(NamedTuple):
    """Bands that are drawn in one figure.

    Attributes:
        name, title: of the figure.
        words: what its caption says of the words.
        bands: as records have them behind the name of their kind, in the order of the figure, and as it names them.
    """

    name: str
    title: str
    words: str
    bands: Mapping[str, str]


BANDINGS = {  # by the name of their kind, as ``--by`` has it
    "kind": Banding(
        "kinds",
        "P@1 by kind of word",
        "names, words spelt the same as a translation or alike, and others",
        {"name": "names", "same": "spelt the same", "alike": "spelt alike", "other": "others"},
    ),
    "frequency": Banding(
        "frequencies",
        "P@1 by frequency",
        "by how often the training text has them",
        {
            "0": "never",
            "1-9": "1 to 9 times",
            "10-99": "10 to 99 times",
            "100-999": "100 to 999 times",
            "1000+": "1,000 and more",
        },
    ),
}


def figures(records: Iterable[dict]) -> Iterator[Figure]:
    """A figure of each kind of bands that was scored.

    It has a panel for each derivation and target language, and in it a bar for each band and model.

    Args:
        records: of any task.
    """
    panels: dict[tuple, list[dict]] = defaultdict(list)
    for record in latest(records):
        asked = (record["task"], record["split"], record.get("direction")) == ("alignment", "heldout", None)
        if asked and record["metric"] in ("p@1", "spelling_p@1"):
            panels[record["derivation"], record["lang"]].append(record)
    for kind, banding in BANDINGS.items():
        made = [
            _chart(kind, derivation, lang, records)
            for (derivation, lang), records in panels.items()
            if any(_band(record, kind) in banding.bands for record in records)
        ]
        caption = (
            f"P@1 by cosine of held-out source words: {banding.words}. Of each model the mean over its seeds, lines ± "
            "one standard deviation. Spelling: the nearest word by pairs and triples of characters, which needs no "
            "training."
        )
        if made:
            yield Figure(banding.name, banding.title, caption, made, across=min(2, len(made)))


def _band(record: dict, kind: str) -> str | None:
    """The band of this kind that a record is of; empty: it is of all words, None: it is of another kind."""
    band = record.get("band") or f"{kind}:"
    return band.removeprefix(f"{kind}:") if band.startswith(f"{kind}:") else None


def _chart(kind: str, derivation: str | None, lang: str, records: Sequence[dict]) -> Chart:
    """A panel; the models of each band in the order of a table, then spelling alone."""
    by_band: dict[str | None, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for record in sorted(records, key=lambda record: (record["metric"] != "p@1", row_of(record).sort_key)):
        by_band[_band(record, kind)][label_of(record) if record["metric"] == "p@1" else SPELLING].append(record)
    names, marks = [], []
    for band, title in {"": "all words", **BANDINGS[kind].bands}.items():
        scored = by_band[band]
        if scored:
            items = sorted({record["n"] for of_model in scored.values() for record in of_model})
            numbers = "–".join(f"{n:,}" for n in dict.fromkeys((items[0], items[-1])))
            names.append(Name(len(names), f"{title}, n = {numbers}", heading=True))
        for label, of_model in scored.items():
            marks.append(_bar(len(names), title, label, of_model))
            names.append(Name(len(names), label))
    x = Axis.over("", [0, 1, *(value for bar in marks for value in (bar.value, *bar.seeds))], 0)
    y = Axis("", -0.6, len(names) - 0.4, ())
    return Chart(lang, x, y, marks, f"{derivation or 'no derivation'}; {PERCENT.name}", names)


def _bar(y: int, title: str, label: str, records: Sequence[dict]) -> Bar:
    by_seed = {record["seed"]: record for record in records}  # of a seed the last record counts
    cell = Cell(*zip(*((seed, by_seed[seed]["value"], by_seed[seed]["n"]) for seed in sorted(by_seed)), strict=True))
    text = show(cell, PERCENT, len(by_seed))
    spread = None if cell.spread is None else PERCENT.scale * cell.spread
    colour = "ink" if label == SPELLING else colour_of(records[0]["objective"])
    seeds = tuple(PERCENT.scale * value for value in cell.values)
    return Bar(y, PERCENT.scale * cell.mean, spread, seeds, colour, text, f"{label}, {title}: {text} %")
