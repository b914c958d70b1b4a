"""The figures of a report as charts: bars of each score, alignment against gap, learning curves, maps of embeddings."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import charts
from fairseq_align.results.aggregate import MISSING, Cell, Cells, Column, Row, columns_of, rows_of, show
from fairseq_align.results.charts import Axis, Bar, Chart, Dot, Figure, Key, Line, Name, Segment, colour_of
from fairseq_align.results.comparison import Comparison, Points, paper_points, points
from fairseq_align.results.curves import TOKENS, VALIDATED, Curve, Run
from fairseq_align.results.embedding_map import EmbeddingMap, Panel
from fairseq_align.results.metrics import PAIR_WORDS, PAIRS, PERCENT, TASKS, TRANSFER

GAPS = {"B_S": "B_Z − B_S", "source": "B_Z − source"}  # of our models, by the score that they are taken against
CURVES = {
    "mlm_loss": ("masked-LM loss", "bits a masked token"),
    "align_cos": ("cosine of the lexicon's pairs", "cosine"),
}
SPLITS = {"whole_p1": "whole", "seen_p1": "seen", "heldout_p1": "heldout"}  # of ``VALIDATED``
MOST_POINTS = 200  # of a line
MOST_LABELLED = 6  # lines that have their names at their ends; more would hide each other
NAMED_PAIRS = 14  # of a map: pairs whose words are written, where they have room
LETTER, LINE = 0.02, 0.045  # width of a letter and height of a line, as shares of a map


# bars


def bars(cells: Cells) -> Figure:
    """A panel for each score of the transfer table, a bar for each model, in the colour of its objective."""
    columns = columns_of(cells)
    shown = [column for column in columns if column.table == TRANSFER and column.role not in ("gap", "reverse")]
    means = {(key.row, key.column): cell for key, cell in cells.items() if key.lang is None}
    panels = [_bars_of(column, rows_of(cells), means) for column in shown or columns]
    caption = "Bars are means over seeds, lines ± one standard deviation, dots single seeds; a colour is an objective."
    return Figure("report", "Scores", caption, panels, across=min(3, len(panels)))


def _bars_of(column: Column, rows: Sequence[Row], means: Mapping[tuple[Row, Column], Cell]) -> Chart:
    cells = {row: means[row, column] for row in rows if (row, column) in means}
    unit = column.unit
    names, marks = [], []
    several = len({row.derivation for row in rows}) > 1
    y, above = 0.0, None
    for row in rows:
        if several and (y == 0 or row.derivation != above):
            names.append(Name(y, row.derivation or "no derivation", heading=True))
            y, above = y + 1, row.derivation
        names.append(Name(y, row.label))
        marks.append(_bar(y, row, column, cells.get(row)))
        y += 1
    if unit is PERCENT:
        x = Axis("", 0, 100, (0, 50, 100))
    else:
        x = Axis.over("", [0, *(unit.scale * value for cell in cells.values() for value in cell.values)], 0)
    items = sorted({n for cell in cells.values() for n in cell.n})
    note = f"{unit.name}, n = " + "–".join(f"{n:,}" for n in (items if len(items) < 3 else (items[0], items[-1])))
    return Chart(column.title, x, Axis("", -0.6, y - 0.4, ()), marks, note, names)


def _bar(y: float, row: Row, column: Column, cell: Cell | None) -> Bar:
    unit, colour = column.unit, colour_of(row.objective)
    where = f"{row.label}{f', {row.derivation}' if row.derivation else ''}: {column.title}"
    if cell is None:
        return Bar(y, 0, None, (), colour, MISSING, f"{where}: not scored")
    seeds = ", ".join(f"seed {seed}: {unit.show(value)}" for seed, value in zip(cell.seeds, cell.values, strict=True))
    text = show(cell, unit, len(cell.seeds))
    spread = None if cell.spread is None else unit.scale * cell.spread
    values = tuple(unit.scale * value for value in cell.values)
    return Bar(y, unit.scale * cell.mean, spread, values, colour, text, f"{where} {text} {unit.name} ({seeds})")


# alignment against gap


def scatter(compared: Sequence[Comparison]) -> Figure:
    """A panel for each task, all weights tuned or else embeddings frozen: our models filled, the paper's hollow."""
    titles: dict[str, str] = {}
    for comparison in compared:
        titles.setdefault(comparison.task, comparison.title)
    panels = {task: (points(compared, title), paper_points(task)) for task, title in titles.items()}
    drawn = [row for ours, theirs in panels.values() for row in (*ours.rows, *(theirs.rows if theirs else ()))]
    derivations = list(dict.fromkeys(row.derivation for row in drawn))
    shapes = {name: charts.SHAPES[i % len(charts.SHAPES)] for i, name in enumerate(derivations)}
    used = {row.objective for row in drawn}
    keys = [Key(row.label, colour_of(name)) for name, row in OBJECTIVES.items() if name in used]
    keys += [Key(name or "no derivation", "ink", shapes[name], filled=False) for name in derivations]
    if any(theirs for _, theirs in panels.values()):
        keys += [Key("filled: ours", "ink"), Key("hollow: the paper's", "ink", filled=False)]
    made = [_points_of(titles[task], task, ours, theirs, shapes) for task, (ours, theirs) in panels.items()]
    caption = "What alignment buys: the gap between transfer and a tagger of the language itself; a dot is one model."
    return Figure("scatter", "Alignment and gap", caption, made, keys, across=min(2, len(made)))


