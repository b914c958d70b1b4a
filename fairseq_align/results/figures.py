"""Figures of a report: bars of each task, alignment against gap, learning curves.

Colours are those of Okabe and Ito, which every colour vision tells apart; position or shape repeats what they say.
Figures are 12 inches wide, so that their text is still readable at half size.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairseq_align.errors import InputError
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results.aggregate import Cell, Cells, Column, Row, columns_of, rows_of
from fairseq_align.results.comparison import Comparison, Points, paper_points, points
from fairseq_align.results.curves import METRICS, Curve
from fairseq_align.results.metrics import PAIRS, TASKS, TRANSFER, Unit

FONT, SMALL = 14, 11  # points
STYLE = {"font.size": FONT, "svg.hashsalt": "fairseq_align"}  # the salt makes an SVG the same each time
SKY, BLUE, ORANGE, RED, GREEN, PINK, GREY = (
    "#56B4E9", "#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#666666",
)  # fmt: skip
BARS = {  # of fine-tuned tasks, by role and whether the word embeddings were frozen
    ("source", False): SKY, ("source", True): BLUE, ("supervised", False): GREEN, ("supervised", True): PINK,
    ("zero-shot", False): ORANGE, ("zero-shot", True): RED,
}  # fmt: skip
OTHER_BARS = (GREEN, PINK, BLUE, ORANGE, SKY, RED, GREY)  # of other tasks, in the order of their columns
OBJECTIVE_COLOURS = (GREY, SKY, ORANGE, RED, BLUE, GREEN, PINK)  # in the order of OBJECTIVES, then from the first again
TALLEST = 400  # inches of a figure; matplotlib draws up to 2^16 pixels
LONGEST = 100  # characters of a name in a figure
MARKERS = "osD^vP*X"
LINES = (GREY, RED, BLUE, ORANGE, GREEN, PINK, SKY, "#000000")
DASHES = ("-", "--", ":", "-.")
GAPS = {  # of our models, by the score that they are taken against
    "B_S": "{}: $B_Z - B_S$ (points)",
    "source": "{}: $B_Z$ − source (points)",
}
CURVES = {"mlm_loss": "masked-LM loss (bits a masked token)", "align_cos": "cosine of lexicon pairs (mean)"}


def save(figure: Figure, path: Path, suffix: str) -> None:
    """Write a figure as ``png`` or ``svg``, the same bytes each time."""
    with rc_context(STYLE):
        figure.savefig(path, format=suffix, metadata={"Date": None} if suffix == "svg" else None)


# bars


def bars(cells: Cells) -> Figure:
    """A panel for each task of the transfer table with scores, a group of bars for each row."""
    rows = rows_of(cells)
    titles = {column.title for column in columns_of(cells)}
    scored = {label: colours for label, colours in panels().items() if titles.intersection(colours)} or panels()
    across = min(2, len(scored))
    down = -(-len(scored) // across)
    most = max(len(titles.intersection(colours)) for colours in scored.values())
    with rc_context(STYLE):
        height = _drawable(down * (1.6 + max(0.9, 0.3 * most) * len(rows)), f"{len(rows):,} rows")
        figure = Figure(figsize=(12, height), dpi=150, layout="constrained")
        grid = figure.subplots(down, across, sharey=True, squeeze=False)
        for axes, (label, colours) in zip(grid.flat, scored.items(), strict=False):
            _draw_panel(axes, cells, rows, colours)
            axes.set_xlabel(label)
        for axes in grid.flat[len(scored) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            _name_rows(axes, rows)
    return figure


def _drawable(height: float, found: str) -> float:
    """A height in inches if matplotlib can draw it.

    Raises:
        InputError: it cannot.
    """
    if height > TALLEST:
        raise InputError(f"found {found}, expected fewer in a figure; the tables are written, for figures give fewer")
    return height


def _plain(name: str) -> str:
    """A name whose dollars begin no formula, without the middle of one too long to draw."""
    name = name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}"
    return name.replace("$", r"\$")


def panels() -> dict[str, dict[str, str]]:
    """Labels of the panels, fine-tuned tasks first, each with the column titles of its bars and their colours."""
    bars_of = {}
    for name, task in sorted(TASKS.items(), key=lambda item: not item[1].fine_tuned):
        shown = [metric for metric, row in task.metrics.items() if row.table == TRANSFER]
        if not shown:
            continue
        main = task.metrics[task.main]
        if task.fine_tuned:
            columns = {Column(name, task.main, task.usual_split, *bar): colour for bar, colour in BARS.items()}
        else:
            of_pairs = set(PAIRS) <= set(main.splits)
            splits = {metric: task.metrics[metric].splits if of_pairs else (task.usual_split,) for metric in shown}
            columns = [Column(name, metric, split) for metric in shown for split in splits[metric]]
            columns = dict(zip(columns, cycle(OTHER_BARS), strict=False))
        bars_of[f"{task.label} {main.label} ({main.unit.name})"] = {c.title: colour for c, colour in columns.items()}
    return bars_of


def _draw_panel(axes, cells: Cells, rows: Sequence[Row], colours: dict[str, str]) -> None:
    """Horizontal bars from the top: a group for each row, a bar for each score that any row has."""
    shown = {(key.row, key.column.title): cell for key, cell in cells.items() if key.lang is None}
    columns = {column.title: column for column in columns_of(cells)}
    titles = [title for title in colours if title in columns]
    height = 0.8 / max(1, len(titles))
    for i, title in enumerate(titles):
        offset = (i - (len(titles) - 1) / 2) * height
        present = [(y + offset, shown[row, title]) for y, row in enumerate(rows) if (row, title) in shown]
        axes.barh(
            [y for y, _ in present], [100 * cell.mean for _, cell in present], height,
            label=title, color=colours[title], edgecolor="white", zorder=2,
        )  # fmt: skip
        for y, cell in present:
            _draw_cell(axes, y, cell, height, columns[title].unit)
        for y, row in enumerate(rows):
            if (row, title) not in shown:
                axes.text(1, y + offset, "not scored", va="center", fontsize=SMALL, color="#666666")
    axes.set_xlim(0, 114)  # room for the number of a bar near 100
    axes.set_xticks(range(0, 101, 20))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    if titles:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    else:
        axes.text(0.5, 0.5, "no scores", transform=axes.transAxes, ha="center", va="center", backgroundcolor="white")


def _draw_cell(axes, y: float, cell: Cell, height: float, unit: Unit) -> None:
    """On a bar of that height: the spread as a line in its upper part, seeds as dots below, the mean as a number."""
    values = 100 * np.array(cell.values)
    if cell.spread is not None:
        axes.errorbar(
            values.mean(), y - 0.2 * height, xerr=100 * cell.spread, color="black", linewidth=1.5, capsize=3, zorder=3
        )
    ys = y + height * np.linspace(0, 0.3, len(values)) if len(values) > 1 else [y]
    axes.scatter(values, ys, s=14, color="black", edgecolor="white", linewidth=0.6, zorder=4, clip_on=False)
    end = min(103, max(values.max(), values.mean() + 100 * (cell.spread or 0)))
    axes.text(end + 1.5, y, unit.show(cell.mean), va="center", fontsize=SMALL)


def _name_rows(axes, rows: Sequence[Row]) -> None:
    """Name the groups, the first row on top."""
    several = len({row.derivation for row in rows}) > 1
    axes.set_yticks(range(len(rows)), ["\n".join(_row_label(row, several)) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_ylabel("objective, lexicon rate")


def _row_label(row: Row, with_derivation: bool) -> list[str]:
    label = [row.name] if row.lexicon_rate is None else [f"{row.name}, {row.lexicon}"]
    return list(map(_plain, [*label, row.derivation or "no derivation"] if with_derivation else label))


# alignment against gap


def scatter(compared: Sequence[Comparison]) -> Figure:
    """A panel for each task, all weights tuned or else embeddings frozen: our models filled, the paper's hollow."""
    titles = {}
    for comparison in compared:
        titles.setdefault(comparison.task, comparison.title)
    panels = {task: (points(compared, title), paper_points(task)) for task, title in titles.items()}
    with_paper = any(theirs for _, theirs in panels.values())
    drawn = [row for ours, theirs in panels.values() for row in (*ours.rows, *(theirs.rows if theirs else ()))]
    derivations = list(dict.fromkeys(row.derivation for row in drawn))
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 1.4 + 4.6 * -(-len(panels) // 2)), dpi=150, layout="constrained")
        grid = figure.subplots(-(-len(panels) // 2), min(2, len(panels)), squeeze=False)
        for axes, (task, (ours, theirs)) in zip(grid.flat, panels.items(), strict=False):
            if theirs:
                _draw_points(axes, theirs, derivations, filled=False)
            _draw_points(axes, ours, derivations, filled=True)
            axes.set_title(_correlations(titles[task], ours, theirs), fontsize=SMALL, loc="left")
            axes.set_xlabel("alignment: P@1 over the whole vocabulary (%)")
            also = "\npaper: $B_Z - B_S$" if theirs and ours.reference == "source" else ""
            axes.set_ylabel(GAPS[ours.reference].format(TASKS[task].label) + also)
            axes.set_xlim(-4, 104)
            axes.grid(color="#DDDDDD", zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        figure.legend(handles=_point_legend({row.objective for row in drawn}, derivations, with_paper),
                      loc="outside lower center", ncols=4, frameon=False, fontsize=SMALL)  # fmt: skip
    return figure


def _colour_of(objective: str) -> str:
    return OBJECTIVE_COLOURS[list(OBJECTIVES).index(objective) % len(OBJECTIVE_COLOURS)]


def _draw_points(axes, points: Points, derivations: Sequence[str | None], filled: bool) -> None:
    for row, x, y in zip(points.rows, points.alignment, points.gap, strict=True):
        colour = _colour_of(row.objective)
        axes.scatter(
            x, y, s=80, marker=MARKERS[derivations.index(row.derivation) % len(MARKERS)], linewidth=1.6,
            edgecolor="black" if filled else colour, facecolor=colour if filled else "none", zorder=4 if filled else 3,
        )  # fmt: skip


def _correlations(title: str, ours: Points, theirs: Points | None) -> str:
    return f"{title}: {ours.summary}" + (f"\npaper: {theirs.summary}" if theirs else "")


def _point_legend(objectives: Iterable[str], derivations: Sequence[str | None], with_paper: bool) -> list[Line2D]:
    def handle(label, **style):
        return Line2D([], [], linestyle="none", markersize=9, label=label, **style)

    handles = [
        handle(OBJECTIVES[name].label, marker="s", color=_colour_of(name)) for name in OBJECTIVES if name in objectives
    ]
    handles += [
        handle(_plain(name or "no derivation"), marker=MARKERS[i % len(MARKERS)], markerfacecolor="none", color="black")
        for i, name in enumerate(derivations)
    ]
    handles.append(handle("ours", marker="o", color="black"))
    if with_paper:
        handles.append(handle("the paper's", marker="o", markerfacecolor="none", color="black"))
    return handles


# learning curves


def learning_curves(logged: dict[str, dict[str, Curve]]) -> Figure:
    """A panel for each metric that was logged; runs that differ in their seed share a colour and a dash."""
    groups = list(dict.fromkeys(_without_seed(name) for name in logged))
    styles = {group: _line_style(number, len(groups)) for number, group in enumerate(groups)}
    shown = [metric for metric in METRICS if any(metric in curves for curves in logged.values())]
    with rc_context(STYLE):
        height = _drawable(5.2 + 0.3 * -(-len(groups) // 2), f"{len(groups):,} logs")
        figure = Figure(figsize=(12, height), dpi=150, layout="constrained")
        for axes, metric in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
            for name, curves in logged.items():
                if metric in curves:
                    axes.plot(*curves[metric], linewidth=1.6, **styles[_without_seed(name)])
            axes.set_xlabel("updates")
            axes.set_ylabel(CURVES[metric])
            axes.grid(color="#DDDDDD")
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(
            handles=[Line2D([], [], linewidth=2.5, label=_plain(group), **styles[group]) for group in groups],
            loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL,
        )  # fmt: skip
    return figure


def _line_style(number: int, count: int) -> dict[str, str]:
    """Colour and dash of the line of a group: each pair once, and both change from line to line while colours last."""
    dash = number // len(LINES) if count > len(LINES) else number
    return {"color": LINES[number % len(LINES)], "linestyle": DASHES[dash % len(DASHES)]}


def _without_seed(name: str) -> str:
    return re.sub(r"-\d+(?=/|$)", "", name)
