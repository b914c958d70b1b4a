"""Figures of a report: bars of each task, alignment against gap, learning curves.

Colours are those of Okabe and Ito, told apart with any colour vision; what a colour says, a place or a shape says, too.
Figures are 12 inches wide, so that their text is still readable at half size.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairseq_align.results.aggregate import TASKS, Cell, Cells, Row, columns_of, rows_of
from fairseq_align.results.comparison import Comparison, Points, paper_points, points
from fairseq_align.results.curves import METRICS, Curve
from fairseq_align.results.records import OBJECTIVES, Unit

FONT, SMALL = 14, 11  # points
STYLE = {"font.size": FONT, "svg.hashsalt": "fairseq_align"}  # the salt makes an SVG the same each time
SKY, BLUE, ORANGE, RED, GREEN, PINK, GREY = (
    "#56B4E9", "#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#666666",
)  # fmt: skip
BARS = {
    "source": SKY, "source, frozen": BLUE, "supervised": GREEN, "supervised, frozen": PINK,
    "zero-shot": ORANGE, "zero-shot, frozen": RED,
}  # fmt: skip
SCORES = {"xnli": "accuracy", "ner": "F1", "pos": "accuracy"}
PANELS = {
    **{f"{name} {SCORES[task]} (%)": {f"{name} {bar}": colour for bar, colour in BARS.items()}
       for task, name in TASKS.items()},
    "Alignment P@1 (%)": {
        "P@1 seen": GREEN, "P@1 held-out": PINK, "CSLS P@1 seen": BLUE, "CSLS P@1 held-out": ORANGE,
    },
}  # fmt: skip
OBJECTIVE_COLOURS = dict(zip(OBJECTIVES, (GREY, SKY, ORANGE, RED), strict=True))
MARKERS = "osD^vP*X"
LINES = (GREY, RED, BLUE, ORANGE, GREEN, PINK, SKY, "#000000")
DASHES = ("-", "--", ":", "-.")
GAPS = {  # by what our gaps are taken against
    "B_S": "{}: $B_Z - B_S$ (points)",
    "source": "{}: $B_Z$ − source (points)\npaper: $B_Z - B_S$",
}
CURVES = {"mlm_loss": "masked-LM loss (bits a masked token)", "align_cos": "cosine of lexicon pairs (mean)"}


def save(figure: Figure, path: Path, suffix: str) -> None:
    """Write a figure as ``png`` or ``svg``, the same bytes each time."""
    with rc_context(STYLE):
        figure.savefig(path, format=suffix, metadata={"Date": None} if suffix == "svg" else None)


# bars


def bars(cells: Cells) -> Figure:
    """A panel for each task with scores and one for alignment, a group of bars for each row."""
    rows = rows_of(cells)
    titles = {column.title for column in columns_of(cells)}
    panels = {label: colours for label, colours in PANELS.items() if titles.intersection(colours)} or PANELS
    panels = dict(list(panels.items())[-4:])
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    most = max(len(titles.intersection(colours)) for colours in panels.values())
    with rc_context(STYLE):
        height = down * (1.6 + max(0.9, 0.3 * most) * len(rows))
        figure = Figure(figsize=(12, height), dpi=150, layout="constrained")
        grid = figure.subplots(down, across, sharey=True, squeeze=False)
        for axes, (label, colours) in zip(grid.flat, panels.items(), strict=False):
            _draw_panel(axes, cells, rows, colours)
            axes.set_xlabel(label)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            _name_rows(axes, rows)
    return figure


def _draw_panel(axes, cells: Cells, rows: Sequence[Row], colours: dict[str, str]) -> None:
    """Horizontal bars from the top: a group for each row, a bar for each score that any row has."""
    shown = {(place.row, place.column.title): cell for place, cell in cells.items() if place.lang is None}
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
    return label + [row.derivation or "no derivation"] * with_derivation


# alignment against gap


def scatter(found: Sequence[Comparison]) -> Figure:
    """A panel for each task, all weights tuned or else embeddings frozen: our models filled, the paper's hollow."""
    titles = {}
    for one in found:
        titles.setdefault(one.task, one.title)
    panels = {task: (points(found, title), paper_points(task)) for task, title in titles.items()}
    derivations = list(
        dict.fromkeys(row.derivation for parts in panels.values() for part in parts for row in part.rows)
    )
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 1.4 + 4.6 * -(-len(panels) // 2)), dpi=150, layout="constrained")
        grid = figure.subplots(-(-len(panels) // 2), min(2, len(panels)), squeeze=False)
        for axes, (task, (ours, theirs)) in zip(grid.flat, panels.items(), strict=False):
            for part, filled in ((theirs, False), (ours, True)):
                _draw_points(axes, part, derivations, filled)
            axes.set_title(_correlations(titles[task], ours, theirs), fontsize=SMALL, loc="left")
            axes.set_xlabel("alignment: P@1 of seen pairs (%)")
            axes.set_ylabel(GAPS[ours.reference].format(TASKS[task]))
            axes.set_xlim(-4, 104)
            axes.grid(color="#DDDDDD", zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        figure.legend(handles=_point_legend(panels.values(), derivations), loc="outside lower center", ncols=4,
                      frameon=False, fontsize=SMALL)  # fmt: skip
    return figure


def _draw_points(axes, some: Points, derivations: Sequence[str | None], filled: bool) -> None:
    for row, x, y in zip(some.rows, some.alignment, some.gap, strict=True):
        colour = OBJECTIVE_COLOURS[row.objective]
        axes.scatter(
            x, y, s=80, marker=MARKERS[derivations.index(row.derivation) % len(MARKERS)], linewidth=1.6,
            edgecolor="black" if filled else colour, facecolor=colour if filled else "none", zorder=4 if filled else 3,
        )  # fmt: skip


def _correlations(title: str, ours: Points, theirs: Points) -> str:
    few = f"{len(ours.rows)} models, too few or without spread"
    return f"{title}: {ours.correlation or few}\npaper: {theirs.correlation}"


def _point_legend(panels, derivations: Sequence[str | None]) -> list[Line2D]:
    def handle(label, **style):
        return Line2D([], [], linestyle="none", markersize=9, label=label, **style)

    objectives = {row.objective for parts in panels for part in parts for row in part.rows}
    handles = [
        handle(name.replace("_", "-").upper(), marker="s", color=colour)
        for name, colour in OBJECTIVE_COLOURS.items() if name in objectives
    ]  # fmt: skip
    handles += [
        handle(name or "no derivation", marker=MARKERS[i % len(MARKERS)], markerfacecolor="none", color="black")
        for i, name in enumerate(derivations)
    ]
    handles.append(handle("ours", marker="o", color="black"))
    handles.append(handle("the paper's", marker="o", markerfacecolor="none", color="black"))
    return handles


# learning curves


def learning_curves(logged: dict[str, dict[str, Curve]]) -> Figure:
    """A panel for each metric that was logged; runs that differ in their seed share a colour and a dash."""
    groups = list(dict.fromkeys(_without_seed(name) for name in logged))
    shown = [metric for metric in METRICS if any(metric in curves for curves in logged.values())]
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 5.2 + 0.3 * -(-len(groups) // 2)), dpi=150, layout="constrained")
        for axes, metric in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
            for name, curves in logged.items():
                if metric in curves:
                    number = groups.index(_without_seed(name))
                    style = (
                        DASHES[number // len(LINES) % len(DASHES)] if len(groups) > len(LINES) else DASHES[number % 4]
                    )
                    axes.plot(*curves[metric], color=LINES[number % len(LINES)], linestyle=style, linewidth=1.6)
            axes.set_xlabel("updates")
            axes.set_ylabel(CURVES[metric])
            axes.grid(color="#DDDDDD")
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(
            handles=[
                Line2D([], [], color=LINES[i % len(LINES)], linewidth=2.5, label=group,
                       linestyle=DASHES[i // len(LINES) % len(DASHES)] if len(groups) > len(LINES) else DASHES[i % 4])
                for i, group in enumerate(groups)
            ],
            loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL,
        )  # fmt: skip
    return figure


def _without_seed(name: str) -> str:
    return re.sub(r"-\d+(?=/|$)", "", name)