def _points_of(title: str, task: str, ours: Points, theirs: Points | None, shapes: Mapping[str | None, str]) -> Chart:
    dots = []
    for name, points_, filled in (("the paper", theirs, False), ("ours", ours, True)):
        for row, x, y in zip(points_.rows, points_.alignment, points_.gap, strict=True) if points_ else ():
            what = f"{row.label}, {row.derivation or 'no derivation'} ({name})"
            tip = f"{what}: P@1 whole {x:.1f} %, gap {y:.1f} points"
            dots.append(Dot(x, y, colour_of(row.objective), tip, shapes[row.derivation], filled, 5))
    note = ours.summary + (f"; the paper: {theirs.summary}" if theirs else "")
    also = ", of the paper B_Z − B_S" if theirs and ours.reference == "source" else ""
    y = Axis.over(f"{TASKS[task].label} gap: {GAPS[ours.reference]} (points){also}", [dot.y for dot in dots] or [0])
    x = Axis("alignment: P@1 over the whole vocabulary (%)", -4, 104, (0, 20, 40, 60, 80, 100))
    return Chart(title, x, y, dots, note)


# curves


class Group(NamedTuple):
    """Runs that differ in their seed alone, and how their line is drawn."""

    derivation: str | None
    label: str
    colour: str
    dash: tuple[int, ...]
    runs: tuple[Run, ...]


def groups_of(runs: Iterable[Run]) -> list[Group]:
    """Runs by what was trained, in the order of a table; a dash tells apart what shares a colour."""
    by_training: dict[tuple, list[Run]] = defaultdict(list)
    for run in runs:
        by_training[run.derivation, run.label, run.objective].append(run)
    labels: dict[str, list[str]] = defaultdict(list)
    groups = []
    order = {run: number for number, run in enumerate(by_training)}

    def place(training: tuple) -> tuple:
        row = by_training[training][0].row
        return row.sort_key if row else (training[0] or "", len(OBJECTIVES), order[training], "")

    for derivation, label, objective in sorted(by_training, key=place):
        of_colour = labels[colour_of(objective)]
        if label not in of_colour:
            of_colour.append(label)
        dash = charts.DASHES[of_colour.index(label) % len(charts.DASHES)]
        runs = tuple(by_training[derivation, label, objective])
        groups.append(Group(derivation, label, colour_of(objective), dash, runs))
    return groups


def learning_curves(runs: Iterable[Run]) -> Figure | None:
    """A panel for each derivation and metric that was logged; None: none was."""
    made, keys = _line_charts(groups_of(runs), CURVES, None)
    caption = "What training logged, of each objective the mean over its seeds, the band ± one standard deviation."
    return Figure("curves", "Learning curves", caption, made, keys) if made else None


