"""The figure of induced dictionaries: how many answers are right against how many words have one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from fairseq_align.results import charts
from fairseq_align.results.aggregate import label_of, row_of
from fairseq_align.results.charts import Axis, Chart, Figure, Key, Line, colour_of
from fairseq_align.results.records import latest

TASK = "induction"
Point = tuple[float, float]  # coverage and precision, %


def precision_curves(records: Iterable[dict]) -> Figure | None:
    """A panel for each derivation and target language, a line for each model and baseline; None: none was scored.

    Args:
        records: of any task.
    """
    panels: dict[tuple, list[dict]] = defaultdict(list)
    for record in latest(records):
        if record["task"] == TASK:
            panels[record["derivation"], record["lang"]].append(record)
    if not panels:
        return None
    keys: dict[str, Key] = {}
    made = [_chart(derivation, lang, records, keys) for (derivation, lang), records in panels.items()]
    caption = (
        "Induced dictionaries: of the source words of held-out pairs, those with the best answers first, the share of "
        "answers that are right. Of each model the mean over its seeds, the band ± one standard deviation. Spelling: "
        "the nearest word by pairs and triples of characters; chance: a word drawn at random."
    )
    return Figure("induction", "Precision of induced dictionaries", caption, made, list(keys.values()))


def _chart(derivation: str | None, lang: str, records: Sequence[dict], keys: dict[str, Key]) -> Chart:
    """A panel; the legend grows by its lines."""
    lines = []
    for label, of_model in _models(records).items():
        colour = colour_of(of_model[0]["objective"])
        same = [key for key in keys.values() if key.colour == colour and key.label != label]
        dash = keys[label].dash if label in keys else charts.DASHES[len(same) % len(charts.DASHES)]
        curves = [_points(own, "precision", "coverage") for own in _by_seed(of_model)]
        lines += _line(curves, label, colour, dash, keys)
    asked = [record for record in records if record["lexicon"] == records[-1]["lexicon"]]
    for pairing in dict.fromkeys(record.get("pairing") for record in asked):
        same = [record for record in asked if record.get("pairing") == pairing]
        spelling = _points(same, "spelling_precision", "spelling_coverage")
        dash = charts.DASHES[3 if pairing else 1]
        label = f"spelling alone, {pairing}" if pairing else "spelling alone"
        lines += _line([spelling], label, "ink", dash, keys)
    chance = [100 * record["value"] for record in records if record["metric"] == "chance"][-1]
    x = Axis.over("held-out words with an answer (%)", [0, *(x for line in lines for x in line.xs)], 0)
    lines += _line([[(0.0, chance), (x.high, chance)]], "chance", "ink", charts.DASHES[2], keys)
    y = Axis.over("right answers (%)", [0, *(y for line in lines for y in (*line.ys, *line.high))], 0)
    return Chart(
        lang, x, y._replace(high=1.05 * y.high), lines, f"{derivation or 'no derivation'}; n = {_asked(records):,}"
    )


def _models(records: Sequence[dict]) -> dict[str, list[dict]]:
    """Records by what was trained and by what was compared."""
    models = defaultdict(list)
    for record in sorted(records, key=lambda record: row_of(record).sort_key):
        models[label_of(record)].append(record)
    return models


def _by_seed(records: Sequence[dict]) -> list[list[dict]]:
    """Records of each seed, of its last checkpoint and lexicon."""
    seeds = defaultdict(list)
    for record in records:
        seeds[record["seed"]].append(record)
    names = ("checkpoint", "lexicon")
    return [[one for one in own if all(one[name] == own[-1][name] for name in names)] for own in seeds.values()]


def _asked(records: Sequence[dict]) -> int:
    """Number of words that were asked for."""
    return [record["n"] for record in records if record["metric"] == "chance"][-1]


def _points(records: Sequence[dict], metric: str, coverage: str) -> list[Point]:
    """Coverage and precision of each band, and at last of all answers.

    What an earlier scoring has beyond the coverage of the last one is left out.
    """
    asked = _asked(records)
    most = [round(record["value"] * asked) for record in records if record["metric"] == coverage]
    values = {record["n"]: record["value"] for record in records if record["metric"] == metric}
    return sorted((100 * n / asked, 100 * value) for n, value in values.items() if most and n <= most[-1])


def _line(
    curves: Sequence[list[Point]], label: str, colour: str, dash: tuple[int, ...], keys: dict[str, Key]
) -> list[Line]:
    """The mean of curves where all of them have points; nothing, if there is none."""
    xs = sorted(set.intersection(*({x for x, _ in curve} for curve in curves)))
    if not xs:
        return []
    ys = np.array([[dict(curve)[x] for x in xs] for curve in curves])
    means, spreads = ys.mean(0), ys.std(0, ddof=1) if len(curves) > 1 else np.zeros(len(xs))
    tips = tuple(f"{label}: {y:.1f} % right of the best {x:.1f} %" for x, y in zip(xs, means, strict=True))
    keys[label] = Key(label, colour, dash=dash)
    low, high = (tuple((means + sign * spreads).tolist()) if len(curves) > 1 else () for sign in (-1, 1))
    return [Line(tuple(xs), tuple(means.tolist()), colour, dash, label, tips, low, high)]
