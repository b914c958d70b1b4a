"""The figure of P@1 by kind of word: what each model finds of names, of words spelt alike, and of all others."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from fairseq_align.results.aggregate import Cell, label_of, row_of, show
from fairseq_align.results.charts import Axis, Bar, Chart, Figure, Name, colour_of
from fairseq_align.results.metrics import PERCENT
from fairseq_align.results.records import latest

PREFIX = "kind:"  # of the bands
KINDS = {  # in the order of the figure, and as it names them; None: all of them
    None: "all words",
    "name": "names",
    "same": "spelt the same",
    "alike": "spelt alike",
    "other": "others",
}
SPELLING = "spelling alone"


def kind_bars(records: Iterable[dict]) -> Figure | None:
    """A panel for each derivation and target language, a bar for each kind and model; None: no kinds were scored.

    Args:
        records: of any task.
    """
    panels: dict[tuple, list[dict]] = defaultdict(list)
    for record in latest(records):
        asked = (record["task"], record["split"], record.get("direction")) == ("alignment", "heldout", None)
        if asked and record["metric"] in ("p@1", "spelling_p@1"):
            panels[record["derivation"], record["lang"]].append(record)
    made = [
        _chart(derivation, lang, records)
        for (derivation, lang), records in panels.items()
        if any(str(record.get("band")).startswith(PREFIX) for record in records)
    ]
    caption = (
        "P@1 by cosine of held-out source words: names, words spelt the same as a translation or alike, and others. Of "
        "each model the mean over its seeds, lines ± one standard deviation. Spelling: the nearest word by pairs and "
        "triples of characters, which needs no training."
    )
    return Figure("kinds", "P@1 by kind of word", caption, made, across=min(2, len(made))) if made else None


def _chart(derivation: str | None, lang: str, records: Sequence[dict]) -> Chart:
    """A panel; the models of each kind in the order of a table, then spelling alone."""
    by_kind: dict[str | None, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for record in sorted(records, key=lambda record: (record["metric"] != "p@1", row_of(record).sort_key)):
        kind = (record.get("band") or PREFIX).removeprefix(PREFIX) or None
        by_kind[kind][label_of(record) if record["metric"] == "p@1" else SPELLING].append(record)
    names, marks = [], []
    for kind, title in KINDS.items():
        scored = by_kind[kind]
        if scored:
            items = sorted({record["n"] for of_model in scored.values() for record in of_model})
            numbers = "–".join(f"{n:,}" for n in dict.fromkeys((items[0], items[-1])))
            names.append(Name(len(names), f"{title}, n = {numbers}", heading=True))
        for label, of_model in scored.items():
            marks.append(_bar(len(names), title, label, of_model))
            names.append(Name(len(names), label))
    x = Axis.over("", [0, *(value for bar in marks for value in (bar.value, *bar.seeds))], 0)
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