def alignment_curves(runs: Iterable[Run]) -> Figure | None:
    """P@1 of the pairs at each validation against the tokens seen: all pairs, those of the lexicon, those held out."""
    runs = [run for run in runs if any(metric in run.curves for metric in VALIDATED)]
    tokens = TOKENS if all(TOKENS in run.curves for run in runs) else None
    labels = {metric: (f"P@1 {PAIR_WORDS[split][0]}", "%") for metric, split in SPLITS.items()}
    made, keys = _line_charts(groups_of(runs), labels, tokens)
    caption = (
        "P@1 of the word embeddings at each validation: of all pairs of both lexicons, of those trained on (MLM and "
        "TLM train on none), of those held out. Of each objective the mean over its seeds, the band ± one standard "
        "deviation. Each panel has its own scale."
    )
    return Figure("alignment-curves", "Alignment as training goes on", caption, made, keys, across=3) if made else None


def _line_charts(
    groups: Sequence[Group], metrics: Mapping[str, tuple[str, str]], tokens: str | None
) -> tuple[list[Chart], list[Key]]:
    """A chart for each derivation and metric, and a legend if the lines cannot carry their names.

    Args:
        metrics: labels of the metrics, and their units.
        tokens: the curve of tokens seen, which takes the place of updates; None: updates.
    """
    derivations = list(dict.fromkeys(group.derivation for group in groups))
    labelled = all(sum(group.derivation == name for group in groups) <= MOST_LABELLED for name in derivations)
    across = "tokens seen" if tokens else "updates"
    made = []
    for derivation in derivations:
        for metric, (label, unit) in metrics.items():
            of_panel = [group for group in groups if group.derivation == derivation]
            lines = [line for group in of_panel if (line := _line(group, metric, unit, tokens))]
            if not lines:
                continue
            ys = [y for line in lines for y in (*line.ys, *line.low, *line.high)]
            y = Axis.over(unit, ys)
            if unit == "%":
                y = Axis.over(unit, [0, *ys], 0)._replace(high=max(1, 1.05 * max(ys)))
            x = Axis.over(across, [0, *(x for line in lines for x in line.xs)], 0)
            made.append(Chart(label, x, y, lines, derivation or "", labelled=labelled))
    keys = {group.label: Key(group.label, group.colour, dash=group.dash) for group in groups}
    return made, [] if labelled else list(keys.values())


def _line(group: Group, metric: str, unit: str, tokens: str | None) -> Line | None:
    """The mean over the runs of a group at the updates that all of them logged; if there are none, at those of any."""
    runs = [run for run in group.runs if metric in run.curves]
    if not runs:
        return None
    logged = [{u: v for u, v in zip(*run.curves[metric], strict=True) if not np.isnan(v)} for run in runs]
    common = set.intersection(*map(set, logged)) or set.union(*map(set, logged))
    updates = _thinned(sorted(common))
    if not updates:
        return None
    scale, decimals = (100, 1) if unit == "%" else (1, 3)
    values = [[scale * values[update] for values in logged if update in values] for update in updates]
    means = [float(np.mean(of_update)) for of_update in values]
    spreads = [float(np.std(of_update, ddof=1)) if len(of_update) > 1 else 0.0 for of_update in values]
    xs = updates
    if tokens:
        xs = np.mean([_at(run.curves[tokens], updates) for run in runs], axis=0).tolist()
    tips = tuple(
        f"{group.label}: {mean:.{decimals}f} {unit} after {round(x):,} {'tokens' if tokens else 'updates'}"
        for x, mean in zip(xs, means, strict=True)
    )
    band = ([m - s for m, s in zip(means, spreads, strict=True)], [m + s for m, s in zip(means, spreads, strict=True)])
    low, high = map(tuple, band) if len(runs) > 1 else ((), ())
    return Line(tuple(map(float, xs)), tuple(means), group.colour, group.dash, group.label, tips, low, high)


def _at(curve: Curve, updates: Sequence[int]) -> np.ndarray:
    """A curve that begins at 0, read at other updates."""
    return np.interp(updates, [0, *curve.updates], [0.0, *curve.values])


def _thinned(updates: Sequence[int]) -> list[int]:
    """At most ``MOST_POINTS`` of the updates, the first and the last among them."""
    if len(updates) <= MOST_POINTS:
        return list(updates)
    return [updates[i] for i in np.linspace(0, len(updates) - 1, MOST_POINTS).round().astype(int)]


# maps


def embeddings(maps: EmbeddingMap) -> Figure:
    """A panel for each model: words of two languages, a line between the words of a pair."""
    languages = zip(maps.langs, charts.OF_LANGUAGES, (True, False), strict=True)
    keys = [Key(lang, colour, filled=filled) for lang, colour, filled in languages]
    keys += [Key(f"pair {PAIR_WORDS[split][0]}", "ink", dash=_pair_dash(split)) for split in _splits(maps)]
    made = [_map_of(maps, panel) for panel in maps.panels]
    how = {"pca": "their first two principal components", "umap": "UMAP"}[maps.method]
    caption = (
        f"Word embeddings of {len(maps.pairs)} pairs of {maps.langs[0]} and {maps.langs[1]}, each of length 1, in "
        f"{how}, of each model its own; a line joins the words of a pair, so short lines are aligned words."
    )
    return Figure("map", "Map of the embeddings", caption, made, keys, across=min(2, len(made)))


def _splits(maps: EmbeddingMap) -> list[str]:
    return [split for split in PAIRS if any(pair.split == split for pair in maps.pairs)]


def _pair_dash(split: str) -> tuple[int, ...]:
    return charts.DASHES[1] if split == "heldout" else charts.DASHES[0]


def _map_of(maps: EmbeddingMap, panel: Panel) -> Chart:
    x, y = _square([*panel.source, *panel.target])
    written = _written(maps, panel, x, y)
    segments, dots = [], []
    for number, pair in enumerate(maps.pairs):
        tip = f"{pair.source} – {pair.target}: cosine {panel.cosines[number]:.3f}, {PAIR_WORDS[pair.split][0]}"
        ends = panel.source[number], panel.target[number]
        segments.append(Segment(*ends, _pair_dash(pair.split), tip))
        for side, (end, word) in enumerate(zip(ends, (pair.source, pair.target), strict=True)):
            label = word if (number, side) in written else ""
            dots.append(Dot(*end, charts.OF_LANGUAGES[side], tip, filled=side == 0, size=3.5, label=label))
    means = []
    for split in _splits(maps):
        of_split = [cosine for pair, cosine in zip(maps.pairs, panel.cosines, strict=True) if pair.split == split]
        means.append(f"{np.mean(of_split):.3f} {PAIR_WORDS[split][0]}")
    note = f"mean cosine {', '.join(means)}"
    if panel.explained is not None:
        note += f"; the plane has {100 * panel.explained:.0f} % of the variance"
    return Chart(panel.name, x, y, [*segments, *dots], note)


def _square(ends: Sequence[tuple[float, float]]) -> tuple[Axis, Axis]:
    """Axes without numbers that hold all points, both of the same scale."""
    low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    half = 0.56 * max(*(high - low), 1e-6)
    x, y = (Axis("", float(middle - half), float(middle + half), ()) for middle in (low + high) / 2)
    return x, y


def _written(maps: EmbeddingMap, panel: Panel, x: Axis, y: Axis) -> set[tuple[int, int]]:
    """The words that are written, as numbers of a pair and a side: those of the first pairs that hide no other."""
    boxes: list[tuple[float, float, float]] = []
    written: set[tuple[int, int]] = set()
    pairs = 0
    for number, pair in enumerate(maps.pairs):
        before = len(written)
        for side, (end, word) in enumerate(zip((panel.source[number], panel.target[number]), pair[:2], strict=True)):
            left, below = (end[0] - x.low) / (x.high - x.low), (end[1] - y.low) / (y.high - y.low)
            right = left + LETTER * min(20, len(word))
            if all(right < box[0] or box[1] < left or abs(below - box[2]) > LINE for box in boxes):
                boxes.append((left, right, below))
                written.add((number, side))
        pairs += len(written) > before
        if pairs == NAMED_PAIRS:
            break
    return written
